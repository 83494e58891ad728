"""Two tables beside each other: rows, sums, and keys that differ, by part."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlglot import exp

from dashboard_trust.checks.outcomes import PartOutcome
from dashboard_trust.checks.row_counts import parse_condition
from dashboard_trust.checks.scopes import Days, Scope
from dashboard_trust.checks.texts import is_read_as, trimmed
from dashboard_trust.checks.values import Common, RuleError, Table, as_common, compared_as
from dashboard_trust.contracts.table_rules import Reconciliation
from dashboard_trust.warehouses.parts import WHOLE, Grouping, count_groups, grouped_rows
from dashboard_trust.warehouses.session import column, either
from dashboard_trust.warehouses.session import table as as_table

PART = "dashboard_trust_part"
WIDEST = "DECIMAL(38, 9)"
LARGEST, DIGITS = "1e18", "DECIMAL(38, 18)"
HERE = ("rows_here", "amounts_here", "sum_here")
THERE = ("rows_there", "amounts_there", "sum_there")


@dataclass(frozen=True, slots=True)
class Difference:
    """How two tables stand to each other in one part: rows and sums of both, and how many keys differ."""

    rows: tuple[int, int]
    sums: tuple[Decimal, Decimal]
    keys: int


def compare(
    rule: Reconciliation, table: Table, scope: Scope, grouping: Grouping, parts: Collection[str]
) -> dict[str, PartOutcome]:
    """Judge these parts of a table beside another one of the same engine, in one query and one for its parts.

    A part that only one of them has is errored: what is missing there says nothing of this one.

    Raises:
        RuleError: There is no such table or column on the other side, or it cannot be added up.
        WarehouseError: The engine refused.
    """
    others = table.session.columns(rule.table)
    if others is None:
        raise RuleError(f"there is no table {rule.table!r} to reconcile with")
    other = Table(table.session, rule.table, others)
    other_grouping = scope.grouping(table.session, rule.table, others, rule.other_time_column)
    here = side(table, grouping, rule.key, rule.amount, rule.where)
    there = side(other, other_grouping, rule.other_key or rule.key, rule.other_amount or rule.amount, rule.other_where)
    other_key = rule.other_key or rule.key
    common = compared_as(table, rule.key, other, other_key)
    here, there = _alike(here, common, table, rule.key), _alike(there, common, other, other_key)
    names = [*(f"key_{n}" for n in range(len(common))), *(f"lost_{n}" for n in _with_losses(common))]
    both = exp.union(_placed(here, HERE, THERE, names), _placed(there, THERE, HERE, names), distinct=False)
    keys = [column(name) for name in names]
    sums = [exp.Sum(this=column(name)).as_(name) for name in (*HERE, *THERE)]
    by_key = exp.select(column(PART), *sums).from_(both.subquery("sides")).group_by(column(PART), *keys)
    totals = [exp.Sum(this=column(name)) for name in (*HERE, *THERE)]
    differ = exp.CountIf(this=either(_differences(rule)))
    query = exp.select(column(PART), *totals, differ).from_(by_key.subquery("by_key")).group_by(column(PART))
    found = {str(part): _difference(values) for part, *values in table.session.query(query)}
    there_too = count_groups(table.session, as_table(rule.table), other_grouping, [exp.Count(this=exp.Star())])
    return judge_parts(rule, table.title, scope, parts, there_too, found)


def judge_parts(  # noqa: PLR0913, PLR0917  # the rule, both sides, and what was found
    rule: Reconciliation,
    name: str,
    scope: Scope,
    parts: Collection[str],
    there_too: Collection[str],
    found: Mapping[str, Difference],
) -> dict[str, PartOutcome]:
    """Judge every part that both tables have, and say of each other one that it was not compared.

    Args:
        rule: What is compared.
        name: The table's own name.
        scope: How the parts are told.
        parts: Those of the table.
        there_too: Those of which the other one has rows, whether they count or not.
        found: How both stand to each other, in the parts of which anything counts.

    Raises:
        RuleError: They have no part in common.
    """
    here, there = set(parts), set(there_too)
    if list(scope.names) == [WHOLE]:
        return {WHOLE: judge_difference(rule, name, found.get(WHOLE))}
    days = [part for part in here if part] if isinstance(scope, Days) else []
    # A day that only the other one has is a hole here, but for those before and after all of ours.
    holes = {part for part in there if days and min(days) < part < max(days)}
    comparable = (here & there) | holes
    if here and not comparable:
        raise RuleError(f"{rule.table} has no rows of {', '.join(sorted(here)[-3:])} to compare with")
    judged = {part: judge_difference(rule, name, found.get(part)) for part in comparable}
    judged |= {part: _not_compared(f"{rule.table} has no rows of it to compare with") for part in here - there}
    beyond = {part for part, one in found.items() if one.rows[1]} - here - holes
    return judged | {part: _not_compared(f"{name} has no rows of it, and {rule.table} has") for part in beyond}


def _not_compared(reason: str) -> PartOutcome:
    return PartOutcome(False, f"not compared: {reason}", errored=True)


def judge_difference(rule: Reconciliation, name: str, found: Difference | None) -> PartOutcome:
    """Judge a part; of what counts on neither side, nothing differs."""
    if found is None:
        return PartOutcome(True, measured=0)
    if found.keys <= rule.allowed_keys:
        return PartOutcome(True, measured=found.keys)
    sides = [
        f"{table} has {rows}" + (f" for {_told(amount)}" if rule.amount else "")
        for table, rows, amount in zip((name, rule.table), found.rows, found.sums, strict=True)
    ]
    told = f"{found.keys} {'key differs' if found.keys == 1 else 'keys differ'}" if rule.key else "they differ"
    allowed = f"; {rule.allowed_keys} may" if rule.key and rule.allowed_keys else ""
    return PartOutcome(False, f"{', '.join(sides)}; {told}{allowed}", found.keys)


def _told(amount: Decimal) -> str:
    """Return a sum with the digits it has, and two after the point at least."""
    whole, _, rest = f"{amount:f}".partition(".")
    return f"{whole}.{rest.rstrip('0').ljust(2, '0')}"


def side(table: Table, grouping: Grouping, key: Sequence[str], amount: str, where: str) -> exp.Select:
    """Return a table's rows with their part, key and amount."""
    for name in key:
        table.kind(name)
    rows = grouped_rows(grouping, as_table(table.name))
    if where:
        rows = rows.where(parse_condition(where, table, "where"))
    part = exp.convert(grouping.only) if grouping.part is None else grouping.part
    found = amount_of(table, amount) if amount else exp.cast(exp.null(), WIDEST)
    keys = [table.value(name).as_(f"key_{n}", quoted=True) for n, name in enumerate(key)]
    wanted = (part.as_(PART, quoted=True), *keys, found.as_("amount", quoted=True))
    return exp.select(*wanted).from_(rows.subquery("given"))


