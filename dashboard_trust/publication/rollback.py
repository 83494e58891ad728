"""Putting an earlier version back: all tables of a dashboard and its page together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from dashboard_trust.errors import InvalidInputError, PublicationError
from dashboard_trust.publication.history import fits, keep_rows, restore_rows
from dashboard_trust.publication.journal import Changes, Publication, collect_changes, read_publications
from dashboard_trust.publication.swap import KEPT_VERSIONS, Destination, commit
from dashboard_trust.publication.tables import WrittenSlice
from dashboard_trust.publication.turns import claim_tables, prepare_claims
from dashboard_trust.warehouses.parts import any_of, fingerprint_parts
from dashboard_trust.warehouses.session import Session

MEND = "Build the marts from the right inputs, and publish them."


def roll_back(
    destination: Destination,
    published_at: datetime,
    *,
    to: int | None = None,
    note: str = "",
    before_commit: Callable[[Sequence[str]], None] = lambda _: None,
) -> Publication:
    """Put version ``to`` back, by default the one before what is shown.

    That is a publication of its own, so that it can be taken back too. ``before_commit`` is told
    the partitions it changes, and may raise to withdraw it all.

    Raises:
        InvalidInputError: There is no such version, or what it held is not kept any more.
        PublicationError: What would be put back is not what that version held; nothing was changed.
    """
    with destination.warehouse.session(f"rolling back {destination.dashboard}") as session:
        known = read_publications(session, destination.dashboard)
        wanted = _find(destination.dashboard, known, to)
        undone = [publication for publication in known if publication.number > wanted.number]
        parts = sorted({part for publication in undone for part in publication.parts})
        template = replace(wanted, published_at=published_at, restores=wanted.number, note=note)
        targets = sorted({target for publication in undone for target in publication.changes})
        prepare_claims(session, targets)

        def write(session: Session, number: int) -> Changes:
            claim_tables(session, destination.dashboard, targets)
            if number != known[0].number + 1:
                raise PublicationError(f"{destination.dashboard} was published meanwhile; nothing was rolled back.")
            return _undo(session, undone, known[len(undone) :], number)

        return commit(session, destination, template, write, before_commit=lambda: before_commit(parts))


def _undo(session: Session, undone: Sequence[Publication], known: Sequence[Publication], number: int) -> Changes:
    """Take publications back, newest first, keeping what they made; what results must be what the others left."""
    changes = [(publication.number, own) for publication in undone for own in publication.changes.values()]
    touched = {(slice_.target, slice_.part): slice_ for _, own in changes for slice_ in own}
    for target in dict.fromkeys(target for target, _ in touched):
        if not fits(session, target):
            raise PublicationError(
                f"{target} has other columns than what is kept of it, or nothing is kept; nothing was rolled back. "
                f"{MEND}"
            )
        wheres = [slice_.where for _, own in changes for slice_ in own if slice_.target == target]
        keep_rows(session, target, list(session.columns(target) or {}), any_of(wheres), number)
    for undone_number, own in changes:
        restore_rows(session, own[0].target, any_of([slice_.where for slice_ in own]), undone_number)
    restored = list(_measured(session, list(touched.values())))
    for slice_ in restored:
        _compare(slice_, known)
    return collect_changes(restored)


def _measured(session: Session, slices: Sequence[WrittenSlice]) -> Iterator[WrittenSlice]:
    for target in dict.fromkeys(slice_.target for slice_ in slices):
        own = {slice_.part: slice_ for slice_ in slices if slice_.target == target}
        found = fingerprint_parts(session, target, {part: slice_.where for part, slice_ in own.items()})
        for part, slice_ in own.items():
            yield replace(slice_, fingerprint=found[part])


def _compare(slice_: WrittenSlice, known: Sequence[Publication]) -> None:
    held = (
        own
        for publication in known  # newest first
        for own in publication.changes.get(slice_.target, ())
        if own.part == slice_.part
    )
    before = next(held, None)
    if slice_.fingerprint == before.fingerprint if before is not None else slice_.fingerprint.rows == 0:
        return
    name = f"{slice_.target} {slice_.part}".strip()
    if before is not None and before.fingerprint.engine != slice_.fingerprint.engine:
        raise PublicationError(
            f"{name}: version {known[0].number} was fingerprinted by {before.fingerprint.engine}, and this is "
            f"{slice_.fingerprint.engine}, whose hashes differ; nothing was rolled back. {MEND}"
        )
    raise PublicationError(
        f"{name}: what is kept of version {known[0].number} is not what it held; nothing was rolled back. {MEND}"
    )


def _find(dashboard: str, known: Sequence[Publication], to: int | None) -> Publication:
    """Return the version to put back; by default the one before what is shown."""
    if not known:
        raise InvalidInputError(f"{dashboard} was never published: there is no version to put back.")
    by_number = {publication.number: publication for publication in known}
    shown = known[0]
    while shown.restores is not None:
        shown = by_number[shown.restores]
    wanted = by_number.get(shown.number - 1 if to is None else to)
    if wanted is None:
        named = "before this one" if to is None else to
        raise InvalidInputError(
            f"{dashboard} has no version {named} to put back; it has {known[-1].number} to {known[0].number}."
        )
    if wanted.number in (known[0].number, shown.number):
        raise InvalidInputError(f"{dashboard} shows version {wanted.number} already.")
    if known.index(wanted) > KEPT_VERSIONS:
        raise InvalidInputError(
            f"{dashboard}: version {wanted.number} is not kept; {known[KEPT_VERSIONS].number} and newer are."
        )
    return wanted
