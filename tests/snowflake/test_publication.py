"""Two tables and a page, published on Snowflake together or not at all."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from sqlglot import exp, parse_one

from dashboard_trust.errors import EvidenceMovedError, PublicationError
from dashboard_trust.publication.journal import read_publications
from dashboard_trust.publication.rollback import roll_back
from dashboard_trust.publication.swap import Destination, publish
from dashboard_trust.publication.tables import PublishedTable
from dashboard_trust.warehouses.parts import fingerprint_parts
from dashboard_trust.warehouses.session import column

REVENUE = PublishedTable("marts.revenue_daily", "published.revenue_daily")
PIPELINE = PublishedTable("marts.pipeline_daily", "published.pipeline_daily")
DAY, EARLIER = "2026-11-20", "2026-11-19"
NOON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


class Shop:
    """Two marts as dbt makes them on Snowflake, in capitals, and a site."""

    def __init__(self, warehouse, do, site):
        self.warehouse, self._do, self.site = warehouse, do, site
        self._minutes = itertools.count()
        self.run(
            "CREATE SCHEMA marts",
            "CREATE TABLE marts.revenue_daily (report_date DATE, net_revenue NUMBER(18, 2), orders INT)",
            "CREATE TABLE marts.pipeline_daily (report_date DATE, stage VARCHAR, amount NUMBER(18, 2))",
            f"INSERT INTO marts.revenue_daily VALUES ('{EARLIER}', 90.50, 3), ('{DAY}', 100.10, 4)",
            f"INSERT INTO marts.pipeline_daily VALUES ('{EARLIER}', 'won', 5.00), ('{DAY}', 'won', 7.00)",
            f"INSERT INTO marts.pipeline_daily VALUES ('{DAY}', 'lead', 1)",
        )

    @property
    def destination(self):
        return Destination("daily_revenue", self.warehouse, self.site, self.render)

    @staticmethod
    def render(session):
        return str(session.query(parse_one("SELECT * FROM published.revenue_daily ORDER BY 1, 2, 3")))

    def run(self, *statements):
        with self.warehouse.session("test") as session:
            return self._do(session, *statements)

    def slices(self, *days):
        where = {day: column("REPORT_DATE").eq(exp.cast(exp.convert(day), "DATE")) for day in days}
        return {REVENUE: where, PIPELINE: where}

    def checked(self, *days):
        with self.warehouse.session("test") as session:
            return {
                (table.source, part): found
                for table, parts in self.slices(*days).items()
                for part, found in fingerprint_parts(session, table.source, parts).items()
            }

    def publish(self, *days, expected=None, **options):
        checked = self.checked(*days) if expected is None else expected
        return publish(self.destination, self.slices(*days), checked, self._now(), **options)

    def roll_back(self, **options):
        return roll_back(self.destination, self._now(), **options)

    def set(self, amount):
        self.run(
            f"UPDATE marts.revenue_daily SET net_revenue = {amount} WHERE report_date = '{DAY}'",
            f"UPDATE marts.pipeline_daily SET amount = {amount} WHERE report_date = '{DAY}'",
        )

    def shown(self):
        tables = [self.run(f'SELECT * FROM "published"."{name}" ORDER BY 1, 2, 3') for name in TABLES]
        return [*tables, (self.site / "current" / "index.html").read_text()]

    def versions(self):
        with self.warehouse.session("test") as session:
            return [found.number for found in read_publications(session, "daily_revenue")]

    def _now(self):
        return NOON + dt.timedelta(minutes=next(self._minutes))


TABLES = ("revenue_daily", "pipeline_daily")


@pytest.fixture
def shop(warehouse, do, tmp_path):
    return Shop(warehouse, do, tmp_path / "site")


@pytest.fixture
def published(shop):
    assert shop.publish(EARLIER, DAY).number == 1
    return shop


def test_a_mart_that_moved_after_its_check_is_published_nowhere(published):
    before = published.shown()
    published.set(1)
    expected = published.checked(DAY)
    published.run(f"UPDATE marts.pipeline_daily SET amount = 2 WHERE report_date = '{DAY}'")

    with pytest.raises(PublicationError, match=r"pipeline_daily for 2026-11-20 is not what was checked"):
        published.publish(DAY, expected=expected)

    assert published.shown() == before
    assert published.versions() == [1]


def test_what_is_withdrawn_before_the_commit_is_published_nowhere(published):
    before = published.shown()
    published.set(1)

    def withdraw():
        raise EvidenceMovedError("the evidence moved")

    with pytest.raises(EvidenceMovedError):
        published.publish(DAY, before_commit=withdraw)

    assert published.shown() == before
    assert published.versions() == [1]


def test_both_tables_and_the_page_are_seen_together(published):
    published.set(8)

    assert published.publish(DAY).number == 2

    revenue, pipeline, page = published.shown()
    assert [float(row[1]) for row in revenue] == [90.5, 8.0]
    assert sorted(float(row[2]) for row in pipeline) == [5.0, 8.0, 8.0]
    assert "8.00" in page
    assert not published.publish(DAY).changed
    assert published.versions() == [2, 1]


def test_a_rollback_puts_back_both_tables_and_the_page_and_can_be_taken_back(published):
    first = published.shown()
    published.set(8)
    published.publish(DAY)
    second = published.shown()

    assert published.roll_back().restores == 1
    assert published.shown() == first
    assert published.roll_back(to=2).restores == 2
    assert published.shown() == second
    assert published.versions() == [4, 3, 2, 1]
