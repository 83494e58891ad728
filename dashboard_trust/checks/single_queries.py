"""Rules of a table as one number: the age of its newest value, and what somebody's own query says."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from sqlglot import exp

from dashboard_trust.checks.outcomes import PartOutcome
from dashboard_trust.checks.row_counts import WRITES, parse_single
from dashboard_trust.checks.texts import is_read_as
from dashboard_trust.checks.values import RuleError, Table
from dashboard_trust.contracts.table_rules import Freshness, Query
from dashboard_trust.warehouses.session import column, function
from dashboard_trust.warehouses.session import table as as_table

ROWS = "dashboard_trust_rows"
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def newest(rule: Freshness, table: Table, now: dt.datetime, zone: dt.tzinfo = dt.UTC) -> exp.Expr:
    """Return the aggregate that says when the newest value is from, in seconds since 1970 in its zone.

    A value from the future says nothing of how fresh a table is.

    Raises:
        RuleError: The column holds no times.
    """
    found = _moment(rule.column, table)
    # To the microsecond: what was loaded in this second is not from the future.
    known = exp.cast(exp.convert(f"{now.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S.%f}+00"), "TIMESTAMPTZ")
    kind = table.kind(rule.column)
    limit = known if kind in ("text", "timestamptz") else table.literal(rule.column, _plain(now.astimezone(zone), kind))
    past = exp.Case(ifs=[exp.If(this=found <= limit, true=found.copy())])
    return exp.Extract(this=exp.var("EPOCH"), expression=exp.Max(this=past))


def judge_newest(
    rule: Freshness, seconds: Any, end: dt.datetime | None, now: dt.datetime, zone: dt.tzinfo = dt.UTC
) -> PartOutcome:
    """Judge the newest value (in seconds since 1970 in its zone) of a part that ends then, or is still going on."""
    due = min(end, now) if end else now
    if seconds is None:
        return PartOutcome(False, f"no {rule.column} up to now can be read")
    at = _in_utc(float(seconds), zone)
    age = (due - EPOCH).total_seconds() - at
    hours = age / 3600
    if age < rule.within.total_seconds():
        return PartOutcome(True, measured=hours)
    until = "its end" if due == end else "now"
    wanted = rule.within / dt.timedelta(hours=1)
    return PartOutcome(
        False,
        f"its newest {rule.column} is {_told(at)}, {hours:.1f} hours before {until}; "
        f"less than {wanted:g} hours expected",
        hours,
    )


def measure_query(rule: Query, table: Table, where: exp.Expr | None) -> PartOutcome:
    """Ask somebody's own query of the rows for which ``where`` holds, and judge its number.

    Raises:
        RuleError: It is no query of one number.
        WarehouseError: The engine refused.
    """
    found = table.session.query(_query(rule, table, where))
    if len(found) != 1 or len(found[0]) != 1:
        raise RuleError(f"query {rule.name!r} is to give one number, and gave {len(found)} rows")
    value = found[0][0]
    # What it gave instead may be anybody's data.
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        gave = "NULL" if value is None else f"a {type(value).__name__}"
        raise RuleError(f"query {rule.name!r} is to give one number, and gave {gave}")
    number = Decimal(str(value))
    if not number.is_finite():
        raise RuleError(f"query {rule.name!r} is to give one number, and gave {number}")
    unit = f" {rule.unit}" if rule.unit else ""
    if _is_within(rule, number):
        return PartOutcome(True, measured=float(number))
    return PartOutcome(False, f"{number:f}{unit}, {_wanted(rule)} expected", float(number))


def _is_within(rule: Query, number: Decimal) -> bool:
    return (
        (rule.min is None or number >= rule.min)
        and (rule.max is None or number <= rule.max)
        and (rule.above is None or number > rule.above)
        and (rule.below is None or number < rule.below)
    )


def _wanted(rule: Query) -> str:
    """Return what a query may say: "0", "at least 1 and less than 5"."""
    if rule.min is not None and rule.min == rule.max:
        return f"{Decimal(str(rule.min)):f}"
    words = (("at least", rule.min), ("more than", rule.above), ("at most", rule.max), ("less than", rule.below))
    return " and ".join(f"{word} {Decimal(str(bound)):f}" for word, bound in words if bound is not None)


def _query(rule: Query, table: Table, where: exp.Expr | None) -> exp.Query:
    parsed = parse_single(rule.sql.replace("{table}", ROWS), table, rule.name)
    if not isinstance(parsed, exp.Query) or parsed.find(*WRITES) is not None:
        raise RuleError(f"query {rule.name!r} is to read, and nothing else: {rule.sql}")
    rows = exp.select("*").from_(as_table(table.name))
    # Before its own common tables, which read these rows.
    own = parsed.args.pop("with_", None)
    query = parsed.with_(ROWS, as_=rows.where(where) if where is not None else rows)
    if own is not None:
        query.args["with_"].set("recursive", own.args.get("recursive"))
        for one in own.expressions:
            query.args["with_"].append("expressions", one)
    return query


def _moment(name: str, table: Table) -> exp.Expr:
    """Return a column's value as a moment; where it is none, or infinite, NULL."""
    kind = table.kind(name)
    if kind == "text":
        moment = exp.TryCast(this=column(name), to=exp.DataType.build("TIMESTAMPTZ"))
        return exp.Case(ifs=[exp.If(this=is_read_as(name, "timestamp", table.types[name], table.session), true=moment)])
    if kind not in ("date", "timestamp", "timestamptz"):
        raise RuleError(f"{name!r} is {table.types[name]}, and freshness is asked of times")
    if table.session.dialect == "snowflake":  # it has no infinite ones
        return column(name)
    return exp.Case(ifs=[exp.If(this=function("ISFINITE", column(name)), true=column(name))])


def _told(seconds: float) -> str:
    try:
        return f"{EPOCH + dt.timedelta(seconds=seconds):%Y-%m-%d %H:%M} UTC"
    except OverflowError:
        return "before the year 1"


def _in_utc(seconds: float, zone: dt.tzinfo) -> float:
    try:
        offset = (EPOCH + dt.timedelta(seconds=seconds)).replace(tzinfo=zone).utcoffset()
    except OverflowError:  # of a year that Python does not know, where hours do not matter
        offset = None
    return seconds - (offset or dt.timedelta()).total_seconds()


def _plain(now: dt.datetime, kind: str) -> dt.date | dt.datetime:
    return now.date() if kind == "date" else now.replace(tzinfo=None)
