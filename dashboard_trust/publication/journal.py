"""The publish log: which release holds which days since when, written with the tables themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from dashboard_trust.warehouses.columns import read_columns
from dashboard_trust.warehouses.fingerprints import Fingerprint

if TYPE_CHECKING:
    import duckdb

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Publication:
    """One version readers can see: the page, the days written with it, and since when (UTC).

    ``fingerprints`` are those of the published slices, by table and day. ``changed`` is False if
    readers had all of it before; ``published_at`` is then still the earlier time.
    """

    dashboard: str
    release: str
    days: tuple[date, ...]
    published_at: datetime
    fingerprints: Mapping[tuple[str, date], Fingerprint]
    changed: bool = True


def append_publication(connection: duckdb.DuckDBPyConnection, publication: Publication) -> None:
    """Add a row to ``trust.publish_log``, creating it if missing, in the caller's transaction."""
    connection.execute("CREATE SCHEMA IF NOT EXISTS trust")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS trust.publish_log (number BIGINT, dashboard VARCHAR, release VARCHAR,"
        " days DATE[], tables JSON, published_at TIMESTAMPTZ)"
    )
    connection.execute(
        "INSERT INTO trust.publish_log"
        " SELECT coalesce(max(number), 0) + 1, ?, ?, ?::DATE[], ?, ? FROM trust.publish_log",
        [
            publication.dashboard,
            publication.release,
            [day.isoformat() for day in publication.days],
            _encode(publication.fingerprints),
            publication.published_at,
        ],
    )


def read_publications(
    connection: duckdb.DuckDBPyConnection, dashboard: str, newest: int | None = None
) -> tuple[Publication, ...]:
    """Return the publications of a dashboard, newest first; empty if it was never published."""
    if read_columns(connection, "trust.publish_log") is None:
        return ()
    rows = connection.execute(
        "SELECT dashboard, release, days, epoch_us(published_at), tables FROM trust.publish_log"
        " WHERE dashboard = ? ORDER BY number DESC LIMIT ?",
        [dashboard, newest if newest is not None else 2**62],
    ).fetchall()
    return tuple(
        Publication(key, release, tuple(days), EPOCH + timedelta(microseconds=moment), _decode(tables))
        for key, release, days, moment, tables in rows
    )


def _encode(fingerprints: Mapping[tuple[str, date], Fingerprint]) -> str:
    tables: dict[str, dict[str, dict[str, object]]] = {}
    for (table, day), found in sorted(fingerprints.items()):
        tables.setdefault(table, {})[day.isoformat()] = {"rows": found.rows, "digest": found.digest}
    return json.dumps(tables)


def _decode(tables: str) -> dict[tuple[str, date], Fingerprint]:
    return {
        (table, date.fromisoformat(day)): Fingerprint(found["rows"], found["digest"])
        for table, days in json.loads(tables).items()
        for day, found in days.items()
    }
