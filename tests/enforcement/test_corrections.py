"""A payment that arrives three days late: its day is built, checked and published once more, and that is said."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from dashboard_trust.cli.explanations import describe_explanation, read_explanation
from dashboard_trust.contracts.model import DashboardContract, Section
from dashboard_trust.contracts.row_rules import Range
from dashboard_trust.contracts.table_rules import TableRules
from dashboard_trust.enforcement.automation import RANGE_END, RANGE_START, inputs_ready, is_proposed, readiness_sensor
from dashboard_trust.enforcement.fingerprinted_assets import fingerprinted
from dashboard_trust.enforcement.gated_assets import gates, trust, trusted, trusted_dashboard
from dashboard_trust.evidence.names import CORRECTED, SLICES, TIME_COLUMN
from dashboard_trust.publication.publisher import Publisher
from dashboard_trust.publication.states import readiness_writer
from dashboard_trust.publication.swap import Destination
from dashboard_trust.publication.tables import PublishedTable
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

FIRST, LATE, LAST = "2026-01-01", "2026-01-17", "2026-01-20"
LONG_AGO = "2026-01-02"
PARTITIONS = dg.DailyPartitionsDefinition(FIRST, end_date="2026-01-21")
pytestmark = pytest.mark.long


class Shop:
    """raw.payments (a table with days) → marts.sales by day, checked → a dashboard that publishes it; all by itself."""

    def __init__(self, path, instance, run, late_inputs="rerun"):
        self.warehouse, self.instance, self._run = DuckDBWarehouse(path / "shop.duckdb"), instance, run
        self.to_do, self.built, self.cursors, self.asked = [], [], {}, []
        for statement in (
            "CREATE SCHEMA raw",
            "CREATE SCHEMA marts",
            "CREATE TABLE raw.payments (id INT, paid_at DATE, amount INT)",
            "CREATE TABLE marts.sales (day DATE, amount INT)",
            "INSERT INTO raw.payments SELECT n, DATE '2026-01-01' + CAST(n AS INT), 10 FROM range(20) AS days(n)",
        ):
            self.sql(statement)
        contract = DashboardContract(
            "dash",
            "team:dash",
            late_inputs=late_inputs,
            tables=(TableRules("marts/sales", (Range("amount", min=0),)),),
        )
        publisher = Publisher(
            lambda: Destination("dash", self.warehouse),
            {"marts/sales": PublishedTable("marts.sales", "published.sales")},
        )
        dash = trusted_dashboard(contract, publisher, deps=["marts/sales"], partitions_def=PARTITIONS)
        self.sensor = readiness_sensor(dash, evaluated=readiness_writer(contract, lambda: self.warehouse))
        mart = trusted(fingerprinted(self._sales(), lambda: self.warehouse), owner="team:sales")
        raw = fingerprinted(self._payments(), lambda: self.warehouse)
        defs = dg.Definitions([raw, mart, dash], sensors=[self.sensor])
        self.defs = trust(defs, warehouse=lambda: self.warehouse)

    def sql(self, statement):
        with self.warehouse.connect("test") as connection:
            return connection.execute(statement).fetchall()

    def run(self, *assets, **options):
        return self._run(self.defs, *assets, **options).success

    def pay(self, day, amount):
        """A payment arrives, and with the next sync is loaded."""
        self.to_do.append(f"INSERT INTO raw.payments VALUES (99, DATE '{day}', {amount})")
        assert self.run("raw/payments")

    def settle(self, ticks=4):
        """Tick the daemon's condition and sensor, and run what they ask for, until nothing more is asked for."""
        begun = len(self.asked)
        for _ in range(ticks):
            found = dg.evaluate_automation_conditions(self.defs, self.instance, cursor=self.cursors.get("models"))
            self.cursors["models"] = found.cursor
            for day in sorted(found.get_requested_partitions(dg.AssetKey(["marts", "sales"]))):
                self.asked.append(("marts/sales", day, day))
                self.run("marts/sales", day=day)  # which fails with a check of its own
            context = dg.build_sensor_context(self.instance, cursor=self.cursors.get("dash"), definitions=self.defs)
            data = self.sensor.evaluate_tick(context)
            self.cursors["dash"], self.reason = data.cursor, data.skip_message
            for one in data.run_requests:
                stretch = (one.tags.get(RANGE_START) or one.partition_key, one.tags.get(RANGE_END) or one.partition_key)
                self.asked.append(("dash", *stretch))
                assert self.run("dash", day=stretch[0], to=stretch[1])
        return self.asked[begun:]

    def published(self, day):
        return self.sql(f"SELECT sum(amount) FROM published.sales WHERE day = DATE '{day}'")[0][0]

    def explain(self, day):
        gate = gates(self.defs)[dg.AssetKey("dash")]
        return describe_explanation(read_explanation(gate, self.instance, [day], dt.datetime.now(dt.UTC)))

    def said(self, day):
        """What the newest materialization of a day's dashboard says of a correction."""
        asked = dg.AssetRecordsFilter(dg.AssetKey("dash"), asset_partitions=[day])
        metadata = self.instance.fetch_materializations(asked, limit=1).records[0].asset_materialization.metadata
        return metadata[CORRECTED].value if CORRECTED in metadata else ""

    def _payments(self):
        @dg.asset(key=["raw", "payments"], owners=["team:raw"], metadata={TIME_COLUMN: "paid_at"})
        def payments() -> None:
            while self.to_do:
                self.sql(self.to_do.pop(0))

        return payments

    def _sales(self):
        @dg.asset(
            key=["marts", "sales"],
            partitions_def=PARTITIONS,
            deps=[dg.AssetKey(["raw", "payments"])],
            metadata={SLICES: {"raw/payments": "paid_at"}, "partition_expr": "day"},
            backfill_policy=dg.BackfillPolicy.single_run(),
            automation_condition=inputs_ready(),
        )
        def sales(context) -> None:
            first, last = context.partition_key_range.start, context.partition_key_range.end
            self.built.append((first, last))
            days = f"BETWEEN DATE '{first}' AND DATE '{last}'"
            self.sql(f"DELETE FROM marts.sales WHERE day {days}")
            self.sql(f"INSERT INTO marts.sales SELECT paid_at, amount FROM raw.payments WHERE paid_at {days}")

        return sales

    def publish(self):
        """Load, build and publish everything there is; the daemon then finds nothing to do."""
        assert self.run("raw/payments")
        assert self.run("marts/sales", day=FIRST, to=LAST)
        assert self.run("dash", day=FIRST, to=LAST)
        assert self.settle(2) == []
        return self


