"""A dashboard in a few lines: its tables are published by the partitions that its verdicts let through."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest
from sqlglot import parse_one

from dashboard_trust import (
    DashboardContract,
    Destination,
    PublishedTable,
    Publisher,
    Section,
    fingerprinted,
    readiness_writer,
    trust,
    trusted_dashboard,
)
from dashboard_trust.enforcement.gated_assets import gates
from dashboard_trust.enforcement.slices import PARTITION_EXPR
from dashboard_trust.publication.journal import read_publications
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

DAYS = dg.DailyPartitionsDefinition("2024-03-03", end_date="2024-03-24")
WEEKS = dg.WeeklyPartitionsDefinition("2024-03-03", end_date="2024-03-24")
FIRST, SECOND = "2024-03-03", "2024-03-04"
TABLES = {
    "marts/sales": PublishedTable("marts.sales", "published.sales"),
    "marts/costs": PublishedTable("marts.costs", "published.costs"),
}


class Shop:
    """Two marts of days, and a dashboard on both."""

    def __init__(self, folder, run, *, partitions=DAYS, tables=TABLES, deps=tuple(TABLES), sections=(), whole=False):
        self.warehouse, self._run, self.bad = DuckDBWarehouse(folder / "warehouse.duckdb"), run, set()
        self.amount = 10
        with self.warehouse.connect("test") as connection:
            connection.execute("CREATE SCHEMA marts")
        marts = [fingerprinted(self.mart(name, whole), lambda: self.warehouse) for name in ("sales", "costs")]
        self.contract = DashboardContract("dash", "team:dash", sections=sections)
        publisher = Publisher(lambda: Destination("dash", self.warehouse), tables)
        dashboard = trusted_dashboard(self.contract, publisher, deps=deps, partitions_def=partitions)
        self.defs = trust(dg.Definitions([*marts, dashboard]))

    def mart(self, name, whole):
        check = dg.AssetCheckSpec("right", asset=["marts", name], partitions_def=None if whole else DAYS)
        options = {} if whole else {"partitions_def": DAYS, "backfill_policy": dg.BackfillPolicy.multi_run(1)}

        @dg.asset(key=["marts", name], metadata={PARTITION_EXPR: "day"}, check_specs=[check], **options)
        def built(context):
            day = FIRST if whole else context.partition_key
            with self.warehouse.connect("building") as connection:
                connection.execute(f"CREATE TABLE IF NOT EXISTS marts.{name} (day DATE, amount BIGINT)")
                connection.execute(f"DELETE FROM marts.{name} WHERE day = ?", [day])
                connection.execute(f"INSERT INTO marts.{name} VALUES (?, ?)", [day, self.amount])
            passed = (name, day) not in self.bad
            yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=passed, check_name="right")])

        return built

    def build(self, *days, names=("sales", "costs")):
        for day in days:
            self._run(self.defs, *(f"marts/{name}" for name in names), day=day)

    def publish(self, day=None, to=None):
        return self._run(self.defs, "dash", day=day, to=to)

    def shown(self, name="sales"):
        with self.warehouse.session("test") as session:
            if session.columns(f"published.{name}") is None:
                return []
            rows = session.query(parse_one(f"SELECT day, amount FROM published.{name} ORDER BY day"))
            return [(str(day), amount) for day, amount in rows]


@pytest.fixture
def make_shop(tmp_path, run):
    return lambda **options: Shop(tmp_path, run, **options)


def error_of(result):
    (event,) = [event for event in result.all_events if event.is_step_failure]
    error = event.step_failure_data.error
    return (error.cause or error).message


def test_of_a_held_day_nothing_is_published(make_shop):
    shop = make_shop()
    shop.bad.add(("sales", SECOND))
    shop.build(FIRST, SECOND)

    assert not shop.publish(FIRST, to=SECOND).success
    assert shop.shown() == shop.shown("costs") == [(FIRST, 10)]


def test_a_mart_that_changed_after_its_check_is_published_nowhere(make_shop):
    shop = make_shop()
    shop.build(FIRST)
    with shop.warehouse.connect("test") as connection:
        connection.execute("UPDATE marts.costs SET amount = 11")
    result = shop.publish(FIRST)

    assert "marts.costs for 2024-03-03 is not what was checked" in error_of(result)
    assert shop.shown() == shop.shown("costs") == []


def test_a_table_that_is_no_direct_input_is_refused(make_shop):
    shop = make_shop(deps=["marts/sales"])
    shop.build(FIRST)

    assert "'marts/costs' is published, but is no direct input of dash" in error_of(shop.publish(FIRST))
    assert shop.shown() == []


def test_both_tables_are_published_of_the_day_alone(make_shop):
    shop = make_shop()
    shop.build(FIRST, SECOND)
    result = shop.publish(FIRST)

    assert result.success
    assert shop.shown() == shop.shown("costs") == [(FIRST, 10)]
    (loaded,) = result.asset_materializations_for_node("dash")
    assert loaded.metadata["version"].value == 1


@pytest.mark.long
def test_a_week_is_published_with_all_of_its_days(make_shop):
    shop, week = make_shop(partitions=WEEKS), [str(dt.date(2024, 3, day)) for day in range(3, 10)]
    shop.build(*week, "2024-03-10")

    assert shop.publish(FIRST).success
    assert shop.shown() == [(day, 10) for day in week]


@pytest.mark.long
def test_a_dashboard_without_partitions_publishes_all_that_it_stands_on(make_shop):
    shop = make_shop(partitions=None)
    shop.build(*DAYS.get_partition_keys())

    assert shop.publish().success
    assert len(shop.shown()) == 21


def test_tables_without_partitions_are_published_whole(make_shop):
    shop = make_shop(partitions=None, whole=True)
    shop.build(None)

    assert shop.publish().success
    assert shop.shown() == [(FIRST, 10)]


@pytest.mark.parametrize("built", [("sales", "costs"), ("sales",)], ids=["failed", "never built"])
def test_what_only_an_unmet_section_shows_stays_as_readers_have_it(make_shop, built):
    sections = (Section("sales", "Sales", ("marts/sales",)), Section("costs", "Costs", ("marts/costs",), "label"))
    shop = make_shop(sections=sections)
    shop.build(FIRST)
    shop.publish(FIRST)
    shop.bad.add(("costs", SECOND))
    shop.build(SECOND, names=built)

    assert shop.publish(SECOND).success
    assert (shop.shown(), shop.shown("costs")) == ([(FIRST, 10), (SECOND, 10)], [(FIRST, 10)])


def test_how_it_stands_is_a_row_per_partition(make_shop, instance):
    shop = make_shop()
    shop.bad.add(("sales", SECOND))
    shop.build(FIRST, SECOND)
    shop.publish(FIRST)
    gate, now = gates(shop.defs)[dg.AssetKey("dash")], dt.datetime.now(dt.UTC)
    say = readiness_writer(shop.contract, lambda: shop.warehouse)
    for _ in range(2):
        say(instance, list(gate.judge(instance, [FIRST, SECOND], now).values()))
    with shop.warehouse.session("test") as session:
        said = session.query(parse_one("SELECT * FROM trust.readiness ORDER BY partition_key"))

    assert [row[:3] for row in said] == [("dash", FIRST, "READY"), ("dash", SECOND, "BLOCKED")]
    assert "marts/sales" in said[1][3]
    assert {row[4] for row in said} == {"team:dash"}


def test_what_was_published_is_a_version_that_can_be_read(make_shop):
    shop = make_shop()
    shop.build(FIRST)
    shop.publish(FIRST)
    shop.amount = 20
    shop.build(FIRST)
    shop.publish(FIRST)

    with shop.warehouse.session("test") as session:
        assert [publication.number for publication in read_publications(session, "dash")] == [2, 1]
