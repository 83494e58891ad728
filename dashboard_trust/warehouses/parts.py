"""The partitions of a table: which of them a row is of, asked of all at once.

One condition after the other costs every row as many comparisons as there are partitions. Nearly always they are
values of one column, or days of one: then the rows are grouped by that, and the groups compared.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from sqlglot import exp

from dashboard_trust.warehouses.column_types import kind_of
from dashboard_trust.warehouses.fingerprints import (
    Fingerprint,
    Shape,
    column_types,
    known_column,
    measures,
    read_shape,
)
from dashboard_trust.warehouses.session import Session, column, either, function, table
from dashboard_trust.warehouses.texts import MOMENT, matches

Parts = Mapping[str, exp.Expr | None]
"""Partitions by key, each with the condition that a row is of it; None: every row is."""

WHOLE = ""
"""The name of a table's one part where it has no others: all of its rows."""

UNREADABLE = ""
"""The part of rows whose day cannot be told: what is wrong with them may be wrong with any day, as of `WHOLE`."""

PART, VALUE, MEASURE = "dashboard_trust_part", "dashboard_trust_value", "dashboard_trust_measure_"
TIMES = ("DATE", "TIMESTAMP", "TIMESTAMPTZ")
# Texts of one such form are in the order of the moments they say.
TIME = re.compile(r"\d{4}-\d{2}-\d{2}( \d{2}:\d{2}:\d{2}(\+00)?)?")


@dataclass(frozen=True, slots=True)
class _Window:
    """The condition that a value lies between two moments, the second one excluded."""

    value: exp.Expr
    start: exp.Expr
    end: exp.Expr

    @property
    def bounds(self) -> tuple[str, str]:
        return self.start.this.name, self.end.this.name

    @property
    def is_day(self) -> bool:
        start, end = self.bounds
        midnight = start[10:] in ("", " 00:00:00", " 00:00:00+00")
        return midnight and start[10:] == end[10:] and _days(start, end) == 1

    @property
    def condition(self) -> exp.Expr:
        return exp.and_(self.value >= self.start, self.value < self.end)


def any_of(conditions: Sequence[exp.Expr | None]) -> exp.Expr | None:
    """Return the condition that one of these holds; None, every row, where one of them is that."""
    known = [condition for condition in conditions if condition is not None]
    if len(known) < len(conditions):
        return None
    if (value := _value(known)) is not None:
        return exp.In(this=value.copy(), expressions=[condition.expression.copy() for condition in known])
    if windows := _windows(known):
        return either([window.condition for window in _joined(windows)])
    return either(known)


@dataclass(frozen=True, slots=True)
class Grouping:
    """How the part that a row of a table is of is told.

    Rows are grouped by ``value``; ``part`` is the key of such a group, of its column `VALUE`. Without a ``value`` all
    rows are of the one part ``only``. Rows of which ``where`` does not hold are of none.
    """

    value: exp.Expr | None = None
    part: exp.Expr | None = None
    where: exp.Expr | None = None
    only: str = WHOLE


def group_parts(parts: Parts) -> Grouping:
    """Tell the partitions of a table apart; no row is of two of them."""
    where = any_of(list(parts.values()))
    if len(parts) == 1:
        return Grouping(where=where, only=next(iter(parts)))
    conditions = {key: condition for key, condition in parts.items() if condition is not None}
    told_apart = _told_apart(conditions)
    if told_apart is None:
        return Grouping(_case(conditions), column(VALUE), where)
    value, values = told_apart
    part = _case({key: exp.EQ(this=column(VALUE), expression=each) for key, each in values.items()})
    return Grouping(value, part, where)


