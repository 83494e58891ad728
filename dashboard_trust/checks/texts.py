"""What texts look like that are read as values of other types: the same ones on every engine."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlglot import exp

from dashboard_trust.warehouses.session import Session, column
from dashboard_trust.warehouses.texts import DAY, MOMENT, matches

DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")
TEXTS: Mapping[str, str] = {
    "integer": "^[-+]?[0-9]+$",
    "number": "^[-+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][-+]?[0-9]+)?$",
    "boolean": "^(true|false|True|False|TRUE|FALSE)$",
    "date": f"^{DAY}$",
    "timestamp": MOMENT,
    # What can be added up without loss: no more digits than a sum of millions of them has room for.
    "amount": "^[-+]?([0-9]{1,18}([.][0-9]*)?|[.][0-9]+)([eE][-+]?0?[0-9])?$",
}
"""What a text looks like that is read as a value of a type."""


def is_read_as(name: str, kind: str, column_type: str, session: Session) -> exp.Expr:
    """Return the condition that a column's value is written as one of this type; a number may have spaces around it."""
    written = is_written_as(name, kind, session.dialect)
    if kind not in ("date", "timestamp"):
        return written
    # The engine knows how many days a month has.
    return exp.and_(written, exp.func("COALESCE", session.day(name, column_type), exp.convert("")).neq(""))


def is_written_as(name: str, kind: str, dialect: str) -> exp.Expr:
    """Return the condition that a column's value looks like one of this type, whether or not there is such a day."""
    decimal = DECIMAL.fullmatch(kind)
    regex = _decimal(int(decimal[1]), int(decimal[2])) if decimal else TEXTS[kind]
    text = exp.cast(column(name), "TEXT") if kind in ("date", "timestamp") else trimmed(name)
    return matches(text, regex, dialect)


def trimmed(name: str, characters: str = " ") -> exp.Expr:
    """Return a column's value as text, without these characters around it; by itself an engine trims its own ones."""
    return exp.Trim(this=exp.cast(column(name), "TEXT"), expression=exp.Literal.string(characters))


def _decimal(digits: int, after: int) -> str:
    """Return what texts look like that are such a decimal without loss: more digits after the point are zeros."""
    before = f"0*[0-9]{{1,{digits - after}}}" if digits > after else "0+"
    rest, short = (f"[0-9]{{0,{after}}}0*", f"[0-9]{{1,{after}}}0*") if after else ("0*", "0+")
    return f"^[-+]?({before}([.]{rest})?|[.]{short})$"
