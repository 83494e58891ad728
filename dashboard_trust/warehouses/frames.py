"""Data of any kind as Arrow, of the types every engine keeps, and back.

pandas and polars are only looked at where the data is theirs: nothing here needs either.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from dashboard_trust.errors import InvalidInputError, WriteRefusedError
from dashboard_trust.warehouses.arrow_types import DIGITS, kept

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

MOST_BYTES = 2**30
"""A chunk of text longer than this is cut: Arrow's plain text counts its bytes in 31 bits."""

WHOLE_DIGITS = 18
"""What Python's decimals get before the point: they are as wide as their values, and the next are wider."""

KINDS = "pandas or polars DataFrame, or pyarrow Table, RecordBatch or RecordBatchReader"


def to_arrow(data: object) -> pa.Table:
    """Return data as an Arrow table of the types that every engine keeps, each value as it is.

    Text and bytes are plain, integers signed and of 16 bits at least, times in microseconds, moments
    with a zone in UTC, categories decoded; uint64 is decimal(20, 0). An index without a name is left
    out. Of pandas, NaN is a missing value, as pandas has it.

    Raises:
        WriteRefusedError: A name or a type that not every engine has, or a value that would change.
    """
    table = _read(data)
    _refuse_names(table.column_names)
    columns = [_keep(name, table.column(name)) for name in table.column_names]
    return pa.table(columns, names=table.column_names)


def from_arrow(table: pa.Table, kind: type | str) -> Any:
    """Return a table as the data of a library (``pandas``, ``polars``, ``pyarrow``), or as one of its classes.

    For pandas, integers and booleans with missing values are of its nullable types, so that no value changes.

    Raises:
        InvalidInputError: Nothing of that kind can be made.
    """
    asked = kind if isinstance(kind, str) else f"{kind.__module__.partition('.')[0]}.{kind.__name__}"
    match asked:
        case "pyarrow" | "pyarrow.Table":
            return table
        case "pyarrow.RecordBatchReader":
            return table.to_reader()
        case "polars" | "polars.DataFrame":
            import polars as pl

            return pl.DataFrame(pl.from_arrow(table))
        case "pandas" | "pandas.DataFrame":
            return _to_pandas(table)
    raise InvalidInputError(f"A table cannot be read as {asked}: ask for a {KINDS}.")


def _read(data: object) -> pa.Table:
    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if isinstance(data, pa.RecordBatchReader):
        return data.read_all()
    # A type knows its module without that module being imported here.
    match {(base.__module__.partition(".")[0], base.__name__) for base in type(data).__mro__}:
        case bases if ("pandas", "DataFrame") in bases:
            return _from_pandas(data)  # type: ignore[arg-type]
        case bases if ("polars", "DataFrame") in bases:
            return _from_polars(data)  # type: ignore[arg-type]
    hint = " Call collect() on it." if type(data).__name__ == "LazyFrame" else ""
    raise WriteRefusedError(f"A {type(data).__module__}.{type(data).__qualname__} is no data: return a {KINDS}.{hint}")


def _refuse_names(names: Sequence[object]) -> None:
    """Refuse what some engine would have no column for, or the same as for another name."""
    for name in names:
        if not isinstance(name, str):
            raise WriteRefusedError(f"The column name {name!r} is no text: rename it.")
        if not name or "\0" in name:
            raise WriteRefusedError(f"{name!r} cannot be the name of a column: rename it.")
    known: dict[str, object] = {}
    for name in names:
        folded = str(name).casefold()
        if known.get(folded) == name:
            raise WriteRefusedError(f"Two columns are named {name!r}: rename one.")
        if folded in known:
            raise WriteRefusedError(f"{known[folded]!r} and {name!r} are one name to some engines: rename one.")
        known[folded] = name


def _keep(name: str, column: pa.ChunkedArray) -> pa.ChunkedArray:
    try:
        kind = kept(column.type)
        if kind == column.type:
            return column
        pieces = [piece.cast(kind) for chunk in column.chunks for piece in _cut(_decoded(chunk))]
        return pa.chunked_array(pieces, kind)
    except pa.ArrowException as error:
        raise WriteRefusedError(f"Column {name!r} ({column.type}) cannot be kept as it is: {error}") from None


def _decoded(chunk: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(chunk.type):
        return _decoded(chunk.dictionary_decode())
    return _decoded(pc.run_end_decode(chunk)) if pa.types.is_run_end_encoded(chunk.type) else chunk


def _cut(chunk: pa.Array) -> Iterator[pa.Array]:
    if chunk.nbytes <= MOST_BYTES or len(chunk) < 2:
        yield chunk
        return
    half = len(chunk) // 2
    yield from _cut(chunk.slice(0, half))
    yield from _cut(chunk.slice(half))


def _from_polars(frame: pl.DataFrame) -> pa.Table:
    columns = []
    for name, kind in frame.schema.items():
        # Its objects would arrive as the bytes of their addresses.
        if str(kind) == "Object":
            raise WriteRefusedError(f"Column {name!r} holds Python objects: make it text or a number.")
        try:
            columns.append(frame.get_column(name).to_arrow())
        except pa.ArrowException as error:
            raise WriteRefusedError(f"Column {name!r} ({kind}) cannot be kept as it is: {error}") from None
    return pa.table(columns, names=frame.columns)


def _from_pandas(frame: pd.DataFrame) -> pa.Table:
    _refuse_names(list(frame.columns))
    named = [name for name in frame.index.names if name is not None]
    if named:
        raise WriteRefusedError(
            f"The index is named {', '.join(map(str, named))}: call reset_index() to write it as a column, "
            "or reset_index(drop=True) to leave it out."
        )
    columns = [_from_series(str(name), frame[name]) for name in frame.columns]
    return pa.table(columns, names=[str(name) for name in frame.columns])


def _from_series(name: str, series: pd.Series[Any]) -> pa.Array | pa.ChunkedArray:
    _refuse_mixed(name, series.cat.categories if str(series.dtype) == "category" else series)
    try:
        array = pa.array(series, from_pandas=True)
        if series.dtype == object and pa.types.is_decimal(array.type):
            before, after = max(array.type.precision - array.type.scale, WHOLE_DIGITS), max(array.type.scale, 0)
            return array.cast(pa.decimal128(before + after, after)) if before + after <= DIGITS else array
        return array
    # What Arrow makes of its many inputs: nothing here is its fault.
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise WriteRefusedError(f"Column {name!r} ({series.dtype}) cannot be kept as it is: {error}") from None


def _refuse_mixed(name: str, values: pd.Series[Any] | pd.Index[Any]) -> None:
    """Arrow makes one type of some mixtures, and silently drops times of day, zones or text."""
    if values.dtype != object:
        return
    held = values[values.notna()]
    kinds = {type(value) for value in held}
    zoned = {value.tzinfo is not None for value in held if isinstance(value, dt.datetime)}
    if len(kinds) > 1 or len(zoned) > 1:
        names = sorted(kind.__name__ for kind in kinds) if len(kinds) > 1 else ["datetime with and without a zone"]
        raise WriteRefusedError(f"Column {name!r} mixes {' and '.join(names)}: make it one type.")


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    import pandas as pd

    nullable = {pa.int16(): pd.Int16Dtype(), pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()}
    frame = {}
    for name in table.column_names:
        column = table.column(name)
        kinds = {**nullable, pa.bool_(): pd.BooleanDtype()} if column.null_count else {}
        frame[name] = column.to_pandas(types_mapper=kinds.get)
    return pd.DataFrame(frame, columns=table.column_names)