def group_days(session: Session, time_column: str, types: Mapping[str, str]) -> Grouping:
    """Tell the UTC days of a table apart, by ISO day; rows without a readable time are of `UNREADABLE`."""
    kind, engine_type = kind_of(types[time_column]), types[time_column]
    if kind not in ("timestamp", "timestamptz"):
        return Grouping(day_of(session, time_column, engine_type), column(VALUE))
    # A day as such is told sooner than its text, which is then written once for each day.
    moment: exp.Expr = column(time_column)
    if kind == "timestamptz":
        moment = exp.AtTimeZone(this=moment, zone=exp.convert("UTC"))
    date: exp.Expr = exp.cast(moment, "DATE")
    if session.dialect != "snowflake":  # which has no infinite moments; elsewhere they are of no day
        date = exp.Case(ifs=[exp.If(this=function("ISFINITE", moment.copy()), true=date)])
    day = session.day(VALUE, "date" if session.dialect == "postgres" else "DATE")
    return Grouping(date, exp.func("COALESCE", day, exp.convert(UNREADABLE)))


def day_of(session: Session, time_column: str, engine_type: str) -> exp.Expr:
    """Return the UTC day of a row as text; of text that not every engine reads as the same moment, `UNREADABLE`."""
    day = session.day(time_column, engine_type)
    if kind_of(engine_type) != "text":
        return day
    readable = matches(column(time_column), MOMENT, session.dialect)
    return exp.func("COALESCE", exp.Case(ifs=[exp.If(this=readable, true=day)]), exp.convert(UNREADABLE))


def grouped_rows(grouping: Grouping, source: exp.Expr) -> exp.Select:
    """Return the rows of a table or a subquery, each with the value its part is told by as `VALUE`."""
    value = exp.convert(WHOLE) if grouping.value is None else grouping.value
    rows = exp.select(value.as_(VALUE, quoted=True), "*", copy=False).from_(source, copy=False)
    return rows.where(grouping.where, copy=False) if grouping.where is not None else rows


def count_groups(
    session: Session, source: exp.Expr, grouping: Grouping, wanted: Sequence[exp.Expr]
) -> dict[str, list[Any]]:
    """Return aggregates of a table, or of a subquery with `VALUE`, by part; a part without rows is left out.

    Nothing is copied: with hundreds of partitions that takes longer than the scan.
    """
    names = [f"{MEASURE}{n}" for n in range(len(wanted))]
    measured = [measure.as_(alias, quoted=True) for measure, alias in zip(wanted, names, strict=True)]
    # In a subquery, since some engines take a grouping by a constant for one by a column's position.
    rows = source if isinstance(source, exp.Subquery) else grouped_rows(grouping, source).subquery("slice", copy=False)
    if grouping.value is None or grouping.part is None:
        counted = exp.select(*measured).from_(rows, copy=False).having(exp.Count(this=exp.Star()) > 0, copy=False)
        found = session.query(counted)
        return {grouping.only: list(found[0])} if found else {}
    counted = exp.select(column(VALUE), *measured).from_(rows, copy=False).group_by(column(VALUE), copy=False)
    if grouping.part != column(VALUE):
        counted = exp.select(grouping.part, *map(column, names), copy=False).from_(
            counted.subquery("counted", copy=False), copy=False
        )
    return {str(key): values for key, *values in session.query(counted) if key is not None}


def count_parts(session: Session, name: str, parts: Parts, wanted: Sequence[exp.Expr]) -> dict[str, list[Any]]:
    """Return aggregates of a table by partition, in one scan; a partition without rows is left out.

    No row is of two of them: which of the two it would be counted in is not said.
    """
    return count_groups(session, table(name), group_parts(parts), wanted)


def fingerprint_parts(session: Session, name: str, parts: Parts) -> dict[str, Fingerprint]:
    """Fingerprint each partition of a table in one scan, those without rows too."""
    shape = read_shape(session, name)
    counted = count_parts(session, name, parts, measures(session, shape)) if parts else {}
    return {key: shape.fingerprint(*counted.get(key, (0, None))) for key in parts}


def fingerprint_by_day(
    session: Session, name: str, time_column: str, columns: Sequence[str] | None = None
) -> dict[str, Fingerprint]:
    """Fingerprint each UTC day (``YYYY-MM-DD``) of a table by ``time_column``, in one scan.

    Text is read as a timestamp; without an offset it is in UTC, as the session is. Rows without a
    readable time are under the key `UNREADABLE`; a day without rows has no key.

    Raises:
        InvalidInputError: There is no such table, or no such column.
    """
    known_column(time_column, column_types(session, name), name)
    shape = read_shape(session, name, columns)
    return {day: shape.fingerprint(*sums) for day, sums in sum_by_day(session, name, time_column, shape).items()}