@pytest.fixture
def shop(tmp_path, instance, run):
    return Shop(tmp_path, instance, run)


def test_a_payment_three_days_late_corrects_its_day_once_and_says_so(shop):
    shop.publish()
    assert shop.published(LATE) == 10
    shop.pay(LATE, 5)

    assert shop.settle() == [("marts/sales", LATE, LATE), ("dash", LATE, LATE)]
    assert shop.published(LATE) == 15
    assert shop.said(LATE).startswith("corrected on 20")
    assert f"because data of {LATE} in raw/payments came late, or changed (20" in shop.said(LATE)
    assert "; other figures were shown from 20" in shop.said(LATE)
    assert shop.explain(LATE)["corrected"] == shop.said(LATE)
    rows = dict(shop.sql("SELECT partition_key, message FROM trust.readiness"))
    assert rows[LATE] == shop.said(LATE)
    others = [day for day in PARTITIONS.get_partition_keys() if day != LATE]
    assert [day for day in others if shop.said(day)] == []


def test_one_that_comes_when_nobody_looks_at_its_day_any_more_does_too(shop):
    shop.publish()
    shop.pay(LONG_AGO, 7)

    assert shop.settle() == [("marts/sales", LONG_AGO, LONG_AGO), ("dash", LONG_AGO, LONG_AGO)]
    assert shop.published(LONG_AGO) == 17
    assert f"data of {LONG_AGO} in raw/payments came late" in shop.said(LONG_AGO)


def test_what_is_published_again_from_the_same_is_no_other_correction_and_the_old_one_stays_said(shop):
    shop.publish()
    assert shop.run("dash", day=LATE)
    assert shop.said(LATE) == ""

    shop.pay(LATE, 5)
    shop.settle()
    said = shop.said(LATE)
    assert shop.run("dash", day=LATE)
    assert shop.said(LATE) == said != ""


def test_a_correction_that_its_checks_refuse_is_not_published(shop):
    shop.publish()
    shop.pay(LATE, -50)

    assert shop.settle() == [("marts/sales", LATE, LATE)]
    assert shop.published(LATE) == 10
    assert shop.said(LATE) == ""
    assert shop.explain(LATE)["readiness"] == "BLOCKED"


