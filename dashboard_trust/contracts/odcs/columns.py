"""What a property promises of its column, as rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from dashboard_trust.contracts.odcs.attempts import Found, UnsupportedError, attempt, guarded
from dashboard_trust.contracts.odcs.column_types import FITS, holds, is_text, is_zoned, most_characters, to_sql_type
from dashboard_trust.contracts.odcs.document import Part
from dashboard_trust.contracts.odcs.quality import quality_rules, quote, scalar
from dashboard_trust.contracts.row_rules import AcceptedValues, Condition, Fits, Length, NotNull, Pattern, Range, Unique
from dashboard_trust.contracts.rules import as_check_name
from dashboard_trust.contracts.table_rules import ANY_TEXT

BOUNDS = {"minimum": "min", "maximum": "max", "exclusiveMinimum": "above", "exclusiveMaximum": "below"}
LENGTHS = {"minLength": "min", "maxLength": "max"}
WHOLE_NUMBERS: Mapping[str, tuple[int, int]] = {
    f"{sign}{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if sign == "i" else (0, 2**bits - 1)
    for sign in "iu"
    for bits in (8, 16, 32, 64)
}
READ_AS = {"date": "yyyy-MM-dd"}
"""The format in which texts are read as what they stand for, where it is only one."""

MOMENTS = ("date", "timestamp", "time")
UTC = ("UTC", "Etc/UTC", "Z", "GMT", "Etc/GMT")

NESTED = ("properties", "items", "map")


def is_column(prop: Part) -> bool:
    """Return whether a property is a column; a measure or a dimension is worked out of others."""
    return prop.text("semanticType") in ("", "column")


def column_of(prop: Part) -> str:
    """Return the name that a property has in its table."""
    return prop.text("physicalName") or prop.text("name")


def column_type(prop: Part) -> str:
    """Return the type that a property's column is to have; "" where that is not told for every engine."""
    any_text = ANY_TEXT if prop.text("logicalType") == "string" else ""
    return to_sql_type(prop.text("physicalType")) or any_text


def column_rules(prop: Part, columns: Mapping[str, str]) -> Found:
    """Yield the rules of one property: required, unique, its options, its values, its quality."""
    column = column_of(prop)
    if not is_column(prop):
        yield prop.unsupported(f"is not checked: it is a {prop.text('semanticType')}, and no column")
        return
    if prop.flag("required") or prop.flag("primaryKey"):
        yield attempt(prop, NotNull, column=column)
    if prop.flag("unique"):
        yield attempt(prop, Unique, key=(column,))
    yield from _type(prop, column)
    yield from _lengths(prop, column)
    if (options := prop.part("logicalTypeOptions")) is not None:
        yield from guarded(options, _options(options, prop, column))
    if (enum := prop.part("enum")) is not None:
        yield from guarded(enum, _enum(enum, column))
    for rule in prop.parts("quality"):
        yield from quality_rules(rule, columns, column)
    for name in NESTED:
        nested = prop.part(name)
        if nested is not None:
            yield nested.unsupported("are not checked: what is within a column is left alone")


def _type(prop: Part, column: str) -> Found:
    """Yield that values can be read as what they stand for, where the column's own type does not say it."""
    logical, physical = _logical(prop), prop.text("physicalType")
    known = to_sql_type(physical)
    if physical and not known:
        yield prop.unsupported(f"is not checked for its type: {physical!r} is not the same on every engine")
    if known and (logical == "string" or not is_text(physical)):
        if logical and not holds(physical, logical):
            yield prop.unsupported(f"is not checked for being {logical!r}, only for its physicalType {physical!r}")
    elif logical in FITS:
        if _is_read(prop):
            yield attempt(prop, Fits, column=column, type=FITS[logical])
    elif logical not in ("", "string") and (known or not physical):
        yield prop.unsupported(f"is not checked for being {logical!r}: there is no rule for it")


def _lengths(prop: Part, column: str) -> Found:
    """Yield how long a text may be, by its options and its physicalType: most engines keep texts of any length."""
    options, widest = prop.part("logicalTypeOptions"), most_characters(prop.text("physicalType"))
    said = {ours: options.part(theirs) for theirs, ours in LENGTHS.items()} if options is not None else {}
    lengths = {ours: part.value for ours, part in said.items() if part is not None}
    if widest is not None:
        lengths["max"] = min(lengths.get("max", widest), widest)
    if lengths:
        yield attempt(options or prop, Length, column=column, **lengths)


