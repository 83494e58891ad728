"""Fingerprints: what a table, or each of its days, holds; equal only if the rows are."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlglot
from sqlglot import exp

from dashboard_trust.errors import InvalidInputError, nearest

if TYPE_CHECKING:
    import duckdb

TEMPORAL = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A row count and a digest of the rows, in any order, of their columns' names and types."""

    rows: int
    digest: str

    def __str__(self) -> str:
        return f"{self.rows}:{self.digest}"


@dataclass(frozen=True, slots=True)
class _Shape:
    """What every digest of a table starts from: the columns that count, and the engine."""

    types: dict[str, str]
    engine: str

    @property
    def row_hash(self) -> str:
        columns = ", ".join(_quoted(name) for name in self.types)
        # The sum, not the xor: two equal rows would cancel each other out.
        return f"SUM(HASH({columns}))"

    def fingerprint(self, rows: int, total: int | None) -> Fingerprint:
        word = repr((self.engine, tuple(self.types.items()), int(total or 0)))
        return Fingerprint(rows, hashlib.sha256(word.encode()).hexdigest()[:16])


def fingerprint(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    where: str | None = None,
    columns: Sequence[str] | None = None,
) -> Fingerprint:
    """Fingerprint the rows of ``table`` (``schema.name``) for which ``where`` holds, in one scan.

    Every column counts except Airbyte's own (``_airbyte_*``), or just ``columns``. Another DuckDB
    minor version gives another digest: its hash is not promised to be the same.

    Raises:
        InvalidInputError: There is no such table, or no such column.
    """
    shape = _shape(connection, table, column_types(connection, table), columns)
    query = sqlglot.select("COUNT(*)", shape.row_hash, dialect="duckdb").from_(_table(table))
    if where is not None:
        query = query.where(where, dialect="duckdb")
    rows, total = connection.execute(query.sql(dialect="duckdb")).fetchall()[0]
    return shape.fingerprint(rows, total)


def fingerprint_by_day(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    time_column: str,
    columns: Sequence[str] | None = None,
) -> dict[str, Fingerprint]:
    """Fingerprint each UTC day (``YYYY-MM-DD``) of ``table`` by ``time_column``, in one scan.

    Text is read as a timestamp; without an offset it is in the session's zone, which
    `DuckDBWarehouse.connect` sets to UTC. Rows without a readable time are under the key ``""``;
    a day without rows has no key.

    Raises:
        InvalidInputError: There is no such table, or no such column.
    """
    types = column_types(connection, table)
    shape = _shape(connection, table, types, columns)
    day = _day(_known(time_column, types, table), types[time_column])
    query = sqlglot.select(day, "COUNT(*)", shape.row_hash, dialect="duckdb")
    query = query.from_(_table(table)).group_by("1").order_by("1")
    found = connection.execute(query.sql(dialect="duckdb")).fetchall()
    return {key: shape.fingerprint(rows, total) for key, rows, total in found}


def column_types(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Return the type of each column of ``table`` (``schema.name``) in the table's own order.

    Raises:
        InvalidInputError: There is no such table.
    """
    import duckdb

    try:
        found = connection.execute(f"DESCRIBE {_table(table).sql(dialect='duckdb')}").fetchall()
    except duckdb.CatalogException:
        raise InvalidInputError(
            f"Table {table!r} is not in the warehouse. Load it first, or correct its name."
        ) from None
    return {row[0]: row[1] for row in found}


def _shape(
    connection: duckdb.DuckDBPyConnection, table: str, types: dict[str, str], columns: Sequence[str] | None
) -> _Shape:
    if columns is None:
        names = sorted(name for name in types if not name.startswith("_airbyte_"))
    else:
        names = sorted(_known(name, types, table) for name in set(columns))
    if not names:
        raise InvalidInputError(f"Table {table!r} has no column to fingerprint. Name at least one.")
    version = connection.execute("SELECT version()").fetchall()[0][0]
    engine = "duckdb " + ".".join(version.removeprefix("v").split(".")[:2])
    return _Shape({name: types[name] for name in names}, engine)


def _day(column: str, column_type: str) -> str:
    name = _quoted(column)
    if column_type not in TEMPORAL:
        # In UTC whatever the session's zone; by way of text, since a plain number is no time.
        name = f"TIMEZONE('UTC', TRY_CAST(CAST({name} AS TEXT) AS TIMESTAMPTZ))"
    return f"CASE WHEN ISFINITE({name}) THEN STRFTIME({name}, '%Y-%m-%d') ELSE '' END"


def _known(column: str, types: dict[str, str], table: str) -> str:
    if column not in types:
        raise InvalidInputError(f"Table {table!r} has no column {column!r}: {nearest(column, types)}.")
    return column


def _table(name: str) -> exp.Table:
    table = exp.to_table(name, dialect="duckdb")
    for part in table.parts:
        part.set("quoted", True)
    return table


def _quoted(column: str) -> str:
    return exp.to_identifier(column, quoted=True).sql(dialect="duckdb")