def test_by_declaration_a_correction_is_only_proposed(tmp_path, instance, run):
    shop = Shop(tmp_path, instance, run, late_inputs="propose").publish()
    shop.pay(LATE, 5)

    assert shop.settle(1) == [("marts/sales", LATE, LATE)]
    assert shop.reason == f"to be corrected by a run of dash, which is yours to launch: {LATE}"
    assert shop.settle(2) == []
    assert (shop.published(LATE), shop.explain(LATE)["behind"]) == (10, [f"marts/sales {LATE}"])
    assert shop.explain(LATE)["next_steps"] == [f"Materialize dash {LATE}"]

    assert shop.run("dash", day=LATE)
    assert shop.published(LATE) == 15
    assert "raw/payments came late" in shop.said(LATE)


def test_a_week_is_corrected_where_a_day_of_a_partition_long_past_is_made_anew(instance, run):
    weeks = dg.WeeklyPartitionsDefinition("2025-06-01", end_date="2026-01-11")
    days = dg.DailyPartitionsDefinition("2025-06-01", end_date="2026-01-11")

    @dg.asset(partitions_def=days)
    def orders() -> None: ...

    contract = DashboardContract("weekly", "team:dash")
    weekly = trusted_dashboard(contract, lambda *_: None, deps=["orders"], partitions_def=weeks)
    sensor = readiness_sensor(weekly)
    defs = trust(dg.Definitions([orders, weekly], sensors=[sensor]))
    old, other = "2025-06-08", "2025-06-15"
    for week in (old, other):
        start = dt.date.fromisoformat(week)
        for n in range(7):
            assert run(defs, "orders", day=str(start + dt.timedelta(n))).success
        assert run(defs, "weekly", day=week).success
    cursor = None

    def tick():
        nonlocal cursor
        data = sensor.evaluate_tick(dg.build_sensor_context(instance, cursor=cursor, definitions=defs))
        cursor = data.cursor
        return [one.partition_key for one in data.run_requests]

    assert tick() == []
    assert run(defs, "orders", day="2025-06-10").success
    assert tick() == [old]
    assert tick() == []
    assert run(defs, "weekly", day=old).success
    assert tick() == []
    asked = dg.AssetRecordsFilter(dg.AssetKey("weekly"), asset_partitions=[old])
    said = instance.fetch_materializations(asked, limit=1).records[0].asset_materialization.metadata[CORRECTED].value
    assert "because orders 2025-06-10 was loaded on 20" in said


class Deals:
    """orders and deals by day → dash; a section of the deals may be labelled, and late inputs are left to a person."""

    def __init__(self, instance, run):
        self.instance, self._run = instance, run
        days = dg.DailyPartitionsDefinition(FIRST, end_date="2026-01-05")

        @dg.asset(partitions_def=days)
        def orders() -> None: ...

        @dg.asset(partitions_def=days)
        def deals() -> None: ...

        @dg.asset(name="dash", deps=[orders, deals], partitions_def=days)
        def dash() -> None: ...

        sections = (Section("orders", "Orders", ("orders",)), Section("deals", "Deals", ("deals",), "label"))
        contract = DashboardContract("dash", "team:dash", sections=sections, late_inputs="propose")
        self.defs = trust(dg.Definitions([orders, deals, dash]), [contract])
        self.gate = gates(self.defs)[dg.AssetKey("dash")]

    def run(self, *assets):
        assert self._run(self.defs, *assets, day=FIRST).success

    def is_proposed(self):
        return is_proposed(self.gate, self.gate.survey(self.instance, [FIRST], dt.datetime.now(dt.UTC))[FIRST])

    def said(self):
        asked = dg.AssetRecordsFilter(dg.AssetKey("dash"), asset_partitions=[FIRST])
        metadata = self.instance.fetch_materializations(asked, limit=1).records[0].asset_materialization.metadata
        return metadata[CORRECTED].value if CORRECTED in metadata else ""


def test_a_section_that_comes_late_completes_a_day_and_corrects_nothing(instance, run):
    deals = Deals(instance, run)
    deals.run("orders")
    deals.run("dash")
    deals.run("deals")

    assert not deals.is_proposed()
    deals.run("dash")
    assert deals.said() == ""


def test_a_dashboard_that_was_an_asset_already_says_its_corrections_too(instance, run):
    deals = Deals(instance, run)
    for assets in (["orders"], ["deals"], ["dash"], ["orders"]):
        deals.run(*assets)

    assert deals.is_proposed()
    deals.run("dash")
    assert f"because orders {FIRST} was loaded on 20" in deals.said()
