"""Values of rules as the engine compares them: each of the kind of the column it is held against."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation, localcontext
from typing import Literal

from sqlglot import exp

from dashboard_trust.contracts.rules import Value
from dashboard_trust.errors import InvalidInputError, nearest
from dashboard_trust.warehouses.column_types import WHOLE_NUMBERS, Kind, is_own_type, kind_of
from dashboard_trust.warehouses.session import Session, column

DECIMAL = re.compile(r"(?:decimal|numeric|number)\((\d+), ?(\d+)\)")
MIXED, TIMES = {"number", "float"}, {"date", "timestamp", "timestamptz"}
EXACT = 2**53
"""The first whole number that a float may stand for though another one was meant."""
LARGEST = 324
"""Numbers of more digits than this are none that every engine has."""


Common = Literal["", "text", "number"]
"""What values of two columns are compared as where they are not of one kind: text, or exact whole numbers."""


class RuleError(InvalidInputError):
    """A rule that cannot be looked at on this table: it is errored, never passed."""


class Table:
    """A table as rules are compiled for it: its columns' types, and how its engine compares them."""

    def __init__(self, session: Session, name: str, types: dict[str, str], title: str = "") -> None:
        self.session, self.name, self.types, self.title = session, name, types, title or name

    def kind(self, name: str) -> Kind:
        """Return what a column holds; raise `RuleError` where there is no such column."""
        if name not in self.types:
            raise RuleError(f"{self.title} has no column {name!r}: {nearest(name, self.types)}")
        return kind_of(self.types[name])

    def is_missing(self, name: str) -> exp.Expr:
        """Return the condition that a row has no value in a column: NULL, or NaN."""
        missing = column(name).is_(exp.null())
        return exp.or_(missing, self._is_nan(name)) if self.may_be_nan(name) else missing

    def value(self, name: str) -> exp.Expr:
        """Return a column's value, NULL where it is missing; text is in the order of its bytes."""
        kind = self.kind(name)
        if self.may_be_nan(name):
            return exp.Case(ifs=[exp.If(this=exp.not_(self._is_nan(name)), true=column(name))])
        if kind == "text" and self.session.dialect == "postgres":
            return exp.Collate(this=column(name), expression=exp.to_identifier("C", quoted=True))
        return column(name)

    def text(self, name: str) -> exp.Expr | None:
        """Return a column's value as text; None where it holds none. Of enums and UUIDs that is a cast."""
        kind, engine_type = self.kind(name), self.types[name]
        if kind == "other" and is_own_type(engine_type, self.session.dialect):
            return exp.cast(column(name), "TEXT")
        if kind == "text":  # engines look for no pattern in a UUID
            return exp.cast(column(name), "TEXT") if engine_type.lower() == "uuid" else column(name)
        return None

    def literal(self, name: str, value: Value) -> exp.Expr:
        """Return a value as one that this column may have.

        Raises:
            RuleError: There is no such column, or a value of its type cannot be this.
        """
        try:
            return self._literal(name, self.kind(name), value)
        except (ValueError, TypeError, InvalidOperation, OverflowError) as error:
            raise RuleError(f"{value!r} is no value of {name!r}, which is {self.types[name]}") from error

    def is_beyond(self, name: str, bound: Value, beyond: type[exp.Binary]) -> exp.Expr:
        """Return the condition that a column's value is beyond a bound (``<``, ``<=``, ``>`` or ``>=`` it).

        Raises:
            RuleError: There is no such column, or its values cannot be compared with this.
        """
        if self.kind(name) == "text" and not isinstance(bound, str):
            raise RuleError(f"{bound!r} bounds no text, and {name!r} is {self.types[name]}")
        literal, digits = self.literal(name, bound), self._digits(name)
        if digits is not None:
            # As a number that the column can have: some engines lose digits, or give up, where they have to widen it.
            rounding = ROUND_CEILING if beyond in (exp.LT, exp.GTE) else ROUND_FLOOR
            number = _rounded(Decimal(str(bound)), digits[1], rounding)
            if number.copy_abs() >= Decimal(10) ** digits[0]:
                always = (number > 0) == (beyond in (exp.LT, exp.LTE))
                return exp.not_(self.is_missing(name)) if always else exp.false()
            literal = _number(number)
        return beyond(this=self.value(name), expression=literal)

    def is_among(self, name: str, values: Iterable[Value]) -> exp.Expr:
        """Return the condition that a column's value is one of these; those it cannot have are left out.

        Raises:
            RuleError: There is no such column, or its values cannot be compared with these.
        """
        if self.kind(name) == "other" and (text := self.text(name)) is not None:
            return text.isin(*(self._literal(name, "text", value) for value in values))
        literals, digits = {value: self.literal(name, value) for value in values}, self._digits(name)
        if digits is not None:
            literals = {value: literal for value, literal in literals.items() if _is_exact(value, *digits)}
        return self.value(name).isin(*literals.values()) if literals else exp.false()

    def _digits(self, name: str) -> tuple[int, int] | None:
        """Return the most digits before the point, and after it, of a column of exact numbers; None: of no bound."""
        kind = self.types[name].lower()
        if self.kind(name) != "number" or kind in ("numeric", "decimal"):
            return None
        if found := DECIMAL.fullmatch(kind):
            return int(found[1]) - int(found[2]), int(found[2])
        return WHOLE_NUMBERS.get(kind, 39), 0

    def _literal(self, name: str, kind: Kind, value: Value) -> exp.Expr:
        match kind:
            case "text" if not isinstance(value, dt.date):
                return exp.Literal.string(str(value).lower() if isinstance(value, bool) else _text(value))
            case "boolean" if str(value).lower() in ("true", "false"):
                return exp.true() if str(value).lower() == "true" else exp.false()
            case "number" | "float" if not isinstance(value, bool | dt.date):
                number = _number(value)
                # What is no exact number is compared as the column has it: 0.1 is another one with more bits.
                return exp.cast(exp.convert(number.sql()), self._type(name)) if kind == "float" else number
            case "date":
                return exp.cast(exp.convert(_day(value).isoformat()), "DATE")
            case "timestamp" | "timestamptz":
                moment = _moment(value).isoformat(" ", "microseconds")  # with all digits of its year
                zoned = f"{moment}+00" if kind == "timestamptz" else moment
                return exp.cast(exp.convert(zoned), "TIMESTAMPTZ" if kind == "timestamptz" else "TIMESTAMP")
        raise TypeError(f"a {type(value).__name__} is no {kind}")

    def may_be_nan(self, name: str) -> bool:
        """Return whether a column's type has values that are no number."""
        kind, text = self.kind(name), self.types[name].lower()
        return kind == "float" or (kind == "number" and self.session.dialect == "postgres" and "numeric" in text)

    def _is_nan(self, name: str) -> exp.Expr:
        # To these engines it is equal to itself.
        return column(name).eq(exp.cast(exp.convert("NaN"), self._type(name)))

    def _type(self, name: str) -> exp.DataType:
        return exp.DataType.build(self.types[name], dialect=self.session.dialect)


