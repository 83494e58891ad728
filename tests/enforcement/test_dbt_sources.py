"""What dbt says of sources that are loaded by partition, or by nobody in Dagster, and how long that holds."""

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

from dashboard_trust import DashboardContract, dbt_checks, dbt_source_checks, run_dbt, trust, trusted_dashboard
from dashboard_trust.enforcement.gated_assets import gates
from dashboard_trust.errors import InvalidInputError

DAYS = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-10")
D1, D2, D3 = "2024-03-01", "2024-03-02", "2024-03-03"
DBT = str(Path(sys.executable).with_name("dbt"))
PAYMENTS = dg.AssetKey(["raw", "payments"])
NOT_NULL = "source_not_null_raw_payments_amount"
HOUR = dt.timedelta(hours=1)

# dagster-dbt calls what Dagster has deprecated; it is the project's step that does, not ours.
pytestmark = [pytest.mark.filterwarnings("ignore:AssetExecutionContext:DeprecationWarning"), pytest.mark.long]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, copy_dbt_words):
    """The project, whose profile is in a folder of its own under another target than the default."""
    folder = copy_dbt_words(tmp_path_factory.mktemp("sources") / "words")
    (folder / "profiles").mkdir()
    profile = (folder / "profiles.yml").read_text().replace("target: dev", "target: none").replace("dev:", "prod:")
    (folder / "profiles.yml").unlink()
    (folder / "profiles" / "profiles.yml").write_text(profile)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORDS_WAREHOUSE", str(folder / "words.duckdb"))
        patch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
        parse = [DBT, "--no-version-check", "parse", *options(folder)]
        subprocess.run(parse, cwd=folder, check=True, capture_output=True)
        yield folder


def options(folder: Path) -> list[str]:
    return ["--profiles-dir", str(folder / "profiles"), "--target=prod"]


@pytest.fixture
def execute(folder):
    """Run SQL on a warehouse that has nothing yet."""
    (folder / "words.duckdb").unlink(missing_ok=True)

    def execute(sql: str) -> None:
        with duckdb.connect(str(folder / "words.duckdb")) as connection:
            connection.execute(sql)

    return execute


def pay(*rows: tuple[int, str, int | None]) -> str:
    values = ", ".join(f"({n}, date '{day}', {'null' if amount is None else amount})" for n, day, amount in rows)
    return f"""
        create or replace table payments as
            select *, current_timestamp::timestamp as loaded_at from (values {values}) t(payment_id, paid_on, amount)
    """


class Sheet:
    """A dashboard right on the source, and what dbt says of it."""

    def __init__(self, folder, instance, *assets, partitions=None, external=()):
        self.instance = instance
        manifest = json.loads((folder / "target" / "manifest.json").read_text())

        @dbt_assets(
            manifest=manifest, select="paid", partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run()
        )
        def paid(context: dg.AssetExecutionContext, dbt: DbtCliResource):
            yield from run_dbt(context, dbt, ["build", *options(folder)])

        sheet = trusted_dashboard(
            DashboardContract("sheet", "team:sheet"), lambda *_: None, deps=[PAYMENTS], partitions_def=partitions
        )
        self.defs = trust(
            dg.Definitions(
                [*assets, dbt_checks(paid), sheet],
                asset_checks=[dbt_source_checks(paid, args=options(folder), external=external)],
                resources={"dbt": DbtCliResource(project_dir=str(folder), dbt_executable=DBT)},
            )
        )

    def run(self, *assets: dg.AssetKey, looks: bool = True, day: str | None = None):
        job = self.defs.resolve_implicit_global_asset_job_def()
        checks = {dg.AssetCheckKey(PAYMENTS, name) for name in ("freshness", NOT_NULL)} if looks else set()
        subset = job.get_subset(asset_selection=set(assets), asset_check_selection=checks)
        return subset.execute_in_process(instance=self.instance, partition_key=day, raise_on_error=False)

    def findings(self, day: str | None = None, later: dt.timedelta = dt.timedelta()):
        at = dt.datetime.now(dt.UTC) + later
        verdict = gates(self.defs)[dg.AssetKey("sheet")].judge(self.instance, [day], at)[day]
        return {(finding.check, str(finding.outcome)) for finding in verdict.findings}

    def versions(self) -> int:
        return len(self.instance.fetch_materializations(PAYMENTS, limit=10).records)


def test_a_look_counts_for_each_partition_that_was_loaded_before_it(folder, execute, instance):
    @dg.asset(key=PAYMENTS, partitions_def=DAYS)
    def payments() -> None:
        execute(pay((1, D1, 1)))

    sheet = Sheet(folder, instance, payments, partitions=DAYS)
    assert sheet.run(PAYMENTS, day=D1).success
    assert sheet.findings(D1) == set()

    assert sheet.run(PAYMENTS, day=D2).success
    assert sheet.findings(D1) == set()
    assert sheet.findings(D2) == set()

    unseen = {("freshness", "not_run"), (NOT_NULL, "not_run")}
    assert sheet.run(PAYMENTS, looks=False, day=D3).success
    assert sheet.run(PAYMENTS, looks=False, day=D1).success
    assert [sheet.findings(day) for day in (D1, D2, D3)] == [unseen, set(), unseen]

    # On a schedule: a run without a partition looks at all that is there.
    assert sheet.run().success
    assert [sheet.findings(day) for day in (D1, D2, D3)] == [set()] * 3
    assert sheet.findings("2024-03-04") == {(None, "missing")}


def test_what_nobody_loads_is_missing_unless_it_is_said_to_be_external(folder, execute, instance):
    execute(pay((1, D1, 1)))
    unsaid, said = Sheet(folder, instance), Sheet(folder, instance, external=["raw/payments"])

    assert unsaid.run().success
    assert unsaid.findings() == {(None, "missing")}

    assert said.run().success
    assert said.findings() == set()
    assert said.run().success
    assert said.versions() == 1

    execute(pay((1, D1, None)))
    said.run()
    assert said.versions() == 2
    assert said.findings() == {(NOT_NULL, "failed")}


def test_a_pass_of_freshness_holds_until_dbt_itself_would_say_otherwise(folder, execute, instance):
    """The source errs after two hours."""
    execute(pay((1, D1, 1)))
    sheet = Sheet(folder, instance, external=["raw/payments"])
    sheet.run()

    assert sheet.findings(later=1.9 * HOUR) == set()
    assert sheet.findings(later=2 * HOUR) == {("freshness", "not_run")}


def test_another_look_at_each_day_is_a_look_at_the_same_tables(folder, execute, instance, run):
    execute(pay((1, D1, 1), (2, D2, None), (3, D3, 3)))
    sheet = Sheet(folder, instance)
    result = run(sheet.defs, "paid", day=D1, to=D3)

    found = result.get_asset_check_evaluations()
    assert {e.partition: e.passed for e in found if e.check_name == "not_null_paid_amount"} == {
        D1: True,
        D2: False,
        D3: True,
    }


def test_a_source_without_freshness_has_no_version_to_be_seen(folder):
    manifest = json.loads((folder / "target" / "manifest.json").read_text())

    @dbt_assets(manifest=manifest, select="paid")
    def paid(context: dg.AssetExecutionContext): ...

    with pytest.raises(InvalidInputError, match="'raw/paiments' is no source with a freshness"):
        dbt_source_checks(paid, external=["raw/paiments"])