def amount_of(table: Table, name: str) -> exp.Expr:
    """Return an amount that can be added up without loss, NULL where there is none."""
    kind = table.kind(name)
    if kind == "text":
        readable = is_read_as(name, "amount", table.types[name], table.session)
        return exp.Case(ifs=[exp.If(this=readable, true=exp.cast(trimmed(name), WIDEST))])
    if kind == "float":  # the sum of which hangs on their order
        finite = exp.and_(exp.not_(table.is_missing(name)), exp.Abs(this=column(name)) < exp.Literal.number(LARGEST))
        # By way of its text, which has all of its digits, where a cast of its own loses some; and of a decimal wide
        # enough for nearly all texts, since DuckDB takes its time over digits that are too many.
        written = exp.cast(exp.cast(column(name), "TEXT"), DIGITS)
        return exp.Case(ifs=[exp.If(this=finite, true=exp.cast(written, WIDEST))])
    if kind != "number":
        raise RuleError(f"{name!r} is {table.types[name]}, which cannot be added up")
    return table.value(name)


def _placed(rows: exp.Select, own: Sequence[str], others: Sequence[str], keys: Sequence[str]) -> exp.Select:
    """Return rows with their counts on their own side, and nothing on the other."""
    amount = column("amount")
    there = exp.Case(ifs=[exp.If(this=amount.copy().is_(exp.null()), true=exp.convert(0))], default=exp.convert(1))
    nothing = exp.cast(exp.convert(0), WIDEST)
    own_values = (exp.convert(1), there, exp.func("COALESCE", amount, nothing.copy()))
    values = dict(zip(own, own_values, strict=True)) | dict(
        zip(others, (exp.convert(0), exp.convert(0), nothing), strict=True)
    )
    named = [values[name].as_(name, quoted=True) for name in (*HERE, *THERE)]
    return exp.select(column(PART), *map(column, keys), *named).from_(rows.subquery("side"))


def _differences(rule: Reconciliation) -> list[exp.Expr]:
    rows, amounts = (exp.NEQ(this=column(HERE[n]), expression=column(THERE[n])) for n in (0, 1))
    apart = exp.Abs(this=exp.Sub(this=column(HERE[2]), expression=column(THERE[2])))
    return [rows, amounts, apart > exp.Literal.number(f"{rule.tolerance:f}")] if rule.amount else [rows]


def _with_losses(common: Sequence[Common]) -> list[int]:
    return [n for n, what in enumerate(common) if what == "number"]


def _alike(rows: exp.Select, common: Sequence[Common], table: Table, key: Sequence[str]) -> exp.Select:
    """Return rows with keys as they are compared, and what that loses of one: else it would be a missing key."""
    if not any(common):
        return rows
    keys = [as_common(column(f"key_{n}"), common[n], table.kind(name)) for n, name in enumerate(key)]
    losses = {
        f"lost_{n}": exp.Case(
            ifs=[exp.If(this=keys[n].copy().is_(exp.null()), true=exp.cast(column(f"key_{n}"), "TEXT"))]
        )
        for n in _with_losses(common)
    }
    named = [each.as_(f"key_{n}", quoted=True) for n, each in enumerate(keys)]
    lost = [each.as_(name, quoted=True) for name, each in losses.items()]
    return exp.select(column(PART), *named, *lost, column("amount")).from_(rows.subquery("typed"))


def _difference(values: Sequence[Any]) -> Difference:
    rows_here, _, sum_here, rows_there, _, sum_there, keys = values
    return Difference(
        rows=(int(rows_here), int(rows_there)),
        sums=(Decimal(str(sum_here)), Decimal(str(sum_there))),
        keys=int(keys or 0),
    )
