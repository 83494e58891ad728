"""Backfills of mixed granularity, carried out by Dagster's own backfill machinery.

What the daemon requests waits in the instance's queue; the tests take it from there in an order of their own,
since a real queue may too.
"""

import datetime as dt
import importlib.util
import json
import logging
import random
import sys
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
from dagster._core.definitions.events import AssetKeyPartitionKey
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionStatus, PartitionBackfill
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import create_test_daemon_workspace_context, wait_for_runs_to_finish
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget, PythonFileTarget
from dagster._daemon.backfill import execute_backfill_iteration
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from sqlalchemy import Engine, event

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.gated_assets import trust, trusted_dashboard

# Dagster's own backfill daemon calls what Dagster has deprecated.
pytestmark = [
    pytest.mark.long,
    pytest.mark.filterwarnings("ignore:Function `AssetSelection.sources` is deprecated"),
]

PROJECT = Path(__file__).parent / "backfill_projects" / "grains.py"
TABLES = ("raw", "model", "mart")
DASHBOARDS = ("by_day", "by_week", "day_of_week", "whole", "newest")
IN_PROCESS = {"module": "dagster._core.launcher.sync_in_memory_run_launcher", "class": "SyncInMemoryRunLauncher"}
SETTINGS = {
    "telemetry": {"enabled": False},
    "python_logs": {"python_log_level": "CRITICAL"},
    "run_launcher": IN_PROCESS,
}
SUNDAY = dt.date(2024, 3, 3)
DAYS = [(SUNDAY + dt.timedelta(days=n)).isoformat() for n in range(14)]
WEEK_1, WEEK_2 = set(DAYS[:7]), set(DAYS[7:])
W1, W2 = DAYS[0], DAYS[7]
BAD = "2024-03-06"
RAW = dg.AssetKey("raw")
Place = tuple[str, str | None]
Published = dict[str, set[str | None]]
EVERYTHING: Published = {
    "by_day": {*DAYS},
    "by_week": {W1, W2},
    "day_of_week": {*DAYS},
    "whole": {None},
    "newest": {None},
}
WITHOUT_THE_BAD_DAY: Published = {
    "by_day": {*DAYS} - {BAD},
    "by_week": {W2},
    "day_of_week": WEEK_2,
    "whole": set(),
    "newest": {None},
}


class Daemon:
    """An instance, a project, and the daemon's loop over both, one turn at a time.

    ``choose`` takes from the queue what is run next; ``before_run`` is called before each run.
    """

    def __init__(self, instance: dg.DagsterInstance, workspace: WorkspaceProcessContext) -> None:
        self.instance = instance
        self.workspace = workspace
        self.graph = workspace.create_request_context().asset_graph
        self.choose: Callable[[list[dg.DagsterRun]], list[dg.DagsterRun]] = lambda queued: queued
        self.before_run: Callable[[dg.DagsterRun], None] = lambda run: None
        self.runs = 0

    def trouble(self, **partitions: list[str]) -> None:
        """Say what is wrong with raw from now on."""
        Path(self.instance.root_directory, "trouble.json").write_text(json.dumps(partitions))

    def backfill(self, places: Iterable[Place] | None = None) -> BulkActionStatus:
        """Backfill these partitions (by default everything), to its end."""
        return self.carry_out(self.request(places))[0]

    def request(self, places: Iterable[Place] | None = None) -> str:
        """Ask for a backfill, as the UI does; return its id."""
        keys = {
            AssetKeyPartitionKey(dg.AssetKey(asset), partition) for asset, partition in places or self.every_place()
        }
        backfill = PartitionBackfill.from_asset_graph_subset(
            backfill_id=uuid.uuid4().hex[:8],
            backfill_timestamp=time.time(),
            tags={},
            dynamic_partitions_store=self.instance,
            asset_graph_subset=AssetGraphSubset.from_asset_partition_set(keys, self.graph),
            title=None,
            description=None,
            run_config=None,
        )
        self.instance.add_backfill(backfill)
        return backfill.backfill_id

    def carry_out(self, *backfills: str) -> list[BulkActionStatus]:
        """Turn the daemon's loop and run what it queues until these backfills have ended; return how."""
        idle = 0
        while idle < 5:
            found = [*execute_backfill_iteration(self.workspace, logging.getLogger("dagster"))]
            errors = [error.to_string() for error in found if error]
            assert not errors, errors[0]
            ended = [self.instance.get_backfill(backfill).status for backfill in backfills]
            if all(status in BULK_ACTION_TERMINAL_STATUSES for status in ended):
                assert not self._queued()
                return ended
            idle = 0 if self._run_some() else idle + 1
        raise AssertionError(f"{ended} and nothing left to run: it would go on for ever")

    def every_place(self) -> set[Place]:
        """Every partition of every asset."""
        partitions = {asset: self.graph.get(dg.AssetKey(asset)).partitions_def for asset in (*TABLES, *DASHBOARDS)}
        return {
            (asset, key)
            for asset, found in partitions.items()
            for key in (found.get_partition_keys() if found else [None])
        }

    def published(self) -> dict[str, set[str | None]]:
        """Every dashboard's partitions that were ever refreshed."""
        return {name: {partition for partition, _ in self.loads(name)} for name in DASHBOARDS}

    def loads(self, asset: str) -> list[tuple[str | None, float]]:
        """Every materialization of an asset, oldest first: partition and moment."""
        records = self.instance.fetch_materializations(dg.AssetKey(asset), limit=10_000, ascending=True).records
        return [(record.partition_key, record.timestamp) for record in records]

    def results(self, asset: str, check: str) -> list[tuple[str | None, str, float]]:
        """Every result of a check, oldest first: partition, status and moment."""
        key = dg.AssetCheckKey(dg.AssetKey(asset), check)
        rows = self.instance.event_log_storage.get_asset_check_execution_history(key, limit=10_000)
        return [(row.partition, row.status.value, row.event.timestamp) for row in reversed(rows)]

    def _run_some(self) -> int:
        chosen = self.choose(self._queued())
        for run in chosen:
            self.before_run(run)
            self.runs += 1
            assert self.runs < 200, "it goes on for ever"
            self.instance.launch_run(run.run_id, self.workspace.create_request_context())
        return len(chosen)

    def _queued(self) -> list[dg.DagsterRun]:
        return self.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]), ascending=True)


