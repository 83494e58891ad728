"""What is known of an asset's table besides its rows: volumes that may be believed, and what people accepted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence, Set

import dagster as dg
from sqlglot import exp

from dashboard_trust.checks.evaluate import Known
from dashboard_trust.checks.volume import SUCH_DAYS, TOO_LITTLE
from dashboard_trust.contracts.model import DashboardContract, Promise, Requirement
from dashboard_trust.contracts.table_rules import Columns, RowCount, TableRules, VolumeAnomaly
from dashboard_trust.enforcement.slices import partition_slice
from dashboard_trust.evidence.facts import Evidence
from dashboard_trust.readers.event_log import read_evidence
from dashboard_trust.verdicts.judge import judge
from dashboard_trust.verdicts.verdict import Outcome
from dashboard_trust.warehouses.fingerprints import column_types
from dashboard_trust.warehouses.parts import count_parts
from dashboard_trust.warehouses.session import Session


def read_known(
    instance: dg.DagsterInstance,
    session: Session,
    spec: dg.AssetSpec,
    rules: TableRules,
    partitions: Sequence[str | None],
) -> Known:
    """Read what the volumes of these partitions are judged by, and which columns were accepted.

    Of a table that is told by day the other days are in it; of partitions of time it is those before, if
    everything that holds of them is satisfied or waived, with the rows they have now.
    """
    now = dt.datetime.now(dt.UTC)
    volume = [r for r in rules.rules if isinstance(r, VolumeAnomaly) or (isinstance(r, RowCount) and r.of_median)]
    if not volume and not any(isinstance(rule, Columns) for rule in rules.rules):
        return Known(now)
    keys = [partition for partition in partitions if partition is not None]
    before = _before(spec.partitions_def, keys, max(rule.weeks for rule in volume)) if volume else {}
    names = {rule.check for rule in volume}
    asked: list[str | None] = [*before, *keys] if keys else [None]
    promises = {key: _promise(spec, rules, key) for key in asked}
    evidence = read_evidence(instance, list(promises.values()), now)
    waived = _waived(evidence, rules.asset, names)
    believed = [key for key in before if key in waived or _is_accepted(promises[key], evidence, names)]
    history = _rows(session, spec, rules, {key: before[key] for key in believed})
    refused = {before[key] for key in before if key not in waived and _is_refused(promises[key], evidence, names)}
    return Known(now, history, waived, refused, _schemas(evidence, rules.asset))


def _before(partitions: dg.PartitionsDefinition | None, keys: Sequence[str], weeks: int) -> dict[str, dt.datetime]:
    """Return the partitions of time up to so many weeks before these, with their start in their own time."""
    if not isinstance(partitions, dg.TimeWindowPartitionsDefinition) or not keys:
        return {}
    starts = [partitions.time_window_for_partition_key(key).start for key in keys]
    window = dg.TimeWindow(min(starts) - dt.timedelta(weeks=weeks, days=1), max(starts))
    found = partitions.get_partition_keys_in_time_window(window)
    known = {key: partitions.time_window_for_partition_key(key).start for key in found if key not in keys}
    return {key: start.replace(tzinfo=None) for key, start in known.items()}


def _promise(spec: dg.AssetSpec, rules: TableRules, partition: str | None) -> Promise:
    """Return the promise that the table's own rules hold of a partition, whatever it was built from."""
    checks = tuple(rule.check for rule in rules.all_rules)
    requirement = Requirement(rules.asset, partition, owner="nobody", checks=checks)
    contract = DashboardContract(rules.asset, owner="nobody", accept_reported=True)
    return Promise(contract, partition, None, (requirement,))


def _is_accepted(promise: Promise, evidence: Evidence, volume: Set[str]) -> bool:
    """Whether nothing holds of a partition but that there was too little to judge its volume by."""
    held = [finding for finding in judge(promise, evidence).findings if finding.outcome is not Outcome.WARNED]
    return all(
        finding.outcome is Outcome.WAIVED or (finding.check in volume and TOO_LITTLE in finding.reason)
        for finding in held
    )


def _is_refused(promise: Promise, evidence: Evidence, volume: Set[str]) -> bool:
    """Whether a partition's volume is held as no usual one."""
    findings = judge(promise, evidence).findings
    return any(
        finding.outcome is Outcome.FAILED and finding.check in volume and SUCH_DAYS in finding.reason
        for finding in findings
    )


def _waived(evidence: Evidence, asset: str, volume: Set[str]) -> frozenset[str]:
    """Return the partitions, or days, whose volume a person accepted, for however long."""
    said = (word for word in evidence.words if word.kind == "waive" and word.asset == asset and word.check in volume)
    return frozenset(word.partition for word in said if word.partition is not None)


def _schemas(evidence: Evidence, asset: str) -> dict[str, str]:
    """Return who accepted which columns of a table."""
    said = (word for word in evidence.words if word.kind == "accept" and word.asset == asset)
    return {word.version: f"{word.by} ({word.at:%Y-%m-%d}, {word.reason})" for word in said}


def _rows(
    session: Session, spec: dg.AssetSpec, rules: TableRules, starts: Mapping[str, dt.datetime]
) -> dict[dt.datetime, int]:
    if not starts:
        return {}
    types = column_types(session, rules.name)
    parts = partition_slice(rules.name, spec.partitions_def, list(starts), spec.metadata, types, session.dialect).parts
    counted = count_parts(session, rules.name, parts, [exp.Count(this=exp.Star())])
    return {starts[key]: int(rows) for key, (rows,) in counted.items()}
