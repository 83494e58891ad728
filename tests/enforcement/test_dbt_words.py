"""Each word of a real dbt project, run by the real dbt, and what a dashboard below makes of it."""

# No `from __future__ import annotations`: Dagster reads the annotations of assets, and as strings refuses them.
import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from dagster_dbt import DbtCliResource, dbt_assets

from dashboard_trust import (
    DashboardContract,
    dbt_checks,
    dbt_source_checks,
    run_dbt,
    trust,
    trusted,
    trusted_dashboard,
)
from dashboard_trust.enforcement.gated_assets import gates

DAYS = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-10")
DBT = str(Path(sys.executable).with_name("dbt"))
TOTAL_TESTS = {"amounts_are_summed", "no_part_exceeds_its_total", "not_null_large_amount", "not_null_total_amount"}

PAYMENTS = """
    (1, date '2024-03-01', 1),
    (2, date '2024-03-02', 0),
    (3, date '2024-03-03', 3), (30, date '2024-03-03', 7), (31, date '2024-03-03', 1), (31, date '2024-03-03', 1),
    (4, date '2024-03-04', 1), (40, date '2024-03-04', 2),
    (5, date '2024-03-05', 3), (50, date '2024-03-05', -2),
    (6, date '2024-03-06', 1),
    (7, date '2024-03-07', 1)
"""
SOURCES = f"""
    create table payments as
        select *, current_timestamp::timestamp as loaded_at from (values {PAYMENTS}) t(payment_id, paid_on, amount);
    create table fees as select current_timestamp::timestamp - interval 90 minute as loaded_at;
    create table taxes as select current_timestamp::timestamp - interval 3 day as loaded_at;
    create table rates as select 1 as id, null as rate;
"""

# dagster-dbt calls what Dagster has deprecated; it is the project's step that does, not ours.
pytestmark = [pytest.mark.filterwarnings("ignore:AssetExecutionContext:DeprecationWarning"), pytest.mark.long]


