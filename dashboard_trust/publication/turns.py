"""Turns: of a dashboard one publication at a time, and a published table of one dashboard alone.

Both are rows among the warehouse's fences. Whoever moves one on keeps everybody else waiting until the end of
their transaction.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from sqlglot import exp, parse_one

from dashboard_trust.errors import PublicationError, WarehouseError
from dashboard_trust.publication.journal import LOG
from dashboard_trust.warehouses.replace import CREATE_FENCES, FENCE_COLUMNS, FENCES
from dashboard_trust.warehouses.session import Session, make_table, table

PUBLISHED = "(published)"
"""In place of a partition: the fence that says of which dashboard a published table is."""


def prepare_turn(session: Session, dashboard: str) -> None:
    """Make a dashboard's fence, before the transaction that moves it."""
    _make(session, {(LOG, dashboard)})


def take_turn(session: Session, dashboard: str) -> None:
    """Wait until nobody else publishes the dashboard, and keep it so until the end of the transaction."""
    _move(session, LOG, dashboard, dashboard)
    if not _read(session, {(LOG, dashboard)}):
        raise _lost(dashboard)


def prepare_claims(session: Session, targets: Collection[str]) -> None:
    """Make the fences of tables that are to be published, before the transaction that moves them."""
    _make(session, _claims(targets))


def claim_tables(session: Session, dashboard: str, targets: Collection[str]) -> list[str]:
    """Make these tables the dashboard's, in the transaction that publishes them; return those that were not yet.

    Raises:
        PublicationError: One is published by another dashboard: what that one shows would change under it.
    """
    places = _claims(targets)
    before = _read(session, places)
    for (target, slice_), by in sorted(before.items()):
        if not by:
            _move(session, target, slice_, dashboard)
    after = _read(session, places)
    if set(after) != places:
        raise _lost(dashboard)
    for target, by in ((target, by) for (target, _), by in after.items() if by != dashboard):
        raise PublicationError(
            f"{target} is published by {by}, and a published table is of one dashboard. Publish into another, "
            f"or if it moved here, delete its row {PUBLISHED!r} of {FENCES}; nothing was published."
        )
    return [target for (target, _), by in sorted(before.items()) if not by]


def read_claims(session: Session, dashboard: str) -> list[str]:
    """Return the tables that are published by a dashboard."""
    own = exp.and_(exp.column("slice").eq(PUBLISHED), exp.column("written_by").eq(dashboard))
    rows = session.query(exp.select("table_name").from_(table(FENCES)).where(own).order_by("table_name"))
    return [str(name) for (name,) in rows]


def _claims(targets: Collection[str]) -> set[tuple[str, str]]:
    """Return the fences of tables, in one spelling of their names."""
    return {(table(target).sql("duckdb"), PUBLISHED) for target in targets}


def _lost(dashboard: str) -> PublicationError:
    return PublicationError(
        f"{FENCES} lacks a row of {dashboard}, so that nobody could be kept out; nothing was published. "
        "Run it again; whoever publishes needs INSERT and UPDATE there."
    )


def _make(session: Session, places: Collection[tuple[str, str]]) -> None:
    if session.columns(FENCES) is None:
        make_table(session, FENCES, parse_one(CREATE_FENCES, dialect="duckdb"))
    for name, slice_ in sorted(set(places) - set(_read(session, places))):
        row = exp.Tuple(expressions=[exp.convert(value) for value in (name, slice_, 0, "", "")])
        # Another may be at the same, and only one of two can succeed; the row is there then.
        with suppress(WarehouseError):
            session.query(exp.insert(exp.values([row]), table(FENCES), columns=FENCE_COLUMNS))


def _move(session: Session, name: str, slice_: str, dashboard: str) -> None:
    moved = {"token": exp.column("token") + 1, "written_by": dashboard}
    free = exp.column("written_by").isin("", dashboard)
    session.query(exp.update(table(FENCES), dict(moved), where=exp.and_(_is(name, slice_), free)))


def _read(session: Session, places: Collection[tuple[str, str]]) -> dict[tuple[str, str], str]:
    if not places:
        return {}
    wanted = exp.or_(*(_is(name, slice_) for name, slice_ in sorted(places)))
    query = exp.select("table_name", "slice", "written_by").from_(table(FENCES)).where(wanted)
    # Of two rows, which an engine that does not enforce keys may have, the one that was moved tells.
    rows = session.query(query.order_by("token"))
    return {(str(name), str(slice_)): str(by) for name, slice_, by in rows}


def _is(name: str, slice_: str) -> exp.Expr:
    return exp.and_(exp.column("table_name").eq(name), exp.column("slice").eq(slice_))
