"""Syncs that were launched outside Dagster: each gets a run that says of it what a sync of Dagster's own would."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import dagster as dg

from dashboard_trust.contracts.rules import as_check_name
from dashboard_trust.contracts.streams import ConnectionContract
from dashboard_trust.enforcement.airbyte_memory import OpensWorkspace, job_tag, open_workspace, read_earlier
from dashboard_trust.errors import DashboardTrustError
from dashboard_trust.ingestion.airbyte_api import ENDED, AirbyteApi, Job

MOST_TRIES = 3
LOOKED_BACK = dt.timedelta(days=30)
GIVEN_UP = dt.timedelta(minutes=30)
"""For so long Airbyte may begin another attempt of an `incomplete` job."""
NOT_STARTED = dg.DagsterRunStatus.NOT_STARTED
FINISHED = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def airbyte_sensor(
    connection: ConnectionContract, workspace: OpensWorkspace, *, name: str | None = None, **sensor_options: Any
) -> dg.SensorDefinition:
    """Build the sensor that reports syncs of a connection which others launched (Airbyte's own schedule, a person).

    Each ended sync gets one run of the streams' assets (`trusted_airbyte`), which takes it up instead of starting
    another: with the same counts, checks and metadata. Which ones are reported is read from the event log and the
    runs, so that a lost cursor or a restart changes nothing. A sync that failed is reported too: its run fails.

    Args:
        connection: As `trusted_airbyte` has it.
        workspace: As `trusted_airbyte` has it.
        name: The sensor's name; by default the connection's, with ``_syncs``.
        sensor_options: Anything else ``dg.sensor`` takes (``minimum_interval_seconds``, ``default_status``).
    """
    keys = [dg.AssetKey.from_user_string(connection.asset_of(stream)) for stream in connection.streams]

    @dg.sensor(
        name=name or as_check_name(f"{connection.name}_syncs"), target=dg.AssetSelection.assets(*keys), **sensor_options
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        try:
            with open_workspace(workspace) as opened:
                api = AirbyteApi(opened.get_client())
                # A long list is asked for only where the short one is empty: nobody looked for days, or few syncs.
                jobs = api.jobs(connection.id) or api.jobs(connection.id, LOOKED_BACK)
        # A server that is down is asked again at the next tick.
        except (DashboardTrustError, dg.Failure) as error:
            return dg.SkipReason(f"connection {connection.name!r} could not be looked at: {error}")
        return _decide(context.instance, connection, keys, jobs)

    return sensor


def _decide(
    instance: dg.DagsterInstance, connection: ConnectionContract, keys: Sequence[dg.AssetKey], jobs: Sequence[Job]
) -> dg.RunRequest | dg.SkipReason:
    """Ask for a run about the newest job; the older ones are under its rows, and cannot be counted any more."""
    if not jobs:
        return dg.SkipReason(f"connection {connection.name!r} has not been synced in the last {LOOKED_BACK.days} days")
    job = jobs[0]
    if not _is_over(job):
        return dg.SkipReason(f"job {job.id} of connection {connection.name!r} is not at its end: {job.status}")
    due = [key for key in keys if (read_earlier(instance, key).job or 0) < job.id]
    if not due:
        return dg.SkipReason(f"job {job.id} of connection {connection.name!r} is reported")
    tag = job_tag(connection.id)
    runs = instance.get_runs(dg.RunsFilter(tags={tag: str(job.id)}))
    ended = [run for run in runs if run.status in FINISHED]
    busy = next((run for run in runs if run.status not in (*FINISHED, NOT_STARTED)), None)
    if busy is not None:
        return dg.SkipReason(f"run {busy.run_id[:8]} is at job {job.id} of connection {connection.name!r}")
    failed = [run for run in ended if run.status is not dg.DagsterRunStatus.SUCCESS]
    # That a job failed is said once; what is not known of a good one may be known soon.
    if len(failed) >= (MOST_TRIES if job.status == "succeeded" else 1):
        told = f"job {job.id} of connection {connection.name!r} is not reported: its {len(failed)} runs failed"
        return dg.SkipReason(f"{told}; materialize its assets to sync again")
    # A run that was made and never launched, since the daemon died in between, has this very key: it is launched now.
    return dg.RunRequest(f"{connection.id}:{job.id}:{len(ended)}", asset_selection=due, tags={tag: str(job.id)})


def _is_over(job: Job) -> bool:
    return job.status in ENDED or (job.status == "incomplete" and dt.datetime.now(dt.UTC) - job.updated_at > GIVEN_UP)
