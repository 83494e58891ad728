"""Rules of rows that need a grouping, an order or another table: a query for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlglot import exp

from dashboard_trust.checks.values import RuleError, Table, as_common, compared_as
from dashboard_trust.contracts.row_rules import Monotonic, References, Unique
from dashboard_trust.contracts.rules import RowRule
from dashboard_trust.warehouses.parts import VALUE, Grouping, count_groups, grouped_rows
from dashboard_trust.warehouses.session import column
from dashboard_trust.warehouses.session import table as as_table

FOUND, KEYS, BEFORE = "dashboard_trust_found", "dashboard_trust_keys", "dashboard_trust_before"
SORTED = ("number", "float", "boolean", "date", "timestamp", "timestamptz")
Bad = Mapping[str, int]


def query_bad(rule: RowRule, table: Table, grouping: Grouping) -> Bad:
    """Return how many rows of each part break a rule; a part without any may be left out.

    Raises:
        RuleError: It cannot be asked of this table.
        WarehouseError: The engine refused.
    """
    return QUERIES[type(rule)](rule, table, grouping)


def is_of_whole(rule: Unique, grouping: Grouping) -> bool:
    """Return whether a key is unique in the whole table, not in each of its parts."""
    return grouping.value is None or (not rule.within_day and grouping.where is None)


def doubled_keys(rule: Unique, table: Table, rows: exp.Expr, *, within: bool) -> exp.Select:
    """Return the keys that more than one of these rows has; ``within`` one part of them."""
    keys = [table.value(name) for name in rule.key]
    named = [key.as_(f"{KEYS}{n}", quoted=True) for n, key in enumerate(keys)]
    there = exp.or_(*(exp.not_(table.is_missing(name)) for name in rule.key))
    query = exp.select(*named).from_(rows).where(there).group_by(*(key.copy() for key in keys))
    query = query.group_by(column(VALUE)) if within else query
    return query.having(exp.Count(this=exp.Star()) > 1)


def _unique(rule: Unique, table: Table, grouping: Grouping) -> Bad:
    whole = is_of_whole(rule, grouping)
    suspects = _suspects(rule, table, Grouping(where=grouping.where) if whole else grouping)
    if not suspects:
        return {}
    rows = grouped_rows(grouping, as_table(table.name))
    within = [] if whole else [column(VALUE)]
    keys = [table.value(name) for name in rule.key]
    there = exp.or_(*(exp.not_(table.is_missing(name)) for name in rule.key))
    copies = exp.Window(this=exp.Count(this=exp.Star()), partition_by=[*within, *keys])
    # Only rows with a key are counted: those without share nothing.
    counted = exp.select(column(VALUE), copies.as_(FOUND, quoted=True)).from_(rows.subquery("given")).where(there)
    wanted = exp.CountIf(this=column(FOUND) > 1)
    found = count_groups(table.session, counted.subquery("slice"), grouping, [wanted])
    return {part: int(number or 0) for part, (number,) in found.items()}


def _suspects(rule: Unique, table: Table, grouping: Grouping) -> bool:
    """Return whether a key is there twice, told as the engine tells keys apart: by collations too, not by hashes."""
    if table.session.dialect == "duckdb" and all(table.kind(name) in SORTED for name in rule.key):
        return _twins(rule, table, grouping)
    rows = grouped_rows(grouping, as_table(table.name)).subquery("given")
    return bool(table.session.query(doubled_keys(rule, table, rows, within=grouping.value is not None).limit(1)))


def _twins(rule: Unique, table: Table, grouping: Grouping) -> bool:
    """Return whether a key is there twice: sorted, it is beside itself. Faster than telling keys apart, in less memory.

    Not so for text, whose comparisons are long.
    """
    keys = [f"{KEYS}{n}" for n in range(len(rule.key))]
    there = exp.or_(*(exp.not_(table.is_missing(name)) for name in rule.key))
    named = [table.value(name).as_(key, quoted=True) for name, key in zip(rule.key, keys, strict=True)]
    rows = grouped_rows(grouping, as_table(table.name)).subquery("given")
    keyed = exp.select(column(VALUE), *named).from_(rows).where(there)
    told = [*_within(grouping), *map(column, keys)]
    order = exp.Order(expressions=[exp.Ordered(this=each.copy(), nulls_first=False) for each in told])
    before = [exp.Window(this=exp.Lag(this=each.copy()), order=order.copy()) for each in told]
    same = exp.and_(*(exp.NullSafeEQ(this=each, expression=last) for each, last in zip(told, before, strict=True)))
    pairs = exp.select(same.as_(FOUND, quoted=True)).from_(keyed.subquery("keyed"))
    wanted = exp.CountIf(this=column(FOUND))
    return bool(table.session.query(exp.select(wanted).from_(pairs.subquery("pairs")))[0][0])


def _within(grouping: Grouping) -> list[exp.Expr]:
    """Return what rows are told apart by first. One part is not: engines sort it slower, as one of many."""
    return [] if grouping.value is None else [column(VALUE)]


def _monotonic(rule: Monotonic, table: Table, grouping: Grouping) -> Bad:
    found = table.value(rule.column)
    ordered = [
        exp.Ordered(this=each, desc=desc, nulls_first=False)
        for each, desc in ((table.value(rule.by), False), (found.copy(), rule.falling))
    ]
    window = exp.Window(
        this=exp.Lag(this=found.copy()), partition_by=_within(grouping), order=exp.Order(expressions=ordered)
    )
    there = exp.not_(exp.or_(table.is_missing(rule.column), table.is_missing(rule.by)))
    rows = grouped_rows(grouping, as_table(table.name)).subquery("given")
    source = exp.select("*", window.as_(BEFORE, quoted=True)).from_(rows).where(there)
    falls, stays = (exp.GT, exp.GTE) if rule.falling else (exp.LT, exp.LTE)
    bad = (stays if rule.strictly else falls)(this=found.copy(), expression=column(BEFORE))
    counted = count_groups(table.session, source.subquery("slice"), grouping, [exp.CountIf(this=bad)])
    return {part: int(number or 0) for part, (number,) in counted.items()}


def orphans(rule: References, table: Table, rows: exp.Expr, names: Sequence[str]) -> exp.Select:
    """Return these columns of the rows (called ``given``) whose key the other table does not have.

    Raises:
        RuleError: There is no such table or column, or the two cannot be compared.
    """
    source, lost = _looked_up(rule, table, rows)
    return exp.select(*map(column, names)).from_(source.subquery("slice")).where(lost)


def _references(rule: References, table: Table, grouping: Grouping) -> Bad:
    rows = grouped_rows(grouping, as_table(table.name)).subquery("given")
    source, lost = _looked_up(rule, table, rows)
    counted = count_groups(table.session, source.subquery("slice"), grouping, [exp.CountIf(this=lost)])
    return {part: int(number or 0) for part, (number,) in counted.items()}


def _looked_up(rule: References, table: Table, rows: exp.Expr) -> tuple[exp.Select, exp.Expr]:
    """Return rows beside the other table's keys, and the condition that a row has found none."""
    others = table.session.columns(rule.table)
    if others is None:
        raise RuleError(f"there is no table {rule.table} to look keys up in")
    other_key = rule.other_key or rule.key
    other = Table(table.session, rule.table, others)
    common = compared_as(table, rule.key, other, other_key)
    theirs = [as_common(column(name), common[n], other.kind(name)) for n, name in enumerate(other_key)]
    keys = [key.as_(f"{KEYS}{n}", quoted=True) for n, key in enumerate(theirs)]
    known = exp.select(*keys, exp.convert(1).as_(FOUND, quoted=True)).distinct().from_(as_table(rule.table))
    given = [exp.column(name, table="given", quoted=True) for name in rule.key]
    own = [as_common(given[n], common[n], table.kind(name)) for n, name in enumerate(rule.key)]
    same = exp.and_(*(exp.EQ(this=key, expression=column(f"{KEYS}{n}")) for n, key in enumerate(own)))
    source = exp.select("*").from_(rows).join(known.subquery("known"), on=same, join_type="left")
    there = exp.and_(*(exp.not_(table.is_missing(name)) for name in rule.key))
    return source, exp.and_(there, column(FOUND).is_(exp.null()))


QUERIES: Mapping[type[RowRule], Callable[[Any, Table, Grouping], Bad]] = {
    Unique: _unique,
    Monotonic: _monotonic,
    References: _references,
}
"""How each kind of rule is asked."""
