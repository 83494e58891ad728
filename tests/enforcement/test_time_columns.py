"""A table without partitions that has days: what a late change of one day does to what was published from it."""

from __future__ import annotations

import datetime as dt
import json

import dagster as dg
import pytest
import time_machine

from dashboard_trust.cli.standings import describe, read_standings
from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement import late_partitions
from dashboard_trust.enforcement.automation import RANGE_END, RANGE_START, inputs_ready, readiness_sensor
from dashboard_trust.enforcement.fingerprinted_assets import fingerprinted
from dashboard_trust.enforcement.gated_assets import gates, trust, trusted, trusted_dashboard
from dashboard_trust.enforcement.time_columns import COMPARE_ALL_HOURS, EXTRACTED_AT, LATE_DAYS, LOOKED_BACK
from dashboard_trust.enforcement.watch import FULL_LOOK
from dashboard_trust.enforcement.words import waive
from dashboard_trust.errors import ContractError, InvalidInputError
from dashboard_trust.evidence.names import CHANGED_DAYS, DAY_RECORD, DAYS, FINGERPRINT, SLICES, TIME_COLUMN
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse
from dashboard_trust.warehouses.fingerprints import fingerprint
from dashboard_trust.warehouses.parts import fingerprint_by_day

FIRST, LATE, OTHER, LAST = "2026-01-01", "2026-01-03", "2026-01-04", "2026-01-20"
PARTITIONS = dg.DailyPartitionsDefinition(FIRST, end_date="2026-01-21")
RAW = "raw/payments"
pytestmark = pytest.mark.long
DECLARED = {TIME_COLUMN: "paid_at", EXTRACTED_AT: "_airbyte_extracted_at"}


class Shop:
    """raw/payments (without partitions, one payment a day) → mart by day → dash; and direct, which reads raw itself."""

    def __init__(self, path, instance, run, declared=DECLARED) -> None:
        self.warehouse, self.instance, self._run = DuckDBWarehouse(path), instance, run
        self.to_do, self.broken, self.mart_broken, self.loads = [], False, False, 0
        self.sql("CREATE SCHEMA raw")
        self.sql("CREATE TABLE raw.payments (id INT, paid_at DATE, amount INT, _airbyte_extracted_at TIMESTAMPTZ)")
        self.to_do.append("SELECT n, DATE '2026-01-01' + CAST(n AS INT), 10, {now} FROM range(20) AS days(n)")
        contracts = [DashboardContract(key, f"team:{key}") for key in ("dash", "direct")]
        options = {"partitions_def": PARTITIONS}
        dash = trusted_dashboard(contracts[0], lambda *_: None, deps=["mart"], **options)
        options["metadata"] = {SLICES: {RAW: "paid_at"}}
        direct = trusted_dashboard(contracts[1], lambda *_: None, deps=[dg.AssetKey(["raw", "payments"])], **options)
        raw = fingerprinted(self._raw(declared), lambda: self.warehouse)
        self.defs = trust(dg.Definitions([raw, trusted(self._mart(), owner="team:mart"), dash, direct]))

    def sql(self, statement):
        with self.warehouse.connect("test") as connection:
            return connection.execute(statement).fetchall()

    def load(self, *inserted, ok=True):
        """Load rows (SELECTs of four columns, the last of which is {now}), or whatever statements these are."""
        self.to_do += inserted
        assert self._run(self.defs, RAW).success is ok
        return self.said()

    def change(self, day, amount=11, ok=True):
        """Load a payment of an earlier day anew."""
        number = (dt.date.fromisoformat(day) - dt.date.fromisoformat(FIRST)).days
        row = f"SELECT {number}, DATE '{day}', {amount}, {{now}}"
        return self.load(f"DELETE FROM raw.payments WHERE id = {number}", row, ok=ok)

    def publish(self):
        """Build and publish everything there is."""
        self.load()
        for asset in ("mart", "dash", "direct"):
            assert self._run(self.defs, asset, day=FIRST, to=LAST).success
        return self

    def run(self, *assets, day):
        return self._run(self.defs, *assets, day=day).success

    def said(self):
        """What the newest load says."""
        newest = self.instance.get_latest_materialization_event(dg.AssetKey(["raw", "payments"])).asset_materialization
        return {label: value.value for label, value in newest.metadata.items()}

    def standing(self, dashboard, day):
        gate = gates(self.defs)[dg.AssetKey(dashboard)]
        return read_standings(gate, self.instance, [day], dt.datetime.now(dt.UTC))[0]

    def findings(self, day):
        return self.standing("dash", day).verdict.findings

    def check(self):
        """What the newest load says is what a scan of everything says."""
        with self.warehouse.session("checking") as session:
            assert self.said()[FINGERPRINT] == str(fingerprint(session, "raw.payments"))
            days = fingerprint_by_day(session, "raw.payments", "paid_at")
        assert self.said()[DAYS] == {day: found.version for day, found in days.items()}

    def _raw(self, declared):
        @dg.asset(key=["raw", "payments"], owners=["team:raw"], metadata=declared)
        def payments() -> None:
            self.loads += 1
            now = f"TIMESTAMPTZ '2026-01-21 00:00:00+00' + INTERVAL {self.loads} HOUR"
            while self.to_do:
                statement = self.to_do.pop(0).format(now=now)
                self.sql(f"INSERT INTO raw.payments {statement}" if statement.startswith("SELECT") else statement)
            if self.broken:
                raise ValueError("the connection was lost")

        return payments

    def _mart(self):
        @dg.asset(
            partitions_def=PARTITIONS,
            deps=[dg.AssetKey(["raw", "payments"])],
            metadata={SLICES: {RAW: "paid_at"}},
            backfill_policy=dg.BackfillPolicy.single_run(),
        )
        def mart() -> None:
            if self.mart_broken:
                raise ValueError("no such column")

        return mart


