"""All partitions counted at once are what each is by itself, however they are told apart."""

from __future__ import annotations

import pytest
from sqlglot import exp

from dashboard_trust.warehouses.fingerprints import fingerprint
from dashboard_trust.warehouses.parts import any_of, count_parts, fingerprint_parts
from dashboard_trust.warehouses.session import column

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03", "2026-01-05", "2026-02-01")
ROWS = 400


def cast(text: str, kind: str) -> exp.Expr:
    return exp.cast(exp.convert(text), kind)


def between(name: str, start: str, end: str, kind: str) -> exp.Expr:
    return exp.and_(column(name) >= cast(start, kind), column(name) < cast(end, kind))


def each_day(name: str, kind: str, form: str = "{}") -> dict[str, exp.Expr]:
    after = {day: f"{day[:8]}{int(day[8:]) + 1:02}" for day in DAYS}
    return {day: between(name, form.format(day), form.format(after[day]), kind) for day in DAYS}


WAYS = {
    "days": {day: column("day").eq(cast(day, "DATE")) for day in DAYS},
    "days as text": {day: exp.cast(column("day"), "TEXT").eq(day) for day in DAYS},
    "texts": {kind: column("kind").eq(kind) for kind in ("a", "A", "it's", "", "none of them")},
    "windows of dates": each_day("day", "DATE"),
    "windows of moments": each_day("at", "TIMESTAMP", "{} 00:00:00"),
    "windows of moments in a zone": each_day("zoned", "TIMESTAMPTZ", "{} 00:00:00+00"),
    "windows of dates on moments": each_day("at", "DATE"),
    "days that begin at five": each_day("zoned", "TIMESTAMPTZ", "{} 05:00:00+00"),
    "weeks": {
        "first": between("day", "2026-01-01", "2026-01-08", "DATE"),
        "second": between("day", "2026-01-08", "2026-01-15", "DATE"),
        "fourth": between("day", "2026-01-22", "2026-01-29", "DATE"),
    },
    "hours": {
        f"{hour:02}": between("at", f"2026-01-01 {hour:02}:00:00", f"2026-01-01 {hour + 1:02}:00:00", "TIMESTAMP")
        for hour in range(0, 20, 3)
    },
    "two columns": {
        f"{day}|{kind}": exp.and_(column("day").eq(cast(day, "DATE")), column("kind").eq(kind))
        for day in DAYS
        for kind in ("a", "A")
    },
    "a mixture": {"a": column("kind").eq("a"), "later": column("number") > 300, "not a": column("kind").eq("none")},
    "one": {"2026-01-02": column("day").eq(cast("2026-01-02", "DATE"))},
    "numbers": {str(number): column("number").eq(number) for number in (1, 2, 399, 1000)},
}
WAYS["a mixture"]["later"] = exp.and_(column("number") > 300, column("kind").neq("a"))


@pytest.fixture
def events(session, do):
    """A row for every two hours from the last day of 2025, of which some have no day and no moment."""
    do(
        session,
        "CREATE SCHEMA raw",
        "CREATE TABLE raw.events (number BIGINT, day DATE, at TIMESTAMP, zoned TIMESTAMPTZ, kind TEXT)",
    )
    day = "CAST(TIMESTAMP '2025-12-31 00:00:00' + INTERVAL '2 hours' * n AS DATE)"
    at = "TIMESTAMP '2025-12-31 00:00:00' + INTERVAL '2 hours' * n"
    zoned = "CAST(CAST(TIMESTAMP '2025-12-31 00:00:00' + INTERVAL '2 hours' * n AS TEXT) || '+00' AS TIMESTAMPTZ)"
    kind = "CASE n % 5 WHEN 0 THEN 'a' WHEN 1 THEN 'A' WHEN 2 THEN 'it''s' WHEN 3 THEN '' END"
    for n in range(0, ROWS, 20):
        rows = " UNION ALL ".join(f"SELECT {k} AS n" for k in range(n, n + 20))
        do(session, f"INSERT INTO raw.events SELECT n, {day}, {at}, {zoned}, {kind} FROM ({rows}) AS r")
    do(session, "UPDATE raw.events SET day = NULL, at = NULL, zoned = NULL WHERE number % 7 = 0")
    return "raw.events"


@pytest.mark.parametrize("way", WAYS)
def test_each_partition_is_what_it_is_by_itself(session, events, way):
    found = fingerprint_parts(session, events, WAYS[way])

    assert found == {key: fingerprint(session, events, condition) for key, condition in WAYS[way].items()}
    assert any(one.rows for one in found.values())


@pytest.mark.parametrize("way", WAYS)
def test_the_rows_of_any_are_the_rows_of_each(session, events, way):
    counted = count_parts(session, events, WAYS[way], [exp.Count(this=exp.Star())])
    together = fingerprint(session, events, any_of(list(WAYS[way].values())))

    assert together.rows == sum(rows for (rows,) in counted.values())
    assert all(rows for (rows,) in counted.values()), "a partition without rows is left out"


def test_a_whole_table_is_its_one_part(session, events):
    assert fingerprint_parts(session, events, {"": None}) == {"": fingerprint(session, events)}
    assert any_of([None, column("number").eq(1)]) is None
    assert fingerprint_parts(session, events, {}) == {}


def test_windows_next_to_each_other_are_one_condition_and_values_one_list():
    assert any_of(list(WAYS["weeks"].values())).sql("duckdb").count("OR") == 1
    assert any_of(list(each_day("day", "DATE").values())[:3]).sql("duckdb") == (
        "\"day\" >= CAST('2026-01-01' AS DATE) AND \"day\" < CAST('2026-01-04' AS DATE)"
    )
    assert " OR " not in any_of(list(WAYS["days"].values())).sql("duckdb")


def test_a_thousand_odd_partitions_are_no_stack_overflow(session, events):
    many = {str(n): exp.and_(column("number") >= n, column("number") <= n) for n in range(1000)}

    found = fingerprint_parts(session, events, many)

    assert sum(one.rows for one in found.values()) == ROWS
