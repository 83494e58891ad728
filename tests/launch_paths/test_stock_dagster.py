"""The same failures and launch paths in Dagster as it comes, with blocking checks: what is published anyway.

Launched in process, each by what its launch path comes to: a run of the dashboards, of one day or of a range.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path

import dagster as dg
import pytest
from chains import BAD, DAYS, FAILURES, PATHS, WELL, board_of, boards_of, prefix, read_refreshes
from click.testing import CliRunner
from dagster._cli.asset import asset_materialize_command
from dagster._core.definitions.reconstruct import ReconstructableJob
from states import Chains
from traces import read_trace

HERE = Path(__file__).parent
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


class Launcher:
    """Every launch path, in process."""

    def __init__(self, chains: Chains) -> None:
        self.chains, self.instance, self.repository = chains, chains.instance, chains.defs.get_repository_def()

    def launch(self, path: str) -> set[str]:
        """Launch the dashboards on a path, and return the runs that came of it."""
        before = {run.run_id for run in self.instance.get_runs()}
        paths: dict[str, Callable[[str], None]] = {
            "UI through GraphQL": self._run,
            "dagster asset materialize": self._command,
            "schedule": self._schedule,
            "sensor": self._sensor,
            "multi-run backfill": self._day_by_day,
            "single-run backfill": self._range,
            "re-execution": self._run_again,
        }
        paths[path](path)
        new = [run for run in self.instance.get_runs() if run.run_id not in before]
        return {run.run_id for run in new if path != "re-execution" or run.parent_run_id}

    def _run(self, path: str) -> None:
        self.chains.run(*boards_of(path))

    def _day_by_day(self, path: str) -> None:
        for day in DAYS:
            self.chains.run(*boards_of(path), day=day)

    def _range(self, path: str) -> None:
        self.chains.run(*boards_of(path), day=DAYS[0], to=DAYS[-1])

    def _command(self, path: str) -> None:
        project = ["-f", str(HERE / "stock_project.py"), "-d", str(HERE)]
        chosen = ["--select", ",".join(boards_of(path)), "--partition", BAD]
        with warnings.catch_warnings(action="ignore"):  # says that `dg launch` supersedes it
            CliRunner().invoke(asset_materialize_command, [*project, *chosen])

    def _schedule(self, path: str) -> None:
        with dg.build_schedule_context(self.instance, repository_def=self.repository) as context:
            tick = self.repository.get_schedule_def("by_the_clock").evaluate_tick(context)
        self._carry_out(tick.run_requests)

    def _sensor(self, path: str) -> None:
        with dg.build_sensor_context(self.instance, repository_def=self.repository) as context:
            tick = self.repository.get_sensor_def("once").evaluate_tick(context)
        self._carry_out(tick.run_requests)

    def _carry_out(self, requests: list[dg.RunRequest]) -> None:
        for request in requests:
            self.chains.defs.resolve_job_def("refresh").execute_in_process(
                instance=self.instance, partition_key=request.partition_key, raise_on_error=False
            )

    def _run_again(self, path: str) -> None:
        job = ReconstructableJob.for_file(str(HERE / "stock_project.py"), "refresh")
        tags = {"dagster/partition": BAD}
        with dg.execute_job(job, self.instance, tags=tags) as first:
            assert first.success  # so there is no failure to go on from
            options = dg.ReexecutionOptions(first.run_id)
        dg.execute_job(job, self.instance, tags=tags, reexecution_options=options)


@pytest.fixture(scope="module")
def stock(prepared) -> Iterator[Chains]:
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    with prepared("stock_project") as chains:
        yield chains


@pytest.fixture(scope="module")
def seen(stock) -> dict[tuple[str, str], str]:
    """What was published of each chain on the bad day, and what was held, by launch path."""
    runs = {path: Launcher(stock).launch(path) for path in PATHS}
    refreshes = read_refreshes()
    words = {}
    for path, run_ids in runs.items():
        refreshed = {dashboard for dashboard, day, run_id in refreshes if day == BAD and run_id in run_ids}
        traces = [read_trace(stock.instance, run_id) for run_id in run_ids]
        delivered = {dashboard for trace in traces for dashboard, day in trace.delivered if day == BAD}
        assert refreshed == delivered
        for chain in [WELL, *FAILURES]:
            words[chain, path] = "published" if f"{prefix(chain)}/{board_of(path)}" in refreshed else "held"
    return words


@pytest.mark.parametrize(
    ("failure", "path"), [pytest.param(*cell, id="-".join(cell)) for cell in product(FAILURES, PATHS)]
)
def test_a_stock_dashboard_does_what_the_documentation_says(seen, documented, failure, path):
    assert seen[failure, path] == documented[failure, path][1]


@pytest.mark.parametrize("path", PATHS)
def test_a_stock_dashboard_with_everything_well_is_published(seen, path):
    assert seen[WELL, path] == "published"


@pytest.mark.parametrize("failure", ["failed", "errored"])
def test_a_blocking_check_holds_what_is_in_one_run_with_it(stock, failure):
    """What ``blocking=True`` is for: the whole chain, loaded, checked, built and published in one run."""
    before = read_refreshes()
    chain = [f"{failure}/{layer}" for layer in ("raw", "mart", "dashboard")]

    assert not stock.run(*chain).success
    assert read_refreshes() == before


def test_a_stock_dashboard_that_loads_its_input_fails_where_none_was_ever_stored(instance, run):
    """The chains read their warehouse themselves; through an I/O manager, `missing` would not be published."""
    days = dg.DailyPartitionsDefinition(DAYS[0])

    @dg.asset(partitions_def=days)
    def mart() -> int:
        return 1

    @dg.asset(partitions_def=days)
    def dashboard(mart: int) -> int:
        return mart

    defs = dg.Definitions([mart, dashboard])
    assert run(defs, "mart", day=DAYS[0]).success

    assert run(defs, "dashboard", day=DAYS[0]).success
    assert not run(defs, "dashboard", day=BAD).success
