"""A real `dagster dev` (webserver and daemon) on the chains, and every way to launch something of it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import dagster as dg
import requests
from chains import BAD, DAYS, boards_of
from dagster_processes import dagster_dev, wait_for

HERE = Path(__file__).parent
PROJECT = "trusted_project.py"
LOCATION = {"repositoryName": "__repository__", "repositoryLocationName": PROJECT}
LAUNCH = (
    "mutation ($p: ExecutionParams!) { launchRun(executionParams: $p)"
    " { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"
)
AGAIN = (
    "mutation ($p: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $p)"
    " { __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"
)
BACKFILL = (
    "mutation ($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p)"
    " { __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"
)
TURN = {
    ("schedule", True): "mutation ($s: ScheduleSelector!) { startSchedule(scheduleSelector: $s)"
    " { ... on ScheduleStateResult { scheduleState { id } } } }",
    ("schedule", False): "mutation ($id: String) { stopRunningSchedule(id: $id) { __typename } }",
    ("sensor", True): "mutation ($s: SensorSelector!) { startSensor(sensorSelector: $s)"
    " { ... on Sensor { sensorState { id } } } }",
    ("sensor", False): "mutation ($id: String) { stopSensor(id: $id) { __typename } }",
}
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
T = TypeVar("T")


class Dagster:
    """A `dagster dev` that answers, with the instance it writes to."""

    def __init__(self, url: str, environment: dict[str, str], instance: dg.DagsterInstance) -> None:
        self.url, self.environment, self.instance = url, environment, instance

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Answer a GraphQL query that has one field."""
        reply = requests.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60)
        body = reply.json()
        assert "errors" not in body, body["errors"]
        return next(iter(body["data"].values()))

    def launch(self, dashboards: list[str], *, with_gate: bool = True) -> dict[str, Any]:
        """Launch a run of the bad day as the UI does: the assets selected, and the checks on them."""
        keys = [{"path": name.split("/")} for name in dashboards]
        checks = [{"assetKey": key, "name": "upstream_ready"} for key in keys] if with_gate else []
        selected = {"assetSelection": keys, "assetCheckSelection": checks}
        tags = [{"key": "dagster/partition", "value": BAD}]
        params = {
            "selector": {**LOCATION, "pipelineName": "__ASSET_JOB", **selected},
            "mode": "default",
            "runConfigData": "{}",
            "executionMetadata": {"tags": tags},
        }
        return self.ask(LAUNCH, p=params)

    def launch_again(self, run_id: str) -> list[str]:
        """Re-execute a run from its failure, and return the run when it has ended."""
        launched = self.ask(AGAIN, p={"parentRunId": run_id, "strategy": "FROM_FAILURE"})
        return self.wait_for_end([launched["run"]["runId"]])

    def backfill(self, dashboards: list[str]) -> str:
        """Launch a backfill of all days, which the daemon is to carry out, and return its id."""
        keys = [{"path": name.split("/")} for name in dashboards]
        return self.ask(BACKFILL, p={"assetSelection": keys, "partitionNames": DAYS})["backfillId"]

    @contextmanager
    def turned_on(self, kind: str, name: str) -> Iterator[None]:
        """Turn a schedule or a sensor on for the while."""
        state = self.ask(TURN[kind, True], s={**LOCATION, f"{kind}Name": name})[f"{kind}State"]
        yield
        self.ask(TURN[kind, False], id=state["id"])

    def runs_tagged(self, name: str, value: str, count: int = 1) -> list[str]:
        """Wait until so many runs carry this tag and have ended, and return their ids."""
        tagged = dg.RunsFilter(tags={f"dagster/{name}": value})
        runs = wait_for(
            lambda: found if len(found := self.instance.get_runs(tagged)) >= count else None,
            f"{count} runs tagged {name}: {value}",
        )
        return self.wait_for_end([run.run_id for run in runs])

    def wait_for_end(self, run_ids: list[str]) -> list[str]:
        """Wait until these runs have ended, and return their ids."""
        ended = dg.RunsFilter(run_ids=run_ids, statuses=ENDED)
        wait_for(lambda: len(self.instance.get_runs(ended)) == len(run_ids), f"the end of {run_ids}")
        return run_ids

    @contextmanager
    def command(self, dashboards: list[str]) -> Iterator[subprocess.Popen[bytes]]:
        """Run `dagster asset materialize` on the bad day, in a process of its own."""
        program = [Path(sys.executable).with_name("dagster"), "asset", "materialize", "-f", PROJECT, "-d", HERE]
        process = subprocess.Popen(
            [*program, "--select", ",".join(dashboards), "--partition", BAD],
            env=self.environment,
            cwd=HERE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait(timeout=10)

    def runs_of_process(self, pid: int) -> list[str]:
        """Return the runs whose steps were executed in this process."""
        engine = dg.DagsterEventType.ENGINE_EVENT
        return [
            run.run_id
            for run in self.instance.get_runs()
            if any(f"(pid: {pid})" in str(e.message) for e in self.instance.all_logs(run.run_id, of_type=engine))
        ]


def launch_everything(dagster: Dagster, mend: Callable[[], None]) -> dict[str, list[str]]:
    """Launch every dashboard once on every launch path, and return the runs of each when they have ended.

    ``mend`` is called between the run and its re-execution.
    """
    runs: dict[str, list[str]] = {}
    # The daemon looks for backfills every 30 s, and for what is scheduled by the minute: they go first.
    backfills = {path: dagster.backfill(boards_of(path)) for path in ("single-run backfill", "multi-run backfill")}
    with (
        dagster.turned_on("schedule", "by_the_clock"),
        dagster.turned_on("sensor", "once"),
        dagster.command(boards_of("dagster asset materialize")) as command,
    ):
        launched = dagster.launch(boards_of("UI through GraphQL"))
        runs["UI through GraphQL"] = dagster.wait_for_end([launched["run"]["runId"]])
        mend()
        runs["re-execution"] = dagster.launch_again(*runs["UI through GraphQL"])
        runs["sensor"] = dagster.runs_tagged("sensor_name", "once")
        assert command.wait(timeout=240) == 1
        runs["dagster asset materialize"] = dagster.runs_of_process(command.pid)
        runs["single-run backfill"] = dagster.runs_tagged("backfill", backfills["single-run backfill"])
        runs["multi-run backfill"] = dagster.runs_tagged("backfill", backfills["multi-run backfill"], count=len(DAYS))
        runs["schedule"] = dagster.runs_tagged("schedule_name", "by_the_clock")
    return runs


@contextmanager
def serve(instance: dg.DagsterInstance) -> Iterator[Dagster]:
    """Run `dagster dev` on the home of an instance."""
    home = Path(instance.root_directory)
    told = {"DAGSTER_HOME": str(home), "PYTHONWARNINGS": "ignore"}
    with dagster_dev(home, "-f", PROJECT, "-d", str(HERE), environment=told, cwd=HERE) as url:
        yield Dagster(url, {**os.environ, **told}, instance)
