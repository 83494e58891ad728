"""Fingerprints: what a table, or each of its days, holds; equal only if the rows are."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from dashboard_trust.errors import InvalidInputError, nearest
from dashboard_trust.warehouses.session import Session, table


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A row count and a digest of the rows, in any order, of their columns' names and types.

    Those of two engines, or of two versions whose hashes may differ, say nothing of each other.
    """

    rows: int
    digest: str
    engine: str

    def __str__(self) -> str:
        return f"{self.rows}:{self.digest}@{self.engine}"

    @property
    def version(self) -> str:
        """What tells two states of one table apart: the engine is not part of what it holds."""
        return f"{self.rows}:{self.digest}"

    @classmethod
    def parse(cls, text: str) -> Fingerprint:
        """Return the fingerprint of which ``text`` is the string."""
        rows, _, rest = text.partition(":")
        digest, _, engine = rest.partition("@")
        return cls(int(rows), digest, engine)


@dataclass(frozen=True, slots=True)
class Shape:
    """What every digest of a table starts from: the columns that count with their types, and the engine."""

    types: Mapping[str, str]
    engine: str

    def fingerprint(self, rows: int, total: int | str | None) -> Fingerprint:
        """Return the fingerprint of so many rows with this sum of row hashes."""
        word = repr((tuple(self.types.items()), int(total or 0)))
        return Fingerprint(int(rows), hashlib.sha256(word.encode()).hexdigest()[:16], self.engine)


def measures(session: Session, shape: Shape) -> list[exp.Expr]:
    """Return what a scan has to count for a fingerprint: rows, and the sum of their hashes.

    The sum, not the xor: two equal rows would cancel each other out.
    """
    return [exp.Count(this=exp.Star()), exp.Sum(this=session.row_hash(shape.types))]


def fingerprint(
    session: Session, name: str, where: exp.Expr | None = None, columns: Sequence[str] | None = None
) -> Fingerprint:
    """Fingerprint the rows of a table (``schema.name``) for which ``where`` holds, in one scan.

    Every column counts except Airbyte's own (``_airbyte_*``), or just ``columns``. Another version of
    the engine gives another digest where its hash may not be the same.

    Raises:
        InvalidInputError: There is no such table, or no such column.
    """
    shape = read_shape(session, name, columns)
    query = exp.select(*measures(session, shape)).from_(table(name))
    rows, total = session.query(query.where(where) if where is not None else query)[0]
    return shape.fingerprint(rows, total)


def column_types(session: Session, name: str) -> dict[str, str]:
    """Return the type of each column of a table (``schema.name``) in the table's own order.

    Raises:
        InvalidInputError: There is no such table.
    """
    found = session.columns(name)
    if found is None:
        raise InvalidInputError(f"Table {name!r} is not in the warehouse. Load it first, or correct its name.")
    return found


def read_shape(session: Session, name: str, columns: Sequence[str] | None = None) -> Shape:
    """Return what the digests of a table start from.

    Raises:
        InvalidInputError: There is no such table, no such column, or none to fingerprint.
    """
    types = column_types(session, name)
    if columns is None:
        names = sorted(column for column in types if not column.lower().startswith("_airbyte_"))
    else:
        names = sorted(known_column(column, types, name) for column in set(columns))
    if not names:
        raise InvalidInputError(f"Table {name!r} has no column to fingerprint. Name at least one.")
    return Shape({column: types[column] for column in names}, session.engine)


def known_column(name: str, types: Mapping[str, str], of: str) -> str:
    """Return a column's name; raise `InvalidInputError` where a table has none of that name."""
    if name not in types:
        raise InvalidInputError(f"Table {of!r} has no column {name!r}: {nearest(name, types)}.")
    return name
