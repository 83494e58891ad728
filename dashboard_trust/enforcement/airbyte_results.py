"""What one sync brought of one stream, as Dagster shows it: metadata of its load, and results of its checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from dashboard_trust.contracts.streams import StreamContract
from dashboard_trust.enforcement.airbyte_memory import ACCEPTED_CATALOG, COMPARED_KEYS, JOB, LAST_ROWS, Earlier
from dashboard_trust.enforcement.evaluations import PartitionResult
from dashboard_trust.evidence.names import FINGERPRINT
from dashboard_trust.ingestion.deleted_keys import KeyComparison, describe_comparison
from dashboard_trust.ingestion.sync_evidence import StreamFacts, StreamOutcome
from dashboard_trust.warehouses.fingerprints import Fingerprint

SYNC_EVIDENCE, STREAM_CONFIGURATION, DELETED_KEYS = "sync_evidence", "stream_configuration", "deleted_keys"


@dataclass(frozen=True, slots=True)
class StreamLoad:
    """A stream after a sync: what is known of it, and what follows from that."""

    stream: StreamContract
    facts: StreamFacts
    outcome: StreamOutcome
    drift: tuple[str, ...]
    earlier: Earlier
    compared: KeyComparison | None = None


def describe_load(key: dg.AssetKey, load: StreamLoad, described: Mapping[str, Any]) -> dg.MaterializeResult[None]:
    """Return the materialization, with what else is known of it; a table that holds the same is no new version."""
    fingerprint = described.get(FINGERPRINT)
    version = dg.DataVersion(Fingerprint.parse(fingerprint).version) if fingerprint else None
    return dg.MaterializeResult(asset_key=key, data_version=version, metadata={**_evidence(load), **described})


def _evidence(load: StreamLoad) -> dict[str, Any]:
    report, table = load.facts.report, load.facts.table
    configuration = report.configuration
    said: dict[str, Any] = {
        JOB: load.facts.job_id,
        ACCEPTED_CATALOG: load.earlier.catalog if load.drift else configuration.hash,
        LAST_ROWS: _last_rows(load),
        "records_emitted": report.emitted,
        "records_committed": report.committed,
        "bytes_committed": report.bytes,
        "attempts": len(report.counts),
        "stream_status": report.status or "not known",
        "sync_mode": configuration.sync_mode,
        "destination_sync_mode": configuration.destination_sync_mode,
        "cursor": configuration.cursor or None,
        "primary_key": ", ".join(configuration.primary_key) or None,
        "catalog": configuration.hash,
        COMPARED_KEYS: dg.MetadataValue.json(load.compared.dump()) if load.compared else None,
    }
    if table is not None:
        columns = [dg.TableColumn(name, kind) for name, kind in table.columns.items()]
        said |= {
            "dagster/row_count": table.rows,
            "dagster/column_schema": dg.TableSchema(columns),
            "generation": table.generation,
            "rows_of_this_sync": table.since,
            "rows_changed_on_the_way": table.changed,
            "rows_soft_deleted": table.soft_deleted,
        }
    return {label: value for label, value in said.items() if value is not None}


def results_of(load: StreamLoad) -> Mapping[str, PartitionResult]:
    """Return what each check says of the load."""
    outcome = load.outcome
    warns = bool(outcome.warnings) and not outcome.holds
    name = f"connection {load.facts.connection!r}, stream {load.stream.name!r}"
    found = {
        SYNC_EVIDENCE: PartitionResult(
            not outcome.holds and not warns, outcome.reason, warns, metadata={"outcome": outcome.word}
        ),
        STREAM_CONFIGURATION: PartitionResult(
            not load.drift,
            "; ".join(f"{name}: {why}" for why in load.drift),
            metadata={"catalog": load.facts.report.configuration.hash},
        ),
    }
    if load.stream.full_list is not None and load.compared is not None:
        said = describe_comparison(load.compared, load.facts.connection, load.stream.name, load.stream.full_list)
        found[DELETED_KEYS] = PartitionResult(load.compared.passed, said)
    return found


def _last_rows(load: StreamLoad) -> int | None:
    """Return how many rows the next sync is to be told there were, or should have been."""
    facts = load.facts
    rows, before = facts.table.rows if facts.table else 0, facts.rows_before
    if not load.outcome.holds:
        return rows
    if facts.report.configuration.destination_sync_mode == "append" and before is not None:
        return before + facts.report.committed_in_all
    return max(rows, before or 0) or before
