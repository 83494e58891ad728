"""What became of the runs that were asked to load a version of files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from dashboard_trust.evidence.names import ARRIVAL, FILE_REFUSED
from dashboard_trust.readers.event_tables import EventTables

ATTEMPTS = 3
"""How often a version is asked for whose runs are killed, or break for another reason than the file."""

ENDED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
Versions = Mapping[str | None, str]
"""The version of the files of each of some partitions."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How often a version was asked for, whether a run of it goes on, and whether it should be asked for again."""

    attempts: int = 0
    unfinished: bool = False
    again: bool = True


def tag_of(versions: Versions) -> dict[str, str]:
    """Return the tag of a run that is to load these versions."""
    return {ARRIVAL: json.dumps([[partition, version] for partition, version in versions.items()])}


def read_asked(instance: dg.DagsterInstance, asset: dg.AssetKey, versions: Versions) -> dict[str | None, Asked]:
    """Return what became of these versions, by partition: of the runs planned since each was loaded last.

    A run that anybody else launched is waited for too.
    """
    name = asset.to_user_string()
    with EventTables.open(instance) as tables:
        plans = tables.open_plans({(name, partition) for partition in versions})
    ids = list({row.run_id for rows in plans.values() for row in rows})
    runs = {run.run_id: run for run in instance.get_runs(dg.RunsFilter(run_ids=ids))} if ids else {}
    found = {}
    for partition, version in versions.items():
        own = [runs[row.run_id] for row in plans.get((name, partition), ()) if row.run_id in runs]
        found[partition] = _asked(instance, own, [partition, version])
    return found


def _asked(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun], wanted: list[str | None]) -> Asked:
    unfinished = any(run.status not in ENDED for run in runs)
    asked = [run for run in runs if wanted in json.loads(run.tags.get(ARRIVAL) or "[]")]
    # A run of several files that one of them broke says nothing of the others: each is then asked for alone.
    alone = [run for run in asked if len(json.loads(run.tags[ARRIVAL])) == 1]
    again = not unfinished and len(asked) < ATTEMPTS and not any(_refused(instance, run) for run in alone)
    return Asked(len(asked), unfinished, again)


def _refused(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether a run ended because of the file itself, so that it would end so again."""
    if run.status is not dg.DagsterRunStatus.FAILURE:
        return False
    failures = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    found = [log.dagster_event.step_failure_data for log in failures if log.dagster_event is not None]
    return any(one.user_failure_data and FILE_REFUSED in one.user_failure_data.metadata for one in found)
