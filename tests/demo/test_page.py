from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from pathlib import Path

import duckdb
import pytest

from dashboard_trust.demo.page import render_page
from dashboard_trust.errors import PublicationError
from dashboard_trust.warehouses.duckdb import DuckDBSession, DuckDBWarehouse

DAY = dt.date(2026, 11, 20)


@pytest.fixture
def connection(tmp_path: Path):
    with DuckDBWarehouse(tmp_path / "warehouse.duckdb").connect("test") as connection:
        connection.execute("CREATE SCHEMA published")
        connection.execute(
            "CREATE TABLE published.revenue_daily AS SELECT (DATE '2026-10-31' + n::INT) AS report_date,"
            " (12000.10 + n * 50)::DECIMAL(18,2) AS gross_revenue, 100.05::DECIMAL(18,2) AS refunds,"
            " gross_revenue - refunds AS net_revenue, 40 + n AS orders FROM range(21) AS days(n)"
        )
        connection.execute(
            "CREATE TABLE published.pipeline_daily"
            " (report_date DATE, stage VARCHAR, opportunities BIGINT, amount DECIMAL(18,2))"
        )
        yield connection


def add_pipeline(connection: duckdb.DuckDBPyConnection, day: dt.date) -> None:
    connection.execute(
        "INSERT INTO published.pipeline_daily VALUES (?, 'won', 2, 900.5), (?, 'lead', 7, 12000), (?, '<b>', 1, 1)",
        [day, day, day],
    )


def label(page: str) -> str | None:
    found = re.search(r'id="pipeline-label">(.*?)<', page)
    return found and found[1]


def test_a_section_of_an_earlier_day_never_goes_without_its_label(connection):
    assert (
        label(render_page(DuckDBSession(connection)))
        == "Pipeline: not shown, no file has arrived for 20 November 2026 or before."
    )

    add_pipeline(connection, DAY - dt.timedelta(days=1))
    assert label(render_page(DuckDBSession(connection))) == (
        "Pipeline: shown as of 19 November 2026; the file for 20 November 2026 has not arrived,"
        " or has not passed its checks."
    )

    add_pipeline(connection, DAY)
    page = render_page(DuckDBSession(connection))
    assert label(page) is None
    assert 'id="pipeline" data-day="2026-11-20"' in page


def test_a_missing_pipeline_table_is_a_label_and_not_an_error(connection):
    connection.execute("DROP TABLE published.pipeline_daily")

    assert "not shown" in (label(render_page(DuckDBSession(connection))) or "")


def test_the_figures_are_exact_and_without_separators(connection):
    connection.execute(
        "INSERT INTO published.revenue_daily VALUES ('2026-11-21', 123456789012345.65, 5, 123456789012340.65, 3)"
    )

    assert 'id="net-revenue" data-day="2026-11-21">123456789012340.65<' in render_page(DuckDBSession(connection))


def test_the_same_tables_give_the_same_bytes(connection):
    add_pipeline(connection, DAY)

    assert render_page(DuckDBSession(connection)) == render_page(DuckDBSession(connection))


def test_what_came_with_the_data_is_text_and_not_markup(connection):
    add_pipeline(connection, DAY)
    page = render_page(DuckDBSession(connection))

    assert "&lt;b&gt;" in page
    assert "<b>" not in page.lower()


def test_nothing_published_is_an_error_that_says_so(connection):
    connection.execute("DELETE FROM published.revenue_daily")
    with pytest.raises(PublicationError, match=r"published\.revenue_daily holds no day"):
        render_page(DuckDBSession(connection))

    connection.execute("DROP TABLE published.revenue_daily")
    with pytest.raises(PublicationError, match=r"published\.revenue_daily holds no day"):
        render_page(DuckDBSession(connection))


def test_a_loss_and_a_gap_are_shown_as_they_are(connection):
    connection.execute("INSERT INTO published.revenue_daily VALUES ('2026-11-22', 10, 20.5, -10.50, 1)")

    page = render_page(DuckDBSession(connection))

    assert 'data-day="2026-11-22">-10.50<' in page
    assert "on the day before" not in page


def test_the_page_asks_for_nothing_but_the_readiness_file(connection):
    page = render_page(DuckDBSession(connection))
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', page)[1]
    inline = re.search(r"<script>(.*?)</script>", page, re.DOTALL)[1]

    assert re.findall(r'src="(.*?)"', page) == ["../readiness.js"]
    assert not re.findall(r"<link|<img|<iframe|@import|url\(http", page)
    assert "default-src &#39;none&#39;" in policy
    assert base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode() in policy.replace("&#43;", "+")
