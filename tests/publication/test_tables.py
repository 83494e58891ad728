from __future__ import annotations

from dataclasses import replace

import pytest
from sqlglot import exp

from dashboard_trust.errors import PublicationError
from dashboard_trust.publication.history import history_of
from dashboard_trust.publication.tables import PublishedTable
from dashboard_trust.warehouses.session import column, table

REVENUE = PublishedTable("marts.revenue_daily", "published.revenue_daily")
DAY, EARLIER = "2026-11-20", "2026-11-19"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("RENAME COLUMN net_revenue TO revenue", "net_revenue is missing; revenue is new"),
        ("ADD COLUMN margin DOUBLE", "margin is new"),
        ("DROP COLUMN orders", "orders is missing"),
        ("ALTER orders TYPE DOUBLE", "orders is (DOUBLE|double precision) instead of (BIGINT|bigint)"),
    ],
    ids=["renamed", "new", "missing", "another type"],
)
def test_columns_that_differ_are_named_and_nothing_is_written(shop, change, message):
    shop.publish()
    before = shop.seen()
    shop.run(f"ALTER TABLE marts.revenue_daily {change}")

    with pytest.raises(PublicationError, match=message):
        shop.publish()

    assert shop.seen() == before


def test_columns_in_another_order_are_the_same_columns(shop):
    shop.publish()
    shop.run(
        "CREATE TABLE marts.turned AS SELECT orders + 1 AS orders, net_revenue, report_date FROM marts.revenue_daily",
        "DROP TABLE marts.revenue_daily",
        "ALTER TABLE marts.turned RENAME TO revenue_daily",
    )

    assert shop.publish().changed
    published = shop.run("SELECT orders, net_revenue, report_date FROM published.revenue_daily")
    assert published == shop.run(
        f"SELECT orders, net_revenue, report_date FROM marts.revenue_daily WHERE report_date = DATE '{DAY}'"
    )


def test_a_mart_that_does_not_exist_is_named(shop):
    missing = PublishedTable("marts.nowhere", "published.nowhere")

    with pytest.raises(PublicationError, match=r"marts\.nowhere does not exist"):
        shop.publish({missing: shop.days(DAY)[REVENUE]}, {})


def test_odd_names_are_quoted(shop):
    odd = PublishedTable('marts."order ""items"""', 'published."Order ""Items"""')
    create = exp.select(exp.convert(1).as_('the "select"', quoted=True), exp.convert("it's").as_("from", quoted=True))
    with shop.warehouse.session("test") as session:
        session.query(exp.Create(this=table(odd.source), kind="TABLE", expression=create))
    slices = {odd: {"it's 1": column('the "select"').eq(1)}}
    whole = replace(shop.destination, render=lambda _: "")

    assert shop.publish(slices, to=whole).parts == ("it's 1",)
    with shop.warehouse.session("test") as session:
        session.query(exp.update(table(odd.source), {'"from"': exp.convert("x")}))
    assert shop.publish(slices, to=whole).number == 2
    assert shop.roll_back(of=whole).number == 3
    with shop.warehouse.session("test") as session:
        assert session.query(exp.select("*").from_(table(odd.target))) == [(1, "it's")]


def test_no_two_tables_share_what_is_kept_of_them():
    names = ["a.b", "a_.b", "a._b", "a__b.c", "a.b__c", "a___b.c", "a__b._c", f"{'x' * 40}.{'y' * 40}"]
    names.append(f"{'x' * 40}.{'y' * 40}z")
    kept = [history_of(name) for name in names]

    assert len(set(kept)) == len(names)
    assert all(len(table(name).name.encode()) <= 63 for name in kept)
    assert kept[0] == 'trust_history."a__b"' or kept[0] == '"trust_history"."a__b"'
