"""What texts look like that every engine reads as the same days and moments."""

from __future__ import annotations

from sqlglot import exp

from dashboard_trust.warehouses.session import function

# What all engines read: a day that is one of our calendar's, and perhaps a time with or without an offset.
YEAR = "(000[1-9]|00[1-9][0-9]|0[1-9][0-9]{2}|[1-9][0-9]{3})"
DAY = f"{YEAR}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?( UTC|Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)?"
MOMENT = f"^{DAY}([T ]{CLOCK})?$"


def matches(text: exp.Expr, regex: str, dialect: str) -> exp.Expr:
    """Return the condition that a portable regular expression is found in a text."""
    if dialect == "snowflake":  # its own comparison is of the whole text
        return function("REGEXP_INSTR", text, exp.Literal.string(regex)) > 0
    return exp.RegexpLike(this=text, expression=exp.Literal.string(regex))
