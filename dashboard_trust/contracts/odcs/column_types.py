"""Types of a data contract as words of SQL that tables of any engine can be held to."""

from __future__ import annotations

import re

LOGICAL = {
    "string": "text",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamp",
    "time": "time",
}
"""What a logical type is; one of these words is any width, precision or zone of its kind."""

TEXTS = (
    *("char", "character", "varchar", "character varying", "bpchar", "nchar", "nvarchar", "varchar2", "nvarchar2"),
    *("text", "string", "clob"),
)
ALIASES = {
    **dict.fromkeys(TEXTS, "text"),
    **dict.fromkeys(("tinyint", "int1", "int8_t"), "tinyint"),
    **dict.fromkeys(("smallint", "int2", "int16", "smallserial"), "smallint"),
    **dict.fromkeys(("int", "integer", "int4", "int32", "serial"), "integer"),
    **dict.fromkeys(("bigint", "int8", "int64", "long", "bigserial"), "bigint"),
    **dict.fromkeys(("decimal", "numeric", "number", "dec", "bignumeric"), "decimal"),
    **dict.fromkeys(("real", "float4", "float32"), "real"),
    **dict.fromkeys(("double", "double precision", "float8", "float64", "float"), "double"),
    **dict.fromkeys(("boolean", "bool"), "boolean"),
    "date": "date",
    **dict.fromkeys(("time", "time without time zone"), "time"),
    **dict.fromkeys(("timestamp", "datetime", "timestamp without time zone", "timestamp_ntz"), "timestamp"),
    **dict.fromkeys(("timestamptz", "timestamp with time zone", "timestamp_tz", "timestamp_ltz"), "timestamptz"),
    "uuid": "uuid",
}
"""What engines call a type, and what it is called here."""

FITS = {"integer": "integer", "number": "number", "boolean": "boolean", "date": "date", "timestamp": "timestamp"}
"""For each logical type of a column of text what its texts are read as."""

PHYSICAL = re.compile(
    r"(?P<word>[a-z][a-z0-9_ ]*?)\s*(?P<digits>[(\[][0-9, ]+[)\]])?(?P<rest>\s[a-z ]+)?", re.IGNORECASE
)


def to_sql_type(physical: str, logical: str) -> str | None:
    """Return the type of a column; "" where it cannot be compared, None where nothing is said of it.

    Of text the length is left out: not every engine keeps it. Of decimals the digits are kept.
    """
    if not physical:
        return LOGICAL.get(logical, "" if logical else None)
    found = PHYSICAL.fullmatch(physical.strip())
    if found is None:
        return ""
    word = ALIASES.get(" ".join(f"{found['word']}{found['rest'] or ''}".lower().split()), "")
    return f"{word}{_digits(found['digits'])}" if word == "decimal" and found["digits"] else word


def _digits(written: str) -> str:
    return f"({', '.join(number.strip() for number in written[1:-1].split(','))})"
