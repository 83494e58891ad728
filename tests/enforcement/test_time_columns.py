"""A table without partitions that has days: what a late change of one day does to what was published from it."""

from __future__ import annotations

import datetime as dt
import json

import dagster as dg
import pytest

from dashboard_trust.cli.standings import describe, read_standings
from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.automation import RANGE_END, RANGE_START, readiness_sensor
from dashboard_trust.enforcement.fingerprinted_assets import fingerprinted
from dashboard_trust.enforcement.gated_assets import gates, trust, trusted, trusted_dashboard
from dashboard_trust.enforcement.time_columns import COMPARE_ALL_HOURS, EXTRACTED_AT, LATE_DAYS
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
        self.to_do, self.broken, self.loads = [], False, 0
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
        def mart() -> None: ...

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

    def tick():
        nonlocal cursor
        judged.clear()
        data = sensor.evaluate_tick(dg.build_sensor_context(shop.instance, cursor=cursor, definitions=defs))
        cursor = data.cursor
        ranges = [(r.tags.get(RANGE_START) or r.partition_key, r.tags.get(RANGE_END)) for r in data.run_requests]
        return {v.partition for v in judged}, {v.partition for v in judged if v.causes}, ranges

    return tick


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


def test_a_load_reported_by_hand_has_no_record_and_everything_is_counted_after_it(shop):
    shop.load()
    shop.sql("UPDATE raw.payments SET amount = 99 WHERE id = 1")
    shop.instance.report_runless_asset_event(dg.AssetMaterialization(["raw", "payments"]))

    assert LATE_DAYS not in shop.load()
    shop.check()


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