@pytest.fixture
def _in_haste() -> Iterator[None]:
    """SQLite that does not wait for the disk: nothing here is about a machine that loses its power."""

    def set_pragma(connection, _):
        connection.execute("PRAGMA synchronous=OFF")

    event.listen(Engine, "connect", set_pragma)
    yield
    event.remove(Engine, "connect", set_pragma)


@pytest.fixture
def daemon(request, tmp_path, _in_haste) -> Iterator[Daemon]:
    """The daemon over the project whose name is the parameter."""
    target = LoadableTargetOrigin(executable_path=sys.executable, python_file=str(PROJECT), attribute=request.param)
    origin = InProcessCodeLocationOrigin(target, location_name="grains")
    with (
        dg.DagsterInstance.local_temp(str(tmp_path), overrides=SETTINGS) as instance,
        WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget(origin)) as workspace,
    ):
        yield Daemon(instance, workspace)


@pytest.fixture
def grains():
    """The same projects, for a run beside the daemon's."""
    spec = importlib.util.spec_from_file_location("grains", PROJECT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def of(*projects: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("daemon", projects, indirect=True)


def week_of(day: str) -> set[str]:
    return WEEK_1 if day in WEEK_1 else WEEK_2


class History:
    """What happened to every place, and what each is made of by the calendar alone."""

    def __init__(self, daemon: Daemon) -> None:
        self.raw = {partition for asset, partition in daemon.every_place() if asset == "raw"}
        self.loads: dict[Place, list[float]] = defaultdict(list)
        self.words: dict[Place, list[tuple[float, str]]] = defaultdict(list)
        for asset in (*TABLES, *DASHBOARDS):
            for partition, at in daemon.loads(asset):
                self.loads[asset, partition].append(at)
        for asset in TABLES:
            for partition, status, at in daemon.results(asset, "ok"):
                self.words[asset, partition].append((at, status))

    def needs(self, asset: str, partition: str | None) -> set[Place]:
        """What a partition is made of, directly."""
        return {
            "raw": set,
            "model": lambda: {("raw", one) for one in self.raw if one.startswith(partition)},
            "mart": lambda: {("model", day) for day in week_of(partition)},
            "by_day": lambda: {("model", partition)},
            "by_week": lambda: {("mart", partition)},
            "day_of_week": lambda: {("mart", min(week_of(partition)))},
            "whole": lambda: {("mart", W1), ("mart", W2)},
            "newest": lambda: {("mart", W2)},
        }[asset]()

    def assert_every_publication_was_sound(self) -> None:
        """Whenever a dashboard was refreshed, all it stood on was built in order and found right by then."""
        published = [(place, at) for place, loads in self.loads.items() if place[0] in DASHBOARDS for at in loads]
        assert published
        for place, at in published:
            self._assert_sound(place, at, until=at)

    def _assert_sound(self, place: Place, at: float, until: float) -> None:
        for above in self.needs(*place):
            built = max((load for load in self.loads[above] if load < until), default=None)
            assert built is not None, f"{place} was made without {above}"
            assert built < at, f"{above} was built again after {place} was made of it"
            checked, status = max((word for word in self.words[above] if word[0] < until), default=(0, "nothing"))
            assert checked >= built, f"{above} was not checked before {place}"
            assert status == "SUCCEEDED", f"{above} was wrong when {place} stood on it"
            self._assert_sound(above, built, until)


def assert_one_word_each(daemon: Daemon, published: Published) -> None:
    """Each gate said one thing of each partition: passed where it was published, failed everywhere else."""
    for name in DASHBOARDS:
        words = Counter((partition, status) for partition, status, _ in daemon.results(name, "upstream_ready"))
        passed = {(partition, "SUCCEEDED") for partition in published[name]}
        failed = {(partition, "FAILED") for partition in EVERYTHING[name] - published[name]}
        assert words == Counter(passed | failed), name


def assert_the_runs_of_the_bad_day_failed_and_no_other(daemon: Daemon) -> None:
    """A run of a dashboard is green only where every day of it was published."""
    ends = {}
    for run in daemon.instance.get_runs():
        if dg.AssetKey("by_day") in run.asset_selection:
            days = (run.tags["dagster/asset_partition_range_start"], run.tags["dagster/asset_partition_range_end"])
            ends[days] = run.is_success
    assert ends
    assert ends == {(first, last): not first <= BAD <= last for first, last in ends}


def newest_one(queued: list[dg.DagsterRun]) -> list[dg.DagsterRun]:
    return queued[-1:]


def any_some(seed: int) -> Callable[[list[dg.DagsterRun]], list[dg.DagsterRun]]:
    chance = random.Random(seed)
    return lambda queued: chance.sample(queued, chance.randint(min(1, len(queued)), min(3, len(queued))))


# What must never happen: something published too early, or that stands on what is wrong.


@of("each_day", "three_days", "one_run")
def test_one_bad_day_holds_what_stands_on_it_and_the_rest_is_published_in_order(daemon):
    daemon.trouble(wrong=[BAD])

    assert daemon.backfill() is BulkActionStatus.COMPLETED_FAILED

    assert daemon.published() == WITHOUT_THE_BAD_DAY
    History(daemon).assert_every_publication_was_sound()
    assert_one_word_each(daemon, WITHOUT_THE_BAD_DAY)
    assert_the_runs_of_the_bad_day_failed_and_no_other(daemon)


@of("three_days")
def test_whatever_the_queue_takes_first_the_order_and_the_outcome_are_the_same(daemon):
    daemon.choose = any_some(seed=2)
    daemon.trouble(wrong=[BAD])

    assert daemon.backfill() is BulkActionStatus.COMPLETED_FAILED

    assert daemon.published() == WITHOUT_THE_BAD_DAY
    History(daemon).assert_every_publication_was_sound()
    assert_one_word_each(daemon, WITHOUT_THE_BAD_DAY)


@of("hours")
def test_one_bad_hour_holds_its_day_and_its_week(daemon):
    daemon.trouble(wrong=[f"{BAD}-23:00"])

    assert daemon.backfill() is BulkActionStatus.COMPLETED_FAILED

    assert daemon.published() == WITHOUT_THE_BAD_DAY
    History(daemon).assert_every_publication_was_sound()
    assert_one_word_each(daemon, WITHOUT_THE_BAD_DAY)


@of("each_day")
def test_a_day_whose_load_breaks_holds_what_stands_on_it_and_the_newest_week_goes_on_its_own(daemon):
    daemon.trouble(broken=[BAD])

    assert daemon.backfill() is BulkActionStatus.COMPLETED_FAILED
    # To Dagster a dashboard without partitions stands on every week; only the contract knows its window.
    assert daemon.published() == {**WITHOUT_THE_BAD_DAY, "newest": set()}

    assert daemon.backfill({("newest", None)}) is BulkActionStatus.COMPLETED_SUCCESS
    assert daemon.published() == WITHOUT_THE_BAD_DAY
    History(daemon).assert_every_publication_was_sound()


@of("guarded_each_day")
def test_gates_in_between_stop_the_bad_day_where_it_comes_in(daemon):
    daemon.trouble(wrong=[BAD])

    assert daemon.backfill() is BulkActionStatus.COMPLETED_FAILED

    assert daemon.published() == {**WITHOUT_THE_BAD_DAY, "newest": set()}  # Dagster did not ask for it, as above
    assert {day for day, _ in daemon.loads("model")} == {*DAYS} - {BAD}
    assert {week for week, _ in daemon.loads("mart")} == {W2}
    History(daemon).assert_every_publication_was_sound()


@of("guarded_one_run")
def test_a_guarded_model_of_one_run_holds_every_day_of_it_and_the_good_days_go_in_one_of_their_own(daemon):
    daemon.trouble(wrong=[BAD])
    assert daemon.backfill() is BulkActionStatus.COMPLETED_FAILED
    assert not any(daemon.published().values())
    assert not daemon.loads("model")

    good = {("model", day) for day in DAYS if day != BAD} | {("mart", W2)}
    asked = {(name, partition) for name, partitions in WITHOUT_THE_BAD_DAY.items() for partition in partitions}
    assert daemon.backfill(good | asked) is BulkActionStatus.COMPLETED_SUCCESS

    assert daemon.published() == WITHOUT_THE_BAD_DAY
    History(daemon).assert_every_publication_was_sound()


@of("one_run")
def test_dashboards_backfilled_before_anything_is_there_are_held_and_the_backfill_ends(daemon):
    everything = {place for place in daemon.every_place() if place[0] in DASHBOARDS}

    assert daemon.backfill(everything) is BulkActionStatus.COMPLETED_FAILED

    assert not any(daemon.published().values())
    assert_one_word_each(daemon, {name: set() for name in DASHBOARDS})


@of("three_days")
def test_a_day_loaded_again_between_model_and_mart_holds_the_week_that_was_made_of_the_old_one(daemon, grains):
    def load_again_before_the_mart(run):
        if dg.AssetKey("mart") in run.asset_selection and len(again) == 0:
            job = grains.three_days.resolve_implicit_global_asset_job_def()
            again.append(job.execute_in_process(instance=daemon.instance, asset_selection=[RAW], partition_key=BAD))

    again = []
    daemon.before_run = load_again_before_the_mart

    assert daemon.backfill() is BulkActionStatus.COMPLETED_FAILED

    assert [result.success for result in again] == [True]
    assert daemon.published() == {**WITHOUT_THE_BAD_DAY, "by_day": {*DAYS}}
    History(daemon).assert_every_publication_was_sound()


@of("three_days")
def test_two_backfills_of_the_same_days_at_once_publish_nothing_unsound_and_both_end(daemon):
    daemon.choose = any_some(seed=1)
    daemon.trouble(wrong=[BAD])

    ended = daemon.carry_out(daemon.request(), daemon.request())

    assert set(ended) == {BulkActionStatus.COMPLETED_FAILED}
    published = daemon.published()
    assert all(published[name] <= WITHOUT_THE_BAD_DAY[name] for name in DASHBOARDS)
    History(daemon).assert_every_publication_was_sound()


# What should happen next: the bad day is repaired.


@of("three_days")
def test_backfilled_again_without_a_repair_it_is_held_again_and_with_one_the_rest_is_published(daemon):
    held = {(name, one) for name in DASHBOARDS for one in EVERYTHING[name] - WITHOUT_THE_BAD_DAY[name]}
    repair = {("raw", BAD), ("model", BAD), ("mart", W1)}
    daemon.trouble(wrong=[BAD])
    daemon.backfill()

    assert daemon.backfill(held) is BulkActionStatus.COMPLETED_FAILED
    assert daemon.published() == WITHOUT_THE_BAD_DAY

    daemon.trouble()
    assert daemon.backfill(repair | held) is BulkActionStatus.COMPLETED_SUCCESS
    assert daemon.published() == EVERYTHING
    assert {len(daemon.loads(name)) for name in ("by_day", "day_of_week")} == {len(DAYS)}
    History(daemon).assert_every_publication_was_sound()


@of("three_days")
def test_backfilled_whole_again_everything_is_published_from_the_second_build(daemon):
    daemon.trouble(wrong=[BAD])
    daemon.backfill()
    first = time.time()
    daemon.trouble()
    daemon.choose = newest_one

    assert daemon.backfill() is BulkActionStatus.COMPLETED_SUCCESS

    second = {name: {partition for partition, at in daemon.loads(name) if at > first} for name in DASHBOARDS}
    assert second == EVERYTHING
    History(daemon).assert_every_publication_was_sound()


# In processes of their own, as in production: a code server, a queue, and a process for each run.


class Deployment(Daemon):
    """The same over a code server, with Dagster's own queue and a process for each run."""

    def __init__(self, instance: dg.DagsterInstance, workspace: WorkspaceProcessContext) -> None:
        super().__init__(instance, workspace)
        self.queue = QueuedRunCoordinatorDaemon(interval_seconds=1)

    def _run_some(self) -> int:
        queued = len(self._queued())
        with self.queue:
            assert not [error for error in self.queue.run_iteration(self.workspace) if error]
        wait_for_runs_to_finish(self.instance, timeout=250)
        return queued


@pytest.fixture
def deployment(tmp_path) -> Iterator[Deployment]:
    target = PythonFileTarget(str(PROJECT), "one_run", str(tmp_path), "grains")
    settings = {name: value for name, value in SETTINGS.items() if name != "run_launcher"}
    settings["code_servers"] = {"wait_for_local_processes_on_shutdown": True}
    with (
        dg.DagsterInstance.local_temp(str(tmp_path), overrides=settings) as instance,
        create_test_daemon_workspace_context(target, instance) as workspace,
    ):
        yield Deployment(instance, workspace)


def test_through_a_code_server_and_run_processes_it_is_the_same(deployment):
    deployment.trouble(wrong=[BAD])
    shown = ("by_day", "by_week")

    places = {place for place in deployment.every_place() if place[0] in (*TABLES, *shown)}
    assert deployment.backfill(places) is BulkActionStatus.COMPLETED_FAILED

    assert deployment.published() == {
        name: WITHOUT_THE_BAD_DAY[name] if name in shown else set() for name in DASHBOARDS
    }
    History(deployment).assert_every_publication_was_sound()


class Loaded:
    """raw with a check → dash, and runs of raw that are planned and executed apart, as a queue does it."""

    def __init__(self, instance: dg.DagsterInstance, verdict_of) -> None:
        self.instance, self.passes, self._verdict_of = instance, True, verdict_of
        raw = dg.AssetSpec("raw")
        check = dg.AssetCheckSpec("ok", asset="raw")

        @dg.multi_asset(specs=[raw], check_specs=[check], can_subset=True)
        def load(context):
            if RAW in context.selected_asset_keys:
                yield dg.MaterializeResult(asset_key=RAW)
            yield dg.AssetCheckResult(passed=self.passes, check_name="ok", asset_key=RAW)

        dash = trusted_dashboard(DashboardContract("dash", "team:dash"), lambda *_: None, deps=["raw"])
        self.defs = trust(dg.Definitions([load, dash], executor=dg.in_process_executor))

    def plan(self, *assets: dg.AssetKey):
        """Plan a run of these assets and of the check."""
        checks = {dg.AssetCheckKey(RAW, "ok")}
        job = self.defs.resolve_implicit_global_asset_job_def()
        job = job.get_subset(asset_selection={*assets}, asset_check_selection=checks)
        return InMemoryJob(job), self.instance.create_run_for_job(job)

    def execute(self, planned, *, passes: bool = True) -> None:
        """Carry a planned run out; the check finds the table right or wrong."""
        self.passes = passes
        assert execute_run(*planned, self.instance, raise_on_error=False).success

    def findings(self) -> list[tuple[str, str]]:
        return [(finding.name, str(finding.outcome)) for finding in self._verdict_of(self.defs, "dash").findings]


@pytest.fixture
def loaded(instance, verdict_of) -> Loaded:
    return Loaded(instance, verdict_of)


def test_a_check_that_fails_last_holds_although_its_run_was_planned_first(loaded):
    loaded.execute(loaded.plan(RAW))
    first, second = loaded.plan(), loaded.plan()
    loaded.execute(second, passes=True)
    loaded.execute(first, passes=False)

    assert loaded.findings() == [("raw:ok", "failed")]


def test_two_loads_that_end_in_another_order_than_they_were_planned_are_ready_once_both_have_passed(loaded):
    first, second = loaded.plan(RAW), loaded.plan(RAW)
    loaded.execute(second)
    loaded.execute(first)

    assert loaded.findings() == []
