"""The publication of one dashboard: its tables, its page and its log row, or nothing of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from dashboard_trust.errors import (
    CommitUnknownError,
    InvalidInputError,
    PublicationError,
    WarehouseBusyError,
    WarehouseError,
)
from dashboard_trust.publication.history import forget_rows
from dashboard_trust.publication.journal import (
    Changes,
    Publication,
    append_publication,
    collect_changes,
    prepare_log,
    read_publications,
)
from dashboard_trust.publication.releases import (
    collect_releases,
    holds,
    point_current,
    read_current,
    write_release,
)
from dashboard_trust.publication.tables import Expected, Slices, prepare_tables, write_slices
from dashboard_trust.publication.turns import claim_tables, prepare_claims, prepare_turn, read_claims, take_turn
from dashboard_trust.warehouses.session import Session, Warehouse, table

KEPT_VERSIONS = 5


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a dashboard is published: tables in a warehouse, and if it has one, a page in the folder ``site``.

    ``render`` makes the page from the published tables alone.
    """

    dashboard: str
    warehouse: Warehouse
    site: Path | None = None
    render: Callable[[Session], str] | None = None

    def __post_init__(self) -> None:
        """Refuse a page that nobody makes, or that is kept nowhere."""
        if (self.site is None) != (self.render is None):
            raise InvalidInputError(f"{self.dashboard}: a page needs both, a site to be in and a render that makes it.")


def _nothing() -> None:
    pass


def publish(  # noqa: PLR0913  # the two moments are separate seams, given by name
    destination: Destination,
    slices: Slices,
    expected: Expected,
    published_at: datetime,
    *,
    before_commit: Callable[[], None] = _nothing,
    after_commit: Callable[[], None] = _nothing,
) -> Publication:
    """Publish the partitions of all tables together, then swap the page in.

    Args:
        destination: Where.
        slices: The partitions of each table.
        expected: What the checks saw of each; what was written must be that.
        published_at: When (aware).
        before_commit: May raise to withdraw all of it: the evidence is looked at once more.
        after_commit: Runs before the page is swapped.

    Raises:
        PublicationError: A slice is not what was checked, or does not fit; nothing was changed.
    """
    targets = [published.target for published, parts in slices.items() if parts]
    _refuse_doubles(destination, targets)

    def write(session: Session, number: int) -> Changes:
        for target in claim_tables(session, destination.dashboard, targets):
            forget_rows(session, target)  # what another dashboard's publications replaced has other numbers
        return collect_changes(write_slices(session, slices, expected, number))

    with destination.warehouse.session(f"publishing {destination.dashboard}") as session:
        prepare_claims(session, targets)
        prepare_tables(session, slices)
        template = Publication(destination.dashboard, 0, "", published_at)
        return commit(session, destination, template, write, before_commit=before_commit, after_commit=after_commit)


def _refuse_doubles(destination: Destination, targets: Sequence[str]) -> None:
    names = [table(target).sql("duckdb") for target in targets]
    for name in (name for name in names if names.count(name) > 1):
        raise InvalidInputError(f"{destination.dashboard} would publish two tables into {name}. Name another for one.")


def repair(destination: Destination) -> str | None:
    """Finish what a killed publication left: show the page of the newest log row, and tidy up.

    A lost page is rendered again from the published tables. Returns the release shown; None if
    nothing was ever published, or it has no page.
    """
    with destination.warehouse.session(f"repairing {destination.dashboard}") as session:
        newest = read_publications(session, destination.dashboard, newest=1)
        if not newest:
            return None
        if destination.site is None or holds(destination.site, newest[0].release):
            prepare_turn(session, destination.dashboard)
            _show(session, destination)
            return read_current(destination.site) if destination.site else None
    return publish(destination, {}, {}, newest[0].published_at).release


def commit(  # noqa: PLR0913  # the two moments are separate seams, given by name
    session: Session,
    destination: Destination,
    template: Publication,
    write: Callable[[Session, int], Changes],
    *,
    before_commit: Callable[[], None] = _nothing,
    after_commit: Callable[[], None] = _nothing,
) -> Publication:
    """Write one publication: its tables and its log row in one transaction, then its page.

    The page is the template's release, if it is still there, else rendered. ``write`` is given the number
    of the publication and returns what it changed; where that is nothing and the page is the same, there
    is no new one.
    """
    prepare_log(session)
    prepare_turn(session, destination.dashboard)
    seen = _newest(session, destination)
    try:
        with session.transaction():
            publication = _write(session, destination, template, write, seen)
            before_commit()
    except CommitUnknownError as error:
        _look_up(destination, publication, error)
        after_commit()
        # That connection is of no use any more.
        with destination.warehouse.session(f"showing {destination.dashboard}") as reopened:
            _show(reopened, destination)
        return publication
    after_commit()
    _show(session, destination)
    return publication


def _write(
    session: Session,
    destination: Destination,
    template: Publication,
    write: Callable[[Session, int], Changes],
    seen: Publication | None,
) -> Publication:
    take_turn(session, destination.dashboard)
    newest = _newest(session, destination)
    if newest is not None and (seen is None or newest.number != seen.number):
        raise PublicationError(
            f"{destination.dashboard} was published as version {newest.number} while this was being made; "
            "nothing of this one was published. Run it again if its data is the newer."
        )
    number = newest.number + 1 if newest else 1
    changes = write(session, number)
    release = _release(session, destination, template)
    if newest and newest.release == release and not changes and template.restores is None:
        return replace(newest, changed=False)
    publication = replace(template, number=number, release=release, changes=changes)
    append_publication(session, publication)
    return publication


def _release(session: Session, destination: Destination, template: Publication) -> str:
    """Return the page's release: the template's if it is still there, else what is rendered now; of no page, none."""
    if destination.site is None or destination.render is None:
        return ""
    if template.release and holds(destination.site, template.release):
        return template.release
    return write_release(destination.site, destination.render(session).encode())


def _newest(session: Session, destination: Destination) -> Publication | None:
    return next(iter(read_publications(session, destination.dashboard, newest=1)), None)


def _look_up(destination: Destination, publication: Publication, unknown: CommitUnknownError) -> None:
    """Let the log tell whether a commit without an answer was one, once nobody can be at it any more."""
    dashboard = destination.dashboard
    try:
        with (
            destination.warehouse.session(f"looking whether {dashboard} was published") as session,
            session.transaction(),
        ):
            take_turn(session, dashboard)
            known = read_publications(session, dashboard)
    except (WarehouseError, WarehouseBusyError) as error:
        raise CommitUnknownError(
            f"{dashboard}: nobody knows yet whether this version was published. {unknown} {error} "
            "Run it again: what was published already is not published twice."
        ) from None
    if _identity(publication) not in map(_identity, known):
        raise WarehouseError(f"{dashboard}: nothing was published, the old version stands. {unknown} Run it again.")


def _identity(publication: Publication) -> tuple[int, str, datetime]:
    return publication.number, publication.release, publication.published_at


def _show(session: Session, destination: Destination) -> None:
    """Show the page of the newest version, and drop what is no longer kept.

    In a turn: another publication's page may not be swapped in, or collected, meanwhile.
    """
    with session.transaction():
        take_turn(session, destination.dashboard)
        newest = read_publications(session, destination.dashboard, newest=KEPT_VERSIONS + 1)
        if destination.site is not None:
            if read_current(destination.site) != newest[0].release:
                point_current(destination.site, newest[0].release)
            collect_releases(destination.site, {publication.release for publication in newest})
        if len(newest) > KEPT_VERSIONS:
            for target in read_claims(session, destination.dashboard):
                forget_rows(session, target, newest[-1].number)
