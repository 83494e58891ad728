"""What was begun to be sent, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Collection

import dagster as dg
import sqlalchemy as db

from dashboard_trust.evidence.facts import Receipt
from dashboard_trust.evidence.names import RECEIPT, WORD
from dashboard_trust.readers.event_tables import EVENTS, EventTables, Row
from dashboard_trust.readers.events import observed, parse_word


def read_receipts(instance: dg.DagsterInstance, asset: str, partitions: Collection[str | None]) -> list[Receipt]:
    """Return what was begun to be sent for these partitions of an asset, oldest first."""
    with EventTables.open(instance) as tables:
        begun = [row for row in tables.observations({asset}, RECEIPT) if row.partition in partitions]
        if not begun:
            return []
        words = [(row.storage_id, parse_word(row)) for row in tables.observations({asset}, WORD)]
        delivered = _deliveries(tables, asset)
    releases = [(storage_id, word.partition) for storage_id, word in words if word.kind == "release"]
    return [_receipt(row, delivered, releases) for row in begun]


def _receipt(
    row: Row, delivered: Collection[tuple[str, str | None]], releases: Collection[tuple[int, str | None]]
) -> Receipt:
    said = observed(row)[RECEIPT]
    released = any(at > row.storage_id and of in (None, row.partition) for at, of in releases)
    return Receipt(
        partition=row.partition,
        consumed=said["consumed"],
        run_id=said["run_id"],
        storage_id=row.storage_id,
        at=row.at,
        settled=released or (said["run_id"], row.partition) in delivered,
    )


def _deliveries(tables: EventTables, asset: str) -> set[tuple[str, str | None]]:
    """Return the run and the partition of each materialization."""
    query = (
        db.select(EVENTS.run_id, EVENTS.partition)
        .where(EVENTS.asset_key == json.dumps(asset.split("/")))
        .where(EVENTS.dagster_event_type == "ASSET_MATERIALIZATION")
    )
    return {(record.run_id, record.partition) for record in tables.connection.execute(query)}
