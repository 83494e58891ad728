"""Snowflake's column types and Arrow's: what a column is made as, and what it is read as."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from dashboard_trust.errors import WarehouseError, WriteRefusedError
from dashboard_trust.warehouses.column_types import NULLS

PAIRS = {
    pa.bool_(): "BOOLEAN",
    pa.int16(): "NUMBER(5,0)",
    pa.int32(): "NUMBER(10,0)",
    pa.int64(): "NUMBER(19,0)",
    pa.float32(): "FLOAT",
    pa.float64(): "FLOAT",
    pa.string(): "TEXT",
    pa.binary(): "BINARY",
    pa.date32(): "DATE",
    pa.time64("us"): "TIME",
    pa.timestamp("us"): "TIMESTAMP_NTZ",
    pa.timestamp("us", "UTC"): "TIMESTAMP_TZ",
}
READ = {
    "BOOLEAN": pa.bool_(),
    "FLOAT": pa.float64(),
    "BINARY": pa.binary(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP_NTZ": pa.timestamp("us"),
    "TIMESTAMP_TZ": pa.timestamp("us", "UTC"),
    "TIMESTAMP_LTZ": pa.timestamp("us", "UTC"),
}
NUMBER = re.compile(r"NUMBER\((\d+),(\d+)\)")
# 38 is what Snowflake makes of INTEGER, whatever it holds.
WHOLE = {5: pa.int16(), 10: pa.int32(), 19: pa.int64(), 38: pa.int64()}

# As wide as a column of that type is where nobody said how wide.
TEXT_LENGTH = 16_777_216
BINARY_LENGTH = 8_388_608
TIME_DIGITS = 9


def to_snowflake_type(field: pa.Field) -> str:
    """Return the type of a column made for this field, as `column_type` writes it.

    Raises:
        WriteRefusedError: Snowflake has none that keeps its values as they are.
    """
    if pa.types.is_decimal(field.type):
        return f"NUMBER({field.type.precision},{field.type.scale})"
    if pa.types.is_null(field.type):
        return NULLS
    if field.type not in PAIRS:
        raise WriteRefusedError(f"Column {field.name!r} is {field.type}, which we keep in no Snowflake column.")
    return PAIRS[field.type]


def column_type(row: Mapping[str, Any]) -> str:
    """Return the type of a column from its row of INFORMATION_SCHEMA.COLUMNS; what is as wide as usual goes unsaid."""
    kind = str(row["DATA_TYPE"]).upper()
    if kind == "NUMBER":
        return f"NUMBER({row['NUMERIC_PRECISION']},{row['NUMERIC_SCALE']})"
    if kind in ("TEXT", "BINARY"):
        length = row.get("CHARACTER_MAXIMUM_LENGTH")
        usual = TEXT_LENGTH if kind == "TEXT" else BINARY_LENGTH
        return f"{kind}({length})" if length is not None and int(length) < usual else kind
    if kind.startswith("TIME"):
        digits = row.get("DATETIME_PRECISION")
        return f"{kind}({digits})" if digits is not None and int(digits) < TIME_DIGITS else kind
    return kind


def to_read(name: str, kind: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column that the driver read as the Arrow type of its Snowflake type; a VARIANT as its text.

    Raises:
        WarehouseError: It holds what that type has no value for.
    """
    wanted = _wanted(kind)
    for one in wanted:
        try:
            return column.cast(one)
        except pa.ArrowException:
            continue
    raise WarehouseError(f"Column {name!r} ({kind}) cannot be read as {wanted[-1]}.")


def _wanted(kind: str) -> list[pa.DataType]:
    """The types to try, the narrowest first."""
    if number := NUMBER.fullmatch(kind):
        precision, scale = int(number[1]), int(number[2])
        if scale or precision not in WHOLE:
            return [pa.int64()] if not scale and precision < 19 else [pa.decimal128(precision, scale)]
        return [WHOLE[precision], pa.int64(), pa.decimal128(38, 0)]
    plain = kind.split("(", maxsplit=1)[0]
    if plain.startswith("TIMESTAMP"):
        return [READ[plain], pa.timestamp("ns", READ[plain].tz)]
    return [READ.get(plain, pa.string())]
