"""Turns: of a dashboard one publication at a time, and a published table of one dashboard alone."""

from __future__ import annotations

from collections.abc import Collection

from sqlglot import exp

from dashboard_trust.errors import PublicationError
from dashboard_trust.publication.journal import LOG
from dashboard_trust.warehouses.fences import FENCES, Place, hold_fences, make_fences, move_fences, read_fences
from dashboard_trust.warehouses.session import Session, table

PUBLISHED = "(published)"
"""In place of a partition: the fence that says of which dashboard a published table is."""


def prepare_turn(session: Session, dashboard: str) -> None:
    """Make a dashboard's fence, before the transaction that moves it."""
    make_fences(session, [(LOG, dashboard)])


def take_turn(session: Session, dashboard: str) -> None:
    """Wait until nobody else publishes the dashboard, and keep it so until the end of the transaction.

    Raises:
        PublicationError: There is no fence to keep anybody out with.
    """
    move_fences(session, [(LOG, dashboard)], dashboard)
    if not read_fences(session, [(LOG, dashboard)]):
        raise _lost(dashboard)


def prepare_claims(session: Session, targets: Collection[str]) -> None:
    """Make the fences of tables that are to be published, before the transaction that moves them."""
    make_fences(session, _claims(targets))


def claim_tables(session: Session, dashboard: str, targets: Collection[str]) -> list[str]:
    """Make these tables the dashboard's, in the transaction that publishes them; return those that were not yet.

    Raises:
        PublicationError: One is published by another dashboard: what that one shows would change under it.
    """
    places = _claims(targets)
    # Whoever claims one at the same time has done so, or waits for us, before anybody looks whose it is.
    hold_fences(session, places)
    found = read_fences(session, places)
    if set(found) != places:
        raise _lost(dashboard)
    for target, by in ((target, fence.by) for (target, _), fence in sorted(found.items())):
        if by not in ("", dashboard):
            raise PublicationError(
                f"{target} is published by {by}, and a published table is of one dashboard. Publish into another, "
                f"or if it moved here, delete its row {PUBLISHED!r} of {FENCES}; nothing was published."
            )
    free = [place for place, fence in sorted(found.items()) if not fence.by]
    if free:
        move_fences(session, free, dashboard)
    return [target for target, _ in free]


def read_claims(session: Session, dashboard: str) -> list[str]:
    """Return the tables that are published by a dashboard."""
    own = exp.and_(exp.column("slice").eq(PUBLISHED), exp.column("written_by").eq(dashboard))
    rows = session.query(exp.select("table_name").from_(table(FENCES)).where(own).order_by("table_name"))
    return [str(name) for (name,) in rows]


def _claims(targets: Collection[str]) -> set[Place]:
    """Return the fences of tables, in one spelling of their names."""
    return {(table(target).sql("duckdb"), PUBLISHED) for target in targets}


def _lost(dashboard: str) -> PublicationError:
    return PublicationError(
        f"{FENCES} lacks a row of {dashboard}, so that nobody could be kept out; nothing was published. "
        "Run it again; whoever publishes needs INSERT and UPDATE there."
    )
