"""Rules as they are meant, row by row in plain Python: slow, and without SQL."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, localcontext
from itertools import pairwise
from typing import Any

from rule_engines import ERRORED

from dashboard_trust.contracts import row_rules as r
from dashboard_trust.contracts import table_rules as t
from dashboard_trust.contracts.rules import RowRule

Row = Mapping[str, Any]
Rows = Sequence[Row]
MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?( UTC|Z|[+-]\d\d(?::?\d\d)?)?)?", re.ASCII
)
NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)
BLANKS = " \t\n\r\f\v\u00a0"


class NotAskableError(Exception):
    """A rule that this table cannot be asked."""


@dataclass(frozen=True)
class Plain:
    """A table as rows, the kinds of its columns, and how its rows are told: by ``part_of``, which may say None.

    ``by_day`` is whether that is days; ``names`` are the parts that have results without a row too.
    """

    rows: Rows
    kinds: Mapping[str, str]
    part_of: Callable[[Row], str | None]
    names: Sequence[str] = ()
    by_day: bool = False
    others: Rows = ()
    conditions: Mapping[str, Callable[[Row], bool]] = field(default_factory=dict)
    now: dt.datetime = dt.datetime(2024, 3, 10, 12, tzinfo=dt.UTC)

    def answer(self, rules: t.TableRules) -> dict[str, Any]:
        """Return what every rule finds, as `rule_engines.summary` has it."""
        answer = {rule.check: self._find(rule) for rule in rules.all_rules}
        counts = [answer[rule.check] for rule in rules.all_rules if isinstance(rule, t.RowCount)]
        if self.by_day and any(found == {"": (True, 0)} for found in counts):  # nothing is what is to be there
            return {check: found or {"": (True, None)} for check, found in answer.items()}
        return answer

    def _find(self, rule: Any) -> Any:
        try:
            if any(name not in self.kinds for name in rule.needs):
                raise NotAskableError
            return {part: (passed, measured) for part, (passed, measured) in self._found(rule).items()}
        except NotAskableError:
            return ERRORED

    def parts(self, rows: Rows) -> dict[str, list[Row]]:
        parts: dict[str, list[Row]] = {name: [] for name in self.names}
        for row in rows:
            part = self.part_of(row)
            if part is not None:
                parts.setdefault(part, []).append(row)
        return parts

    def _found(self, rule: Any) -> dict[str, tuple[bool, Any]]:
        parts = self.parts(self.rows)
        match rule:
            case t.RowCount():
                return self._row_counts(rule, parts)
            case t.Freshness():
                return self._freshness(rule, parts) if parts else {"": (False, None)}
            case t.Query():  # how many rows there are
                return {part: (len(rows) <= rule.max, len(rows)) for part, rows in self._apart(parts).items()}
            case t.Reconciliation():
                return self._reconciled(rule, parts)
            case r.Unique() if self.by_day and not rule.within_day:
                twice = doubled(rule, self.rows)
                bad = {part: sum(any(row is one for one in twice) for row in rows) for part, rows in parts.items()}
            case r.Unique():
                bad = {part: len(doubled(rule, rows)) for part, rows in parts.items()}
            case r.Monotonic():
                bad = {part: falls(rule, rows) for part, rows in parts.items()}
            case r.References():
                known = {tuple(row[name] for name in rule.other_key or rule.key) for row in self.others}
                bad = {part: sum(orphan(rule, row, known) for row in rows) for part, rows in parts.items()}
            case _:
                breaks = self._breaks(rule)
                bad = {part: sum(breaks(row) for row in rows) for part, rows in parts.items()}
        return {part: (allowed(rule, bad[part], len(rows)), bad[part]) for part, rows in parts.items()}

    def _apart(self, parts: Mapping[str, Rows]) -> Mapping[str, Rows]:
        return {"": self.rows} if self.by_day else parts

    def _row_counts(self, rule: t.RowCount, parts: Mapping[str, Rows]) -> dict[str, tuple[bool, Any]]:
        least = 1 if rule.min is None else rule.min
        most = math.inf if rule.max is None else rule.max
        found = {part: (least <= len(rows) <= most, len(rows)) for part, rows in parts.items()}
        if self.by_day and "" in parts:
            found[""] = (False, len(parts[""]))
        return found or {"": (least <= 0, 0)}

    def _freshness(self, rule: t.Freshness, parts: Mapping[str, Rows]) -> dict[str, tuple[bool, Any]]:
        if self.kinds[rule.column] not in ("text", "date", "timestamp", "timestamptz"):
            raise NotAskableError
        found = {}
        for part, rows in parts.items():
            past = [at for row in rows if (at := moment(row[rule.column])) is not None and at <= self.now]
            due = min(end_of(part), self.now) if self.by_day and part else self.now
            hours = (due - max(past)) / dt.timedelta(hours=1) if past else None
            within = rule.within / dt.timedelta(hours=1)
            found[part] = (hours is not None and hours < within, None if hours is None else round(hours, 2))
        return found

    def _reconciled(self, rule: t.Reconciliation, parts: Mapping[str, Rows]) -> dict[str, tuple[bool, Any]]:
        there = self.parts(self.others)
        known, asked, alone = {part for part, rows in there.items() if rows}, set(parts), set()
        if not parts:  # of a table by day without a row, all is compared
            parts, there, asked = {"": []}, {"": self.others}, {""}
        elif self.names != ("",):
            days = [part for part in parts if part and self.by_day]
            holes = {part for part in known if days and min(days) < part < max(days)}
            alone, asked = (asked ^ known) - holes, (asked & known) | holes
        if not asked:
            raise NotAskableError
        # A day that goes on may have come to one side first.
        found = {part: (False, None) for part in alone if not (self.by_day and part and self._goes_on(part))}
        for part in asked:
            sums = [totals(rule, rows.get(part, [])) for rows in (parts, there)]
            keys = {*sums[0], *sums[1]}
            differ = sum(apart(rule, *(side.get(key, (0, 0, Decimal(0))) for side in sums)) for key in keys)
            found[part] = (differ <= rule.allowed_keys, differ)
        return found

    def _goes_on(self, part: str) -> bool:
        return end_of(part) - dt.timedelta(days=1) <= self.now < end_of(part)

    def _breaks(self, rule: RowRule) -> Callable[[Row], bool]:
        if isinstance(rule, r.Condition):
            if rule.sql not in self.conditions:
                raise NotAskableError
            return lambda row: not self.conditions[rule.sql](row)
        kind = self.kinds[rule.column]
        if isinstance(rule, r.NotNull):
            return lambda row: (
                missing(row[rule.column]) or (rule.blank and kind == "text" and not row[rule.column].strip(BLANKS))
            )
        if isinstance(rule, r.Pattern | r.Length) and kind != "text":
            raise NotAskableError
        if isinstance(rule, r.Fits) and kind == "float":
            if rule.type != "number":
                raise NotAskableError
            return lambda row: False
        test = TESTS[type(rule)]
        return lambda row: not missing(row[rule.column]) and not test(rule, row[rule.column])


def allowed(rule: RowRule, bad: int, rows: int) -> bool:
    if rule.allowed_percent is None:
        return bad <= rule.allowed_rows
    return bad == 0 or bad / rows <= rule.allowed_percent / 100


def missing(value: Any) -> bool:
    return value is None or (isinstance(value, float | Decimal) and math.isnan(value))


def doubled(rule: r.Unique, rows: Rows) -> list[Row]:
    keys = [tuple(None if missing(row[name]) else row[name] for name in rule.key) for row in rows]
    times = Counter(keys)
    return [row for row, key in zip(rows, keys, strict=True) if any(x is not None for x in key) and times[key] > 1]


def falls(rule: r.Monotonic, rows: Rows) -> int:
    pairs = [(row[rule.by], row[rule.column]) for row in rows]
    there = [pair for pair in pairs if not any(missing(value) for value in pair)]
    there.sort(key=lambda pair: pair[1], reverse=rule.falling)
    there.sort(key=lambda pair: pair[0])
    bad = 0
    for (_, before), (_, after) in pairwise(there):
        worse = after > before if rule.falling else after < before
        bad += worse or (rule.strictly and after == before)
    return bad


def orphan(rule: r.References, row: Row, known: set[tuple[Any, ...]]) -> bool:
    key = tuple(row[name] for name in rule.key)
    return not any(missing(value) for value in key) and key not in known


def totals(rule: t.Reconciliation, rows: Rows) -> dict[Any, tuple[int, int, Decimal]]:
    found: dict[Any, tuple[int, int, Decimal]] = defaultdict(lambda: (0, 0, Decimal(0)))
    for row in rows:
        key = tuple(None if missing(row[name]) else row[name] for name in rule.key)
        value = amount(row[rule.amount]) if rule.amount else None
        count, amounts, total = found[key]
        with localcontext(prec=60):
            found[key] = (count + 1, amounts + (value is not None), total + (value or 0))
    return found


def apart(rule: t.Reconciliation, here: tuple[int, int, Decimal], there: tuple[int, int, Decimal]) -> bool:
    with localcontext(prec=60):
        return here[:2] != there[:2] or abs(here[2] - there[2]) > rule.tolerance


def amount(value: Any) -> Decimal | None:
    if missing(value) or (isinstance(value, float) and abs(value) >= 1e18):
        return None
    if isinstance(value, str):
        value = value.strip(" ")
        digits = re.match(r"[-+]?(\d*)", value, re.ASCII)[1]
        power = int((re.search(r"[eE](.*)$", value) or ["", "0"])[1]) if NUMBER.fullmatch(value) else 99
        if abs(power) > 9 or len(digits) > 18:
            return None
    with localcontext(prec=60):
        number = Decimal(str(value))
        if isinstance(value, float):
            number = number.quantize(Decimal("1e-18"), ROUND_HALF_UP)
        return number.quantize(Decimal("1e-9"), ROUND_HALF_UP)


def moment(value: Any) -> dt.datetime | None:
    if value is None or isinstance(value, dt.datetime):
        return value if value is None or value.tzinfo else value.replace(tzinfo=dt.UTC)
    if isinstance(value, dt.date):
        return dt.datetime.combine(value, dt.time(), dt.UTC)
    found = MOMENT.fullmatch(value)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    try:
        at = dt.datetime(*(int(x or 0) for x in (year, month, day, hour, minute, second)), tzinfo=dt.UTC)
    except ValueError:
        return None
    at += dt.timedelta(microseconds=int((fraction or "0")[:6].ljust(6, "0")))
    if zone in (None, " UTC", "Z"):
        return at
    hours, minutes = int(zone[1:3]), int(zone[3:].strip(":") or 0)
    if hours > 14 or minutes > 59:
        return None
    shift = dt.timedelta(hours=hours, minutes=minutes)
    return at - shift if zone[0] == "+" else at + shift


def day_of(value: Any) -> str:
    at = moment(value)
    return "" if at is None else at.date().isoformat()


def end_of(day: str) -> dt.datetime:
    start = dt.datetime.combine(dt.date.fromisoformat(day), dt.time(), dt.UTC)
    return start + dt.timedelta(days=1) if start.date() < dt.date.max else dt.datetime.max.replace(tzinfo=dt.UTC)


def _in_range(rule: r.Range, value: Any) -> bool:
    bounds = [rule.min, rule.above, rule.max, rule.below]
    low, above, high, below = (_as(value, bound) for bound in bounds)
    return (
        (low is None or value >= low)
        and (above is None or value > above)
        and (high is None or value <= high)
        and (below is None or value < below)
    )


def _as(value: Any, bound: Any) -> Any:
    """A bound as a value of the column's kind."""
    if bound is None:
        return None
    if isinstance(value, float):
        return float(bound)
    if isinstance(value, dt.datetime) and value.tzinfo is None and bound.tzinfo is not None:
        return bound.astimezone(dt.UTC).replace(tzinfo=None)
    return bound