def _logical(prop: Part) -> str:
    """Return the logical type; to 3.0 a moment is a date too."""
    logical = prop.text("logicalType")
    is_old = str(prop.document.value["apiVersion"]).startswith("v3.0.")
    return "timestamp" if is_old and logical == "date" else logical


def _is_read(prop: Part) -> bool:
    """Return whether texts of a logical type are written as `Fits` reads them, as far as their format says."""
    options, logical = prop.part("logicalTypeOptions"), _logical(prop)
    written = options.text("format") if options is not None and logical in ("date", "timestamp") else ""
    return written in ("", READ_AS.get(logical))


def _options(options: Part, prop: Part, column: str) -> Found:
    bounds = {ours: scalar(part) for said, ours in BOUNDS.items() if (part := options.part(said)) is not None}
    if bounds:
        yield attempt(options, _range, column=column, **bounds)
    for name in options.value:
        if name not in BOUNDS and name not in LENGTHS and (part := options.part(name)) is not None:
            yield from _option(name, part, prop, column)


def _range(**said: Any) -> Range:
    """Return a range; where a bound is given with and without itself, the tighter one counts.

    To 3.0 ``exclusiveMinimum`` is whether the minimum itself is left out.
    """
    for closed, open_ in (("min", "above"), ("max", "below")):
        if isinstance(exclusive := said.get(open_), bool):
            del said[open_]
            if exclusive and closed in said:
                said[open_] = said.pop(closed)
    for closed, open_, tighter in (("min", "above", max), ("max", "below", min)):
        if closed in said and open_ in said:
            tightest = tighter(said[closed], said[open_])
            said.pop(closed if tightest == said[open_] else open_)
    return Range(**said)


def _option(name: str, part: Part, prop: Part, column: str) -> Found:
    if name == "pattern":
        yield attempt(part, Pattern, column=column, regex=str(part.value))
    elif name == "multipleOf":
        yield attempt(part, _multiple, column=column, of=part.value)
    elif name == "format" and part.value in WHOLE_NUMBERS:
        low, high = WHOLE_NUMBERS[part.value]
        check = as_check_name(f"{part.value}_{column}")
        yield attempt(part, Range, column=column, min=low, max=high, name=check)
    elif _logical(prop) not in MOMENTS or name not in OF_MOMENTS:
        yield part.unsupported(f"is not checked: there is no rule for {name!r}")
    elif unkept := OF_MOMENTS[name](part, prop):
        yield part.unsupported(f"is not checked: {unkept}")


def _unkept_format(part: Part, prop: Part) -> str:
    """Return why the way days or moments are written is not checked; a column of their type writes none."""
    logical, physical = _logical(prop), prop.text("physicalType")
    if holds(physical, logical) or (_is_read(prop) and logical in FITS):
        return ""
    return f"no rule reads text that is written as {part.value!r}, so that of its type is not checked either"


def _unkept_zone(part: Part, prop: Part) -> str:
    kept = part.value is not True or is_zoned(prop.text("physicalType"))
    return "" if kept else "only a column of timestamptz is sure to have a time zone"


def _unkept_default(part: Part, prop: Part) -> str:
    kept = part.value in UTC or is_zoned(prop.text("physicalType"))
    return "" if kept else "moments without a time zone are read as UTC"


OF_MOMENTS: Mapping[str, Callable[[Part, Part], str]] = {
    "format": _unkept_format,
    "timezone": _unkept_zone,
    "defaultTimezone": _unkept_default,
}
"""Options of days and moments that say how they are written: why one is not checked, "" where it is kept."""


def _multiple(column: str, of: Any) -> Condition:
    if not isinstance(of, int | Decimal):
        raise UnsupportedError("multipleOf is no number")
    name = quote(column)
    return Condition(
        sql=f"{name} IS NULL OR MOD({name}, {Decimal(of):f}) = 0", name=as_check_name(f"multiple_of_{column}")
    )


def _enum(enum: Part, column: str) -> Found:
    values = [scalar(value) for one in enum if (value := one.part("value")) is not None]
    yield attempt(enum, AcceptedValues, column=column, values=tuple(values))
