"""The published tables of a dashboard: slices copied from the marts, proven to be what was checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from dashboard_trust.errors import PublicationError
from dashboard_trust.publication.history import keep_rows, prepare_history
from dashboard_trust.warehouses.fingerprints import Fingerprint
from dashboard_trust.warehouses.parts import Parts, any_of, fingerprint_parts
from dashboard_trust.warehouses.session import Session, column, make_table, table


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """One mart, as ``schema.name``, and the table readers see it in, which is of one dashboard alone."""

    source: str
    target: str


Slices = Mapping[PublishedTable, Parts]
"""What to publish of each table: a labelled section may lack a day that the others have."""

Expected = Mapping[tuple[str, str], Fingerprint]
"""What the checks saw, by source table and partition."""


@dataclass(frozen=True, slots=True)
class WrittenSlice:
    """What stands in a published table for one partition; ``changed`` is False if it stood there before."""

    target: str
    part: str
    where: exp.Expr | None
    fingerprint: Fingerprint
    changed: bool


def prepare_tables(session: Session, slices: Slices) -> None:
    """Make every table that is to be written fit, before the transaction: on some engines DDL would commit it.

    Raises:
        PublicationError: A source is not there, or its columns are not those of the published table.
    """
    for published in (published for published, parts in slices.items() if parts):
        source, target = session.columns(published.source), session.columns(published.target)
        if source is None:
            raise PublicationError(f"{published.source} does not exist. Build it, then publish again.")
        if target is None:
            make_table(session, published.target, _empty_copy(published))
        else:
            _compare_columns(published, source, target)
        prepare_history(session, published.target)


def write_slices(session: Session, slices: Slices, expected: Expected, number: int) -> tuple[WrittenSlice, ...]:
    """Copy the partitions of each table from its source, as publication ``number``, inside the caller's transaction.

    Raises:
        PublicationError: A slice was never checked, or what was written is not what was. The caller rolls back.
    """
    checked = {
        published: {part: _checked(session, published, part, expected) for part in parts}
        for published, parts in slices.items()
    }
    return tuple(
        slice_
        for published, parts in slices.items()
        if parts
        for slice_ in _write(session, published, parts, checked[published], number)
    )


def _checked(session: Session, published: PublishedTable, part: str, expected: Expected) -> Fingerprint:
    checked, name = expected.get((published.source, part)), _named(published.source, part)
    if checked is None:
        raise PublicationError(
            f"{name} is unverified: nothing recorded what was checked. "
            "Build it again with its fingerprint, then publish; nothing was published."
        )
    if checked.engine != session.engine:
        raise PublicationError(
            f"{name} was fingerprinted by {checked.engine}, and this is {session.engine}, "
            "whose hashes differ. Build it again, then publish; nothing was published."
        )
    return checked


def _write(
    session: Session, published: PublishedTable, parts: Parts, checked: Mapping[str, Fingerprint], number: int
) -> Iterator[WrittenSlice]:
    standing = fingerprint_parts(session, published.target, parts)
    changed = {part: where for part, where in parts.items() if standing[part] != checked[part]}
    if changed:
        _copy(session, published, any_of(list(changed.values())), number)
    written = fingerprint_parts(session, published.target, changed)
    for part in changed:
        _compare(_named(published.source, part), checked[part], written[part])
    for part, where in parts.items():
        yield WrittenSlice(published.target, part, where, checked[part], part in changed)


def _copy(session: Session, published: PublishedTable, where: exp.Expr | None, number: int) -> None:
    """Replace these rows by those of the source, keeping them as what publication ``number`` replaced."""
    columns = list(session.columns(published.target) or {})
    keep_rows(session, published.target, columns, where, number)
    session.query(exp.delete(table(published.target), where=where))
    rows = exp.select(*map(column, columns)).from_(table(published.source))
    rows = rows.where(where) if where is not None else rows
    session.query(exp.insert(rows, table(published.target), columns=[column(name).this for name in columns]))


def _compare(name: str, checked: Fingerprint, written: Fingerprint) -> None:
    if written != checked:
        content = ", and their content differs" if checked.rows == written.rows else ""
        raise PublicationError(
            f"{name} is not what was checked: {checked.rows} rows were checked, {written.rows} stand there "
            f"now{content}. Run its checks again, then publish; nothing was published."
        )


def _empty_copy(published: PublishedTable) -> exp.Create:
    nothing = exp.select("*").from_(table(published.source)).where(exp.false())
    return exp.Create(this=table(published.target), kind="TABLE", expression=nothing)


def _compare_columns(published: PublishedTable, source: dict[str, str], target: dict[str, str]) -> None:
    differences = [f"{name} is missing" for name in target.keys() - source.keys()]
    differences += [f"{name} is new" for name in source.keys() - target.keys()]
    differences += [
        f"{name} is {source[name]} instead of {target[name]}"
        for name in source.keys() & target.keys()
        if source[name] != target[name]
    ]
    if differences:
        raise PublicationError(
            f"{published.source} does not have the columns of {published.target}: {'; '.join(sorted(differences))}. "
            f"Mend the model, or ALTER {published.target} if the change is meant; nothing was published."
        )


def _named(name: str, part: str) -> str:
    return f"{name} for {part}" if part else name
