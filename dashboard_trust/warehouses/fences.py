"""Fences: rows that say who had the last word on something, and that keep others out while somebody has it.

A place is a table and a part of it. Whoever updates its row keeps every other one waiting until the end of their
transaction. ``token`` counts; ``by`` is what a later one is told.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlglot import exp, parse_one

from dashboard_trust.errors import WarehouseError
from dashboard_trust.warehouses.session import Session, either, make_table, table

FENCES = "trust.fences"
COLUMNS = ("table_name", "slice", "token", "write_id", "written_by")
CREATE = f"""
    CREATE TABLE IF NOT EXISTS {FENCES}
    (table_name TEXT, slice TEXT, token BIGINT, write_id TEXT, written_by TEXT, PRIMARY KEY (table_name, slice))
"""

Place = tuple[str, str]
"""A table, and a part of it."""


@dataclass(frozen=True, slots=True)
class Fence:
    """The last word on a place."""

    token: int
    write_id: str
    by: str


def make_fences(session: Session, places: Collection[Place]) -> None:
    """Make the fences that are missing, before the transaction that moves them.

    Another may be at the same: of two, one is refused, and both have it.
    """
    if session.columns(FENCES) is None:
        make_table(session, FENCES, parse_one(CREATE, dialect="duckdb"))
    refused: list[WarehouseError] = []
    for name, part in sorted(set(places) - set(read_fences(session, places))):
        row = exp.Tuple(expressions=[exp.convert(value) for value in (name, part, 0, "", "")])
        try:
            session.query(exp.insert(exp.values([row]), table(FENCES), columns=COLUMNS))
        except WarehouseError as error:
            refused.append(error)
    if refused and set(read_fences(session, places)) != set(places):
        raise refused[-1]


def hold_fences(session: Session, places: Collection[Place]) -> None:
    """Keep every other one out until the end of the transaction, having waited for whoever is in.

    One by one, in one order, so that no two wait for each other.
    """
    for place in sorted(places):
        session.query(exp.update(table(FENCES), {"token": exp.column("token")}, where=_is(place)))


def move_fences(session: Session, places: Collection[Place], by: str, *, write_id: str = "") -> None:
    """Have the last word on these places."""
    moved: dict[str, object] = {"token": exp.column("token") + 1, "write_id": write_id, "written_by": by}
    session.query(exp.update(table(FENCES), moved, where=_any_of(places)))


def read_fences(session: Session, places: Collection[Place]) -> Mapping[Place, Fence]:
    """Return the last word on each of these places; one without a fence is left out."""
    if not places:
        return {}
    # Of two rows, which an engine that does not enforce keys may have, the higher one tells: both are moved together.
    rows = session.query(exp.select(*COLUMNS).from_(table(FENCES)).where(_any_of(places)).order_by("token"))
    return {
        (str(name), str(part)): Fence(int(token), str(write_id), str(by)) for name, part, token, write_id, by in rows
    }


def _any_of(places: Collection[Place]) -> exp.Expr:
    parts: dict[str, list[str]] = {}
    for name, part in sorted(places):
        parts.setdefault(name, []).append(part)
    return either(
        [
            exp.and_(exp.column("table_name").eq(name), exp.column("slice").isin(*several))
            for name, several in parts.items()
        ]
    )


def _is(place: Place) -> exp.Expr:
    name, part = place
    return exp.and_(exp.column("table_name").eq(name), exp.column("slice").eq(part))
