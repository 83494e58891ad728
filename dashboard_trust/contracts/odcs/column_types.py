"""Types of a data contract as words of SQL that tables of any engine can be held to."""

from __future__ import annotations

import re
from collections.abc import Mapping

PLAIN = (
    *("char", "character", "varchar", "character varying", "text", "uuid", "date", "time", "boolean"),
    *("tinyint", "smallint", "integer", "bigint", "decimal", "numeric", "real", "double", "double precision"),
    *("timestamp", "timestamp with time zone", "timestamp without time zone", "timestamptz"),
)
"""Types that mean the same on every engine, whatever each calls them itself; a float is of 4 bytes or of 8."""

CALLED = {
    **dict.fromkeys(("string", "clob", "bpchar"), "text"),
    **dict.fromkeys(("nvarchar", "varchar2", "nvarchar2"), "varchar"),
    "nchar": "char",
    **dict.fromkeys(("int1",), "tinyint"),
    **dict.fromkeys(("int2", "int16", "smallserial"), "smallint"),
    **dict.fromkeys(("int", "int4", "int32", "serial"), "integer"),
    **dict.fromkeys(("int8", "int64", "long", "bigserial"), "bigint"),
    **dict.fromkeys(("number", "dec"), "decimal"),
    **dict.fromkeys(("float4", "float32"), "real"),
    **dict.fromkeys(("float8", "float64"), "double"),
    "bool": "boolean",
    **dict.fromkeys(("datetime", "timestamp_ntz"), "timestamp"),
    **dict.fromkeys(("timestamp_tz", "timestamp_ltz"), "timestamptz"),
}
"""What some engines call a type, and what it is called here."""

TEXTS = ("char", "character", "varchar", "character varying", "text")
WITH_DIGITS = (*TEXTS, "decimal", "numeric")

FITS = {"integer": "integer", "number": "number", "boolean": "boolean", "date": "date", "timestamp": "timestamp"}
"""For each logical type what a value of a column is to be readable as."""

WHOLE_NUMBERS = ("tinyint", "smallint", "integer", "bigint")
ZONED = ("timestamptz", "timestamp with time zone")
HELD_BY: Mapping[str, tuple[str, ...]] = {
    "string": (*TEXTS, "uuid"),
    "integer": WHOLE_NUMBERS,
    "number": (*WHOLE_NUMBERS, "decimal", "numeric", "real", "double", "double precision"),
    "boolean": ("boolean",),
    "date": ("date",),
    "timestamp": ("date", "timestamp", "timestamp without time zone", *ZONED),
    "time": ("time",),
}
"""For each logical type the columns that hold nothing else."""

PHYSICAL = re.compile(r"([a-z][a-z0-9_ ]*?)\s*(?:\(([0-9, ]+)\))?( [a-z ]+)?", re.IGNORECASE)


def to_sql_type(physical: str) -> str:
    """Return the type of a column; "" where nothing is said of it, or what not every engine knows."""
    found = PHYSICAL.fullmatch(physical.strip())
    if found is None:
        return ""
    word = " ".join(f"{found[1]}{found[3] or ''}".lower().split())
    word = CALLED.get(word, word)
    if word not in PLAIN:
        return ""
    digits = [number.strip() for number in (found[2] or "").split(",") if number.strip()]
    return f"{word}({', '.join(digits)})" if digits and word in WITH_DIGITS else word


def holds(physical: str, logical: str) -> bool:
    """Return whether a column of a type that every engine knows holds nothing but values of a logical type."""
    word, _, digits = to_sql_type(physical).partition("(")
    if logical == "integer" and word in ("decimal", "numeric"):
        return digits.endswith(", 0)") or (digits != "" and "," not in digits)
    return word in HELD_BY.get(logical, ())


def is_zoned(physical: str) -> bool:
    """Return whether a column holds moments, whatever the time zone they are written in."""
    return to_sql_type(physical) in ZONED


def most_characters(physical: str) -> int | None:
    """Return how many characters a text of a type may have; None where it is no text, or of any length."""
    word, _, digits = to_sql_type(physical).partition("(")
    return int(digits.removesuffix(")")) if word in TEXTS and digits and "," not in digits else None


def is_text(physical: str) -> bool:
    """Return whether a type is one of texts."""
    return to_sql_type(physical).partition("(")[0] in TEXTS