def _accepted(rule: r.AcceptedValues, value: Any) -> bool:
    return any(value == _as(value, one) for one in rule.values)


def _like(rule: r.Pattern, value: str) -> bool:
    return re.search(rule.regex.replace("$", r"\Z"), value, re.ASCII) is not None


def _long(rule: r.Length, value: str) -> bool:
    return (rule.min or 0) <= len(value) <= (math.inf if rule.max is None else rule.max)


def _fits(rule: r.Fits, value: Any) -> bool:
    text = _text(value)
    if rule.type not in ("date", "timestamp"):
        text = text.strip(" ")
    match rule.type:
        case "integer":
            return re.fullmatch(r"[-+]?[0-9]+", text) is not None
        case "number":
            return NUMBER.fullmatch(text) is not None
        case "boolean":
            return text in {form(word) for word in ("true", "false") for form in (str.lower, str.upper, str.title)}
        case "date":
            return len(text) == 10 and moment(text) is not None
        case "timestamp":
            return moment(text) is not None
    digits, after = map(int, re.findall(r"\d+", rule.type))
    if NUMBER.fullmatch(text) is None or "e" in text.lower():
        return False
    number = Decimal(text)
    with localcontext(prec=200):
        return abs(number) < Decimal(10) ** (digits - after) and number == number.quantize(Decimal(1).scaleb(-after))


def _text(value: Any) -> str:
    """A value as both engines write it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dt.datetime):
        text = value.strftime("%H:%M:%S") + (f".{value.microsecond:06}".rstrip("0") if value.microsecond else "")
        return f"{value.date().isoformat()} {text}{'+00' if value.tzinfo else ''}"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


TESTS: Mapping[type, Callable[[Any, Any], bool]] = {
    r.AcceptedValues: _accepted,
    r.Range: _in_range,
    r.Pattern: _like,
    r.Length: _long,
    r.Fits: _fits,
}
