"""The gate under the executors and the queue that production runs it with.

The projects' steps are processes; where a step has to be slower than another it waits for that one's event.
"""

import datetime as dt
import json
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableJob

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.evaluations import PartitionResult, evaluate_partitions
from dashboard_trust.enforcement.gated_assets import gates, trust, trusted_dashboard
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

PROJECTS = Path(__file__).parent / "projects"
serve = runpy.run_path(str(PROJECTS / "workspaces.py"))["serve"]
DAYS = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-08")
DAY, OTHER = "2024-03-03", "2024-03-04"
QUEUE = {"module": "dagster.core.run_coordinator", "class": "QueuedRunCoordinator"}
CONFIG = {
    "telemetry": {"enabled": False},
    "python_logs": {"python_log_level": "CRITICAL"},
    "run_coordinator": {**QUEUE, "config": {"dequeue_interval_seconds": 1}},
    "code_servers": {"wait_for_local_processes_on_shutdown": True},
}

RUN_IN_A_PROCESS = """
import sys
import dagster as dg
from dagster._core.definitions.reconstruct import ReconstructableJob

file, home, day = sys.argv[1:]
with dg.DagsterInstance.from_config(home) as instance:
    dg.execute_job(ReconstructableJob.for_file(file, "in_process"), instance, tags={"dagster/partition": day})
"""


@pytest.fixture(params=["sqlite"])
def instance(request, tmp_path):
    """An instance with a queue of runs, on SQLite or on a real PostgreSQL server of its own."""
    home = tmp_path / "dagster"
    home.mkdir()
    with ExitStack() as stack:
        storage = (
            {"storage": {"postgres": {"postgres_url": serve_postgres(stack)}}} if request.param == "postgres" else {}
        )
        (home / "dagster.yaml").write_text(json.dumps({**CONFIG, **storage}))
        yield stack.enter_context(dg.DagsterInstance.from_config(str(home)))


def serve_postgres(stack):
    """Start a server that ends with the stack; return its address."""
    with warnings.catch_warnings(action="ignore"):  # says on import where it would keep its files
        import pgserver

    # Not below pytest's own folder: every session that starts takes other users' access to that away.
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="postgres"))
    server = pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
    stack.callback(server.cleanup)
    return server.get_uri().replace("postgresql://", "postgresql+psycopg2://")


on_both = pytest.mark.parametrize("instance", ["sqlite", "postgres"], indirect=True)


class Project:
    """A copy of the project in a folder of its own, and what came of its runs."""

    def __init__(self, folder, instance):
        self.folder, self.instance = folder, instance
        folder.mkdir()
        shutil.copy(PROJECTS / "one_run.py", folder)
        self.plan()

    def plan(self, **plan):
        """Say what is to happen in the runs to come."""
        (self.folder / "plan.json").write_text(json.dumps(plan))

    def run(self, job="multiprocess", day=DAY):
        """Run a job of the project for a day; a run that fails is a result."""
        definition = ReconstructableJob.for_file(str(self.folder / "one_run.py"), job)
        return Run(self.instance, dg.execute_job(definition, self.instance, tags={"dagster/partition": day}).run_id)

    def findings(self, day=DAY):
        """Return what holds the dashboard now."""
        defs = runpy.run_path(str(self.folder / "one_run.py"))["defs"]
        verdict = gates(defs)[dg.AssetKey("dash")].judge(self.instance, [day], dt.datetime.now(dt.UTC))[day]
        return [(f.asset, f.check, str(f.outcome)) for f in verdict.findings]

    def rows(self):
        """Return the rows that readers see."""
        return self._query("SELECT report_date::VARCHAR, amount FROM published.sales ORDER BY ALL")

    def published(self):
        """Return the rows that readers see, and how many publications the log holds; the page shows the rows."""
        page = self.folder / "site" / "current" / "index.html"
        if not self.rows():
            assert not page.exists()
            return [], 0
        shown = self._query("SELECT * FROM published.sales ORDER BY ALL")
        assert page.read_text() == str(shown)
        return self.rows(), self._query("SELECT count(*) FROM trust.publications")[0][0]

    def _query(self, statement):
        with DuckDBWarehouse(self.folder / "warehouse.duckdb").connect("test") as connection:
            tables = connection.execute("SELECT 1 FROM duckdb_tables() WHERE schema_name = 'published'").fetchall()
            return connection.execute(statement).fetchall() if tables else []


