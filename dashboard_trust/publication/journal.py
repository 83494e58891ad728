"""The publish log: which version holds what since when, written with the tables themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlglot import exp, parse_one

from dashboard_trust.publication.tables import WrittenSlice
from dashboard_trust.warehouses.fingerprints import Fingerprint
from dashboard_trust.warehouses.session import Session, make_table, table

LOG = "trust.publications"
COLUMNS = ("dashboard", "number", "release", "tables", "published_at", "restores", "note")
CREATE_LOG = f"""
    CREATE TABLE IF NOT EXISTS {LOG} (dashboard TEXT, number BIGINT, release TEXT, tables TEXT, published_at TEXT,
    restores BIGINT, note TEXT, PRIMARY KEY (dashboard, number))
"""


Changes = Mapping[str, tuple[WrittenSlice, ...]]
"""What a publication changed, by table."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One version of a dashboard: its page and all its tables together.

    ``number`` counts from 1. ``changes`` are by table. ``restores`` is the version that a rollback put
    back, ``note`` who did it and why. ``changed`` is False if readers had all of it before;
    ``published_at`` is then still the earlier time.
    """

    dashboard: str
    number: int
    release: str
    published_at: datetime
    changes: Changes = field(default_factory=dict)
    restores: int | None = None
    note: str = ""
    changed: bool = True

    @property
    def parts(self) -> tuple[str, ...]:
        """The partitions it changed."""
        return tuple(sorted({slice_.part for own in self.changes.values() for slice_ in own}))


def collect_changes(written: Sequence[WrittenSlice]) -> Changes:
    """Return what was changed, by table."""
    targets = dict.fromkeys(slice_.target for slice_ in written if slice_.changed)
    return {target: tuple(s for s in written if s.target == target and s.changed) for target in targets}


def prepare_log(session: Session) -> None:
    """Make the log, before the transaction that writes to it."""
    if session.columns(LOG) is None:
        make_table(session, LOG, parse_one(CREATE_LOG, dialect="duckdb"))


def append_publication(session: Session, publication: Publication) -> None:
    """Add a row to the log, in the caller's transaction."""
    values = (
        publication.dashboard,
        publication.number,
        publication.release,
        _encode(publication.changes, session.dialect),
        publication.published_at.isoformat(),
        publication.restores,
        publication.note,
    )
    row = exp.Tuple(expressions=[exp.convert(value) for value in values])
    session.query(exp.insert(exp.values([row]), table(LOG), columns=COLUMNS))


def read_publications(session: Session, dashboard: str, newest: int | None = None) -> tuple[Publication, ...]:
    """Return the publications of a dashboard, newest first; empty if it was never published."""
    if session.columns(LOG) is None:
        return ()
    query = exp.select(*COLUMNS).from_(table(LOG)).where(exp.column("dashboard").eq(dashboard))
    query = query.order_by(exp.column("number").desc())
    rows = session.query(query.limit(newest) if newest is not None else query)
    return tuple(_publication(row, session.dialect) for row in rows)


def _publication(row: tuple[Any, ...], dialect: str) -> Publication:
    dashboard, number, release, tables, published_at, restores, note = row
    moment = datetime.fromisoformat(str(published_at))
    restores = None if restores is None else int(restores)
    return Publication(dashboard, int(number), release, moment, _decode(tables, dialect), restores, note or "")


def _encode(changes: Changes, dialect: str) -> str:
    # In the engine's own dialect: another may not have the words for what tells a partition.
    return json.dumps(
        {target: {s.part: _encode_slice(s, dialect) for s in own} for target, own in changes.items()}, sort_keys=True
    )


def _encode_slice(slice_: WrittenSlice, dialect: str) -> dict[str, str | None]:
    where = slice_.where.sql(dialect=dialect) if slice_.where is not None else None
    return {"where": where, "holds": str(slice_.fingerprint)}


def _decode(tables: str, dialect: str) -> Changes:
    return {
        target: tuple(
            WrittenSlice(
                target=target,
                part=part,
                where=parse_one(said["where"], dialect=dialect) if said["where"] else None,
                fingerprint=Fingerprint.parse(said["holds"]),
                changed=True,
            )
            for part, said in parts.items()
        )
        for target, parts in json.loads(tables).items()
    }
