"""A dashboard in one code location, what it stands on in another: nothing of that is in this one's graph.

Here the upstream is only *named*, as a dep that Dagster makes an asset up for, or it is *declared*, as specs
with their deps and partitions.
"""

import datetime as dt
import json
import runpy
import shutil
from pathlib import Path

import dagster as dg
import pytest

from dashboard_trust.contracts.model import DashboardContract, RequiredAsset
from dashboard_trust.enforcement.gated_assets import trust, trusted, trusted_dashboard
from dashboard_trust.errors import ContractError

PROJECTS = Path(__file__).parent / "projects"
serve = runpy.run_path(str(PROJECTS / "workspaces.py"))["serve"]
DAYS = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-08")
DAY, OTHER = "2024-03-03", "2024-03-04"
STOCK = dg.AutomationCondition.all_deps_blocking_checks_passed()


class Locations:
    """Two projects on one instance: a warehouse, and a dashboard on its mart.

    ``finds`` is what each check finds: True, False, or an exception to raise; ``broken`` are the tables
    that cannot be built.
    """

    def __init__(self, instance, run, verdict_of, *, declared):
        self.instance, self._run, self._verdict_of = instance, run, verdict_of
        self.day = DAY if declared else None  # of an asset that is only named, Dagster knows no partitions
        self.partitions = DAYS if declared else None
        self.declared, self.finds, self.broken, self.published = declared, {}, set(), []
        self.there = self.warehouse()
        self.here = self.dashboard()

    def warehouse(self, gated=False, checks=(("raw", "complete"), ("mart", "unique"))):
        """Define the location that makes raw and mart, with checks in steps of their own."""
        tables = [self._table("raw"), self._table("mart", deps=["raw"])]
        if gated:
            tables[1] = trusted(tables[1], owner="team:warehouse")
        defs = dg.Definitions(tables, asset_checks=[self._check(*check) for check in checks])
        return trust(defs) if gated else defs

    def dashboard(self, **promises):
        """Define the location of the dashboard."""
        specs = [
            dg.AssetSpec("raw", partitions_def=self.partitions),
            dg.AssetSpec("mart", deps=["raw"], partitions_def=self.partitions),
        ]
        dash = trusted_dashboard(
            DashboardContract("dash", "team:dash", **promises),
            lambda _, verdicts: self.published.extend(verdict.partition for verdict in verdicts),
            deps=["mart"],
            partitions_def=self.partitions,
            automation_condition=STOCK,
        )
        return trust(dg.Definitions([*(specs if self.declared else []), dash]))

    def load(self, *assets, checks=True, day=None):
        """Build tables there, with all of their checks or without any."""
        job = self.there.resolve_implicit_global_asset_job_def()
        keys = {dg.AssetKey(asset) for asset in assets}
        selected = job.get_subset(asset_selection=keys, asset_check_selection=None if checks else set())
        return selected.execute_in_process(instance=self.instance, partition_key=day or self.day, raise_on_error=False)

    def look(self, asset, check, day=None):
        """Run one check there, in a run of its own."""
        return self._only(asset, check).execute_in_process(
            instance=self.instance, partition_key=day or self.day, raise_on_error=False
        )

    def plan(self, asset, check):
        """Plan a check there in a run that has not started yet."""
        tags = {"dagster/partition": self.day} if self.day else None
        return self.instance.create_run_for_job(self._only(asset, check), tags=tags)

    def shown(self, day=None):
        """Launch the dashboard here; return whether it published the day."""
        self.published.clear()
        result = self._run(self.here, "dash", day=day or self.day)
        assert result.success == bool(self.published)
        return bool(self.published)

    def findings(self):
        """Return what holds the dashboard: asset, check, outcome."""
        return [(f.asset, f.check, str(f.outcome)) for f in self._verdict_of(self.here, "dash", self.day).findings]

    def _only(self, asset, check):
        job = self.there.resolve_implicit_global_asset_job_def()
        return job.get_subset(
            asset_selection=set(), asset_check_selection={dg.AssetCheckKey(dg.AssetKey(asset), check)}
        )

    def _table(self, name, **options):
        @dg.asset(name=name, partitions_def=self.partitions, **options)
        def table():
            if name in self.broken:
                raise ValueError(f"{name} is broken")
            return dg.MaterializeResult()

        return table

    def _check(self, asset, name):
        @dg.asset_check(asset=asset, name=name, partitions_def=self.partitions)
        def check():
            found = self.finds.get(name, True)
            if isinstance(found, Exception):
                raise found
            return dg.AssetCheckResult(passed=found)

        return check


