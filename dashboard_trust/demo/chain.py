"""The whole chain for one day through Dagster runs: land, model, check, publish, say how it stands.

It decides what to ask for. Whether a step may go on is decided in the step, as for any other launch.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from filelock import FileLock, Timeout

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.demo import days as demo_days
from dashboard_trust.demo.crm import KEY as CRM
from dashboard_trust.demo.crm import read_arrived
from dashboard_trust.demo.dashboard import KEY as DASHBOARD
from dashboard_trust.demo.dashboard import announce, destination
from dashboard_trust.demo.definitions import SYNCED, build_definitions
from dashboard_trust.demo.home import Home
from dashboard_trust.enforcement.automation import needs_run
from dashboard_trust.enforcement.gate import Gate, Standing
from dashboard_trust.enforcement.gated_assets import gates
from dashboard_trust.errors import HomeError, WarehouseBusyError
from dashboard_trust.publication.swap import repair
from dashboard_trust.readers.serving import Serving, read_serving
from dashboard_trust.verdicts.verdict import Outcome, Verdict

Report = Callable[[str], None]
"""Told each stage as it starts, in plain words."""

PROCESS_TAG = "dashboard_trust/demo_process"
OUR_FAILURES = frozenset({WarehouseBusyError.__name__, HomeError.__name__})
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
LOCK_SECONDS = 60


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What became of one day: its verdict, and whether it is what readers see now.

    ``failure`` says why it was not published though nothing holds it.
    """

    contract: DashboardContract
    verdict: Verdict
    serving: Serving | None
    published: bool
    failure: str = ""


def run_demo(home: Home, as_of: dt.date, report: Report) -> DemoResult:
    """Run the chain for ``as_of``, following whatever changed on the days before it.

    Raises:
        WarehouseBusyError: Another process holds the warehouse; what failed by it is on record.
    """
    demo_days.ask_for(home, as_of)
    with sole_use(home.path), dg.DagsterInstance.from_config(str(home.dagster)) as instance:
        _bury_dead_runs(instance)
        return _Chain(home, instance, as_of.isoformat(), report).run()


