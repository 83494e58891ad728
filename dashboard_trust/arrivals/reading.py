"""The rows of a fetched file: those that fit its declaration, typed, and those that do not, as they were written."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from dashboard_trust.arrivals.declaration import TEXT, Csv, FileColumn, FileSource, JsonLines
from dashboard_trust.arrivals.json_lines import struct_type, without_malformed
from dashboard_trust.checks.texts import is_written_as
from dashboard_trust.errors import FileRefusedError

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SQL_TYPES: Mapping[str, str] = {
    TEXT: "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMPTZ",
    "boolean": "BOOLEAN",
}
USUAL: Mapping[str, Sequence[str]] = {"date": ["____-__-__"], "timestamp": ["____-__-__T__:__:__Z"]}
"""What dates mostly look like; that each place holds a digit, casting tells."""

NO_TEXT = "\x01"  # what no field of a CSV is read as missing for
WHOLE_FILE = ("UNQUOTED VALUE", "LINE SIZE OVER MAXIMUM")
MOST_LINE = 64 << 20

Refused = tuple[str, str, str]
"""Where a row is in its file, why it does not fit, and what is written there."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What a file holds: ``data`` with the declared columns, and the rows that do not fit."""

    data: pa.Table
    refused: list[Refused] = field(default_factory=list)

    @property
    def total(self) -> int:
        """All rows of the file."""
        return len(self.data) + len(self.refused)


def read_rows(file: Path, name: str, source: FileSource) -> Rows:
    """Read a file that was fetched; ``name`` is what errors call it.

    Raises:
        FileRefusedError: It lacks a column, or is cut off, or is of another form.
    """
    import duckdb

    with _connected() as connection:
        try:
            if isinstance(source.format, Csv):
                return _read_csv(connection, file, name, source)
            if isinstance(source.format, JsonLines):
                return _read_json(connection, file, name, source)
            return _read_parquet(connection, file, name, source)
        except duckdb.Error as error:
            said = " ".join(str(error).partition("\n")[0].replace(str(file), name).split())
            raise FileRefusedError(f"{name} cannot be read: {said}") from None


@contextmanager
def _connected() -> Iterator[duckdb.DuckDBPyConnection]:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def _read_csv(connection: duckdb.DuckDBPyConnection, file: Path, name: str, source: FileSource) -> Rows:
    form = source.format
    assert isinstance(form, Csv)
    columns = _csv_columns(file, name, source, form)
    _refuse_missing(name, columns, source)
    options = {
        "header": form.header,
        "delim": form.delimiter,
        "quote": form.quote,
        "escape": form.quote,
        "nullstr": NO_TEXT,
        "auto_detect": False,
        "strict_mode": True,
        "ignore_errors": True,
        "store_rejects": True,
        "rejects_limit": 0,
        "max_line_size": MOST_LINE,
    }
    given = {one.name: (_quoted(one.told_by), "VARCHAR") for one in source.columns}
    types = "{" + ", ".join(f"{_text(column)}: 'VARCHAR'" for column in columns) + "}"
    told = ", ".join(f"{key}={_literal(value)}" for key, value in options.items())
    rows = _fit(connection, f"read_csv({_text(str(file))}, columns={types}, {told})", given, source)
    found = connection.execute(
        "SELECT line, line_byte_position, error_type, error_message, csv_line FROM reject_errors "
        "QUALIFY row_number() OVER (PARTITION BY line ORDER BY column_idx) = 1 ORDER BY line"
    ).fetchall()
    for line, at, kind, _, text in found:
        reaches_end = at + len(text.encode()) >= file.stat().st_size - 2
        if (kind in WHOLE_FILE and reaches_end) or kind == WHOLE_FILE[1]:
            raise FileRefusedError(f"{name} is cut off or damaged: a quote that is opened in line {line} is not closed")
        if kind == "MISSING COLUMNS" and reaches_end and not _ends_with_newline(file):
            raise FileRefusedError(f"{name} is cut off: it ends within line {line}")
    bad = [(f"line {line}", " ".join(why.split()), text) for line, _, _, why, text in found]
    return Rows(rows.data, [*bad, *rows.refused])


def _csv_columns(file: Path, name: str, source: FileSource, form: Csv) -> list[str]:
    if not form.header:
        return [one.told_by for one in source.columns]
    with file.open(encoding="utf-8", errors="replace", newline="") as text:
        try:
            header = next(csv.reader(text, delimiter=form.delimiter, quotechar=form.quote, strict=True), [])
        except csv.Error as error:
            raise FileRefusedError(f"{name} has a header that cannot be read: {error}") from None
    twice = {one for one in header if header.count(one) > 1}
    if twice:
        raise FileRefusedError(f"{name} has the column {min(twice)!r} twice")
    return header


def _read_json(connection: duckdb.DuckDBPyConnection, file: Path, name: str, source: FileSource) -> Rows:
    import duckdb

    paths = [one.told_by.split(".") for one in source.columns]
    given = {
        one.name: (".".join(_quoted(part) for part in path), "VARCHAR")
        for one, path in zip(source.columns, paths, strict=True)
    }
    options = f"format='newline_delimited', maximum_object_size={MOST_LINE}, {struct_type(paths)}"
    try:
        return _fit(connection, f"read_json({_text(str(file))}, {options})", given, source)
    except duckdb.InvalidInputException:
        # Some line is no object of that form: slower, line by line.
        good, bad = without_malformed(file, name, paths)
        rows = _fit(connection, f"read_json({_text(str(good))}, {options})", given, source)
        return Rows(rows.data, [*bad, *rows.refused])


