"""Rules of rows as aggregates: how many rows break each, all counted in one scan."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from dashboard_trust.checks.values import RuleError, Table
from dashboard_trust.contracts.patterns import portable
from dashboard_trust.contracts.row_rules import AcceptedValues, Condition, Fits, Length, NotNull, Pattern, Range
from dashboard_trust.contracts.rules import RowRule, Rule
from dashboard_trust.contracts.table_rules import Query
from dashboard_trust.errors import ContractError
from dashboard_trust.warehouses.session import column, function, quote_columns

DIALECTS = ("duckdb", "postgres", "snowflake")
DECIMAL = re.compile(r"decimal\((\d+), ?(\d+)\)")
# A day, and perhaps a time with or without an offset.
DAY = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
CLOCK = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?( ?(Z|UTC|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?))?"
TEXTS: Mapping[str, str] = {
    "integer": "^[-+]?[0-9]+$",
    "number": "^[-+]?([0-9]+([.][0-9]*)?|[.][0-9]+)([eE][-+]?[0-9]+)?$",
    "boolean": "^(true|false|True|False|TRUE|FALSE)$",
    "date": f"^{DAY}$",
    "timestamp": f"^{DAY}([T ]{CLOCK})?$",
}
"""What a text looks like that is read as a value of a type."""


def count_bad(rule: RowRule, table: Table) -> exp.Expr:
    """Return the aggregate that counts the rows that break a rule.

    Raises:
        RuleError: It cannot be asked of this table.
    """
    return exp.CountIf(this=BAD[type(rule)](rule, table))


def matches(text: exp.Expr, regex: str, dialect: str) -> exp.Expr:
    """Return the condition that a portable regular expression is found in a text."""
    if dialect == "snowflake":  # its own comparison is of the whole text
        return function("REGEXP_INSTR", text, exp.Literal.string(regex)) > 0
    return exp.RegexpLike(this=text, expression=exp.Literal.string(regex))


def parse_condition(sql: str, table: Table, name: str) -> exp.Expr:
    """Return a condition that somebody wrote in the engine's own SQL."""
    try:
        parsed = parse_one(sql, dialect=table.session.dialect)
    except SqlglotError as error:
        raise RuleError(f"{name!r} is not SQL of {table.session.dialect}: {sql}") from error
    if isinstance(parsed, exp.Query | exp.DDL | exp.DML | exp.Command):
        raise RuleError(f"{name!r} is not a condition on a row: {sql}")
    return quote_columns(parsed, table.types)


def refuse_conditions(rules: Iterable[Rule], name: str) -> None:
    """Raise `ContractError` for a condition or a query that is SQL of no engine."""
    for rule in rules:
        if isinstance(rule, Condition | Query) and not any(_is_sql(rule.sql, dialect) for dialect in DIALECTS):
            raise ContractError(f"{name}: {rule.check!r} is not SQL: {rule.sql}")


def _is_sql(text: str, dialect: str) -> bool:
    try:
        parse_one(text.replace("{table}", "rows"), dialect=dialect)
    except SqlglotError:
        return False
    return True


def _missing(rule: NotNull, table: Table) -> exp.Expr:
    missing = table.is_missing(rule.column) if table.kind(rule.column) else exp.false()
    if rule.blank and table.kind(rule.column) == "text":
        return exp.or_(missing, exp.Trim(this=column(rule.column)).eq(exp.convert("")))
    return missing


def _strange(rule: AcceptedValues, table: Table) -> exp.Expr:
    accepted = [table.literal(rule.column, value) for value in rule.values]
    return exp.and_(exp.not_(table.is_missing(rule.column)), exp.not_(column(rule.column).isin(*accepted)))


def _outside(rule: Range, table: Table) -> exp.Expr:
    found, bounds = table.value(rule.column), []
    comparisons: tuple[tuple[Any, type[exp.Binary]], ...] = (
        (rule.min, exp.LT),
        (rule.above, exp.LTE),
        (rule.max, exp.GT),
        (rule.below, exp.GTE),
    )
    for bound, beyond in comparisons:
        if bound is not None:
            bounds.append(beyond(this=found.copy(), expression=table.literal(rule.column, bound)))
    return exp.or_(*bounds)


def _unlike(rule: Pattern, table: Table) -> exp.Expr:
    return exp.not_(matches(_text(rule.column, table, "a pattern"), portable(rule.regex), table.session.dialect))


def _too_long(rule: Length, table: Table) -> exp.Expr:
    length = exp.Length(this=_text(rule.column, table, "a length"))
    bounds = [length < rule.min] if rule.min is not None else []
    return exp.or_(*bounds, *([length.copy() > rule.max] if rule.max is not None else []))


def _misfit(rule: Fits, table: Table) -> exp.Expr:
    dialect, there = table.session.dialect, exp.not_(table.is_missing(rule.column))
    if table.kind(rule.column) == "other":
        raise RuleError(f"{rule.column!r} is {table.types[rule.column]}, which is not read as {rule.type}")
    text = exp.Trim(this=exp.cast(column(rule.column), "TEXT"))
    decimal = DECIMAL.fullmatch(rule.type)
    if decimal is not None:
        fits = matches(text, _decimal_text(int(decimal[1]), int(decimal[2])), dialect)
    else:
        fits = matches(text, TEXTS[rule.type], dialect)
    if rule.type in ("date", "timestamp"):
        # The engine knows how many days a month has.
        day = table.session.day(rule.column, table.types[rule.column])
        fits = exp.and_(fits, exp.func("COALESCE", day, exp.convert("")).neq(""))
    return exp.and_(there, exp.not_(fits))


def _decimal_text(digits: int, after: int) -> str:
    """Return what texts look like that are such a decimal without loss: more digits after the point are zeros."""
    rest = f"[0-9]{{0,{after}}}0*" if after else "0*"
    before = f"0*[0-9]{{1,{digits - after}}}" if digits > after else "0+"
    return f"^[-+]?({before}([.]{rest})?|0*[.][0-9]{{1,{after}}}0*)$" if after else f"^[-+]?{before}([.]{rest})?$"


def _untrue(rule: Condition, table: Table) -> exp.Expr:
    condition = exp.paren(parse_condition(rule.sql, table, rule.check))
    return exp.not_(exp.func("COALESCE", condition, exp.false()))


def _text(name: str, table: Table, what: str) -> exp.Expr:
    if table.kind(name) != "text":
        raise RuleError(f"{name!r} is {table.types[name]}, and {what} is asked of text")
    return column(name)


BAD: Mapping[type[RowRule], Callable[[Any, Table], exp.Expr]] = {
    NotNull: _missing,
    AcceptedValues: _strange,
    Range: _outside,
    Pattern: _unlike,
    Length: _too_long,
    Fits: _misfit,
    Condition: _untrue,
}
"""For each kind of rule the condition that a row breaks it; where that is NULL, the row does not."""
