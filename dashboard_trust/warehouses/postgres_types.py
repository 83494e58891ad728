"""Postgres' column types and Arrow's: what a column is made as, written as and read as."""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

from dashboard_trust.errors import WarehouseError, WriteRefusedError
from dashboard_trust.warehouses.column_types import NULLS

PAIRS = {
    pa.bool_(): "boolean",
    pa.int16(): "smallint",
    pa.int32(): "integer",
    pa.int64(): "bigint",
    pa.float32(): "real",
    pa.float64(): "double precision",
    pa.string(): "text",
    pa.binary(): "bytea",
    pa.date32(): "date",
    pa.time64("us"): "time without time zone",
    pa.timestamp("us"): "timestamp without time zone",
    pa.timestamp("us", "UTC"): "timestamp with time zone",
}
NATIVE = {name: kind for kind, name in PAIRS.items()} | {"character varying": pa.string()}
NUMERIC = re.compile(r"numeric(?:\((\d+),(\d+)\))?")

# Postgres has nothing older. What is older in Arrow was infinite: its count of microseconds, or days, wrapped round.
OLDEST = {pa.date32(): -2_440_588, pa.timestamp("us"): -210_866_803_200_000_000}


def to_postgres_type(field: pa.Field) -> str:
    """Return the type of a column made for this field, as Postgres writes it.

    Raises:
        WriteRefusedError: Postgres has none.
    """
    if pa.types.is_decimal(field.type):
        return f"numeric({field.type.precision},{field.type.scale})"
    if pa.types.is_null(field.type):
        return NULLS
    if field.type not in PAIRS:
        raise WriteRefusedError(f"Column {field.name!r} is {field.type}, which a Postgres table has no column for.")
    return PAIRS[field.type]


def to_written(column: pa.ChunkedArray, kind: str) -> pa.ChunkedArray | None:
    """Return a column as the Arrow type whose bytes a Postgres column of this type takes; None if it does not fit."""
    numeric = NUMERIC.fullmatch(kind)
    if numeric is None and kind not in NATIVE:
        return None
    try:
        if numeric is None:
            return column.cast(NATIVE[kind])
        if numeric[1]:
            return column.cast(pa.decimal128(int(numeric[1]), int(numeric[2])))
        return column if pa.types.is_decimal(column.type) else column.cast(pa.decimal128(19, 0))
    except pa.ArrowException:
        return None


def is_native(kind: str) -> bool:
    """Whether values of a type are read as they are; those of others, as the text they are shown as."""
    return kind in NATIVE or NUMERIC.fullmatch(kind) is not None


def to_read(name: str, kind: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column that the driver read as the Arrow type of its Postgres type.

    Raises:
        WarehouseError: It holds what Arrow has no value for: an infinite time, a numeric that is no number.
    """
    numeric = NUMERIC.fullmatch(kind)
    if numeric is None:
        found = column.cast(NATIVE.get(kind, pa.string()))
        _refuse_infinite(name, found)
        return found
    # The driver reads numbers without a bound as their text, of a type of its own.
    chunks = [chunk.storage if isinstance(chunk, pa.ExtensionArray) else chunk for chunk in column.chunks]
    texts = pa.chunked_array(chunks, pa.string())
    try:
        return texts.cast(pa.decimal128(int(numeric[1]), int(numeric[2])) if numeric[1] else _widest(texts))
    except pa.ArrowException:
        raise WarehouseError(f"Column {name!r} ({kind}) holds what Arrow has no decimal for.") from None


def _widest(texts: pa.ChunkedArray) -> pa.DataType:
    """The narrowest decimal that holds each of these."""
    after = pc.max(pc.utf8_length(pc.replace_substring_regex(texts, r"^[^.]*\.?", ""))).as_py() or 0
    before = pc.max(pc.utf8_length(pc.replace_substring_regex(texts, r"^-|\..*$", ""))).as_py() or 1
    return pa.decimal128(before + after, after) if before + after <= 38 else pa.decimal256(before + after, after)


def _refuse_infinite(name: str, column: pa.ChunkedArray) -> None:
    oldest = OLDEST.get(pa.timestamp("us") if pa.types.is_timestamp(column.type) else column.type)
    if oldest is None:
        return
    counts = column.cast(pa.int32() if pa.types.is_date(column.type) else pa.int64())
    if (pc.min(counts).as_py() or 0) < oldest:
        raise WarehouseError(f"Column {name!r} holds an infinite time, which Arrow has no value for.")
