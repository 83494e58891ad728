"""What became of the runs that were asked to load a version of files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from dashboard_trust.evidence.names import ARRIVAL, FILE_REFUSED

ATTEMPTS = 3
"""How often a version is asked for whose runs are killed, or break for another reason than the file."""

ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


@dataclass(frozen=True, slots=True)
class Asked:
    """How often a version was asked for, whether a run of it goes on, and whether it should be asked for again."""

    attempts: int
    unfinished: bool
    again: bool


def read_asked(instance: dg.DagsterInstance, versions: Sequence[str]) -> dict[str, Asked]:
    """Return what became of these versions of files; one that nobody asked for is left out."""
    runs: dict[str, list[dg.DagsterRun]] = {}
    for run in instance.get_runs(dg.RunsFilter(tags={ARRIVAL: list(versions)})):  # newest first
        runs.setdefault(run.tags[ARRIVAL], []).append(run)
    return {version: _asked(instance, found) for version, found in runs.items()}


def _asked(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun]) -> Asked:
    unfinished = any(run.status not in ENDED for run in runs)
    again = not unfinished and len(runs) < ATTEMPTS and not _refused(instance, runs[0])
    return Asked(len(runs), unfinished, again)


def _refused(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether a run ended because of the file itself, so that it would end so again."""
    if run.status is not dg.DagsterRunStatus.FAILURE:
        return False
    failures = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    found = [log.dagster_event.step_failure_data for log in failures if log.dagster_event is not None]
    return any(one.user_failure_data and FILE_REFUSED in one.user_failure_data.metadata for one in found)
