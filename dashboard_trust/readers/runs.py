"""What became of the runs that planned something and have not delivered it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property, partial

import dagster as dg

from dashboard_trust.evidence.names import REASONS


@dataclass(frozen=True, slots=True)
class StepFailure:
    """Why a step failed, and what it said of single checks, by check and part (`REASONS`)."""

    message: str
    reasons: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def reason(self, check: str, partition: str | None) -> str:
        """Return why a check has no result: what is said of it, or of all checks there, or of the step."""
        found = (self.reasons.get(name, {}).get(part) for name in (check, "") for part in (partition or "", ""))
        return next((reason for reason in found if reason), self.message)


@dataclass(frozen=True)
class RunFacts:
    """One run: whether it goes on, and why each step failed that did.

    ``read_failures`` is called when somebody asks, since it costs a read of the run's own log.
    """

    run_id: str
    unfinished: bool
    succeeded: bool
    ended_at: dt.datetime | None
    read_failures: Callable[[], Mapping[str, StepFailure]]

    @classmethod
    def gone(cls, run_id: str) -> RunFacts:
        """A run that is no longer in the run storage: what it planned will never come."""
        return cls(run_id, unfinished=False, succeeded=False, ended_at=None, read_failures=dict)

    @cached_property
    def failures(self) -> Mapping[str, StepFailure]:
        """Why each step failed that did, by step key."""
        return {} if self.succeeded else self.read_failures()

    def broke(self, step_key: str | None) -> bool:
        """Whether the step failed."""
        return step_key in self.failures

    def started(self, step_key: str | None) -> bool:
        """Whether the step is to blame: it failed, or its run ended well without delivering."""
        return self.succeeded or self.broke(step_key)

    def reason(self, step_key: str | None, check: str = "", partition: str | None = None) -> str:
        """Why the step delivered nothing, or not this check, in one line."""
        failure = self.failures.get(step_key or "")
        if failure is not None:
            return failure.reason(check, partition) if check else failure.message
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


def _failures(instance: dg.DagsterInstance, run_id: str) -> dict[str, StepFailure]:
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    failures = {}
    for entry in entries:
        event = entry.dagster_event
        if event is None or event.step_key is None:
            continue
        data = event.step_failure_data
        said = data.user_failure_data.metadata.get(REASONS) if data.user_failure_data is not None else None
        reasons = said.value if isinstance(said, dg.JsonMetadataValue) else {}
        failures[event.step_key] = StepFailure(_innermost(data.error) or "its step failed", _believed(reasons))
    return failures


def _believed(said: object) -> Mapping[str, Mapping[str, str]]:
    """Return reasons as they are written; of another form, none."""
    if not isinstance(said, dict):
        return {}
    return {
        check: {part: " ".join(reason.split()) for part, reason in parts.items() if isinstance(reason, str)}
        for check, parts in said.items()
        if isinstance(parts, dict)
    }


def _innermost(error: object) -> str:
    """Return the message of the first cause, without class path and traceback."""
    while getattr(error, "cause", None) is not None:
        error = getattr(error, "cause")  # noqa: B009 - SerializableErrorInfo, walked without importing it
    message = str(getattr(error, "message", "") or "").strip()
    name, colon, rest = message.partition(": ")
    text = rest if colon and " " not in name else message
    return " ".join(text.split())
