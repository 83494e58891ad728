"""Rules of rows as aggregates: how many rows break each, all counted in one scan."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sqlglot import exp, parse
from sqlglot.errors import SqlglotError

from dashboard_trust.checks.texts import is_read_as, trimmed
from dashboard_trust.checks.values import RuleError, Table
from dashboard_trust.contracts.patterns import portable
from dashboard_trust.contracts.row_rules import AcceptedValues, Condition, Fits, Length, NotNull, Pattern, Range
from dashboard_trust.contracts.rules import RowRule, Rule
from dashboard_trust.contracts.table_rules import Query
from dashboard_trust.errors import ContractError
from dashboard_trust.warehouses.session import quote_columns
from dashboard_trust.warehouses.texts import matches

DIALECTS = ("duckdb", "postgres", "snowflake")
WRITES = (exp.DML, exp.DDL, exp.Drop, exp.Command, exp.Into)
BLANKS = " \t\n\r\f\v\u00a0"


def count_bad(rule: RowRule, table: Table) -> exp.Expr:
    """Return the aggregate that counts the rows that break a rule.

    Raises:
        RuleError: It cannot be asked of this table.
    """
    if isinstance(rule, Condition):
        # Counted as it is: behind NOT or COALESCE, some engines take a number for a condition. Of NULLs it counts NULL.
        satisfied = exp.CountIf(this=_satisfied(rule, table))
        return exp.Sub(this=exp.Count(this=exp.Star()), expression=exp.func("COALESCE", satisfied, exp.convert(0)))
    return exp.CountIf(this=BAD[type(rule)](rule, table))


def parse_condition(sql: str, table: Table, name: str) -> exp.Expr:
    """Return a condition that somebody wrote in the engine's own SQL.

    Raises:
        RuleError: It is none.
    """
    parsed = parse_single(sql, table, name)
    if isinstance(parsed, exp.Query) or not isinstance(parsed, exp.Condition) or parsed.find(*WRITES) is not None:
        raise RuleError(f"{name!r} is not a condition on a row: {sql}")
    return quote_columns(parsed, table.types)


def parse_single(sql: str, table: Table, name: str) -> exp.Expr:
    """Return the one expression or statement that somebody wrote in the engine's own SQL.

    Raises:
        RuleError: It is not SQL, or more than one.
    """
    dialect = table.session.dialect
    try:
        parsed = [found for found in parse(sql, dialect=dialect) if found is not None]
    except (SqlglotError, RecursionError) as error:
        raise RuleError(f"{name!r} is not SQL of {dialect}: {sql}") from error
    if len(parsed) != 1:
        raise RuleError(f"{name!r} is to be one expression or query, and is {len(parsed)}: {sql}")
    return parsed[0]


def refuse_conditions(rules: Iterable[Rule], name: str) -> None:
    """Raise `ContractError` for a condition or a query that is SQL of no engine."""
    for rule in rules:
        if isinstance(rule, Condition | Query) and not any(_is_sql(rule.sql, dialect) for dialect in DIALECTS):
            raise ContractError(f"{name}: {rule.check!r} is not SQL: {rule.sql}")


def _is_sql(text: str, dialect: str) -> bool:
    try:
        return len(parse(text.replace("{table}", "rows"), dialect=dialect)) > 0
    except SqlglotError:
        return False


def _missing(rule: NotNull, table: Table) -> exp.Expr:
    missing = table.is_missing(rule.column) if table.kind(rule.column) else exp.false()
    if rule.blank and table.text(rule.column) is not None:
        return exp.or_(missing, trimmed(rule.column, BLANKS).eq(exp.convert("")))
    return missing


def _strange(rule: AcceptedValues, table: Table) -> exp.Expr:
    return exp.and_(exp.not_(table.is_missing(rule.column)), exp.not_(table.is_among(rule.column, rule.values)))


def _outside(rule: Range, table: Table) -> exp.Expr:
    comparisons: tuple[tuple[Any, type[exp.Binary]], ...] = (
        (rule.min, exp.LT),
        (rule.above, exp.LTE),
        (rule.max, exp.GT),
        (rule.below, exp.GTE),
    )
    return exp.or_(*(table.is_beyond(rule.column, bound, beyond) for bound, beyond in comparisons if bound is not None))


def _unlike(rule: Pattern, table: Table) -> exp.Expr:
    return exp.not_(matches(_text(rule.column, table, "a pattern"), portable(rule.regex), table.session.dialect))


def _too_long(rule: Length, table: Table) -> exp.Expr:
    length = exp.Length(this=_text(rule.column, table, "a length"))
    bounds = [length < rule.min] if rule.min is not None else []
    return exp.or_(*bounds, *([length.copy() > rule.max] if rule.max is not None else []))


def _misfit(rule: Fits, table: Table) -> exp.Expr:
    kind = table.kind(rule.column)
    if kind == "float" and rule.type == "number":
        return exp.false()  # all of them are
    if kind in ("float", "other"):
        raise RuleError(f"{rule.column!r} is {table.types[rule.column]}, which is not read as {rule.type}")
    fits = is_read_as(rule.column, rule.type, table.types[rule.column], table.session)
    return exp.and_(exp.not_(table.is_missing(rule.column)), exp.not_(fits))


def _untrue(rule: Condition, table: Table) -> exp.Expr:
    return exp.not_(exp.func("COALESCE", _satisfied(rule, table), exp.false()))


def _satisfied(rule: Condition, table: Table) -> exp.Expr:
    return exp.paren(parse_condition(rule.sql, table, rule.check))


def _text(name: str, table: Table, what: str) -> exp.Expr:
    text = table.text(name)
    if text is None:
        raise RuleError(f"{name!r} is {table.types[name]}, and {what} is asked of text")
    return text


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
