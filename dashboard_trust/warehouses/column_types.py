"""The types a table's columns have: what values they hold, and whether those of other data fit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from sqlglot import exp
from sqlglot.errors import SqlglotError

from dashboard_trust.errors import ColumnsRefusedError

NULLS = "null"
"""The type of a column of which every value is missing: it fits any column, and can make none."""


Kind = Literal["text", "number", "float", "boolean", "date", "timestamp", "timestamptz", "other"]

KINDS: Mapping[Kind, tuple[str, ...]] = {
    "text": ("VARCHAR", "TEXT", "CHAR", "STRING", "BPCHAR", "NAME", "UUID"),
    "float": ("DOUBLE", "FLOAT", "REAL"),
    "number": (
        *("TINYINT", "SMALLINT", "INT", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINT", "UBIGINT", "UHUGEINT"),
        *("DECIMAL", "NUMERIC", "NUMBER"),
    ),
    "boolean": ("BOOL",),
}


def kind_of(column_type: str) -> Kind:
    """Return what values a column of an engine's own type holds; ``other`` is what rules cannot compare."""
    name = column_type.upper()
    if name.startswith("TIMESTAMP"):
        zoned = "WITH TIME ZONE" in name or name.startswith(("TIMESTAMPTZ", "TIMESTAMP_TZ", "TIMESTAMP_LTZ"))
        return "timestamptz" if zoned else "timestamp"
    if name.endswith("]") or name.startswith(("INTERVAL", "DATERANGE", "INT4RANGE", "INT8RANGE", "NUMRANGE")):
        return "other"
    if name == "DATE":
        return "date"
    return next((kind for kind, names in KINDS.items() if name.startswith(names)), "other")


def is_own_type(column_type: str, dialect: str) -> bool:
    """Return whether a column's type is one that somebody made, mostly of names (an enum), which reads as text."""
    if dialect == "duckdb":
        return column_type.startswith("ENUM(") and not column_type.endswith("]")
    if dialect != "postgres" or column_type.endswith("]"):
        return False
    try:
        exp.DataType.build(column_type, dialect=dialect)
    except (SqlglotError, ValueError):
        return True
    return False


def compare_columns(
    name: str, has: Mapping[str, str], given: Mapping[str, str], *, accept_new: bool = False
) -> list[str]:
    """Return the columns to be added to a table (types by name) for data of other ones.

    In any order; a type may be narrower than the table's where every value of it fits: fewer bits, or
    fewer digits on both sides of the point.

    Raises:
        ColumnsRefusedError: Columns are missing, of another type, or new and not accepted.
    """
    missing = [f"{column} is missing" for column in has if column not in given]
    new = [column for column in given if column not in has]
    changed = [
        f"{column} is {given[column]} instead of {has[column]}"
        for column in given
        if column in has and not _fits(given[column], has[column])
    ]
    unknown = [f"{column} is new, and without a value it has no type" for column in new if given[column] == NULLS]
    problems = [*missing, *changed, *(unknown if accept_new else [f"{column} is new" for column in new])]
    if problems:
        raise ColumnsRefusedError(
            f"The data does not have the columns of {name}: {'; '.join(problems)}. Nothing was written."
        )
    return new


def refuse_unknown(name: str, types: Mapping[str, str]) -> None:
    """Refuse to make a table of columns of which nobody knows the type.

    Raises:
        ColumnsRefusedError: A column has only missing values.
    """
    unknown = [column for column, kind in types.items() if kind == NULLS]
    if unknown:
        raise ColumnsRefusedError(
            f"{name} does not exist, and cannot be made: {', '.join(unknown)} has no value to tell its type by. "
            "Cast it to a type, or create the table first."
        )


WHOLE_NUMBERS = {
    **dict.fromkeys(("tinyint", "int1"), 3),
    **dict.fromkeys(("smallint", "int2", "short"), 5),
    **dict.fromkeys(("integer", "int", "int4"), 10),
    **dict.fromkeys(("bigint", "int8", "long"), 19),
}
"""The digits of the largest value."""
NARROW_FLOATS = ("real", "float", "float4")
WIDE_FLOATS = ("double", "double precision", "float8")
DECIMALS = ("decimal", "numeric", "number")
TEXTS = ("text", "varchar", "character varying")


def _fits(given: str, has: str) -> bool:
    """Whether every value of a type is one of the other."""
    if given.lower() in (has.lower(), NULLS):
        return True
    narrow, wide = _parse(given), _parse(has)
    if narrow[0] in WHOLE_NUMBERS and wide[0] in WHOLE_NUMBERS:
        return WHOLE_NUMBERS[narrow[0]] <= WHOLE_NUMBERS[wide[0]]
    if wide[0] in DECIMALS and (narrow[0] in WHOLE_NUMBERS or narrow[0] in DECIMALS):
        return _digits_fit(narrow, wide)
    if narrow[0] in NARROW_FLOATS:
        return wide[0] in WIDE_FLOATS
    return given.lower() in TEXTS and has.lower() in TEXTS


def _digits_fit(narrow: tuple[str, list[int]], wide: tuple[str, list[int]]) -> bool:
    if not wide[1]:
        return wide[0] == "numeric"  # of Postgres, as wide as it has to be
    before, after = wide[1][0] - wide[1][1], wide[1][1]
    if narrow[0] in WHOLE_NUMBERS:
        return WHOLE_NUMBERS[narrow[0]] <= before
    return bool(narrow[1]) and narrow[1][0] - narrow[1][1] <= before and narrow[1][1] <= after


def _parse(kind: str) -> tuple[str, list[int]]:
    """``numeric(10,2)`` is ``numeric`` of 10 and 2."""
    found = re.fullmatch(r"([a-z0-9 ]+?)\s*\((\d+)(?:\s*,\s*(\d+))?\)", kind.lower())
    return (found[1], [int(found[2]), int(found[3] or 0)]) if found else (kind.lower(), [])
