"""The publication of one dashboard: its tables, its page and its log row, or nothing of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dashboard_trust.publication.journal import Publication, append_publication, read_publications
from dashboard_trust.publication.releases import (
    collect_releases,
    holds,
    point_current,
    read_current,
    write_release,
)
from dashboard_trust.publication.tables import Expected, Slices, WrittenSlice, write_slices
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

if TYPE_CHECKING:
    import duckdb

KEPT_PUBLICATIONS = 5


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a dashboard is published; ``render`` makes its page from the published tables alone."""

    dashboard: str
    warehouse: DuckDBWarehouse
    site: Path
    render: Callable[[duckdb.DuckDBPyConnection], str]


def _nothing() -> None:
    pass


def publish(  # noqa: PLR0913  # the two moments are separate seams, given by name
    destination: Destination,
    slices: Slices,
    published_at: datetime,
    *,
    expected: Expected | None = None,
    before_commit: Callable[[], None] = _nothing,
    after_commit: Callable[[], None] = _nothing,
) -> Publication:
    """Publish the days of all tables together, then swap the page in.

    ``before_commit`` may raise to withdraw all of it (the evidence is looked at once more);
    ``after_commit`` runs before the page is swapped. Publishing the same again changes nothing.

    Raises:
        PublicationError: A slice is not what was checked, or does not fit; nothing was changed.
    """
    with destination.warehouse.connect(f"publishing {destination.dashboard}") as connection:
        with _transaction(connection):
            written = write_slices(connection, slices, expected or {})
            release = write_release(destination.site, destination.render(connection).encode())
            publication = _record(connection, destination.dashboard, release, written, published_at)
            before_commit()
        after_commit()
        _show(connection, destination, release)
        return publication


def repair(destination: Destination) -> str | None:
    """Finish what a killed publication left: show the page of the newest log row, and tidy up.

    A lost page is rendered again from the published tables. Returns the release shown; None if
    nothing was ever published.
    """
    if not destination.warehouse.path.exists():
        return None
    with destination.warehouse.connect(f"repairing {destination.dashboard}") as connection:
        newest = read_publications(connection, destination.dashboard, newest=1)
        if not newest:
            return None
        if holds(destination.site, newest[0].release):
            _show(connection, destination, newest[0].release)
            return newest[0].release
    return publish(destination, {}, newest[0].published_at).release


@contextmanager
def _transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    import duckdb

    connection.begin()
    try:
        yield
        connection.commit()
    except BaseException:
        # A commit that failed has ended the transaction already.
        with suppress(duckdb.TransactionException):
            connection.rollback()
        raise


def _record(
    connection: duckdb.DuckDBPyConnection,
    dashboard: str,
    release: str,
    written: tuple[WrittenSlice, ...],
    published_at: datetime,
) -> Publication:
    fingerprints = {(slice_.target, slice_.day): slice_.fingerprint for slice_ in written}
    days = tuple(sorted({slice_.day for slice_ in written}))
    publication = Publication(dashboard, release, days, published_at, fingerprints)
    newest = read_publications(connection, dashboard, newest=1)
    if newest and newest[0].release == release and not any(slice_.changed for slice_ in written):
        return replace(publication, published_at=newest[0].published_at, changed=False)
    append_publication(connection, publication)
    return publication


def _show(connection: duckdb.DuckDBPyConnection, destination: Destination, release: str) -> None:
    if read_current(destination.site) != release:
        point_current(destination.site, release)
    newest = read_publications(connection, destination.dashboard, newest=KEPT_PUBLICATIONS)
    collect_releases(destination.site, {publication.release for publication in newest})
