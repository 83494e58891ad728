"""A sync through Airbyte's API that ends in time, and in evidence or in a reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from dashboard_trust.errors import InvalidInputError, SyncFailedError

if TYPE_CHECKING:
    from dagster_airbyte import AirbyteWorkspace
    from dagster_airbyte.resources import AirbyteClient


@dataclass(frozen=True, slots=True)
class StreamReport:
    """How many records of a stream the source emitted, and how many the destination committed."""

    name: str
    emitted: int
    committed: int


@dataclass(frozen=True, slots=True)
class SyncReport:
    """A sync that succeeded: every selected stream, and how many attempts it took."""

    job_id: int
    streams: Mapping[str, StreamReport]
    attempts: int


def sync(workspace: AirbyteWorkspace, connection_id: str, timeout: timedelta) -> SyncReport:
    """Sync a connection and wait for its end; after ``timeout`` it is cancelled.

    Raises:
        SyncFailedError: It did not succeed, or what it says of itself cannot be read or does not
            add up. The message names stream and cause, as far as Airbyte knows them.
    """
    if timeout <= timedelta(0):
        raise InvalidInputError(f"A sync cannot end within {timeout}. Give it some time.")
    seconds = timeout.total_seconds()
    client = workspace.get_client()
    # Without a timeout dagster-airbyte waits for ever, for an `incomplete` job too.
    polite = {"poll_timeout": seconds, "poll_interval": min(client.poll_interval, seconds)}
    client = client.model_copy(update={**polite, "cancel_on_termination": True})
    started = datetime.now(UTC)
    try:
        output = client.sync_and_poll(connection_id)
    except dg.Failure as failure:
        raise _failed(connection_id, _reason(client, connection_id, started, failure)) from None
    return _read_report(client, output.connection_details, int(output.job_details["jobId"]))


def _read_report(client: AirbyteClient, connection: Mapping[str, Any], job_id: int) -> SyncReport:
    try:
        evidence = _read_evidence(client, job_id)
        attempts = evidence["attempts"]
        last = attempts[-1].get("attempt", attempts[-1])
        stats = {entry["streamName"]: entry["stats"] for entry in last.get("streamStats", [])}
    except (requests.RequestException, KeyError, IndexError) as error:
        why = f"job {job_id} succeeded, but its statistics cannot be read ({type(error).__name__})"
        raise _failed(connection["name"], why) from None
    prefix = connection.get("prefix") or ""
    reports = {}
    for entry in connection["syncCatalog"]["streams"]:
        if entry["config"].get("selected"):
            name = entry["stream"]["name"]
            # Airbyte has no statistics of a stream without records.
            found = stats.get(name) or stats.get(prefix + name) or {}
            reports[name] = _check(connection["name"], name, found)
    return SyncReport(job_id, reports, len(attempts))


def _check(connection: str, stream: str, stats: Mapping[str, Any]) -> StreamReport:
    report = StreamReport(stream, stats.get("recordsEmitted") or 0, stats.get("recordsCommitted") or 0)
    if report.committed != report.emitted:
        why = f"stream {stream!r} emitted {report.emitted} records but committed {report.committed}"
        raise _failed(connection, why)
    return report


def _reason(client: AirbyteClient, connection_id: str, since: datetime, failure: dg.Failure) -> str:
    said = (failure.description or "no reason given").rstrip(".")
    try:
        jobs = client.get_jobs_for_connection(connection_id, created_after=since)
        failed = [job.id for job in jobs if job.status in ("failed", "error")]
        if not failed:
            return said
        attempts = _read_evidence(client, max(failed)).get("attempts", [])
        last = attempts[-1].get("attempt", attempts[-1]) if attempts else {}
        failures = (last.get("failureSummary") or {}).get("failures", [])
        words = [entry.get("externalMessage") or entry.get("internalMessage") for entry in failures]
        return "; ".join(word for word in words if word) or said
    except (dg.Failure, requests.RequestException):
        return said


def _read_evidence(client: AirbyteClient, job_id: int) -> dict[str, Any]:
    """Ask the configuration API for a job: dagster-airbyte itself has no call for it."""
    retries = Retry(client.request_max_retries, backoff_factor=client.request_retry_delay, allowed_methods=None)
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retries))
        if client.username and client.password:
            session.auth = (client.username, client.password)
        response = session.post(
            f"{client.configuration_api_base_url}/jobs/get",
            json={"id": job_id},
            headers=client.all_additional_request_headers,
            timeout=client.request_timeout,
        )
        response.raise_for_status()
        evidence: dict[str, Any] = response.json()
        return evidence


def _failed(connection: str, reason: str) -> SyncFailedError:
    return SyncFailedError(
        f"Sync of connection {connection!r} failed: {reason}. "
        "Nothing of it was loaded: correct the cause, and sync again."
    )
