"""The types every engine keeps: what each type of Arrow's becomes, without a value being changed."""

from __future__ import annotations

import pyarrow as pa

DIGITS = 38
"""As many as every engine keeps in a decimal."""

PLAIN = {
    **dict.fromkeys(("string", "large_string", "string_view"), pa.string()),
    **dict.fromkeys(("binary", "large_binary", "binary_view"), pa.binary()),
    **dict.fromkeys(("int8", "uint8", "int16"), pa.int16()),
    **dict.fromkeys(("uint16", "int32"), pa.int32()),
    **dict.fromkeys(("uint32", "int64"), pa.int64()),
    "uint64": pa.decimal128(20, 0),
    **dict.fromkeys(("halffloat", "float"), pa.float32()),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "null": pa.null(),
    **dict.fromkeys(("date32[day]", "date64[ms]"), pa.date32()),
    **dict.fromkeys(("time32[s]", "time32[ms]", "time64[us]", "time64[ns]"), pa.time64("us")),
}


def kept(kind: pa.DataType) -> pa.DataType:
    """Return the type that every engine keeps for a type; lists, structs and maps are of such types.

    Raises:
        ArrowInvalid: There is none.
    """
    if str(kind) in PLAIN:
        return PLAIN[str(kind)]
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return kept(kind.value_type)
    if pa.types.is_nested(kind):
        return _kept_nested(kind)
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    if pa.types.is_decimal(kind):
        return _kept_decimal(kind)
    if pa.types.is_fixed_size_binary(kind):
        return pa.binary()
    raise pa.ArrowInvalid("not every engine has this type; make it text or a number.")


def _kept_decimal(kind: pa.DataType) -> pa.DataType:
    scale = max(kind.scale, 0)
    precision = max(kind.precision - min(kind.scale, 0), scale)
    if precision > DIGITS:
        raise pa.ArrowInvalid(f"engines keep {DIGITS} digits.")
    return pa.decimal128(precision, scale)


def _kept_nested(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_map(kind):
        return pa.map_(_kept_inside(kind.key_type), _kept_inside(kind.item_type))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(_kept_inside(field.type)) for field in kind])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return pa.list_(_kept_inside(kind.value_type))
    raise pa.ArrowInvalid("not every engine has this type; make it a list.")


def _kept_inside(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_null(kind):
        raise pa.ArrowInvalid("nothing in it tells its type; cast it to one.")
    return kept(kind)