def _read_parquet(connection: duckdb.DuckDBPyConnection, file: Path, name: str, source: FileSource) -> Rows:
    relation = f"read_parquet({_text(str(file))})"
    types = {row[0]: row[1] for row in connection.execute(f"DESCRIBE FROM {relation}").fetchall()}
    _refuse_missing(name, list(types), source)
    return _fit(connection, relation, {c.name: (_quoted(c.told_by), types[c.told_by]) for c in source.columns}, source)


def _refuse_missing(name: str, columns: list[str], source: FileSource) -> None:
    missing = [one.told_by for one in source.columns if one.told_by not in columns]
    if missing and columns:
        raise FileRefusedError(f"{name} has no column {', '.join(missing)}; it has {', '.join(columns)}")
    if missing:
        raise FileRefusedError(f"{name} is empty: it has not even a header")


def _fit(
    connection: duckdb.DuckDBPyConnection, relation: str, given: Mapping[str, tuple[str, str]], source: FileSource
) -> Rows:
    """Read a relation once; a second time, for what is written there, only where rows do not fit."""
    fits = [_Fit(column, *given[column.name]) for column in source.columns]
    cleaned = ", ".join(f"{one.cleaned} AS {one.name}" for one in fits)
    values = ", ".join(f"{one.value} AS {one.as_value}, {one.bad} AS {one.as_bad}" for one in fits)
    looked = f"SELECT * , {values} FROM (SELECT {cleaned} FROM {relation})"  # noqa: S608 - names and texts are quoted
    bad = " OR ".join(one.as_bad for one in fits)
    chosen = ", ".join(f"{one.as_value} AS {one.name}" for one in fits)
    typed = f"SELECT {chosen}, {bad} AS {_quoted(NO_TEXT)} FROM ({looked})"  # noqa: S608 - as above
    data = connection.sql(typed).to_arrow_table()
    import pyarrow.compute as pc

    wrong = data.column(NO_TEXT)
    rows = data.drop_columns([NO_TEXT])
    if not pc.any(wrong).as_py():
        return Rows(rows)
    whys = ", ".join(one.why for one in fits)
    raw = ", ".join(f"{_text(one.column.name)}: {one.name}" for one in fits)
    number = _quoted(f"{NO_TEXT} number")
    numbered = f"SELECT row_number() OVER () AS {number}, {cleaned} FROM {relation}"  # noqa: S608 - as above
    told = f"SELECT {number}, concat_ws('; ', {whys}), to_json({{{raw}}})::VARCHAR"
    found = connection.sql(f"{told} FROM (SELECT *, {values} FROM ({numbered})) WHERE {bad} ORDER BY 1").fetchall()  # noqa: S608 - as above
    return Rows(rows.filter(pc.invert(wrong)), [(f"row {n}", why, text) for n, why, text in found])


class _Fit:
    """One column in SQL: what is written, what it is read as, and when that fails."""

    def __init__(self, column: FileColumn, raw: str, given: str) -> None:
        self.column, self.name = column, _quoted(column.name)
        self.as_value, self.as_bad = _quoted(f"{NO_TEXT}{column.name}"), _quoted(f"{NO_TEXT}{NO_TEXT}{column.name}")
        kind = SQL_TYPES.get(column.type, column.type.upper())
        wrong, gone = _text(f"{column.name} is no {column.type}"), _text(f"{column.name} is missing")
        self.why = f"CASE WHEN {self.as_bad} THEN CASE WHEN {self.name} IS NULL THEN {gone} ELSE {wrong} END END"
        self.cleaned = raw
        for text in (*column.missing, *([""] if column.type != TEXT and given == "VARCHAR" else [])):
            self.cleaned = f"NULLIF({self.cleaned}, {_text(text)})"
        if kind == given:
            self.value, broken = self.name, "false"
        elif given == "VARCHAR":
            self.value = f"CASE WHEN {self._reads(kind)} THEN {self._cast(kind)} END"
            broken = f"{self.name} IS NOT NULL AND {self.as_value} IS NULL"
        else:
            self.value = f"TRY_CAST({self.name} AS {kind})"
            broken = f"{self.name} IS DISTINCT FROM TRY_CAST({self.as_value} AS {given})"
        absent = f" OR {self.name} IS NULL" if column.required else ""
        self.bad = f"({broken}{absent})"

    def _cast(self, kind: str) -> str:
        return f"TRY_CAST(trim({self.name}) AS {kind})"

    def _reads(self, kind: str) -> str:
        """Return the condition that a text is written as `Fits` reads it; the usual spelling needs no regex."""
        usual = " OR ".join(f"{self.name} LIKE {_text(shape)}" for shape in USUAL.get(self.column.type, ()))
        return f"({usual or f'CAST({self._cast(kind)} AS VARCHAR) = {self.name}'} OR {self._regex()})"

    def _regex(self) -> str:
        return is_written_as(self.column.name, self.column.type, "duckdb").sql("duckdb")


def _ends_with_newline(file: Path) -> bool:
    with file.open("rb") as content:
        content.seek(-1, 2)
        return content.read(1) in b"\r\n"


def _quoted(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql("duckdb")


def _text(text: str) -> str:
    return exp.Literal.string(text).sql("duckdb")


def _literal(value: Any) -> str:
    return _text(value) if isinstance(value, str) else str(value).lower()