class Words:
    """The project in a folder of its own, behind gates, under two dashboards."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.instance = dg.DagsterInstance.ephemeral()
        self.variables: dict[str, bool] = {}
        manifest = json.loads((folder / "target" / "manifest.json").read_text())
        self.resource = DbtCliResource(project_dir=str(folder), profiles_dir=str(folder), dbt_executable=DBT)

        @dg.multi_asset(specs=[dg.AssetSpec(["raw", name]) for name in ("payments", "fees", "taxes", "rates")])
        def raw():
            with duckdb.connect(str(folder / "words.duckdb")) as connection:
                connection.execute(SOURCES)
            for name in ("payments", "fees", "taxes", "rates"):
                yield dg.MaterializeResult(asset_key=["raw", name])

        @dbt_assets(
            manifest=manifest,
            select="+total",
            partitions_def=DAYS,
            backfill_policy=dg.BackfillPolicy.single_run(),
            name="daily",
        )
        def daily(context: dg.AssetExecutionContext, dbt: DbtCliResource):
            yield from run_dbt(context, dbt, variables=lambda _: self.variables)

        @dbt_assets(manifest=manifest, select="rated", name="whole")
        def whole(context: dg.AssetExecutionContext, dbt: DbtCliResource):
            yield from run_dbt(context, dbt)

        sales = trusted_dashboard(
            DashboardContract("sales", "team:sales"), lambda *_: None, deps=["total"], partitions_def=DAYS
        )
        costs = trusted_dashboard(DashboardContract("costs", "team:costs"), lambda *_: None, deps=["rated"])
        self.daily = dbt_checks(daily)
        asked = {*TOTAL_TESTS, "upstream_ready"} - {"not_null_large_amount"}
        tests = dg.AssetSelection.checks(*(dg.AssetCheckKey(dg.AssetKey("total"), name) for name in asked))
        fresh = dg.AssetCheckKey(dg.AssetKey(["raw", "payments"]), "freshness")
        without = dg.AssetSelection.assets("total").without_checks() | tests
        self.defs = trust(
            dg.Definitions(
                [raw, trusted(self.daily), dbt_checks(whole), sales, costs],
                asset_checks=[dbt_source_checks(daily, whole)],
                jobs=[
                    dg.define_asset_job("total_less_one_test", without),
                    dg.define_asset_job("freshness", dg.AssetSelection.checks(fresh)),
                ],
                resources={"dbt": self.resource},
            )
        )

    def run(self, run, *assets: str, broken: str = "", **options):
        """Build some assets for a day, or from a day to another; ``broken`` is the model that is."""
        self.variables = {f"break_{broken}": True} if broken else {}
        return run(self.defs, *assets, instance=self.instance, **options)

    def findings(self, dashboard: str, day: str | None = None) -> set[tuple[str, str | None, str]]:
        """What a dashboard is held or warned for, without what only follows: asset, check, outcome."""
        return {(f.asset, f.check, str(f.outcome)) for f in self.judge(dashboard, day).findings}

    def judge(self, dashboard: str, day: str | None = None):
        gate = gates(self.defs)[dg.AssetKey(dashboard)]
        return gate.judge(self.instance, [day], dt.datetime.now(dt.UTC))[day]


@pytest.fixture(scope="module")
def words(tmp_path_factory, copy_dbt_words):
    folder = copy_dbt_words(tmp_path_factory.mktemp("words") / "words")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORDS_WAREHOUSE", str(folder / "words.duckdb"))
        patch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
        parse = [DBT, "--no-version-check", "parse", "--profiles-dir", "."]
        subprocess.run(parse, cwd=folder, check=True, capture_output=True)
        yield Words(folder)


@pytest.fixture(scope="module")
def looked(words):
    """The run that loads the sources, and then looks at them."""
    keys = [dg.AssetKey(["raw", name]) for name in ("payments", "fees", "taxes", "rates")]
    job = words.defs.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=words.instance, asset_selection=keys, raise_on_error=False)


def said(result, check: str) -> dict[tuple[str, str | None], str]:
    """What one check said in a run, by asset and partition."""
    return {
        (e.asset_key.to_user_string(), e.partition): "pass" if e.passed else str(e.severity.value)
        for e in result.get_asset_check_evaluations()
        if e.check_name == check
    }


def test_every_test_is_a_check_with_the_partitions_of_its_model(words):
    specs = {(spec.asset_key.to_user_string(), spec.name): spec for spec in words.daily.check_specs}

    paid = {"not_null_paid_amount", "small_amounts", "unique_paid_payment_id", "no_part_exceeds_its_total"}
    assert set(specs) == {*(("paid", name) for name in paid), *(("total", name) for name in TOTAL_TESTS)}
    assert {spec.partitions_def for spec in specs.values()} == {DAYS}
    assert [name for (_, name), spec in specs.items() if not spec.blocking] == ["small_amounts"]


def test_what_dbt_says_of_sources_holds_warns_or_is_errored(words, looked):
    assert not looked.success  # it could not say everything
    assert said(looked, "freshness") == {
        ("raw/payments", None): "pass",
        ("raw/fees", None): "WARN",
        ("raw/taxes", None): "ERROR",
    }
    assert said(looked, "source_not_null_raw_rates_rate") == {("raw/rates", None): "ERROR"}
    findings = words.findings("costs")
    assert ("raw/fees", "freshness", "warned") in findings
    assert ("raw/taxes", "freshness", "failed") in findings
    assert ("raw/rates", "freshness", "errored") in findings
    assert ("raw/rates", "source_not_null_raw_rates_rate", "failed") in findings
    assert not [one for one in words.findings("sales", "2024-03-08") if one[0] == "raw/payments"]


def test_a_freshness_run_that_breaks_off_is_never_fresh_whatever_an_older_one_left(words):
    sources = {"results": [{"unique_id": "source.words.raw.payments", "status": "pass"}]}
    (words.folder / "target" / "sources.json").write_text(json.dumps(sources))

    job = words.defs.resolve_job_def("freshness")
    with pytest.MonkeyPatch.context() as patch, dg.DagsterInstance.ephemeral() as instance:
        patch.setenv("WORDS_WAREHOUSE", str(words.folder / "no_such_folder" / "words.duckdb"))
        result = job.execute_in_process(instance=instance, raise_on_error=False)

    assert not result.success
    assert result.get_asset_check_evaluations() == []
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    assert "dbt" in str(failure.step_failure_data.error.cause.message)


def test_without_partitions_there_is_one_word_for_the_whole(words, looked, run):
    assert words.run(run, "rated").success

    findings = words.findings("costs")
    assert {one for one in findings if one[0] == "rated"} == set()
    assert ("raw/fees", "freshness", "warned") in findings


def test_a_range_says_which_day_failed_and_what_was_skipped_is_not_run(words, looked, run):
    result = words.run(run, "paid", "total", day="2024-03-01", to="2024-03-03")

    assert not result.success
    days = [("paid", f"2024-03-0{n}") for n in (1, 2, 3)]
    assert said(result, "not_null_paid_amount") == dict(zip(days, ("pass", "ERROR", "pass"), strict=True))
    assert said(result, "small_amounts") == dict(zip(days, ("pass", "pass", "WARN"), strict=True))
    assert said(result, "unique_paid_payment_id") == dict(zip(days, ("pass", "pass", "WARN"), strict=True))
    assert not [name for name in TOTAL_TESTS if said(result, name)]

    assert words.findings("sales", "2024-03-02") == {
        ("paid", "not_null_paid_amount", "failed"),
        ("paid", "no_part_exceeds_its_total", "not_run"),
    }
    assert words.findings("sales", "2024-03-01") == {("paid", "no_part_exceeds_its_total", "not_run")}
    following = {(f.asset, f.check, str(f.outcome)) for f in words.judge("sales", "2024-03-01").consequences}
    assert following == {("total", None, "missing")}


def test_where_every_test_passes_the_dashboard_is_refreshed(words, looked, run):
    result = words.run(run, "paid", "total", day="2024-03-04")

    assert result.success
    for name in TOTAL_TESTS:
        assert said(result, name)["total", "2024-03-04"] == "pass"
    assert said(result, "no_part_exceeds_its_total")["paid", "2024-03-04"] == "pass"
    assert words.findings("sales", "2024-03-04") == set()
    assert words.run(run, "sales", day="2024-03-04").success

    # Built alone, and without one of its checks: dbt's test of two models speaks of both all the same.
    job = words.defs.resolve_job_def("total_less_one_test")
    alone = job.execute_in_process(instance=words.instance, partition_key="2024-03-04", raise_on_error=False)
    assert alone.success
    assert said(alone, "no_part_exceeds_its_total") == {(name, "2024-03-04"): "pass" for name in ("paid", "total")}
    assert words.findings("sales", "2024-03-04") == {("total", "not_null_large_amount", "not_run")}


def test_a_failed_test_of_two_models_holds_whatever_stands_on_either(words, looked, run):
    result = words.run(run, "paid", "total", day="2024-03-05")

    assert not result.success
    assert said(result, "no_part_exceeds_its_total") == {(name, "2024-03-05"): "ERROR" for name in ("paid", "total")}
    assert words.findings("sales", "2024-03-05") == {
        ("paid", "no_part_exceeds_its_total", "failed"),
        ("total", "no_part_exceeds_its_total", "failed"),
        ("paid", "small_amounts", "warned"),
    }


def test_a_failed_unit_test_holds_and_its_model_is_not_built(words, looked, run):
    result = words.run(run, "paid", "total", day="2024-03-06", broken="total")

    assert not result.success
    assert said(result, "amounts_are_summed") == {("total", "2024-03-06"): "ERROR"}
    assert words.findings("sales", "2024-03-06") == {
        ("paid", "no_part_exceeds_its_total", "not_run"),
        ("total", None, "errored"),
    }


def test_a_model_that_dbt_cannot_build_fails_the_step_and_is_the_one_cause(words, looked, run):
    result = words.run(run, "paid", "total", day="2024-03-07", broken="paid")

    assert not result.success
    assert {e.check_name for e in result.get_asset_check_evaluations()} == {"upstream_ready"}
    assert words.findings("sales", "2024-03-07") == {("paid", None, "errored")}
    (cause,) = words.judge("sales", "2024-03-07").causes
    assert "no_such_column" in cause.reason