def compared_as(table: Table, key: Sequence[str], other: Table, other_key: Sequence[str]) -> list[Common]:
    """Return as what each column of two keys is compared.

    Raises:
        RuleError: There is no such column, or engines would compare the two differently.
    """
    return [_common(table, name, other, there) for name, there in zip(key, other_key, strict=True)]


def as_common(value: exp.Expr, common: Common, kind: Kind) -> exp.Expr:
    """Return a key of this kind as it is compared; a float that is no whole number for certain is NULL."""
    if common == "text":
        return exp.cast(value, "TEXT")
    if common == "number" and kind == "float":
        # Engines compare numbers with floats as floats, to which whole numbers beyond these are the same.
        is_whole = exp.EQ(this=value.copy(), expression=exp.Floor(this=value.copy()))
        whole = exp.and_(exp.Abs(this=value) < EXACT, is_whole)
        return exp.Case(ifs=[exp.If(this=whole, true=exp.cast(value.copy(), "BIGINT"))])
    return value


def _common(table: Table, name: str, other: Table, there: str) -> Common:
    kinds = {table.kind(name), other.kind(there)}
    if kinds == MIXED:
        return "number"
    if kinds <= TIMES or (len(kinds) == 1 and "other" not in kinds):
        return ""
    if "text" in kinds and not kinds & {"float", "other"}:
        return "text"
    here = f"{name!r} of {table.title} is {table.types[name]}"
    if kinds == {"other"} and table.types[name] == other.types[there]:
        return ""
    raise RuleError(f"{here}, and {there!r} of {other.title} is {other.types[there]}: those cannot be compared")


def _text(value: Value) -> str:
    if "\0" in (text := f"{value:f}" if isinstance(value, Decimal) else str(value)):
        raise ValueError("NUL is in no text")
    return text


def _number(value: Value) -> exp.Expr:
    # Arithmetic on decimals rounds to 28 digits; copies do not.
    number = Decimal(str(value))
    if not number.is_finite() or abs(number.adjusted()) > LARGEST:
        raise ValueError("not a number that every engine has")
    return (
        exp.Neg(this=exp.Literal.number(f"{number.copy_abs():f}")) if number < 0 else exp.Literal.number(f"{number:f}")
    )


def _rounded(number: Decimal, after: int, rounding: str) -> Decimal:
    with localcontext(prec=3 * LARGEST):
        return number.quantize(Decimal(1).scaleb(-after), rounding)


def _is_exact(value: Value, before: int, after: int) -> bool:
    number = Decimal(str(value))
    return number == _rounded(number, after, ROUND_FLOOR) and number.copy_abs() < Decimal(10) ** before


def _day(value: Value) -> dt.date:
    if isinstance(value, dt.datetime) or not isinstance(value, dt.date | str):
        raise TypeError("not a day")
    return value if isinstance(value, dt.date) else dt.date.fromisoformat(value)


def _moment(value: Value) -> dt.datetime:
    """Return a moment in UTC, as which one without an offset is read."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time())
    if not isinstance(value, dt.datetime | str):
        raise TypeError("not a moment")
    moment = value if isinstance(value, dt.datetime) else dt.datetime.fromisoformat(value)
    return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment
