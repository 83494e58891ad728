"""A table of 10 million rows and 730 days, counted by day: all of it, and what a load of one changed day leaves to do.

``python benchmarks/slices.py [--rows N] [--days N] [--repeats 5]``

The ways take turns in one process, on one DuckDB file; the time is that of the count alone, on an open session.
Ratios are to one scan that fingerprints the whole table and no day.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dashboard_trust.warehouses.days import DayColumns, DayCount, DayRecord, count_days
from dashboard_trust.warehouses.duckdb import DuckDBSession, DuckDBWarehouse
from dashboard_trust.warehouses.fingerprints import fingerprint
from dashboard_trust.warehouses.parts import fingerprint_by_day

NAME, TOLD_BY = "raw.payments", DayColumns("paid_at", "_airbyte_extracted_at")
FIRST, NOW = dt.date(2024, 1, 1), dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
COMPARE_ALL = dt.timedelta(hours=24)
MAKE = """
    CREATE TABLE raw.payments AS SELECT n AS id, n % 1013 AS customer, 'word ' || hash(n) % 10007 AS word,
        (n % 100000)::DOUBLE / 100 AS amount, n % 3 = 0 AS refunded,
        TIMESTAMPTZ '{first} 00:00:00+00' + to_seconds(n * 86400 * {days} // {rows}) AS paid_at,
        TIMESTAMPTZ '{first} 06:00:00+00' + to_days(CAST(n * {days} // {rows} AS INT)) AS _airbyte_extracted_at
    FROM range({rows}) AS r(n)
"""
CHANGE = """
    UPDATE raw.payments SET amount = amount + 1, _airbyte_extracted_at = TIMESTAMPTZ '2026-12-31 00:00:00+00'
    WHERE paid_at >= TIMESTAMPTZ '{day} 00:00:00+00' AND paid_at < TIMESTAMPTZ '{day} 00:00:00+00' + INTERVAL 1 DAY
"""


def count(session: DuckDBSession, known: DayRecord | None) -> DayCount:
    return count_days(session, NAME, TOLD_BY, now=NOW, known=known, compare_all=COMPARE_ALL)


def measure(ways: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Return the median time of each way in milliseconds; they take turns, after one round to warm up."""
    took: dict[str, list[float]] = {name: [] for name in ways}
    for n in range(repeats + 1):
        for name, act in ways.items():
            start = time.perf_counter()
            act()
            if n:
                took[name].append((time.perf_counter() - start) * 1000)
    return {name: statistics.median(times) for name, times in took.items()}


def run(session: DuckDBSession, rows: int, days: int, repeats: int) -> None:
    session.connection.execute("CREATE SCHEMA raw")
    session.connection.execute(MAKE.format(first=FIRST, days=days, rows=rows))
    before = count(session, None)
    session.connection.execute(CHANGE.format(day=FIRST + dt.timedelta(days=days // 3)))
    session.connection.execute("CHECKPOINT")
    after = count(session, before.record)
    assert not after.reason
    assert after.days == fingerprint_by_day(session, NAME, "paid_at")
    assert after.whole == fingerprint(session, NAME)
    took = measure(
        {
            "the whole table alone, one scan": lambda: fingerprint(session, NAME),
            "the whole table and each day, one scan (full)": lambda: count(session, None),
            "the same in two scans": lambda: (fingerprint(session, NAME), fingerprint_by_day(session, NAME, "paid_at")),
            "a day changed (incremental)": lambda: count(session, before.record),
            "nothing changed (incremental)": lambda: count(session, after.record),
        },
        repeats,
    )
    size = len(json.dumps(after.record.dump())), len(json.dumps({d: f.version for d, f in after.days.items()}))
    print(f"{rows:,} rows, {len(after.days)} days; days looked at: {len(after.looked_at)} of one changed, and the last")
    unit = next(iter(took.values()))
    for name, milliseconds in took.items():
        print(f"{name:<52}{milliseconds:>9.1f} ms {milliseconds / unit:>7.3f} x")
    print(f"kept with the load: versions {size[1] / 1024:.0f} KiB, record {size[0] / 1024:.0f} KiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--days", type=int, default=730)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        DuckDBWarehouse(Path(folder, "warehouse.duckdb")).session("the benchmark") as session,
    ):
        run(session, given.rows, given.days, given.repeats)


if __name__ == "__main__":
    main()
