"""Two tables of two engines beside each other: sums of buckets of keys first, then the keys of buckets that differ.

Each engine adds up its own rows; of what is the same on both sides only the sums of buckets leave it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from sqlglot import exp

from dashboard_trust.checks.outcomes import PartOutcome
from dashboard_trust.checks.reconciliation import PART, WIDEST, Difference, judge_parts, side
from dashboard_trust.checks.scopes import Scope
from dashboard_trust.checks.values import RuleError, Table
from dashboard_trust.contracts.table_rules import Reconciliation
from dashboard_trust.warehouses.column_types import kind_of
from dashboard_trust.warehouses.parts import Grouping, count_groups
from dashboard_trust.warehouses.session import Session, column, fill
from dashboard_trust.warehouses.session import table as as_table

NUMBERS = {
    "duckdb": "CAST('0x' || SUBSTRING(MD5(given), 1, 12) AS BIGINT)",
    "postgres": "CAST(CAST('x' || LPAD(SUBSTRING(MD5(given), 1, 12), 16, '0') AS BIT(64)) AS BIGINT)",
    "snowflake": "TO_NUMBER(SUBSTRING(MD5(given), 1, 12), 'XXXXXXXXXXXX')",
}
"""How an engine makes a number of a text, the same one everywhere."""

BUCKET = "SUBSTRING(MD5(given), 1, 2)"
COMPARABLE = ("text", "number", "boolean", "date")
Bucket = tuple[str, str]
Keys = dict[str, tuple[int, int, Decimal]]


def compare_between(  # noqa: PLR0913, PLR0917  # as `compare`, and where the other table is
    rule: Reconciliation, table: Table, scope: Scope, grouping: Grouping, parts: Collection[str], elsewhere: Session
) -> dict[str, PartOutcome]:
    """Judge these parts of a table beside one of another engine.

    A part that only one of them has is errored, as in `compare`.

    Raises:
        RuleError: There is no such table or column there, or keys that no two engines write alike.
        WarehouseError: One of the engines refused.
    """
    types = elsewhere.columns(rule.table)
    if types is None:
        raise RuleError(f"there is no table {rule.table!r} in {rule.warehouse!r} to reconcile with")
    other = Table(elsewhere, rule.table, types)
    other_grouping = scope.grouping(elsewhere, rule.table, types, rule.other_time_column)
    other_key = rule.other_key or rule.key
    sides = (
        _Side(table, rule.key, side(table, grouping, rule.key, rule.amount, rule.where), other.types, other_key),
        _Side(
            other,
            other_key,
            side(other, other_grouping, other_key, rule.other_amount or rule.amount, rule.other_where),
            table.types,
            rule.key,
        ),
    )
    found = _compare(rule, *sides)
    there_too = count_groups(elsewhere, as_table(rule.table), other_grouping, [exp.Count(this=exp.Star())])
    return judge_parts(rule, table.title, scope, parts, there_too, found)


class _Side:
    """The rows of one of the two tables, by key."""

    def __init__(
        self, table: Table, key: Sequence[str], rows: exp.Select, others: Mapping[str, str], other_key: Sequence[str]
    ) -> None:
        self.session = table.session
        kinds = [table.kind(name) for name in key]
        for name, kind in zip(key, kinds, strict=True):
            if kind not in COMPARABLE:
                raise RuleError(f"{name!r} is {table.types[name]}, which two engines do not write alike")
        # Numbers of one kind are written with as many digits; beside another kind, as they are.
        alike = [kind == kind_of(others.get(name, "")) for kind, name in zip(kinds, other_key, strict=True)]
        written = [
            _written(column(f"key_{n}"), kind == "number" and same)
            for n, (kind, same) in enumerate(zip(kinds, alike, strict=True))
        ]
        key_text: exp.Expr = exp.convert("")
        for text in written:
            key_text = exp.DPipe(this=key_text, expression=text)
        amount = column("amount")
        nothing = exp.cast(exp.convert(0), WIDEST)
        self.by_key = (
            exp.select(
                column(PART),
                key_text.as_("key", quoted=True),
                exp.Count(this=exp.Star()).as_("rows", quoted=True),
                exp.Count(this=amount).as_("amounts", quoted=True),
                exp.cast(exp.Sum(this=exp.func("COALESCE", amount.copy(), nothing)), WIDEST).as_("sum", quoted=True),
            )
            .from_(rows.subquery("side"))
            .group_by(column(PART), *([key_text.copy()] if key else []))
        )

    def buckets(self) -> dict[Bucket, tuple[Any, ...]]:
        """Return, by part and bucket of keys: rows, their sum, and a number that stands for what every key has."""
        dialect = self.session.dialect
        told: exp.Expr = column("key")
        for name in ("rows", "amounts", "sum"):
            told = exp.DPipe(
                this=exp.DPipe(this=told, expression=exp.convert("|")), expression=exp.cast(column(name), "TEXT")
            )
        number = fill(NUMBERS[dialect], dialect, given=told)
        bucket = fill(BUCKET, dialect, given=column("key"))
        query = (
            exp.select(
                column(PART),
                bucket.as_("bucket", quoted=True),
                exp.Sum(this=column("rows")),
                exp.Sum(this=column("sum")),
                exp.Sum(this=exp.cast(number, "DECIMAL(38, 0)")),
            )
            .from_(self.by_key.subquery("by_key"))
            .group_by(column(PART), bucket.copy())
        )
        found = self.session.query(query)
        return {
            (str(part), str(bucket)): (int(rows), Decimal(str(total)), int(check))
            for part, bucket, rows, total, check in found
        }

    def keys(self, place: Bucket) -> Keys:
        """Return what every key of a bucket has."""
        part, bucket = place
        of_it = fill(BUCKET, self.session.dialect, given=column("key")).eq(exp.convert(bucket))
        wanted = exp.select(*map(column, ("key", "rows", "amounts", "sum"))).from_(self.by_key.subquery("by_key"))
        rows = self.session.query(wanted.where(exp.and_(column(PART).eq(exp.convert(part)), of_it)))
        return {str(key): (int(count), int(amounts), Decimal(str(total))) for key, count, amounts, total in rows}


def _compare(rule: Reconciliation, here: _Side, there: _Side) -> dict[str, Difference]:
    ours, theirs = here.buckets(), there.buckets()
    differ: dict[str, int] = {}
    for place in sorted(ours.keys() | theirs.keys()):
        differ.setdefault(place[0], 0)
        if ours.get(place, ())[2:] != theirs.get(place, ())[2:]:
            differ[place[0]] += sum(1 for _ in _different(rule, here.keys(place), there.keys(place)))
    return {
        part: Difference(
            rows=(_rows(ours, part), _rows(theirs, part)), sums=(_sum(ours, part), _sum(theirs, part)), keys=keys
        )
        for part, keys in differ.items()
    }


def _different(rule: Reconciliation, here: Keys, there: Keys) -> Iterator[str]:
    nothing = (0, 0, Decimal(0))
    for key in here.keys() | there.keys():
        (rows, amounts, total), (their_rows, their_amounts, their_total) = (
            here.get(key, nothing),
            there.get(key, nothing),
        )
        apart = rule.amount and (amounts != their_amounts or abs(total - their_total) > rule.tolerance)
        if rows != their_rows or apart:
            yield key


def _written(key: exp.Expr, as_number: bool) -> exp.Expr:
    """Return a key as every engine writes it, a missing one apart from all others."""
    text = exp.cast(exp.cast(key, WIDEST), "TEXT") if as_number else exp.cast(key, "TEXT")
    there = exp.DPipe(this=exp.convert("v"), expression=text)
    return exp.Case(
        ifs=[exp.If(this=key.copy().is_(exp.null()), true=exp.convert("n|"))],
        default=exp.DPipe(this=there, expression=exp.convert("|")),
    )


def _rows(buckets: Mapping[Bucket, tuple[Any, ...]], part: str) -> int:
    return sum(found[0] for (one, _), found in buckets.items() if one == part)


def _sum(buckets: Mapping[Bucket, tuple[Any, ...]], part: str) -> Decimal:
    return sum((found[1] for (one, _), found in buckets.items() if one == part), Decimal(0))
