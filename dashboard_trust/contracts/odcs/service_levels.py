"""Service levels as rules of freshness, and as the time within which a load must come."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dashboard_trust.contracts.odcs.attempts import UnsupportedError, attempt
from dashboard_trust.contracts.odcs.columns import column_of
from dashboard_trust.contracts.odcs.document import Part
from dashboard_trust.contracts.remarks import Remark, in_words
from dashboard_trust.contracts.rules import Rule, as_check_name
from dashboard_trust.contracts.table_rules import Freshness
from dashboard_trust.errors import nearest

LATENCY = ("latency", "ly", "freshness")
FREQUENCY = ("frequency", "fy")
UNITS: Mapping[str, dt.timedelta] = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), dt.timedelta(seconds=1)),
    **dict.fromkeys(("m", "min", "minute", "minutes"), dt.timedelta(minutes=1)),
    **dict.fromkeys(("h", "hr", "hour", "hours"), dt.timedelta(hours=1)),
    **dict.fromkeys(("", "d", "day", "days"), dt.timedelta(days=1)),
    **dict.fromkeys(("w", "wk", "week", "weeks"), dt.timedelta(days=7)),
    **dict.fromkeys(("mo", "month", "months"), dt.timedelta(days=30)),
    **dict.fromkeys(("y", "yr", "year", "years"), dt.timedelta(days=365)),
}
ISO = re.compile(r"P(?:(\d{1,5})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,6})S)?)?")
LONGEST = dt.timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class Level:
    """What a service level says of a table: the time within which it is loaded, and a rule where it names a column.

    ``due`` says that time where only a table is looked at, which cannot tell when it was loaded.
    """

    table: str
    window: dt.timedelta
    due: Remark
    rule: Rule | None = None


def service_levels(root: Part, tables: Sequence[Part]) -> Iterator[Level | Remark]:
    """Yield what latency and frequency say of each table, by its name, and which levels are not checked."""
    default = root.text("slaDefaultElement")
    for level in root.parts("slaProperties"):
        try:
            yield from _levels(level, level.text("element") or default, tables)
        except UnsupportedError as error:
            yield level.unsupported(f"is not checked: {error}")


def tables_meant(root: Part, tables: Sequence[Part]) -> Mapping[str, frozenset[str]]:
    """Return the names of the tables that each service level means, by its pointer; if nobody can tell, all."""
    default = root.text("slaDefaultElement")
    return {level.pointer: _meant(level.text("element") or default, tables) for level in root.parts("slaProperties")}


def _meant(elements: str, tables: Sequence[Part]) -> frozenset[str]:
    try:
        return frozenset(table.text("name") for table, _ in _elements(elements, tables))
    except UnsupportedError:
        return frozenset(table.text("name") for table in tables)


def _levels(level: Part, elements: str, tables: Sequence[Part]) -> Iterator[Level | Remark]:
    name = level.text("property")
    if name.lower() not in (*LATENCY, *FREQUENCY):
        raise UnsupportedError(f"there is no rule for {name!r}; latency and frequency are looked at")
    window = _window(level)
    if not tables:
        raise UnsupportedError("the contract has no table")
    due = level.unsupported(f"a load is due within {in_words(window)}, which a dashboard's gate checks")
    for table, column in _elements(elements, tables):
        rule = None
        if column and name.lower() in LATENCY:
            check = as_check_name(f"freshness_{column}")
            rule = attempt(
                level, Freshness, column=column, within=window, name=check, description=level.text("description")
            )
        if isinstance(rule, Remark):
            yield rule
        else:
            yield Level(table.text("name"), window, due, rule)


def _elements(elements: str, tables: Sequence[Part]) -> Iterator[tuple[Part, str]]:
    """Yield each table that is meant, and its column where one is; without any element all tables are."""
    named = [element.strip() for element in elements.split(",") if element.strip()]
    if not named:
        yield from ((table, "") for table in tables)
    names = [table.text("name") for table in tables]
    for element in named:
        table, _, column = element.partition(".")
        if not column and table not in names and len(tables) == 1:
            table, column = names[0], element  # the name of the only table may be left out
        if table not in names:
            raise UnsupportedError(f"there is no table {table!r} in this contract: {nearest(table, names)}")
        found = tables[names.index(table)]
        yield found, _column(found, column) if column else ""


def _column(table: Part, name: str) -> str:
    props = {prop.text("name"): prop for prop in table.parts("properties")}
    if name not in props:
        raise UnsupportedError(f"{table.text('name')!r} has no property {name!r}: {nearest(name, props)}")
    return column_of(props[name])


def _window(level: Part) -> dt.timedelta:
    value, unit = level.part("value"), level.text("unit").lower()
    said = value.value if value is not None else None
    if unit not in UNITS:
        raise UnsupportedError(f"the unit {level.text('unit')!r} is not known: write s, m, h, d, w, mo or y")
    try:
        window = _iso(said) if isinstance(said, str) and said.startswith("P") else _number(said) * UNITS[unit]
    except (ValueError, ArithmeticError):
        raise UnsupportedError(f"{said!r} is no length of time: write a number and its unit") from None
    if not dt.timedelta(0) < window <= LONGEST:
        raise UnsupportedError(f"{said} {unit or 'days'} is no time within which something comes")
    return window


def _number(said: object) -> float:
    if isinstance(said, bool) or not isinstance(said, int | Decimal | str):
        raise ValueError(said)
    return float(said)


def _iso(said: str) -> dt.timedelta:
    found = ISO.fullmatch(said)
    if found is None or not any(found.groups()):
        raise ValueError(said)
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in found.groups())
    return dt.timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
