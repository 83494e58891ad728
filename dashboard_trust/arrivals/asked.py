"""What became of the runs that were asked to load a version of files."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from dashboard_trust.checks.audit import AuditFailedError
from dashboard_trust.errors import ColumnsRefusedError, FileRefusedError, WriteRefusedError
from dashboard_trust.evidence.names import ARRIVAL
from dashboard_trust.failures.policy import Retries
from dashboard_trust.readers.event_tables import EventTables

AGAIN = Retries(limit=12, first_pause=dt.timedelta(minutes=1), longest_pause=dt.timedelta(minutes=30))
"""How often a version is asked for whose runs are killed, or break for another reason than the file: the second time
at once, then after pauses that double. Twelve times take three hours, so that an outage of two is outlived."""

REFUSALS = {one.__name__ for one in (FileRefusedError, WriteRefusedError, ColumnsRefusedError, AuditFailedError)}
"""What a step fails with because of what is in the file: it would do so again."""

LONG_AGO = dt.datetime.min.replace(tzinfo=dt.UTC)
Versions = Mapping[str | None, str]
"""The version of the files of each of some partitions."""


@dataclass(frozen=True, slots=True)
class Asked:
    """How often a version was asked for, whether a run of it goes on, and whether and from when to ask again."""

    attempts: int = 0
    unfinished: bool = False
    again: bool = True
    not_before: dt.datetime = LONG_AGO


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
    records = instance.get_run_records(dg.RunsFilter(run_ids=ids)) if ids else ()
    runs = {record.dagster_run.run_id: record for record in records}
    found = {}
    for partition, version in versions.items():
        own = [runs[row.run_id] for row in plans.get((name, partition), ()) if row.run_id in runs]
        found[partition] = _asked(instance, own, [partition, version])
    return found


def _asked(instance: dg.DagsterInstance, runs: Sequence[dg.RunRecord], wanted: list[str | None]) -> Asked:
    unfinished = any(not record.dagster_run.is_finished for record in runs)
    asked = [record for record in runs if wanted in _versions(record)]
    # A run of several files that one of them broke says nothing of the others: each is then asked for alone.
    alone = [record for record in asked if len(_versions(record)) == 1]
    again = not unfinished and len(asked) < AGAIN.limit and not any(_refused(instance, one) for one in alone)
    return Asked(len(asked), unfinished, again, _not_before(alone))


def _versions(record: dg.RunRecord) -> list[list[str | None]]:
    found: list[list[str | None]] = json.loads(record.dagster_run.tags.get(ARRIVAL) or "[]")
    return found


def _not_before(alone: Sequence[dg.RunRecord]) -> dt.datetime:
    if len(alone) < 2:
        return LONG_AGO
    ended = max(record.end_time or record.update_timestamp.replace(tzinfo=dt.UTC).timestamp() for record in alone)
    return dt.datetime.fromtimestamp(ended, dt.UTC) + AGAIN.pause(len(alone) - 1, draw=0.5)


def _refused(instance: dg.DagsterInstance, record: dg.RunRecord) -> bool:
    """Whether a run ended because of the file itself, so that it would end so again."""
    run = record.dagster_run
    if run.status is not dg.DagsterRunStatus.FAILURE:
        return False
    logs = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    errors = [log.dagster_event.step_failure_data.error for log in logs if log.dagster_event is not None]
    return any(name in REFUSALS for error in errors for name in _names(error))


def _names(error: object) -> Iterator[str]:
    """Yield the names of an error and its causes."""
    while error is not None:
        yield str(getattr(error, "cls_name", ""))
        error = getattr(error, "cause", None)