@pytest.fixture
def shop(tmp_path, instance, run):
    return Shop(tmp_path / "warehouse.duckdb", instance, run)


def test_a_dashboard_that_published_a_day_that_a_load_changed_late_is_found_outdated_and_no_other(shop):
    shop.publish().change(LATE)

    (finding,) = shop.findings(LATE)
    assert (finding.asset, finding.partition, str(finding.outcome)) == ("mart", LATE, "outdated")
    assert f"a load changed the rows of {LATE} in {RAW} late (seen 20" in finding.reason
    others = [str(day) for day in PARTITIONS.get_partition_keys() if day != LATE]
    assert [day for day in others if shop.findings(day)] == []


def test_a_dashboard_that_reads_the_table_itself_is_said_to_have_been_published_from_an_earlier_version(shop):
    shop.publish().change(LATE)

    assert describe(shop.standing("direct", LATE))["behind"] == [f"{RAW} {LATE}"]
    assert shop.standing("direct", OTHER).behind == ()
    assert shop.run("direct", day=LATE)
    assert shop.standing("direct", LATE).behind == ()


def test_once_it_is_built_and_published_anew_nothing_is_found(shop):
    shop.publish().change(LATE)
    assert not shop.run("dash", day=LATE)
    assert shop.run("mart", day=LATE)
    assert shop.run("dash", day=LATE)

    assert shop.findings(LATE) == ()


def test_a_day_whose_rows_are_gone_is_missing_and_it_is_said_since_when(shop):
    shop.publish().load(f"DELETE FROM raw.payments WHERE paid_at = '{LATE}'")

    (finding,) = shop.findings(LATE)
    assert (finding.asset, str(finding.outcome)) == (RAW, "missing")
    assert f"holds no rows for {LATE} any more (seen 20" in finding.reason
    assert shop.said()[LATE_DAYS] == f"gone: {LATE}"
    assert shop.findings(OTHER) == ()


