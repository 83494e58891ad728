from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import pytest

from dashboard_trust.publication.swap import Destination
from dashboard_trust.publication.tables import PublishedTable
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

REVENUE = PublishedTable("marts.revenue_daily", "published.revenue_daily")
PIPELINE = PublishedTable("marts.pipeline_daily", "published.pipeline_daily")
DAY = dt.date(2026, 11, 20)
EARLIER = DAY - dt.timedelta(days=1)


def render(connection: duckdb.DuckDBPyConnection) -> str:
    return str(connection.execute("SELECT * FROM published.revenue_daily ORDER BY ALL").fetchall())


@dataclass(frozen=True)
class Shop:
    """A warehouse with two marts of two days, and a site."""

    home: Path
    both: Mapping = field(default_factory=lambda: {REVENUE: [DAY], PIPELINE: [DAY]})

    @property
    def warehouse(self) -> DuckDBWarehouse:
        return DuckDBWarehouse(self.home / "warehouse.duckdb")

    @property
    def destination(self) -> Destination:
        return Destination("daily_revenue", self.warehouse, self.home / "site", render)

    def run(self, *statements: str) -> list:
        with self.warehouse.connect("test") as connection:
            rows = [connection.execute(statement).fetchall() for statement in statements]
        return rows[-1]

    def seen(self) -> tuple[list, list, list, str]:
        """What readers see, and what the log says."""
        tables = [self.run(f"SELECT * FROM {t.target} ORDER BY ALL") for t in (REVENUE, PIPELINE)]
        log = self.run("SELECT number, release, epoch_us(published_at) FROM trust.publish_log ORDER BY ALL")
        return (*tables, log, (self.home / "site" / "current" / "index.html").read_text())


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path / "home")
    shop.home.mkdir()
    shop.run(
        "CREATE SCHEMA marts",
        "CREATE TABLE marts.revenue_daily (report_date DATE, net_revenue DECIMAL(18,2), orders BIGINT)",
        "CREATE TABLE marts.pipeline_daily (report_date DATE, stage VARCHAR, amount DECIMAL(18,2))",
        f"INSERT INTO marts.revenue_daily VALUES ('{EARLIER}', 90.50, 3), ('{DAY}', 100.10, 4)",
        f"INSERT INTO marts.pipeline_daily VALUES ('{EARLIER}', 'won', 5.00), ('{DAY}', 'won', 7.00)",
        f"INSERT INTO marts.pipeline_daily VALUES ('{DAY}', 'lead', 1)",
    )
    return shop
