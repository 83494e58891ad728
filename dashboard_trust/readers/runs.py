"""What became of the runs that planned something and have not delivered it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from functools import cached_property, partial

import dagster as dg


@dataclass(frozen=True)
class RunFacts:
    """One run: whether it goes on, and the error message of each step that failed.

    ``read_failures`` is called when somebody asks, since it costs a read of the run's own log.
    """

    run_id: str
    unfinished: bool
    succeeded: bool
    ended_at: dt.datetime | None
    read_failures: Callable[[], Mapping[str, str]]

    @classmethod
    def gone(cls, run_id: str) -> RunFacts:
        """A run that is no longer in the run storage: what it planned will never come."""
        return cls(run_id, unfinished=False, succeeded=False, ended_at=None, read_failures=dict)

    @cached_property
    def failures(self) -> Mapping[str, str]:
        """The error message of each step that failed, by step key."""
        return {} if self.succeeded else self.read_failures()

    def broke(self, step_key: str | None) -> bool:
        """Whether the step failed."""
        return step_key in self.failures

    def started(self, step_key: str | None) -> bool:
        """Whether the step is to blame: it failed, or its run ended well without delivering."""
        return self.succeeded or self.broke(step_key)

    def reason(self, step_key: str | None) -> str:
        """Why the step delivered nothing, in one line."""
        message = self.failures.get(step_key or "")
        if message:
            return message
        if self.succeeded:
            return f"run {self.run_id[:8]} ended without delivering it"
        return f"run {self.run_id[:8]} ended before it was reached"


def read_runs(instance: dg.DagsterInstance, run_ids: Set[str]) -> dict[str, RunFacts]:
    """Read the state of these runs, in one query; why one failed is read when it is asked for."""
    if not run_ids:
        return {}
    records = instance.get_run_records(dg.RunsFilter(run_ids=sorted(run_ids)))
    return {record.dagster_run.run_id: _run_facts(instance, record) for record in records}


def _run_facts(instance: dg.DagsterInstance, record: dg.RunRecord) -> RunFacts:
    run = record.dagster_run
    ended = dt.datetime.fromtimestamp(record.end_time, dt.UTC) if record.end_time else None
    return RunFacts(run.run_id, not run.is_finished, run.is_success, ended, partial(_failures, instance, run.run_id))


def _failures(instance: dg.DagsterInstance, run_id: str) -> dict[str, str]:
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    failures = {}
    for entry in entries:
        event = entry.dagster_event
        if event is None or event.step_key is None:
            continue
        data = event.step_failure_data
        failures[event.step_key] = _innermost(data.error) or "its step failed"
    return failures


def _innermost(error: object) -> str:
    """Return the message of the first cause, without class path and traceback."""
    while getattr(error, "cause", None) is not None:
        error = getattr(error, "cause")  # noqa: B009 - SerializableErrorInfo, walked without importing it
    message = str(getattr(error, "message", "") or "").strip()
    name, colon, rest = message.partition(": ")
    text = rest if colon and " " not in name else message
    return " ".join(text.split())