def sensor_of(shop, dashboard):
    """Tick a dashboard's readiness sensor; return the days judged with a cause, and those asked for."""
    judged = []
    asset = next(a for a in shop.defs.resolve_asset_graph().assets_defs if a.key == dg.AssetKey(dashboard))
    sensor = readiness_sensor(asset, evaluated=lambda _, verdicts: judged.extend(verdicts))
    defs = dg.Definitions.merge(shop.defs, dg.Definitions(sensors=[sensor]))
    cursor = None

    def tick(later=dt.timedelta()):
        nonlocal cursor
        judged.clear()
        with time_machine.travel(dt.datetime.now(dt.UTC) + later):
            data = sensor.evaluate_tick(dg.build_sensor_context(shop.instance, cursor=cursor, definitions=defs))
        cursor = data.cursor
        ranges = [(r.tags.get(RANGE_START) or r.partition_key, r.tags.get(RANGE_END)) for r in data.run_requests]
        return {v.partition for v in judged}, {v.partition for v in judged if v.causes}, ranges

    return tick


def condition_of(shop, asset):
    """Evaluate an asset's automation condition; return the days asked for."""
    key, cursor = dg.AssetKey(asset), None

    def with_condition(spec):
        return spec.replace_attributes(automation_condition=inputs_ready()) if spec.key == key else spec

    defs = dg.Definitions([a.map_asset_specs(with_condition) for a in shop.defs.resolve_asset_graph().assets_defs])

    def tick(later=dt.timedelta()):
        nonlocal cursor
        at = dt.datetime.now(dt.UTC) + later
        found = dg.evaluate_automation_conditions(defs, shop.instance, cursor=cursor, evaluation_time=at)
        cursor = found.cursor
        return set(found.get_requested_partitions(key))

    return tick


def waive_all(shop, asset, day):
    """Let a person live with everything that keeps an asset from being built for a day."""
    holding = [finding for finding in shop.standing(asset, day).verdict.findings if finding.outcome.holds]
    for finding in holding:
        waive(shop.instance, finding, "kim", "a holiday", dt.datetime.now(dt.UTC) + dt.timedelta(hours=1))


def test_a_published_day_that_is_long_past_is_judged_again_when_a_load_changes_it(shop):
    shop.publish()
    tick = sensor_of(shop, "dash")
    newest = set(PARTITIONS.get_partition_keys()[-14:])
    assert tick() == (newest, set(), [])

    shop.change(LATE)
    assert tick() == ({LATE, *newest}, {LATE}, [])
    assert tick() == (set(), set(), [])
    shop.run("mart", day=LATE)
    assert tick() == ({LATE, LAST}, set(), [(LATE, None)])


def test_a_day_long_past_that_the_dashboard_reads_itself_is_published_again(shop):
    shop.publish()
    tick = sensor_of(shop, "direct")
    tick()
    shop.change(LATE)
    shop.change("2026-01-05")

    assert tick()[1:] == (set(), [(LATE, None), ("2026-01-05", None)])


def test_automation_asks_once_for_the_day_that_changed_late_and_for_no_other(shop):
    shop.publish()
    sensor, condition = sensor_of(shop, "direct"), condition_of(shop, "direct")
    assert (sensor()[2], condition()) == ([], set())
    shop.change(LATE)

    assert (sensor()[2], condition()) == ([(LATE, None)], {LATE})
    for later in (FULL_LOOK, 2 * FULL_LOOK, 3 * FULL_LOOK):
        assert (sensor(later)[2], condition(later)) == ([], set())
    assert shop.run("direct", day=LATE)
    for later in (4 * FULL_LOOK, 5 * FULL_LOOK):
        assert (sensor(later)[2], condition(later)) == ([], set())
    shop.change(LATE, amount=12)
    assert (sensor(6 * FULL_LOOK)[2], condition(6 * FULL_LOOK)) == ([(LATE, None)], {LATE})