class _Chain:
    def __init__(self, home: Home, instance: dg.DagsterInstance, as_of: str, report: Report) -> None:
        self.home, self.instance, self.as_of, self.report = home, instance, as_of, report
        self.definitions = build_definitions(home)
        self.gates = gates(self.definitions)
        self.dashboard = self.gates[DASHBOARD]
        self.days = self._days()
        self.busy = self.failure = ""

    def run(self) -> DemoResult:
        """Run every stage; a stage that fails leaves it to the next one's gate to hold."""
        self.report("Syncing the source through Airbyte")
        self._launch(SYNCED)
        if not self.busy:
            repair(destination(self.home))
            self._load_arrivals()
            self._build_models()
        published = self._publish()
        verdict = self._announce()
        if self.busy:
            raise WarehouseBusyError(self.busy)
        contract, serving = self.dashboard.contract, read_serving(self.instance, DASHBOARD, None)
        failure = "" if published or verdict.holds else self.failure
        return DemoResult(contract, verdict, serving, published and not verdict.holds, failure)

    def _days(self) -> list[str]:
        """The two weeks up to the day, and whatever was published before them."""
        partitions = self.dashboard.binding.partitions if self.dashboard.binding else None
        every = [day for day in (partitions.get_partition_keys() if partitions else ()) if day <= self.as_of]
        start = (dt.date.fromisoformat(self.as_of) - demo_days.WINDOW).isoformat()
        older = [day for day in every if day <= start]
        kept = (
            {p for p, s in self._survey(self.dashboard, older).items() if s.delivered[0] is not None} if older else ()
        )
        return [day for day in every if day > start or day in kept]

    def _load_arrivals(self) -> None:
        new = read_arrived(self.instance, demo_days.build_partitions(self.home), self.days)
        # What was loaded by a run that was killed before its checks is loaded, and checked, again.
        arrived = sorted(new | {str(day) for day in self._unsound({CRM.to_user_string()}, Outcome.NOT_RUN)})
        if arrived:
            self.report(f"Loading {_count(arrived, 'CRM file')}")
        for span in self._spans(arrived):
            self._launch([CRM], span)

    def _build_models(self) -> None:
        for name, gate in self._model_steps().items():
            keys = sorted(gate.binding.guarded) if gate.binding else []
            unsound = self._unsound({key.to_user_string() for key in keys})
            standings = self._survey(gate, self.days)
            due = [day for day, s in standings.items() if needs_run(s) or (day in unsound and not s.verdict.holds)]
            if due:
                self.report(f"Building {name} for {_count(due, 'day')}")
            for span in self._spans([str(day) for day in due]):
                self._launch(keys, span)

    def _model_steps(self) -> dict[str, Gate]:
        """The guarded steps before the dashboard, by the name of their contract."""
        return {gate.contract.key: gate for gate in self.gates.values() if not gate.is_dashboard}

    def _unsound(self, assets: set[str], *outcomes: Outcome) -> set[str | None]:
        """The days that one of these assets holds, by any outcome or one of these, so that making it anew may help."""
        found = self._survey(self.dashboard, self.days)
        wanted = outcomes or tuple(Outcome)
        return {
            day for day, s in found.items() if any(f.asset in assets and f.outcome in wanted for f in s.verdict.causes)
        }

    def _publish(self) -> bool:
        standings = self._survey(self.dashboard, self.days)
        due = [str(day) for day, s in standings.items() if needs_run(s) and day != self.as_of]
        held = standings[self.as_of].verdict.holds
        self.report("Asking the dashboard to refresh" + (f" for {_count([*due, self.as_of], 'day')}" if due else ""))
        for span in self._spans(due if held else [*due, self.as_of]):
            published = self._launch([DASHBOARD], span)
        # The day asked for is launched even if it will be held, so that Dagster shows why.
        return self._launch([DASHBOARD], [self.as_of]) if held else published

    def _announce(self) -> Verdict:
        partitions = self.dashboard.binding.partitions if self.dashboard.binding else None
        later = [day for day in (partitions.get_partition_keys() if partitions else ()) if day > self.as_of]
        shown = (
            [d for d, s in self._survey(self.dashboard, later).items() if s.delivered[0] is not None] if later else []
        )
        verdicts = [self._judge(day) for day in [*self.days, *(str(day) for day in shown)]]
        announce(self.home, self.dashboard.contract, self.instance, verdicts)
        return next(verdict for verdict in verdicts if verdict.partition == self.as_of)

    def _survey(self, gate: Gate, days: Sequence[str]) -> dict[str | None, Standing]:
        return gate.survey(self.instance, days, dt.datetime.now(dt.UTC))

    def _judge(self, day: str) -> Verdict:
        """Judge a day at the time it was promised, or now where that is still to come."""
        now = dt.datetime.now(dt.UTC)
        end = dt.datetime.combine(dt.date.fromisoformat(day) + dt.timedelta(days=1), dt.time(), dt.UTC)
        ready_by = self.dashboard.contract.ready_by
        promised = ready_by.deadline(end) if ready_by else now
        return self.dashboard.judge(self.instance, [day], min(now, promised))[day]

    def _spans(self, days: Sequence[str]) -> Iterator[list[str]]:
        """Cut days into stretches without a gap, each one run."""
        span: list[str] = []
        for day in sorted(days):
            if span and dt.date.fromisoformat(day) - dt.date.fromisoformat(span[-1]) > dt.timedelta(days=1):
                yield span
                span = []
            span.append(day)
        if span:
            yield span

    def _launch(self, keys: Sequence[dg.AssetKey], days: Sequence[str] = ()) -> bool:
        tags = {PROCESS_TAG: str(os.getpid())}
        if len(days) > 1:
            tags |= {"dagster/asset_partition_range_start": days[0], "dagster/asset_partition_range_end": days[-1]}
        job = self.definitions.resolve_implicit_global_asset_job_def()
        result = job.execute_in_process(
            instance=self.instance,
            asset_selection=list(keys),
            partition_key=days[0] if len(days) == 1 else None,
            tags=tags,
            run_config=QUIET,
            raise_on_error=False,
        )
        failures = _failures(result)
        self.busy = self.busy or next((words for name, words in failures.items() if name in OUR_FAILURES), "")
        self.failure = next(reversed(failures.values()), "")
        return result.success


def _failures(result: dg.ExecuteInProcessResult) -> dict[str | None, str]:
    """Return what the errors of a run say, by their class, each before what it was caused by."""
    found: dict[str | None, str] = {}
    for event in result.all_events:
        error = event.step_failure_data.error if event.is_step_failure else None
        while error is not None:
            found[error.cls_name] = " ".join(error.message.partition(": ")[2].split())
            error = error.cause
    return found


def _bury_dead_runs(instance: dg.DagsterInstance) -> None:
    """Report the runs failed that a killed demo left behind: nobody else would, and they look alive."""
    unfinished = [status for status in dg.DagsterRunStatus if status not in FINISHED]
    for run in instance.get_runs(dg.RunsFilter(statuses=unfinished)):
        if PROCESS_TAG in run.tags:
            instance.report_run_failed(run, "The process it ran in was killed.")


FINISHED = frozenset({dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED})


@contextmanager
def sole_use(folder: Path) -> Iterator[None]:
    """Let one demo at a time work in a home; the lock dies with its process.

    Raises:
        HomeError: Another one is at work for longer than a minute.
    """
    lock = FileLock(folder / "demo.lock")
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        raise HomeError(f"Another demo is at work in {folder}. Wait for it to end, and run this again.") from None
    try:
        yield
    finally:
        lock.release()


def _count(things: Sequence[object], noun: str) -> str:
    return f"{len(things)} {noun}" if len(things) == 1 else f"{len(things)} {noun}s"
