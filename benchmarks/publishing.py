"""Five tables of 10 million rows and 10 columns published together on DuckDB, against plain `CREATE TABLE AS`.

``python benchmarks/publishing.py [--rows N] [--tables 5] [--days 400] [--repeats 3]``

In every round, in an order that turns: the same rows by CREATE TABLE AS, all tables in one transaction, which is what
the ratios are to; a first publication; a republication in which every row of every table is another; one in which a
day of each table is; and one of the same rows again. What was replaced is kept. Fingerprints are counted before: a
build counts its own.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from sqlglot import exp, parse_one
from writes import MAKE

from dashboard_trust.publication.swap import Destination, publish
from dashboard_trust.publication.tables import Expected, PublishedTable, Slices
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse
from dashboard_trust.warehouses.parts import fingerprint_parts
from dashboard_trust.warehouses.session import Session, column

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
FIRST = dt.date(2025, 1, 1)
COLUMNS = "id, a, b, x, y, word, amount, flag, moment"


class Shop:
    """A warehouse with marts of which there are two builds, and one dashboard."""

    def __init__(self, folder: Path, rows: int, tables: int, days: int) -> None:
        self.warehouse = DuckDBWarehouse(folder / "warehouse.duckdb")
        self.destination = Destination("dash", self.warehouse, folder / "site", lambda _: "page")
        self.rows, self.tables = rows, tables
        self.days = [str(FIRST + dt.timedelta(days=n)) for n in range(days)]
        self.expected: dict[int, Expected] = {}

    def build(self, version: int) -> None:
        """Build the marts, rows of one day together, and fingerprint each day."""
        per_day = -(-self.rows // len(self.days))
        numbers = COLUMNS.replace("x,", f"x + {version} AS x,")
        with self.warehouse.session("build") as session:
            session.query(parse_one(f"CREATE SCHEMA build{version}"))
            for n in range(self.tables):
                session.connection.execute(
                    f"CREATE TABLE build{version}.t{n} AS SELECT DATE '{FIRST}' + (id // {per_day})::INT AS day,"
                    f" {numbers} FROM ({MAKE.format(day='2026-01-02', rows=self.rows)})"
                )
            self.expected[version] = self._fingerprints(session, self.slices(version, self.days))

    def slices(self, version: int, days: list[str]) -> Slices:
        parts = {day: column("day").eq(exp.cast(exp.convert(day), "DATE")) for day in days}
        return {PublishedTable(f"build{version}.t{n}", f"published.t{n}"): parts for n in range(self.tables)}

    def publish(self, version: int, days: list[str]) -> None:
        publish(self.destination, self.slices(version, days), self.expected[version], NOW)

    def copy(self) -> None:
        """The same rows by CREATE TABLE AS."""
        with self.warehouse.session("copy") as session, session.transaction():
            session.query(parse_one("CREATE SCHEMA copied"))
            for n in range(self.tables):
                session.query(parse_one(f"CREATE TABLE copied.t{n} AS SELECT * FROM build0.t{n}"))

    def drop(self, *schemas: str) -> None:
        with self.warehouse.session("drop") as session:
            for schema in schemas:
                session.query(parse_one(f"DROP SCHEMA IF EXISTS {schema} CASCADE"))

    @staticmethod
    def _fingerprints(session: Session, slices: Slices) -> Expected:
        return {
            (table.source, part): found
            for table, parts in slices.items()
            for part, found in fingerprint_parts(session, table.source, parts).items()
        }


def take(act: Callable[[], None]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def measure(shop: Shop) -> Mapping[str, float]:
    """Return the seconds of everything that is published, one after the other, on an empty published layer."""
    took = {"first publication": take(lambda: shop.publish(0, shop.days))}
    took["the same again"] = take(lambda: shop.publish(0, shop.days))
    took["one day of each table"] = take(lambda: shop.publish(1, shop.days[-1:]))
    took["every row of every table"] = take(lambda: shop.publish(1, shop.days))
    shop.drop("published", "trust_history", "trust")
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--tables", type=int, default=5)
    parser.add_argument("--days", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder), asked.rows, asked.tables, asked.days)
        for version in (0, 1):
            shop.build(version)

        def copy() -> Mapping[str, float]:
            took = take(shop.copy)
            shop.drop("copied")
            return {"CREATE TABLE AS": took}

        def publications() -> Mapping[str, float]:
            return measure(shop)

        for n in range(asked.repeats):
            for act in (copy, publications) if n % 2 else (publications, copy):
                for name, seconds in act().items():
                    found.setdefault(name, []).append(seconds)
    unit = statistics.median(found["CREATE TABLE AS"])
    print(f"{asked.tables} tables of {asked.rows} rows and {asked.days} days, medians of {asked.repeats}")
    for name in sorted(found, key=lambda name: name != "CREATE TABLE AS"):
        took = found[name]
        print(
            f"{name:<26}{statistics.median(took):>8.2f} s ({min(took):.2f} to {max(took):.2f})"
            f"{statistics.median(took) / unit:>7.2f} x CREATE TABLE AS"
        )


if __name__ == "__main__":
    main()