def test_where_more_days_changed_than_are_looked_at_together_each_has_its_turn(shop, monkeypatch):
    monkeypatch.setattr(late_partitions, "MOST", 1)
    shop.publish()
    sensor = sensor_of(shop, "direct")
    shop.change(LATE)
    shop.change(OTHER)
    (asked,) = sensor()[2]
    assert asked in {(LATE, None), (OTHER, None)}
    assert shop.run("direct", day=asked[0])

    assert {asked, *sensor(FULL_LOOK)[2]} == {(LATE, None), (OTHER, None)}


def test_a_day_that_is_not_delivered_again_takes_no_other_ones_turn(shop, monkeypatch):
    monkeypatch.setattr(late_partitions, "MOST", 1)
    shop.publish()
    sensor, condition = sensor_of(shop, "direct"), condition_of(shop, "direct")
    shop.change(LATE)
    shop.change(OTHER)

    looks = [None, FULL_LOOK, 2 * FULL_LOOK, 3 * FULL_LOOK]
    asked = [look(later) if later else look() for look in (sensor, condition) for later in looks]
    assert {day for found in asked[:4] for day in found[2]} == {(LATE, None), (OTHER, None)}
    assert set().union(*asked[4:]) == {LATE, OTHER}


def test_automation_asks_for_the_model_and_then_for_the_dashboard_of_a_day_that_changed_late(shop):
    shop.publish()
    mart, dash = condition_of(shop, "mart"), condition_of(shop, "dash")
    assert (mart(), dash()) == (set(), set())
    shop.change(LATE)
    assert (mart(), dash()) == ({LATE}, set())
    assert shop.run("mart", day=LATE)
    assert (mart(), dash()) == (set(), {LATE})
    assert shop.run("dash", day=LATE)

    assert (mart(FULL_LOOK), dash(FULL_LOOK)) == (set(), set())


def test_a_run_that_fails_is_not_asked_for_again_until_the_day_changes_again(shop):
    shop.publish()
    mart = condition_of(shop, "mart")
    mart()
    shop.change(LATE)
    assert mart() == {LATE}
    shop.mart_broken = True
    assert not shop.run("mart", day=LATE)

    assert [mart(later) for later in (FULL_LOOK, 2 * FULL_LOOK)] == [set(), set()]


def test_a_day_that_was_empty_and_published_all_the_same_is_looked_at_again_when_its_rows_come(shop):
    shop.to_do.append(f"DELETE FROM raw.payments WHERE paid_at = '{LATE}'")
    shop.load()
    for asset in ("direct", "mart", "dash"):
        waive_all(shop, asset, LATE)
        assert shop.run(asset, day=LATE)
    shop.load(f"SELECT 2, DATE '{LATE}', 10, {{now}}")

    said = shop.said()
    assert (said[LATE_DAYS], list(said[CHANGED_DAYS])) == (f"new: {LATE}", [LATE])
    assert [f.asset for f in shop.findings(LATE)] == ["mart"]
    assert "late (seen 20" in shop.findings(LATE)[0].reason
    assert LATE in sensor_of(shop, "dash")()[1]
    assert (LATE, None) in sensor_of(shop, "direct")()[2]


def test_days_that_continue_a_table_are_no_news_though_a_row_is_of_a_mistyped_year(shop):
    shop.load("SELECT 99, DATE '9202-01-01', 1, {now}")
    said = shop.load("SELECT 20 + n, DATE '2026-01-21' + CAST(n AS INT), 1, {now} FROM range(3) AS days(n)")

    assert said[LATE_DAYS] == "new: 2026-01-21, 2026-01-22, 2026-01-23"
    assert said[CHANGED_DAYS] == {}


def test_a_day_long_past_that_was_never_published_is_left_alone(shop):
    shop.load()
    shop.change(LATE)

    assert LATE not in sensor_of(shop, "dash")()[0]


