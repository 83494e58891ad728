"""From what a scan counted to what each check says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from dashboard_trust.checks.rules import CheckOutcome, DayOutcome, RawTable
from dashboard_trust.checks.scan import WHOLE, DayCounts, Difference, compare, read_days, scan
from dashboard_trust.errors import nearest
from dashboard_trust.warehouses.duckdb import DuckDBSession

if TYPE_CHECKING:
    import duckdb

Counts = Mapping[str, DayCounts]
NOTHING = Difference((0, "0"), (0, "0"), 0)


def run_checks(connection: duckdb.DuckDBPyConnection, table: RawTable, reaches: str = "") -> list[CheckOutcome]:
    """Check a raw table: one scan, and one query more for a reconciliation.

    Args:
        connection: Open on the warehouse, in UTC.
        table: The rules.
        reaches: The ISO day up to which its sibling tables go; it is not fresh where it ends earlier.

    Returns:
        One outcome per check; one that could not run is errored and does not stop the others.
    """
    has = tuple(DuckDBSession(connection).columns(table.name) or ())
    if not has:
        return [CheckOutcome(name, False, f"table {table.name} is not there", errored=True) for name in table.checks]
    counts = scan(connection, table, has)
    return [_run(name, connection, table, (has, counts, reaches)) for name in table.checks]


def _run(
    name: str,
    connection: duckdb.DuckDBPyConnection,
    table: RawTable,
    seen: tuple[Sequence[str], Counts, str],
) -> CheckOutcome:
    import duckdb

    has, counts, reaches = seen
    if name != "types":
        missing = sorted(_needs(name, table) - set(has))
        if missing:
            return CheckOutcome(name, False, _missing(missing, has), errored=True)
    try:
        match name:
            case "freshness":
                return _freshness(table, counts, reaches)
            case "types":
                return _types(table, has, counts)
            case "reconciliation":
                return _reconciliation(connection, table, counts)
            case _:
                return _by_day(name, table, counts, COUNTED[name])
    except duckdb.Error as error:
        return CheckOutcome(name, False, str(error).splitlines()[0], errored=True)


def _needs(name: str, table: RawTable) -> set[str]:
    time = {table.time_column} if table.time_column else set()
    needs = {
        "duplicates": {table.key},
        "null_keys": {table.key},
        "accepted_values": set(table.accepted),
        "reconciliation": {table.reconciles.key, table.reconciles.amount, table.reconciles.where[0]}
        if table.reconciles
        else set(),
    }
    return time | needs.get(name, set())


def _row_count(table: RawTable, day: DayCounts) -> str:
    return "" if day.rows >= table.min_rows else f"{day.rows} rows, at least {table.min_rows} expected"


def _duplicates(table: RawTable, day: DayCounts) -> str:
    return f"{day.doubled} of {day.rows} rows share their {table.key} with another" if day.doubled else ""


def _null_keys(table: RawTable, day: DayCounts) -> str:
    return f"{day.without_key} of {day.rows} rows have no {table.key}" if day.without_key else ""


def _accepted_values(table: RawTable, day: DayCounts) -> str:
    found = (f"{number} of {day.rows} rows have another {column}" for column, number in day.strangers.items() if number)
    return "; ".join(found)


def _misfits(table: RawTable, day: DayCounts) -> str:
    found = (
        f"{number} of {day.rows} rows have no {table.types[column]} in {column}"
        for column, number in day.misfits.items()
        if number
    )
    return "; ".join(found)


COUNTED: Mapping[str, Callable[[RawTable, DayCounts], str]] = {
    "row_count": _row_count,
    "duplicates": _duplicates,
    "null_keys": _null_keys,
    "accepted_values": _accepted_values,
}
"""The checks that one day's counts decide: each says what is wrong, or nothing."""


def _by_day(name: str, table: RawTable, counts: Counts, judge: Callable[[RawTable, DayCounts], str]) -> CheckOutcome:
    reasons = {day: judge(table, counted) for day, counted in counts.items()}
    if not counts:
        reason = judge(table, DayCounts(0, 0, 0, {}, {}))
        return CheckOutcome(name, not reason, reason, {} if table.time_column else None)
    if table.time_column is None or reasons.get(WHOLE):
        # What is wrong with rows of no readable day may concern any day.
        reason = reasons.get(WHOLE, "")
        return CheckOutcome(name, not reason, reason)
    return _outcome(name, {day: DayOutcome(not why, why) for day, why in reasons.items() if day != WHOLE})


def _types(table: RawTable, has: Sequence[str], counts: Counts) -> CheckOutcome:
    missing = sorted(set(table.types) - set(has))
    if missing:
        return CheckOutcome("types", False, _missing(missing, has))
    unplaced = counts.get(WHOLE) if table.time_column else None
    if unplaced is not None:
        return CheckOutcome("types", False, f"{unplaced.rows} rows have no readable {table.time_column}")
    return _by_day("types", table, counts, _misfits)


def _freshness(table: RawTable, counts: Counts, reaches: str) -> CheckOutcome:
    days = {day: DayOutcome(True) for day in counts if day != WHOLE}
    newest = max(days, default="")
    if not newest:
        return CheckOutcome("freshness", False, "it holds no rows", days)
    reason = f"its newest {table.time_column} is {newest}" + (f"; others reach {reaches}" if newest < reaches else "")
    return CheckOutcome("freshness", newest >= reaches, reason, days)


def _reconciliation(connection: duckdb.DuckDBPyConnection, table: RawTable, counts: Counts) -> CheckOutcome:
    rule = table.reconciles
    assert rule is not None
    compared = compare(connection, table, rule)
    days = {}
    # A day that the other side does not have at all is missing there, which is said there.
    for day in (counts.keys() & read_days(connection, rule.other, rule.other_time_column)) - {WHOLE}:
        found = compared.get(day, NOTHING)
        same = found.here == found.there and not found.unmatched
        days[day] = DayOutcome(same, "" if same else _difference(table, rule.other, found))
    return _outcome("reconciliation", days)


def _difference(table: RawTable, other: str, found: Difference) -> str:
    (here, here_sum), (there, there_sum) = found.here, found.there
    return (
        f"{table.name} has {here} for {here_sum}, {other} has {there} for {there_sum}; "
        f"{found.unmatched} of them do not match"
    )


def _outcome(name: str, days: Mapping[str, DayOutcome]) -> CheckOutcome:
    wrong = [f"{day}: {outcome.reason}" for day, outcome in sorted(days.items()) if not outcome.passed]
    reason = "; ".join(wrong[-3:]) + (f"; and {len(wrong) - 3} days more" if len(wrong) > 3 else "")
    return CheckOutcome(name, not wrong, reason, days)


def _missing(missing: Sequence[str], has: Sequence[str]) -> str:
    return "; ".join(f"column {name!r} is missing: {nearest(name, has)}" for name in missing)
