"""The sync step: the systems of record through Airbyte into the raw tables, all streams or none."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from dashboard_trust.contracts.streams import ConnectionContract, StreamContract
from dashboard_trust.demo import connector
from dashboard_trust.demo.home import Home
from dashboard_trust.enforcement.airbyte_assets import trusted_airbyte
from dashboard_trust.ingestion.airbyte_load import load
from dashboard_trust.ingestion.airbyte_process import running_airbyte
from dashboard_trust.ingestion.airbyte_report import SyncReport
from dashboard_trust.ingestion.airbyte_sync import Patience
from dashboard_trust.ingestion.connections import Connection, Stream, Workspace

if TYPE_CHECKING:
    from dagster_airbyte import AirbyteWorkspace

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
    "customers": (("customer_id", "name", "country", "created_at"), ""),
}
"""Each stream's columns, and the one that says to which UTC day a row belongs, if one does."""

KEYS = [dg.AssetKey(["raw", name]) for name in sorted(STREAMS)]


CONTRACT = ConnectionContract(
    id="systems-of-record",
    name="Systems of record",
    # Our loopback server's destination writes no `_airbyte_meta`; a real one does.
    streams=tuple(
        StreamContract(name, time_column=STREAMS[name][1], fingerprint=True, changed_records=None, owner=OWNERS[name])
        for name in sorted(STREAMS)
    ),
    schema="raw",
)


def build_sync() -> dg.AssetsDefinition:
    """Build the step that syncs the connection through a server of its own, and loads the selected streams."""
    return trusted_airbyte(
        CONTRACT,
        _workspace,
        lambda: Home.from_environment().warehouse,
        patience=Patience(sync=TIMEOUT),
        load=_load,
        name="sync_systems_of_record",
        group_name="raw",
        kinds={"duckdb"},
    )


@contextmanager
def _workspace() -> Iterator[AirbyteWorkspace]:
    with running_airbyte(Workspace("demo", (build_connection(Home.from_environment()),))) as airbyte:
        yield airbyte.workspace()


def _load(report: SyncReport, selected: Sequence[str]) -> None:
    """Load these streams, as Airbyte's own destination does in production."""
    home = Home.from_environment()
    whole = build_connection(home)
    wanted = dataclasses.replace(whole, streams=tuple(whole.stream(name) for name in selected))
    load(home.warehouse, wanted, report)


def build_connection(home: Home) -> Connection:
    """Return the demo's one connection: every CSV in ``source/``, read in full."""
    return Connection(
        id=CONTRACT.id,
        name=CONTRACT.name,
        command=(sys.executable, "-I", "-S", str(Path(connector.__file__))),
        config={"folder": str(home.source.resolve())},
        streams=tuple(Stream(name, _schema(columns)) for name, (columns, _) in STREAMS.items()),
        landing=home.airbyte.resolve(),
    )


def _schema(columns: tuple[str, ...]) -> dict[str, object]:
    return {"type": "object", "properties": {column: {"type": ["null", "string"]} for column in columns}}
