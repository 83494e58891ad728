from __future__ import annotations

import datetime as dt

import pytest

from dashboard_trust.errors import PublicationError
from dashboard_trust.publication.tables import PublishedTable, write_slices

REVENUE = PublishedTable("marts.revenue_daily", "published.revenue_daily")
DAY = dt.date(2026, 11, 20)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("RENAME net_revenue TO revenue", "net_revenue is missing; revenue is new"),
        ("ADD COLUMN margin DOUBLE", "margin is new"),
        ("DROP COLUMN orders", "orders is missing"),
        ("ALTER orders TYPE DOUBLE", "orders is DOUBLE instead of BIGINT"),
    ],
)
def test_columns_that_differ_are_named_and_nothing_is_written(shop, change, message):
    with shop.warehouse.connect("test") as connection:
        write_slices(connection, {REVENUE: [DAY]}, {})
        before = connection.execute("FROM published.revenue_daily").fetchall()
        connection.execute(f"ALTER TABLE marts.revenue_daily {change}")

        with pytest.raises(PublicationError, match=message):
            write_slices(connection, {REVENUE: [DAY]}, {})

        assert connection.execute("FROM published.revenue_daily").fetchall() == before


def test_columns_in_another_order_are_the_same_columns(shop):
    with shop.warehouse.connect("test") as connection:
        write_slices(connection, {REVENUE: [DAY]}, {})
        connection.execute(
            "CREATE OR REPLACE TABLE marts.revenue_daily AS"
            " SELECT orders + 1 AS orders, net_revenue, report_date FROM marts.revenue_daily"
        )

        (written,) = write_slices(connection, {REVENUE: [DAY]}, {})

        assert written.changed
        assert (
            connection.execute("SELECT orders, net_revenue FROM published.revenue_daily").fetchall()
            == (
                connection.execute(f"SELECT orders, net_revenue FROM marts.revenue_daily WHERE report_date = '{DAY}'")
            ).fetchall()
        )


def test_a_mart_that_does_not_exist_is_named(shop):
    missing = PublishedTable("marts.nowhere", "published.nowhere")
    with (
        shop.warehouse.connect("test") as connection,
        pytest.raises(PublicationError, match=r"marts\.nowhere does not exist"),
    ):
        write_slices(connection, {missing: [DAY]}, {})
