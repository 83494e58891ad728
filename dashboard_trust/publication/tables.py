"""The published tables of a dashboard: slices copied from the marts, proven to be what was checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from dashboard_trust.errors import PublicationError
from dashboard_trust.warehouses.columns import read_columns
from dashboard_trust.warehouses.fingerprints import Fingerprint, fingerprint

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """One mart, as ``schema.name``, and the table readers see it in; ``day_column`` is a DATE in both."""

    source: str
    target: str
    day_column: str = "report_date"


Slices = Mapping[PublishedTable, Sequence[date]]
"""The days to publish of each table: a labelled section may lack a day that the others have."""

Expected = Mapping[tuple[str, date], Fingerprint]
"""What the checks saw, by source table and day."""


@dataclass(frozen=True, slots=True)
class WrittenSlice:
    """What stands in a published table for one day; ``changed`` is False if it stood there before."""

    target: str
    day: date
    fingerprint: Fingerprint
    changed: bool


def write_slices(connection: duckdb.DuckDBPyConnection, slices: Slices, expected: Expected) -> tuple[WrittenSlice, ...]:
    """Copy the days of each table from its source, inside the caller's transaction.

    Raises:
        PublicationError: Columns differ, or a slice is not the one in ``expected`` or not the one
            that was written. The caller rolls back.
    """
    written = []
    for table, days in slices.items():
        if days:
            _prepare(connection, table)
        written += [_write_day(connection, table, day, expected) for day in days]
    return tuple(written)


def _prepare(connection: duckdb.DuckDBPyConnection, table: PublishedTable) -> None:
    source = read_columns(connection, table.source)
    if source is None:
        raise PublicationError(f"{table.source} does not exist. Build it, then publish again.")
    if read_columns(connection, table.target) is None:
        schema = _quoted(table.target.split(".")[0])
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        connection.execute(f"CREATE TABLE {_quoted(table.target)} AS FROM {_quoted(table.source)} WITH NO DATA")
        return
    _compare_columns(table, source, read_columns(connection, table.target) or {})


def _compare_columns(table: PublishedTable, source: dict[str, str], target: dict[str, str]) -> None:
    differences = [f"{name} is missing" for name in target.keys() - source.keys()]
    differences += [f"{name} is new" for name in source.keys() - target.keys()]
    differences += [
        f"{name} is {source[name]} instead of {target[name]}"
        for name in source.keys() & target.keys()
        if source[name] != target[name]
    ]
    if differences:
        raise PublicationError(
            f"{table.source} does not have the columns of {table.target}: {'; '.join(sorted(differences))}. "
            f"Mend the model, or ALTER {table.target} if the change is meant; nothing was published."
        )


def _write_day(
    connection: duckdb.DuckDBPyConnection, table: PublishedTable, day: date, expected: Expected
) -> WrittenSlice:
    where = f"{_quoted(table.day_column)} = DATE '{day.isoformat()}'"
    source = fingerprint(connection, table.source, where)
    checked = expected.get((table.source, day))
    if checked is not None and checked != source:
        raise _moved(table, day, f"{checked.rows} rows were checked, {source.rows} stand there now")
    if fingerprint(connection, table.target, where) == source:
        return WrittenSlice(table.target, day, source, changed=False)
    connection.execute(f"DELETE FROM {_quoted(table.target)} WHERE {where}")  # noqa: S608  # quoted, and a date
    connection.execute(f"INSERT INTO {_quoted(table.target)} BY NAME FROM {_quoted(table.source)} WHERE {where}")
    written = fingerprint(connection, table.target, where)
    if written != source:
        raise _moved(table, day, f"{source.rows} rows were read, {written.rows} were written")
    return WrittenSlice(table.target, day, source, changed=True)


def _moved(table: PublishedTable, day: date, how: str) -> PublicationError:
    return PublicationError(
        f"{table.source} for {day} is not what was checked: {how}, or their content differs. "
        "Run its checks again, then publish; nothing was published."
    )


def _quoted(name: str) -> str:
    return ".".join('"{}"'.format(part.replace('"', '""')) for part in name.split("."))
