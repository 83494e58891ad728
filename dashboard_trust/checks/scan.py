"""One scan of a raw table: everything its rules need to know, day by day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from dashboard_trust.checks.rules import RawTable, Reconciliation
from dashboard_trust.warehouses.session import table as as_table

if TYPE_CHECKING:
    import duckdb

WHOLE = ""
"""The day of a table without days, and of rows whose time cannot be read."""


COPIES = '"rows of this key"'


@dataclass(frozen=True, slots=True)
class DayCounts:
    """What one scan counted of one day; ``misfits`` and ``strangers`` are by column."""

    rows: int
    doubled: int
    without_key: int
    misfits: Mapping[str, int]
    strangers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Difference:
    """How the two sides of a reconciliation stand on one day."""

    here: tuple[int, str]
    there: tuple[int, str]
    unmatched: int


def scan(connection: duckdb.DuckDBPyConnection, table: RawTable, has: Sequence[str]) -> dict[str, DayCounts]:
    """Count what the rules ask for, by ISO day, in one query; columns that are not there are left out."""
    types = {column: kind for column, kind in table.types.items() if column in has}
    accepted = {column: values for column, values in table.accepted.items() if column in has}
    key = _column(table.key) if table.key in has else "NULL"
    counts = [
        "count(*)",
        f"count(*) FILTER (WHERE {key} IS NOT NULL AND {COPIES} > 1)",
        f"count(*) FILTER (WHERE coalesce(trim(CAST({key} AS VARCHAR)), '') = '')",
        *(f"count(*) FILTER (WHERE NOT {_fits(column, kind)})" for column, kind in types.items()),
        *(f"count(*) FILTER (WHERE NOT {_is_one_of(column, values)})" for column, values in accepted.items()),
    ]
    day = _day(table.time_column) if table.time_column in has else f"'{WHOLE}'"
    unique_within = f"{key}, {day}" if table.snapshots else key
    rows = f"(SELECT *, count(*) OVER (PARTITION BY {unique_within}) AS {COPIES} FROM {_table(table.name)})"  # noqa: S608 - quoted
    query = f"SELECT {day} AS day, {', '.join(counts)} FROM {rows} GROUP BY ALL"  # noqa: S608 - quoted
    return {str(row[0]): _counts(row[1:], list(types), list(accepted)) for row in connection.execute(query).fetchall()}


def read_days(connection: duckdb.DuckDBPyConnection, table: str, time_column: str) -> set[str]:
    """Return the ISO days a table has rows of."""
    query = f"SELECT DISTINCT {_day(time_column)} FROM {_table(table)}"  # noqa: S608 - identifiers are quoted
    return {str(row[0]) for row in connection.execute(query).fetchall()}


def compare(connection: duckdb.DuckDBPyConnection, table: RawTable, rule: Reconciliation) -> dict[str, Difference]:
    """Compare the two sides of a reconciliation, by ISO day: rows, amounts, and keys on one side only."""
    here = _side(table.name, str(table.time_column), rule)
    there = _side(rule.other, rule.other_time_column, rule)
    query = f"""
        WITH here AS ({here}), there AS ({there})
        SELECT coalesce(here.day, there.day),
               count(here.key), coalesce(sum(here.amount), 0), count(there.key), coalesce(sum(there.amount), 0),
               count(*) FILTER (WHERE here.key IS NULL OR there.key IS NULL
                                   OR here.amount IS DISTINCT FROM there.amount)
        FROM here FULL JOIN there ON here.key = there.key AND here.day = there.day AND here.nth = there.nth
        GROUP BY 1
    """  # noqa: S608 - identifiers are quoted, values are literals made by sqlglot
    return {
        str(row[0]): Difference((row[1], str(row[2])), (row[3], str(row[4])), row[5])
        for row in connection.execute(query).fetchall()
    }


def _side(table: str, time_column: str, rule: Reconciliation) -> str:
    column, value = rule.where
    key, day = _column(rule.key), _day(time_column)
    amount = f"try_cast({_column(rule.amount)} AS decimal(18, 2))"
    # A key's n-th row here meets its n-th row there: a second one must not borrow the first one's partner.
    return (
        f"SELECT {day} AS day, {key} AS key, row_number() OVER (PARTITION BY {day}, {key} ORDER BY {amount}) AS nth,"  # noqa: S608
        f" {amount} AS amount"
        f" FROM {_table(table)} WHERE {_column(column)} = {_literal(value)}"
    )


def _counts(row: Sequence[int], types: Sequence[str], accepted: Sequence[str]) -> DayCounts:
    rows, doubled, without_key, *rest = row
    misfits = dict(zip(types, rest[: len(types)], strict=True))
    strangers = dict(zip(accepted, rest[len(types) :], strict=True))
    return DayCounts(rows, doubled, without_key, misfits, strangers)


def _fits(column: str, kind: str) -> str:
    """Whether a value is there and is of a type without loss: 1.005 is not an amount of two decimals."""
    value = _column(column)
    if kind.startswith("decimal"):
        # By its text: 14259.07 as a double is not exactly that, but it is written so.
        exact = f"try_cast(CAST({value} AS VARCHAR) AS decimal(38, 12))"
        return f"coalesce({exact} = try_cast({value} AS {kind}), false)"
    return f"try_cast({value} AS {kind}) IS NOT NULL"


def _is_one_of(column: str, values: Sequence[str]) -> str:
    return f"coalesce({_column(column)} IN ({', '.join(map(_literal, values))}), false)"


def _day(column: str | None) -> str:
    return f"coalesce(strftime(try_cast({_column(str(column))} AS timestamptz), '%Y-%m-%d'), '{WHOLE}')"


def _table(name: str) -> str:
    return as_table(name).sql("duckdb")


def _column(name: str) -> str:
    return exp.column(name, quoted=True).sql("duckdb")


def _literal(value: str) -> str:
    return exp.Literal.string(value).sql("duckdb")
