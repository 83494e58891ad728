"""The sync step: the systems of record through Airbyte into the raw tables, all streams or none."""

# No postponed annotations here: Dagster reads the one of `context` as an object.

import dataclasses
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg

from dashboard_trust.demo import connector
from dashboard_trust.demo.home import Home
from dashboard_trust.evidence.names import DAYS
from dashboard_trust.ingestion.airbyte_load import StreamLoad, load
from dashboard_trust.ingestion.airbyte_process import running_airbyte
from dashboard_trust.ingestion.airbyte_sync import StreamReport, sync
from dashboard_trust.ingestion.connections import Connection, Stream, Workspace

TIMEOUT = timedelta(minutes=5)
OWNERS = {
    "payments": "billing@example.com",
    "refunds": "billing@example.com",
    "orders": "shop@example.com",
    "customers": "shop@example.com",
}
STREAMS = {
    "payments": (("payment_id", "order_id", "customer_id", "paid_at", "amount", "status"), "paid_at"),
    "orders": (("order_id", "customer_id", "ordered_at", "amount", "status"), "ordered_at"),
    "refunds": (("refund_id", "payment_id", "refunded_at", "amount"), "refunded_at"),
    "customers": (("customer_id", "name", "country", "created_at"), None),
}
"""Each stream's columns, and the one that says to which UTC day a row belongs."""

KEYS = [dg.AssetKey(["raw", name]) for name in sorted(STREAMS)]


def build_sync() -> dg.AssetsDefinition:
    """Build the step that syncs the connection and loads the selected streams.

    The streams are declared here, so that definitions load with no server running.
    """

    @dg.multi_asset(
        name="sync_systems_of_record",
        specs=[
            dg.AssetSpec(
                ["raw", name],
                group_name="raw",
                kinds={"airbyte", "duckdb"},
                owners=[OWNERS[name]],
                metadata={"dagster/table_name": f"raw.{name}"},
                description=f"Stream {name!r} of the systems of record, as it was delivered.",
            )
            for name in sorted(STREAMS)
        ],
        can_subset=True,
    )
    def sync_systems_of_record(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
        home = Home.from_environment()
        selected = sorted(key.path[-1] for key in context.selected_asset_keys)
        whole = build_connection(home)
        with running_airbyte(Workspace("demo", (whole,))) as airbyte:
            report = sync(airbyte.workspace(), whole.id, TIMEOUT)
            wanted = dataclasses.replace(whole, streams=tuple(whole.stream(name) for name in selected))
            loads = load(home.warehouse, wanted, report)
        for name in selected:
            yield _result(name, report.streams[name], loads[name], report.attempts)

    return sync_systems_of_record


def build_connection(home: Home) -> Connection:
    """Return the demo's one connection: every CSV in ``source/``, read in full."""
    return Connection(
        id="systems-of-record",
        name="Systems of record",
        command=(sys.executable, "-I", "-S", str(Path(connector.__file__))),
        config={"folder": str(home.source.resolve())},
        streams=tuple(Stream(name, _schema(columns), time) for name, (columns, time) in STREAMS.items()),
        landing=home.airbyte.resolve(),
    )


def _schema(columns: tuple[str, ...]) -> dict[str, object]:
    return {"type": "object", "properties": {column: {"type": ["null", "string"]} for column in columns}}


def _result(name: str, report: StreamReport, loaded: StreamLoad, attempts: int) -> dg.MaterializeResult[None]:
    time_column = STREAMS[name][1]
    sliced = time_column is not None and time_column in loaded.columns
    days = {day: fingerprint.version for day, fingerprint in loaded.days.items()}
    return dg.MaterializeResult(
        asset_key=dg.AssetKey(["raw", name]),
        data_version=dg.DataVersion(loaded.fingerprint.version),
        metadata={
            "dagster/row_count": loaded.rows,
            "records_emitted": report.emitted,
            "records_committed": report.committed,
            "attempts": attempts,
            "dagster/column_schema": dg.TableSchema([dg.TableColumn(c, t) for c, t in loaded.columns.items()]),
            **({DAYS: dg.MetadataValue.json(days)} if sliced else {}),
        },
    )
