"""What happens while evidence is read: it is seen as it was before, or as it is after, and never by halves."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent
from generated_logs import NOW, Log, write

from dashboard_trust.contracts.model import DashboardContract, Promise, Requirement
from dashboard_trust.readers import event_log
from dashboard_trust.readers.event_log import read_evidence
from dashboard_trust.readers.event_tables import EventTables
from dashboard_trust.verdicts.judge import judge

MART = Requirement("mart", "a", "o", checks=("unique",))
PROMISE = Promise(DashboardContract("dash", "o"), "a", None, (MART,))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def home(request):
    return request.getfixturevalue(f"{request.param}_home")


@pytest.fixture
def instance(home):
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


@pytest.fixture
def other(home):
    """The same storage, as another process has it."""
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def outcomes(instance):
    return [str(finding.outcome) for finding in judge(PROMISE, read_evidence(instance, [PROMISE], NOW)).findings]


@pytest.fixture
def going_on(instance, tmp_path):
    """A run that goes on."""
    run_id = f"on-{tmp_path.parent.name}-{tmp_path.name}"[-36:]
    instance.add_run(dg.DagsterRun(job_name="job", run_id=run_id, status=dg.DagsterRunStatus.STARTED))
    return run_id


def test_a_load_delivered_between_two_reads_is_not_seen_by_halves(instance, other, going_on, monkeypatch):
    """Its plan would be gone with the load before it still standing: nothing would hold any more."""
    log = Log()
    log.load("good-1", "mart", "a")
    log.evaluate("good-1", "mart", "unique", "a", log.loads()[-1])
    log.plan(going_on, "mart", "a")
    write(log, instance)
    assert outcomes(instance) == ["pending"]
    delivered = []

    def open_plans(tables, places):
        if not delivered:
            delivered.append(log.load(going_on, "mart", "a"))
            write_newest(log, other)
        return unpatched(tables, places)

    unpatched = EventTables.open_plans
    monkeypatch.setattr(EventTables, "open_plans", open_plans)

    assert outcomes(instance) == ["pending"]
    assert delivered
    assert outcomes(instance) == ["not_run"]


@pytest.mark.parametrize("where", ["in its place", "beside the partition"])
def test_a_check_answered_before_its_run_is_looked_at_is_not_taken_for_never_answered(
    instance, other, going_on, monkeypatch, where
):
    """The run is seen to have ended, and the plan of the check, read before, would hide nothing."""
    log = Log()
    log.load("good-1", "mart", "a")
    log.evaluate("good-1", "mart", "unique", None if where != "in its place" else "a", log.loads()[-1])
    log.plan_check(going_on, "mart", "unique", "a")
    write(log, instance)
    assert outcomes(instance) == ["pending"]

    def read_runs(*args):
        if not read:
            partition = "a" if where == "in its place" else None
            log.evaluate(going_on, "mart", "unique", partition, log.loads()[-1], passed=False)
            write(log, other)
            other.report_dagster_event(DagsterEvent("PIPELINE_SUCCESS", "job"), going_on)
        read.append(args)
        return unpatched(*args)

    read, unpatched = [], event_log.read_runs
    monkeypatch.setattr(event_log, "read_runs", read_runs)

    assert outcomes(instance) == ["failed"]
    assert outcomes(instance) == ["failed"]


def test_where_runs_end_as_fast_as_one_reads_they_are_taken_to_go_on(instance, other, monkeypatch):
    log = Log()
    log.load("good-1", "mart", "a")
    log.evaluate("good-1", "mart", "unique", "a", log.loads()[-1])

    def read_runs(*args):
        for run_id in args[1]:
            other.report_dagster_event(DagsterEvent("PIPELINE_SUCCESS", "job"), run_id)
        plan_another()
        return unpatched(*args)

    def plan_another():
        run_id = f"one-of-many-{len(runs)}-{id(runs)}"
        runs.append(run_id)
        other.add_run(dg.DagsterRun(job_name="job", run_id=run_id, status=dg.DagsterRunStatus.STARTED))
        log.plan_check(run_id, "mart", "unique", "a")
        write(log, other)

    runs, unpatched = [], event_log.read_runs
    plan_another()
    monkeypatch.setattr(event_log, "read_runs", read_runs)

    assert outcomes(instance) == ["pending"]
    assert len(runs) == 1 + event_log.LOOKS


def write_newest(log, instance):
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable

    with instance.event_log_storage.index_connection() as connection:
        connection.execute(SqlEventLogStorageTable.insert(), log.events[-1:])
