"""Fixtures that many tests share: real instances, and a miniature chain of real runs on them."""

from __future__ import annotations

import datetime as dt
import logging
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.defs_state import base as defs_state

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.gated_assets import gates, trust, trusted, trusted_dashboard
from dashboard_trust.evidence.names import DAYS, GATE_CHECK, SLICES
from dashboard_trust.verdicts.verdict import Verdict

sys.path.append(str(Path(__file__).parent / "processes"))  # what several folders of tests run

QUIET = {
    "telemetry": {"enabled": False},
    "python_logs": {"python_log_level": "CRITICAL"},
    # To catch what a run prints takes four processes.
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    },
}
DAYS_KNOWN = [f"2024-03-0{n}" for n in range(1, 7)]
PARTITIONS = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-08")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Forget instances of earlier tests: where they close in another order than they were opened in, Dagster goes on
    looking for the state of definitions in one that is gone."""
    defs_state._current_storage.set(None)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    logging.getLogger("dagster").setLevel(logging.CRITICAL)


@pytest.fixture(scope="session")
def empty_instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an instance in which nothing has happened; Dagster takes half a second to make its databases."""
    home = tmp_path_factory.mktemp("new")
    with dg.DagsterInstance.local_temp(str(home), overrides=QUIET) as instance:
        instance.get_runs(limit=1)
        instance.all_asset_keys()
    return home


