"""What a property promises of its column, as rules."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from dashboard_trust.contracts.odcs.attempts import Found, UnsupportedError, attempt, guarded
from dashboard_trust.contracts.odcs.column_types import FITS, is_text, to_sql_type
from dashboard_trust.contracts.odcs.document import Part
from dashboard_trust.contracts.odcs.quality import quality_rules, quote, scalar
from dashboard_trust.contracts.row_rules import AcceptedValues, Condition, Fits, Length, NotNull, Pattern, Range, Unique
from dashboard_trust.contracts.rules import as_check_name

BOUNDS = {"minimum": "min", "maximum": "max", "exclusiveMinimum": "above", "exclusiveMaximum": "below"}
LENGTHS = {"minLength": "min", "maxLength": "max"}
WHOLE_NUMBERS: Mapping[str, tuple[int, int]] = {
    f"{sign}{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if sign == "i" else (0, 2**bits - 1)
    for sign in "iu"
    for bits in (8, 16, 32, 64)
}
SAID_BY_TYPE = ("format", "timezone", "defaultTimezone")
"""Options of days and moments that say how they are written, which a column of that type does not ask."""

NESTED = ("properties", "items", "map")


def is_column(prop: Part) -> bool:
    """Return whether a property is a column; a measure or a dimension is worked out of others."""
    return prop.text("semanticType") in ("", "column")


def column_of(prop: Part) -> str:
    """Return the name that a property has in its table."""
    return prop.text("physicalName") or prop.text("name")


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
    logical, physical = prop.text("logicalType"), prop.text("physicalType")
    if physical and not to_sql_type(physical):
        yield prop.unsupported(f"is not checked for its type: {physical!r} is not the same on every engine")
    if (not to_sql_type(physical) or is_text(physical)) and logical in FITS and not _format(prop):
        # To 3.0 a moment is a date too.
        is_old = str(prop.document.value["apiVersion"]).startswith("v3.0.")
        yield attempt(prop, Fits, column=column, type="timestamp" if is_old and logical == "date" else FITS[logical])


def _format(prop: Part) -> str:
    options = prop.part("logicalTypeOptions")
    return (
        options.text("format") if options is not None and prop.text("logicalType") not in ("integer", "number") else ""
    )


def _options(options: Part, prop: Part, column: str) -> Found:
    bounds = {ours: scalar(part) for said, ours in BOUNDS.items() if (part := options.part(said)) is not None}
    if bounds:
        yield attempt(options, _range, column=column, **bounds)
    lengths = {ours: part.value for said, ours in LENGTHS.items() if (part := options.part(said)) is not None}
    if lengths:
        yield attempt(options, Length, column=column, **lengths)
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
    kind = prop.text("logicalType")
    if name == "pattern":
        yield attempt(part, Pattern, column=column, regex=str(part.value))
    elif name == "multipleOf":
        yield attempt(part, _multiple, column=column, of=part.value)
    elif name == "format" and part.value in WHOLE_NUMBERS:
        low, high = WHOLE_NUMBERS[part.value]
        check = as_check_name(f"{part.value}_{column}")
        yield attempt(part, Range, column=column, min=low, max=high, name=check)
    elif not (
        name in SAID_BY_TYPE and kind in ("date", "timestamp", "time") and not is_text(prop.text("physicalType"))
    ):
        yield part.unsupported(f"is not checked: there is no rule for {name!r}")


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
