"""What is asked of Airbyte, with each kind of refusal told apart.

Addresses, credentials, time-outs and retries are those of the unmodified `dagster_airbyte` client; its own calls turn
a conflict, a job that is gone and a server that is down into one and the same failure, after starting a sync again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlparse

import dagster as dg
import requests

from dashboard_trust.errors import AirbyteUnreachableError, DashboardTrustError
from dashboard_trust.failures.foreign import classify_status

if TYPE_CHECKING:
    from dagster_airbyte.resources import AirbyteClient

RECENT = timedelta(days=2)
"""How far back jobs are listed where nothing else is said."""

ENDED = ("succeeded", "failed", "error", "cancelled")
RUNNING = ("running", "pending")
"""An `incomplete` job is neither: an attempt of it broke, and Airbyte may or may not begin another."""

TOO_MANY, BROKEN = 429, 500


class RefusedError(DashboardTrustError):
    """Airbyte answered that it will not: ``status`` is the HTTP status (404: not there, 409: a conflict)."""

    def __init__(self, status: int, url: str) -> None:
        super().__init__(f"Airbyte refused {url} with status {status}. Check ids, credentials and permissions.")
        self.status = status
        self.failure_class = classify_status(status)


@dataclass(frozen=True, slots=True)
class Job:
    """A sync as Airbyte lists it."""

    id: int
    status: str
    started_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class AirbyteApi:
    """The calls of one Airbyte, open source or Cloud.

    Each raises `AirbyteUnreachableError` where there is no answer after the client's retries, and `RefusedError`
    where the answer is no.
    """

    client: AirbyteClient

    def connection(self, connection_id: str) -> Mapping[str, Any]:
        """Return a connection with its catalog."""
        return self._ask(
            "POST", f"{self.client.configuration_api_base_url}/connections/get", {"connectionId": connection_id}
        )

    def start(self, connection_id: str) -> Job:
        """Start a sync; asked once, since whether it began is not known where there is no answer."""
        body = {"connectionId": connection_id, "jobType": "sync"}
        return _job(self._ask("POST", f"{self.client.rest_api_base_url}/jobs", body, retries=0))

    def job(self, job_id: int) -> Job:
        """Return a job as it is now."""
        return _job(self._ask("GET", f"{self.client.rest_api_base_url}/jobs/{job_id}"))

    def cancel(self, job_id: int) -> None:
        """Cancel a job; one that has ended stays what it is."""
        self._ask("DELETE", f"{self.client.rest_api_base_url}/jobs/{job_id}")

    def jobs(self, connection_id: str, within: timedelta = RECENT) -> list[Job]:
        """Return the jobs created ``within`` so long, newest first: syncs, and whatever else writes to its tables."""
        since = (datetime.now(UTC) - within).strftime("%Y-%m-%dT%H:%M:%SZ")
        asked: dict[str, Any] = {
            "workspaceIds": self.client.workspace_id,
            "connectionId": connection_id,
            "createdAtStart": since,
            "limit": self.client.max_items_per_page,
        }
        found: list[Job] = []
        while True:
            page = self._ask("GET", f"{self.client.rest_api_base_url}/jobs", params=asked)
            found += [_job(entry) for entry in page.get("data", ())]
            following = dict(parse_qsl(urlparse(page.get("next") or "").query))
            if not following or following.items() <= asked.items():
                return sorted(found, key=lambda job: job.id, reverse=True)
            asked |= following

    def attempts(self, job_id: int) -> Mapping[str, Any]:
        """Return a job with what each of its attempts says of each stream."""
        return self._ask("POST", f"{self.client.configuration_api_base_url}/jobs/get", {"id": job_id})

    def statuses(self, connection_id: str, job_id: int) -> list[Mapping[str, Any]]:
        """Return what was said of each stream of a job: its statuses, in no order."""
        url, size, found = (
            f"{self.client.configuration_api_base_url}/stream_statuses/list",
            500,
            list[Mapping[str, Any]](),
        )
        about = {"workspaceId": self.client.workspace_id, "connectionId": connection_id, "jobId": job_id}
        while True:
            page = self._ask("POST", url, {**about, "pagination": {"pageSize": size, "rowOffset": len(found)}})
            entries = page.get("streamStatuses") or []
            found += entries
            if len(entries) < size:
                return found

    def _ask(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        retries: int | None = None,
    ) -> Mapping[str, Any]:
        left = self.client.request_max_retries if retries is None else retries
        while True:
            try:
                return self._ask_once(method, url, body, params)
            except AirbyteUnreachableError:
                if left <= 0:
                    raise
            left -= 1
            time.sleep(self.client.request_retry_delay)

    def _ask_once(
        self, method: str, url: str, body: Mapping[str, Any] | None, params: Mapping[str, Any] | None
    ) -> Mapping[str, Any]:
        try:
            headers = self.client.all_additional_request_headers
        except dg.Failure:  # Dagster's client says so of a token that it does not get, and not why
            self._ask_for_token()
            raise AirbyteUnreachableError(_unreachable(url, "the token came too late")) from None
        return self._send(method, url, body, params, headers)

    def _ask_for_token(self) -> None:
        given = {"client_id": self.client.client_id, "client_secret": self.client.client_secret}
        self._send("POST", f"{self.client.rest_api_base_url}/applications/token", given)

    def _send(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        client, headers = self.client, {"accept": "application/json", **(headers or {})}
        login = (client.username, client.password) if client.username and client.password else None
        try:
            response = requests.request(
                method, url, json=body, params=params, headers=headers, auth=login, timeout=client.request_timeout
            )
            if response.status_code >= BROKEN or response.status_code == TOO_MANY:
                why = _unreachable(url, f"status {response.status_code}")
                raise AirbyteUnreachableError(why) from requests.HTTPError(response=response)  # it may say when
            if not response.ok:
                raise RefusedError(response.status_code, url)
            answer = response.json()
        except requests.RequestException as error:
            raise AirbyteUnreachableError(_unreachable(url, type(error).__name__)) from None
        if not isinstance(answer, dict):
            raise AirbyteUnreachableError(_unreachable(url, "an answer that is no object"))
        return answer


def _job(entry: Mapping[str, Any]) -> Job:
    try:
        started = _moment(entry["startTime"])
        updated = _moment(entry.get("lastUpdatedAt") or entry["startTime"])
        return Job(int(entry["jobId"]), str(entry["status"]), started, updated)
    except (KeyError, TypeError, ValueError) as error:
        raise AirbyteUnreachableError(
            f"Airbyte answered with a job that cannot be read ({type(error).__name__}: {error}). Is the address right?"
        ) from None


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _unreachable(url: str, why: str) -> str:
    return f"Airbyte does not answer {url} ({why}). See whether it is up, and try again."