def test_the_days_that_a_load_changed_are_listed_on_it(shop):
    assert LATE_DAYS not in shop.load()
    assert shop.load()[LATE_DAYS] == "none"
    said = shop.change(LATE)

    assert said[LATE_DAYS] == f"changed: {LATE}"
    assert list(said[CHANGED_DAYS]) == [LATE]
    assert shop.load("SELECT 20, DATE '2026-01-21', 1, {now}")[LATE_DAYS] == "new: 2026-01-21"
    assert shop.said()[CHANGED_DAYS] == said[CHANGED_DAYS]
    shop.check()


def test_a_list_of_many_days_is_short(shop):
    shop.load()
    every = "CREATE OR REPLACE TABLE raw.payments AS SELECT * REPLACE (amount + 1 AS amount) FROM raw.payments"

    said = shop.load(every, "UPDATE raw.payments SET _airbyte_extracted_at = {now}")

    assert said[LATE_DAYS].endswith(", 2026-01-10 and 10 more")
    assert len(said[CHANGED_DAYS]) == 20


def test_a_new_column_is_news_of_no_day_though_every_day_has_another_version(shop):
    before = shop.load()
    said = shop.load("ALTER TABLE raw.payments ADD COLUMN note TEXT")

    assert said[LATE_DAYS].startswith("not compared")
    assert said[CHANGED_DAYS] == {}
    assert not said[DAYS].items() & before[DAYS].items()
    shop.check()


def test_a_load_that_failed_leaves_no_record_and_what_it_changed_is_found_by_the_next(shop):
    shop.load()
    shop.broken = True
    before = shop.change(LATE, ok=False)
    shop.broken = False

    assert shop.load()[LATE_DAYS] == f"changed: {LATE}"
    assert before[DAYS][LATE] != shop.said()[DAYS][LATE]
    shop.check()


def test_a_load_that_could_not_be_counted_fails(shop):
    shop.load()

    shop.load("ALTER TABLE raw.payments RENAME paid_at TO payed_at", ok=False)


def report(shop, times=1, **said):
    """Report a load by hand, as an observer does, or another writer."""
    for _ in range(times):
        shop.instance.report_runless_asset_event(dg.AssetMaterialization(["raw", "payments"], **said))


def test_after_a_load_reported_by_hand_everything_is_counted_and_compared_with_the_load_before(shop):
    shop.load()
    before = list(shop.change(LATE)[CHANGED_DAYS].items())
    # Another writer need not say when it extracted a row.
    shop.sql("UPDATE raw.payments SET amount = 99 WHERE id = 1")
    report(shop, 2)

    said = shop.load()
    assert said[LATE_DAYS].startswith("changed: 2026-01-02 (beside the load of 20")
    assert said[LATE_DAYS].endswith(" UTC: 2 since say nothing of their days)")
    assert list(said[CHANGED_DAYS]) == ["2026-01-02", LATE]
    assert before[0] in said[CHANGED_DAYS].items()
    shop.check()


def test_it_is_said_where_too_many_loads_in_between_say_nothing(shop):
    shop.load()
    report(shop, LOOKED_BACK)
    assert shop.load()[LATE_DAYS].startswith("none (beside the load of 20")
    report(shop, LOOKED_BACK + 1)

    assert (
        shop.load()[LATE_DAYS]
        == f"not compared, since none of the last {LOOKED_BACK + 1} loads says what its days held"
    )
    shop.check()


def test_a_day_that_changed_behind_a_load_that_says_nothing_is_found_outdated(shop):
    shop.publish()
    shop.to_do.append(f"UPDATE raw.payments SET amount = 12, _airbyte_extracted_at = {{now}} WHERE paid_at = '{LATE}'")
    report(shop)
    shop.load()

    assert [f.asset for f in shop.findings(LATE)] == ["mart"]
    assert sensor_of(shop, "dash")()[1] == {LATE}