@pytest.fixture
def instance(tmp_path: Path, empty_instance: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on SQLite, in a folder of its own."""
    home = shutil.copytree(empty_instance, tmp_path / "dagster")
    with dg.DagsterInstance.local_temp(str(home), overrides=QUIET) as instance:
        yield instance


@pytest.fixture(scope="session")
def copy_dbt_words():
    """Return a function that copies the dbt project of words, with the macro for partitions, to a new folder."""

    def copy_dbt_words(folder: Path) -> Path:
        tests = Path(__file__).parent
        shutil.copytree(tests / "projects" / "dbt_words", folder)
        (folder / "macros").mkdir()
        shutil.copy(tests.parent / "dashboard_trust" / "enforcement" / "dbt_partitions.sql", folder / "macros")
        return folder

    return copy_dbt_words


@pytest.fixture
def run(instance: dg.DagsterInstance):
    """Run some assets of some definitions in this process; a failed run is a result, not an error."""

    def run(
        defs: dg.Definitions, *assets: str, day: str | None = None, to: str | None = None, **options
    ) -> dg.ExecuteInProcessResult:
        tags = {"dagster/asset_partition_range_start": day, "dagster/asset_partition_range_end": to}
        return defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=options.pop("instance", instance),
            asset_selection=[dg.AssetKey.from_user_string(asset) for asset in assets],
            partition_key=None if to else day,
            tags=tags if to else None,
            raise_on_error=False,
            **options,
        )

    return run


@pytest.fixture
def verdict_of(instance: dg.DagsterInstance):
    """Judge one guarded asset of some definitions."""

    def verdict_of(defs: dg.Definitions, asset: str, day: str | None = None) -> Verdict:
        gate = gates(defs)[dg.AssetKey.from_user_string(asset)]
        return gate.judge(instance, [day], dt.datetime.now(dt.UTC))[day]

    return verdict_of


def is_held(result: dg.ExecuteInProcessResult) -> bool:
    """Whether a run failed because a gate held, and for no other reason."""
    held = [e for e in result.get_asset_check_evaluations() if e.check_name == GATE_CHECK and not e.passed]
    errors = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    return not result.success and bool(held) and all("AssetCheckFailed" in str(error.cls_name) for error in errors)


class Miniature:
    """raw (a table sliced by day, checked) → staging and mart by day, guarded → dashboard.

    What raw holds and what its check finds can be changed between runs; `refreshed` lists the days
    of each refresh.
    """

    def __init__(self, instance: dg.DagsterInstance, run) -> None:
        self.instance = instance
        self._run = run
        self.rows = dict.fromkeys(DAYS_KNOWN[:5], "v1")
        self.bad: set[str] = set()
        self.broken: set[str] = set()
        self.while_building = lambda: None
        self.refreshed: list[list[str | None]] = []
        contract = DashboardContract("dash", "team:dash")
        dashboard = trusted_dashboard(contract, self._refresh, deps=["mart"], partitions_def=PARTITIONS)
        self.defs = trust(dg.Definitions([self._raw(), trusted(self._models(), owner="team:models"), dashboard]))

    def run(self, *assets: str, day: str | None = None, to: str | None = None) -> dg.ExecuteInProcessResult:
        """Run these assets, for a day or from a day to another."""
        return self._run(self.defs, *assets, day=day, to=to)

    def is_held(self, *assets: str, day: str | None = None, to: str | None = None) -> bool:
        """Run these assets; whether a gate held, and nothing else went wrong."""
        return is_held(self.run(*assets, day=day, to=to))

    def build(self) -> Miniature:
        """Load and model the first five days."""
        assert self.run("raw").success
        assert self.run("staging", "mart", day=DAYS_KNOWN[0], to=DAYS_KNOWN[4]).success
        return self

    def judge(self, *days: str) -> dict[str, Verdict]:
        """Judge the dashboard for these days."""
        return gates(self.defs)[dg.AssetKey("dash")].judge(self.instance, days, dt.datetime.now(dt.UTC))

    def findings(self, day: str) -> list[tuple[str, str | None, str]]:
        """What keeps a day's dashboard from being published: asset, check, outcome."""
        return [(f.asset, f.check, str(f.outcome)) for f in self.judge(day)[day].findings]

    def ready(self) -> set[str]:
        """The days that may be published."""
        return {day for day, verdict in self.judge(*DAYS_KNOWN).items() if not verdict.holds}

    def _refresh(self, context, verdicts):
        self.refreshed.append([verdict.partition for verdict in verdicts])

    def _raw(self) -> dg.AssetsDefinition:
        @dg.multi_asset(
            specs=[dg.AssetSpec("raw", owners=["team:raw"])], check_specs=[dg.AssetCheckSpec("complete", asset="raw")]
        )
        def raw():
            if "raw" in self.broken:
                raise ValueError("stream payments is not COMPLETE")
            yield dg.MaterializeResult(asset_key="raw", metadata={DAYS: dg.MetadataValue.json(dict(self.rows))})
            words = {day: [day not in self.bad, "half missing" if day in self.bad else ""] for day in self.rows}
            metadata = {DAYS: dg.MetadataValue.json(words)}
            yield dg.AssetCheckResult(passed=not self.bad, check_name="complete", asset_key="raw", metadata=metadata)

        return raw

    def _models(self) -> dg.AssetsDefinition:
        check = dg.AssetCheckSpec("unique", asset="mart", partitions_def=PARTITIONS)

        @dg.multi_asset(
            specs=[
                dg.AssetSpec("staging", deps=["raw"], partitions_def=PARTITIONS, metadata={SLICES: {"raw": "paid_at"}}),
                dg.AssetSpec("mart", deps=["staging"], partitions_def=PARTITIONS),
            ],
            check_specs=[check],
            backfill_policy=dg.BackfillPolicy.single_run(),
        )
        def models(context):
            if "models" in self.broken:
                raise ValueError("no such column: amount")
            self.while_building()
            yield dg.MaterializeResult(asset_key="staging")
            yield dg.MaterializeResult(asset_key="mart")
            for day in context.partition_keys:
                yield dg.AssetCheckEvaluation(
                    asset_key=dg.AssetKey("mart"), check_name="unique", passed=True, metadata={}, partition=day
                )
            yield dg.Output(None, output_name=check.get_python_identifier())

        return models


@pytest.fixture
def mini(instance: dg.DagsterInstance, run) -> Miniature:
    """A miniature chain that nothing has run of yet."""
    return Miniature(instance, run)


@pytest.fixture(name="is_held")
def _is_held():
    """Whether a run failed because a gate held, and for no other reason."""
    return is_held
