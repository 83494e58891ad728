"""Values of rules as the engine compares them: each of the kind of the column it is held against."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal, InvalidOperation

from sqlglot import exp

from dashboard_trust.contracts.rules import Value
from dashboard_trust.errors import InvalidInputError, nearest
from dashboard_trust.warehouses.column_types import Kind, kind_of
from dashboard_trust.warehouses.session import Session, column


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
        return exp.or_(missing, self._is_nan(name)) if self._may_be_nan(name) else missing

    def value(self, name: str) -> exp.Expr:
        """Return a column's value, NULL where it is missing; text is in the order of its bytes."""
        kind = self.kind(name)
        if self._may_be_nan(name):
            return exp.Case(ifs=[exp.If(this=exp.not_(self._is_nan(name)), true=column(name))])
        if kind == "text" and self.session.dialect == "postgres":
            return exp.Collate(this=column(name), expression=exp.to_identifier("C", quoted=True))
        return column(name)

    def literal(self, name: str, value: Value) -> exp.Expr:
        """Return a value as one that this column may have.

        Raises:
            RuleError: There is no such column, or a value of its type cannot be this.
        """
        try:
            return self._literal(name, self.kind(name), value)
        except (ValueError, TypeError, InvalidOperation, OverflowError) as error:
            raise RuleError(f"{value!r} is no value of {name!r}, which is {self.types[name]}") from error

    def _literal(self, name: str, kind: Kind, value: Value) -> exp.Expr:
        match kind:
            case "text" if not isinstance(value, dt.date):
                return exp.Literal.string(str(value).lower() if isinstance(value, bool) else _text(value))
            case "boolean" if str(value).lower() in ("true", "false"):
                return exp.true() if str(value).lower() == "true" else exp.false()
            case "number" | "float" if not isinstance(value, bool | dt.date):
                number = _number(value)
                # What is no exact number is compared as the column has it: 0.1 is another one with more bits.
                return exp.cast(number, self._type(name)) if kind == "float" else number
            case "date":
                return exp.cast(exp.convert(_day(value).isoformat()), "DATE")
            case "timestamp" | "timestamptz":
                moment = f"{_moment(value):%Y-%m-%d %H:%M:%S.%f}"
                zoned = f"{moment}+00" if kind == "timestamptz" else moment
                return exp.cast(exp.convert(zoned), "TIMESTAMPTZ" if kind == "timestamptz" else "TIMESTAMP")
        raise TypeError(f"a {type(value).__name__} is no {kind}")

    def _may_be_nan(self, name: str) -> bool:
        kind, text = self.kind(name), self.types[name].lower()
        return kind == "float" or (kind == "number" and self.session.dialect == "postgres" and "numeric" in text)

    def _is_nan(self, name: str) -> exp.Expr:
        # To these engines it is equal to itself.
        return column(name).eq(exp.cast(exp.convert("NaN"), self._type(name)))

    def _type(self, name: str) -> exp.DataType:
        return exp.DataType.build(self.types[name], dialect=self.session.dialect)


def _text(value: Value) -> str:
    if "\0" in (text := f"{value:f}" if isinstance(value, Decimal) else str(value)):
        raise ValueError("NUL is in no text")
    return text


def _number(value: Value) -> exp.Expr:
    number = Decimal(str(value))
    if not number.is_finite() or abs(number.adjusted()) > 300:
        raise ValueError("not a number that every engine has")
    return exp.Neg(this=exp.Literal.number(f"{-number:f}")) if number < 0 else exp.Literal.number(f"{number:f}")


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