@pytest.mark.parametrize(("hours", "is_looked_at"), [(24, False), (0, True)], ids=["not yet", "always"])
def test_only_days_with_newly_extracted_rows_are_looked_at_until_all_are_compared(
    tmp_path, instance, run, hours, is_looked_at
):
    shop = Shop(tmp_path / "warehouse.duckdb", instance, run, {**DECLARED, COMPARE_ALL_HOURS: hours})
    shop.load()
    shop.change(OTHER)
    shop.sql("UPDATE raw.payments SET amount = 99 WHERE paid_at = '2026-01-02'")

    said = shop.change(LATE)

    assert said[LATE_DAYS] == (f"changed: 2026-01-02, {LATE}" if is_looked_at else f"changed: {LATE}")


def test_a_record_that_another_version_of_us_wrote_is_not_gone_on_from(shop):
    said = shop.load()
    odd = {**said[DAY_RECORD], "days": {"2026-01-01": "1"}}
    metadata = {DAYS: said[DAYS], DAY_RECORD: odd, CHANGED_DAYS: {}}
    shop.instance.report_runless_asset_event(dg.AssetMaterialization(["raw", "payments"], metadata=metadata))

    shop.load()
    shop.check()


def test_without_a_time_of_extraction_days_have_versions_all_the_same_and_no_sums_are_kept(tmp_path, instance, run):
    shop = Shop(tmp_path / "warehouse.duckdb", instance, run, {TIME_COLUMN: "paid_at"})
    shop.publish()
    shop.load("UPDATE raw.payments SET amount = 99 WHERE id = 2")

    assert shop.said()[LATE_DAYS] == f"changed: {LATE}"
    assert shop.said()[DAY_RECORD]["days"] == {}
    assert len(shop.findings(LATE)) == 1
    shop.check()
    assert json.dumps(shop.said()[DAYS])


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({EXTRACTED_AT: "at"}, r"'dashboard_trust/time_column' has to name the column of its days, and is None"),
        ({TIME_COLUMN: 3}, r"has to name the column of its days, and is 3"),
        ({TIME_COLUMN: "at", EXTRACTED_AT: 3}, r"'dashboard_trust/extracted_at' has to name a column, and is 3"),
        ({TIME_COLUMN: "at", COMPARE_ALL_HOURS: "24"}, r"has to be hours, up to a year, and is '24'"),
        ({TIME_COLUMN: "at", COMPARE_ALL_HOURS: -1}, r"has to be hours, up to a year, and is -1"),
    ],
)
def test_what_is_declared_wrongly_is_said_when_definitions_load(declared, message):
    @dg.asset(metadata=declared)
    def raw() -> None: ...

    with pytest.raises(InvalidInputError, match=message):
        fingerprinted(raw, lambda: None)


def test_an_asset_with_partitions_has_no_days_besides():
    @dg.asset(metadata=DECLARED, partitions_def=PARTITIONS)
    def raw() -> None: ...

    with pytest.raises(InvalidInputError, match=r"raw is partitioned: its partitions are its days\. Take out dash"):
        fingerprinted(raw, lambda: None)


@pytest.mark.parametrize("read_by", ["paid_at", "refunded_at"])
def test_days_that_are_read_by_another_column_than_they_have_versions_by_are_refused(read_by):
    raw = dg.AssetSpec("raw", metadata={TIME_COLUMN: "paid_at"})
    options = {"deps": ["raw"], "partitions_def": PARTITIONS, "metadata": {SLICES: {"raw": read_by}}}
    dash = trusted_dashboard(DashboardContract("dash", "team:dash"), lambda *_: None, **options)
    if read_by == "paid_at":
        assert trust(dg.Definitions([raw, dash]))
        return
    with pytest.raises(ContractError, match="'dash' reads the days of 'raw' by 'refunded_at'"):
        trust(dg.Definitions([raw, dash]))