def sum_by_day(
    session: Session, name: str, time_column: str, shape: Shape, where: exp.Expr | None = None
) -> dict[str, tuple[int, int]]:
    """Return the rows of each UTC day and the sum of their hashes: what fingerprints of days, and of all, are made of.

    The whole table's are the sums of its days'.
    """
    grouping = replace(group_days(session, time_column, column_types(session, name)), where=where)
    counted = count_groups(session, table(name), grouping, measures(session, shape))
    return {day: (int(rows), int(total or 0)) for day, (rows, total) in sorted(counted.items())}


def _told_apart(conditions: Mapping[str, exp.Expr]) -> tuple[exp.Expr, dict[str, exp.Expr]] | None:
    """Return what a row's partition can be told by, and what that is for each, if each is one value of it."""
    known = list(conditions.values())
    if (value := _value(known)) is not None:
        return value.copy(), {key: condition.expression.copy() for key, condition in conditions.items()}
    windows = _windows(known)
    if not windows or not all(window.is_day for window in windows):
        return None
    # As the comparison has it: text is a moment first, and moments are in UTC.
    day = exp.cast(exp.cast(windows[0].value.copy(), windows[0].start.args["to"].copy()), "DATE")
    days = {key: window.bounds[0][:10] for key, found in conditions.items() if (window := _window(found))}
    return day, {key: exp.cast(exp.convert(text), "DATE") for key, text in days.items()}


def _value(conditions: Sequence[exp.Expr]) -> exp.Expr | None:
    """Return what all conditions say to be equal to something constant."""
    value: exp.Expr | None = conditions[0].this if conditions else None
    for condition in conditions:
        constant = isinstance(condition, exp.EQ) and condition.expression.find(exp.Column, exp.Query) is None
        if not constant or condition.this != value:
            return None
    return value


def _windows(conditions: Sequence[exp.Expr]) -> list[_Window]:
    """Return the conditions as windows of one value that share no moment, in order; else none."""
    windows = [window for window in map(_window, conditions) if window is not None]
    if len(windows) < len(conditions) or not windows:
        return []
    windows.sort(key=lambda window: window.bounds)
    forms = {(w.value, bound.args["to"], len(bound.this.name)) for w in windows for bound in (w.start, w.end)}
    apart = all(before.bounds[1] <= after.bounds[0] for before, after in pairwise(windows))
    return windows if len(forms) == 1 and apart else []


def _window(condition: exp.Expr) -> _Window | None:
    if not isinstance(condition, exp.And):
        return None
    start, end = condition.this, condition.expression
    if not isinstance(start, exp.GTE) or not isinstance(end, exp.LT) or start.this != end.this:
        return None
    window = _Window(start.this, start.expression, end.expression)
    return (
        window if _is_moment(window.start) and _is_moment(window.end) and window.bounds[0] < window.bounds[1] else None
    )


def _is_moment(found: exp.Expr) -> bool:
    return (
        isinstance(found, exp.Cast)
        and found.to.sql("duckdb") in TIMES
        and isinstance(found.this, exp.Literal)
        and TIME.fullmatch(found.this.name) is not None
    )


def _days(start: str, end: str) -> int:
    return (dt.date.fromisoformat(end[:10]) - dt.date.fromisoformat(start[:10])).days


def _joined(windows: Sequence[_Window]) -> list[_Window]:
    """Return the fewest windows that hold the same moments."""
    joined: list[_Window] = []
    for window in windows:
        if joined and joined[-1].bounds[1] == window.bounds[0]:
            window = _Window(window.value, joined.pop().start, window.end)  # noqa: PLW2901
        joined.append(window)
    return joined


def _case(conditions: Mapping[str, exp.Expr]) -> exp.Expr:
    return exp.Case(ifs=[exp.If(this=condition.copy(), true=exp.convert(key)) for key, condition in conditions.items()])