@pytest.fixture
def instance():
    """An instance in memory, which both locations share."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(params=["named", "declared"])
def locations(request, instance, run, verdict_of):
    return Locations(instance, run, verdict_of, declared=request.param == "declared")


only_declared = pytest.mark.parametrize("locations", ["declared"], indirect=True)
only_named = pytest.mark.parametrize("locations", ["named"], indirect=True)


def test_before_anything_ran_there_nothing_is_shown_here(locations):
    assert not locations.shown()
    assert locations.findings() == [("raw" if locations.declared else "mart", None, "missing")]


@pytest.mark.parametrize(("found", "outcome"), [(False, "failed"), (ValueError("no such column"), "errored")])
def test_a_check_that_failed_or_broke_there_holds_here_until_it_passes(locations, found, outcome):
    locations.finds["unique"] = found
    locations.load("raw", "mart")

    assert not locations.shown()
    assert locations.findings() == [("mart", "unique", outcome)]

    locations.finds["unique"] = True
    locations.look("mart", "unique")
    assert locations.shown()


def test_a_check_that_is_planned_there_holds_here(locations):
    locations.load("raw", "mart", checks=False)
    locations.plan("mart", "unique")

    assert not locations.shown()
    assert locations.findings() == [("mart", "unique", "pending")]

    locations.look("mart", "unique")
    assert locations.shown()


def test_a_pass_there_counts_here_for_the_load_it_looked_at_only(locations):
    locations.load("raw", "mart")
    assert locations.shown()
    locations.load("mart", checks=False)

    assert not locations.shown()
    assert locations.findings() == [("mart", "unique", "not_run")]

    locations.look("mart", "unique")
    assert locations.shown()


def test_a_build_that_broke_there_holds_here(locations):
    locations.load("raw", "mart")
    locations.broken.add("mart")
    locations.load("mart")

    assert not locations.shown()
    assert ("mart", None, "errored") in locations.findings()


def test_dagsters_own_condition_requests_what_the_gate_holds_since_it_knows_no_check_here(locations):
    locations.finds["unique"] = False
    locations.load("raw", "mart")
    found = dg.evaluate_automation_conditions(locations.here, locations.instance)

    assert found.get_requested_partitions(dg.AssetKey("dash")) >= {locations.day}
    assert not locations.shown()


# What only a declaration tells


@only_declared
def test_of_declared_tables_a_check_further_up_holds_and_a_newer_load_of_it_outdates(locations):
    locations.finds["complete"] = False
    locations.load("raw", "mart")
    failed = (locations.shown(), locations.findings())
    locations.finds["complete"] = True
    locations.load("raw")
    outdated = (locations.shown(), locations.findings())
    locations.load("mart")

    assert failed == (False, [("raw", "complete", "failed")])
    assert outdated == (False, [("mart", None, "outdated")])
    assert locations.shown()


@only_named
def test_of_a_table_that_is_only_named_nothing_further_up_is_known(locations):
    """What lies behind it holds only where it is declared, or where the table has a gate of its own."""
    locations.finds["complete"] = False
    locations.load("raw", "mart")
    locations.load("raw")

    assert locations.shown()


@only_declared
def test_of_declared_days_each_stands_for_itself(locations):
    for day in (DAY, OTHER):
        locations.load("raw", "mart", day=day)
    locations.finds["unique"] = False
    locations.look("mart", "unique", day=OTHER)
    locations.load("raw", day="2024-03-05")

    shown = {day: locations.shown(day) for day in (DAY, OTHER, "2024-03-05")}
    assert shown == {DAY: True, OTHER: False, "2024-03-05": False}


@only_named
def test_of_a_table_by_day_that_is_only_named_no_day_is_found_and_the_dashboard_is_held(locations, instance):
    """Dagster makes it up without partitions; it has to be declared with them."""
    locations.partitions = DAYS
    locations.there, locations.here, locations.day = locations.warehouse(), locations.dashboard(), DAY
    assert locations.load("raw", "mart").success

    assert not locations.shown()
    assert locations.findings() == [("mart", None, "missing")]


# What the contract names


@only_declared
def test_a_check_that_the_contract_names_holds_before_it_ever_ran_and_one_that_nobody_knows_does_not(locations):
    locations.load("raw", "mart", checks=False)
    assert locations.shown()

    locations.here = locations.dashboard(requires=(RequiredAsset("raw"), RequiredAsset("mart", checks=("unique",))))
    assert not locations.shown()
    assert locations.findings() == [("mart", "unique", "not_run")]

    locations.look("mart", "unique")
    assert locations.shown()


@only_declared
def test_a_check_that_was_given_up_there_holds_here_until_the_contract_names_those_that_count(locations):
    locations.there = locations.warehouse(checks=[("mart", "unique"), ("mart", "given_up")])
    locations.load("raw", "mart")
    locations.there = locations.warehouse(checks=[("mart", "unique")])
    locations.load("raw", "mart")
    assert not locations.shown()
    assert locations.findings() == [("mart", "given_up", "not_run")]

    locations.here = locations.dashboard(requires=(RequiredAsset("mart", checks=("unique",)),))
    assert locations.shown()


@only_declared
@pytest.mark.parametrize(
    "promises",
    [
        {"requires": (RequiredAsset("mrat", checks=("unique",)),)},
        {"requires": (RequiredAsset("mart"), RequiredAsset("mrat"))},
        {"freshness": {"mrat": dt.timedelta(hours=1)}},
    ],
    ids=["alone", "beside another", "in a window"],
)
def test_a_misspelt_table_is_refused_with_the_nearest_that_is_declared(locations, promises):
    with pytest.raises(ContractError, match=r"'mrat'.*did you mean 'mart'"):
        locations.dashboard(**promises)


@only_named
def test_a_table_the_contract_names_has_to_be_declared_and_the_refusal_says_how(locations):
    """One that is only named cannot be told from one that is misspelt."""
    with pytest.raises(ContractError, match=r"'mart'.*declared here as a dg.AssetSpec"):
        locations.dashboard(requires=(RequiredAsset("mart", checks=("unique",)),))


# Where the mart there has a gate of its own


def test_what_a_gate_there_let_through_is_shown_here_also_when_it_is_built_again(locations):
    """It spoke before the mart was built: what it let through is the load of its own run."""
    locations.there = locations.warehouse(gated=True)
    locations.load("raw", "mart")
    first = (locations.findings(), locations.shown())
    locations.load("mart")

    assert first == ([], True)
    assert locations.findings() == []
    assert locations.shown()


def test_what_a_gate_there_held_is_held_here_until_it_lets_the_mart_be_built(locations):
    locations.there = locations.warehouse(gated=True)
    locations.load("raw", "mart")
    locations.finds["complete"] = False
    locations.load("raw")
    locations.load("mart")

    assert not locations.shown()
    locations.finds["complete"] = True
    locations.load("raw")
    locations.load("mart")
    assert locations.findings() == []
    assert locations.shown()


# As it is deployed


@pytest.mark.long
def test_two_locations_that_are_served_by_processes_of_their_own(tmp_path):
    for name in ("warehouse", "dashboards"):
        shutil.copy(PROJECTS / f"{name}.py", tmp_path)
    direct = {"module": "dagster.core.run_coordinator", "class": "DefaultRunCoordinator"}
    config = {
        "telemetry": {"enabled": False},
        "python_logs": {"python_log_level": "CRITICAL"},
        "run_coordinator": direct,  # no daemon is needed to launch a run
        "code_servers": {"wait_for_local_processes_on_shutdown": True},
    }
    (tmp_path / "dagster.yaml").write_text(json.dumps(config))
    fails, published = tmp_path / "unique_fails", tmp_path / "published"

    with (
        dg.DagsterInstance.from_config(str(tmp_path)) as instance,
        serve(instance, tmp_path, "warehouse", "dashboards") as workspace,
    ):

        def run(location, job):
            return workspace.wait_for(workspace.launch(location, job)) == [True]

        fails.touch()
        assert run("warehouse", "load")  # the check does not block, so the run went well
        assert not run("dashboards", "refresh")
        assert not published.exists()

        fails.unlink()
        assert run("warehouse", "load")
        assert run("dashboards", "refresh")
        assert published.read_text() == "1"