class Run:
    """What a run left in the event log."""

    def __init__(self, instance, run_id):
        self.instance, self.run_id = instance, run_id
        self.success = instance.get_run_by_id(run_id).is_success
        self.events = [
            (entry.dagster_event.event_type_value, entry.dagster_event.step_key)
            for entry in instance.all_logs(run_id)
            if entry.dagster_event and entry.dagster_event.step_key
        ]

    def happened(self, event, step):
        return self.events.count((event, step))

    def at(self, event, step):
        """Return the place of the first such event among all of the run's."""
        return self.events.index((event, step))

    def gate(self):
        """Return what the gate said: whether it let the day through, and why not."""
        entries = self.instance.all_logs(self.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
        words = [entry.dagster_event.event_specific_data for entry in entries]
        (word,) = [word for word in words if word.check_name == "upstream_ready"]
        found = word.metadata["findings"].records if "findings" in word.metadata else []
        return word.passed, [(r.data["check"], r.data["outcome"], r.data["reason"]) for r in found]


@pytest.fixture
def project(instance, tmp_path):
    return Project(tmp_path / "project", instance)


# One run of everything, the check slower than the mart


@on_both
def test_the_dashboard_starts_when_its_mart_is_there_is_sent_back_and_shown_when_the_check_has_passed(project):
    project.plan(slow="STEP_UP_FOR_RETRY")
    run = project.run()

    assert run.success
    assert run.at("STEP_SUCCESS", "mart") < run.at("STEP_START", "dash") < run.at("STEP_UP_FOR_RETRY", "dash")
    assert run.at("STEP_UP_FOR_RETRY", "dash") < run.at("ASSET_CHECK_EVALUATION", "mart_unique")
    assert run.at("ASSET_CHECK_EVALUATION", "mart_unique") < run.at("ASSET_CHECK_EVALUATION", "dash")
    assert run.happened("ASSET_CHECK_EVALUATION", "dash") == 1
    assert run.happened("ASSET_MATERIALIZATION", "dash") == 1
    assert project.published() == ([(DAY, 10)], 1)


@on_both
def test_a_slow_check_that_fails_holds_the_dashboard_of_its_run_and_the_next_good_run_shows_it(project):
    project.plan(slow="STEP_UP_FOR_RETRY", unique="fail")
    run = project.run()

    assert not run.success
    assert run.gate() == (False, [("unique", "failed", "failed")])
    assert project.published() == ([], 0)

    project.plan(amount=20)
    assert project.run("in_process").success
    assert project.published() == ([(DAY, 20)], 1)


by_day_and_whole = pytest.mark.parametrize("whole", [False, True], ids=["by day", "without partitions"])


@by_day_and_whole
def test_in_process_the_check_is_waited_for_and_the_dashboard_shown_when_it_has_passed(project, whole):
    """Dagster plans a check without partitions for the day, and lets it answer without naming one."""
    for amount in (10, 20):  # the second time there is an older answer, about the older mart
        project.plan(whole=whole, amount=amount)
        run = project.run("in_process")

        assert run.success
        assert run.gate() == (True, [])
        assert run.happened("STEP_UP_FOR_RETRY", "dash") == 1
        assert project.rows() == [(DAY, amount)]
    assert project.published() == ([(DAY, 20)], 2)


@by_day_and_whole
@pytest.mark.parametrize(("happens", "outcome"), [("fail", "failed"), ("raise", "errored")])
def test_in_process_what_the_check_came_to_holds_the_dashboard_of_its_run(project, happens, outcome, whole):
    project.plan(whole=whole, unique=happens)
    run = project.run("in_process")
    passed, found = run.gate()

    assert not run.success
    assert (passed, [word[:2] for word in found]) == (False, [("unique", outcome)])
    assert project.published() == ([], 0)


@pytest.mark.parametrize("happens", ["raise", "kill"])
def test_a_check_that_broke_while_the_dashboard_waits_for_it_is_waited_for_no_longer(project, happens):
    """Its step has failed though the run goes on: there is nothing to wait half an hour for."""
    project.plan(slow="STEP_UP_FOR_RETRY", unique=happens)
    run = project.run()
    passed, found = run.gate()

    assert not run.success
    assert (passed, [word[:2] for word in found]) == (False, [("unique", "errored")])
    assert project.published() == ([], 0)

    project.plan()
    assert project.run("in_process").success
    assert project.published() == ([(DAY, 10)], 1)


def test_a_check_that_its_run_left_out_holds_the_dashboard(project):
    """A table that only the check reads broke. Dagster does not say so in an event: the wait runs out."""
    project.plan(aside="raise", patience=0.6)
    run = project.run("in_process")
    passed, found = run.gate()

    assert not run.success
    assert (passed, [word[0] for word in found]) == (False, ["unique"])
    assert project.published() == ([], 0)
    assert project.findings() == [("mart", "unique", "not_run")]


def test_a_check_slower_than_the_contract_waits_holds_as_pending_and_the_next_run_shows_what_it_passed(project):
    project.plan(slow="STEP_FAILURE", patience=0.6)
    run = project.run()

    assert not run.success
    assert run.happened("STEP_UP_FOR_RETRY", "dash") == 1
    assert run.gate() == (False, [("unique", "pending", "is planned and has not ended")])
    assert run.at("STEP_FAILURE", "dash") < run.at("ASSET_CHECK_EVALUATION", "mart_unique")
    assert project.published() == ([], 0)

    assert project.findings() == []
    assert project.run("dashboard").success
    assert project.published() == ([(DAY, 10)], 1)


@pytest.mark.parametrize(("job", "fails"), [("multiprocess", False), ("in_process", True)])
def test_before_a_check_that_blocks_the_dashboards_step_is_not_started(project, job, fails):
    project.plan(blocks=True, unique="fail" if fails else "")
    run = project.run(job)

    assert run.success is not fails
    assert run.happened("STEP_UP_FOR_RETRY", "dash") == 0
    assert run.happened("STEP_START", "dash") == (not fails)
    assert fails or run.at("STEP_SUCCESS", "mart_unique") < run.at("STEP_START", "dash")
    assert project.published() == (([], 0) if fails else ([(DAY, 10)], 1))


def test_of_a_range_the_good_day_is_waited_for_though_another_is_held_for_good(instance, run):
    """What holds the bad day is known before the check of the mart has looked at either."""
    by_day = {"partitions_def": DAYS, "backfill_policy": dg.BackfillPolicy.single_run()}
    complete = dg.AssetCheckSpec("complete", asset="raw", partitions_def=DAYS)
    unique = dg.AssetCheckSpec("unique", asset="mart", partitions_def=DAYS)

    def find(context, spec, bad=()):
        found = {day: PartitionResult(day not in bad) for day in context.partition_keys}
        yield from evaluate_partitions(context.instance, {spec.key: found}, blocking=False)

    @dg.multi_asset(specs=[dg.AssetSpec("raw")], check_specs=[complete], **by_day)
    def raw(context):
        yield dg.MaterializeResult(asset_key="raw")
        yield from find(context, complete, bad=[DAY])

    @dg.asset(deps=["raw"], **by_day)
    def mart():
        return dg.MaterializeResult()

    @dg.multi_asset_check(specs=[unique])
    def later(context):
        yield from find(context, unique)

    published = []
    dash = trusted_dashboard(
        DashboardContract("dash", "team:dash"),
        lambda _, verdicts: published.extend(verdict.partition for verdict in verdicts),
        deps=["mart"],
        partitions_def=DAYS,
    )
    defs = trust(dg.Definitions([raw, mart, dash], asset_checks=[later]))

    assert not run(defs, "raw", "mart", "dash", day=DAY, to=OTHER).success
    assert published == [OTHER]


# Processes that are killed


@pytest.mark.parametrize(
    ("killed", "left", "alone"),
    [
        ("raw", [], False),
        ("mart", [], False),
        ("dash", [], True),  # past its gate, before it wrote anything
        ("committed", [(DAY, 10)], True),  # the tables are swapped in, the page is not, and Dagster knows of neither
    ],
)
def test_a_step_that_is_killed_leaves_the_old_or_the_new_and_the_next_run_ends_right(project, killed, left, alone):
    project.plan(**{killed: "kill"})
    run = project.run()

    assert not run.success
    assert run.happened("ASSET_MATERIALIZATION", "dash") == 0
    assert project.rows() == left

    project.plan()
    assert project.run("dashboard").success is alone
    project.plan(amount=20)
    assert project.run("in_process").success
    assert project.published() == ([(DAY, 20)], 1 + alone)  # the same once more is no publication


def test_a_run_that_is_killed_whole_holds_as_pending_and_the_next_run_of_everything_ends_right(project):
    """Nobody tells Dagster that the run's process is gone: it stays started, and its checks planned."""
    project.plan(unique="kill")
    program = [sys.executable, "-c", RUN_IN_A_PROCESS, project.folder / "one_run.py", project.instance.root_directory]
    ended = subprocess.run([*program, DAY], check=False, capture_output=True)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()[-3000:]
    (run,) = project.instance.get_runs()
    assert run.status is dg.DagsterRunStatus.STARTED

    project.plan()
    assert not project.run("dashboard").success
    assert project.findings() == [("mart", "unique", "pending")]
    assert project.published() == ([], 0)

    assert project.run("in_process").success
    assert project.published() == ([(DAY, 10)], 1)


# Runs in a queue


@pytest.mark.long
@on_both
def test_of_four_runs_out_of_the_queue_the_two_of_the_bad_day_are_held_the_two_of_the_good_one_right(project):
    """Those of the good day refresh at the same time: each goes on only when the other has passed its gate too."""
    assert project.run("tables", DAY).success
    project.plan(unique="fail")
    assert project.run("tables", OTHER).success
    project.plan(together=2)
    with serve(project.instance, project.folder, "one_run", daemon=True) as workspace:
        launched = [workspace.launch("one_run", "dashboard", day) for day in (DAY, OTHER, OTHER, DAY)]
        ended = workspace.wait_for(*launched)

    runs = [Run(project.instance, run_id) for run_id in launched]
    assert ended == [True, False, False, True]
    assert [run.gate()[0] for run in runs] == ended
    assert [run.happened("ASSET_MATERIALIZATION", "dash") for run in runs] == [1, 0, 0, 1]
    assert all(project.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_ENQUEUED) for run in runs)
    assert project.published() == ([(DAY, 10)], 1)
