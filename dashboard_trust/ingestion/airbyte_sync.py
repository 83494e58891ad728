"""A sync through Airbyte's API that ends in time, and in evidence or in a reason; it is never started twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from dashboard_trust.errors import (
    AirbyteUnreachableError,
    DashboardTrustError,
    InvalidInputError,
    SyncFailedError,
    SyncRunningError,
)
from dashboard_trust.ingestion.airbyte_api import ENDED, RUNNING, AirbyteApi, Job, RefusedError
from dashboard_trust.ingestion.airbyte_report import SyncReport, read_report

if TYPE_CHECKING:
    from dagster_airbyte.resources import BaseAirbyteWorkspace

NOT_THERE, CONFLICT = 404, 409
LOST_AFTER = 3
"""A job that Airbyte has not known at so many polls in a row is lost."""
NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for what.

    ``sync``: for its end; then it is cancelled. ``incomplete``: for Airbyte to begin another attempt. ``start``: for a
    sync to be listed whose start was not answered.
    """

    sync: timedelta = timedelta(hours=6)
    incomplete: timedelta = timedelta(minutes=1)
    start: timedelta = timedelta(seconds=30)

    def __post_init__(self) -> None:
        """Refuse what no sync can end in."""
        if self.sync <= NO_TIME:
            raise InvalidInputError(f"A sync cannot end within {self.sync}. Give it some time.")


@dataclass
class Memory:
    """What a run knows of the sync it started, so that a second try of it goes on instead of starting another.

    ``before`` is the newest job there was before its start, ``job`` the one it started. ``keep`` hears of each change.
    """

    before: int | None = None
    job: int | None = None
    keep: Callable[[Memory], None] = field(default=lambda memory: None, repr=False)

    def learn(self, before: int | None, job: int | None = None) -> None:
        """Know this now, and let it be kept; without ``before`` there is no sync of ours."""
        self.before, self.job = before, job
        self.keep(self)


@dataclass(frozen=True, slots=True)
class _Connection:
    """A connection as it is asked about."""

    api: AirbyteApi
    id: str
    name: str
    patience: Patience

    def jobs_after(self, job_id: int) -> list[Job]:
        return [job for job in self.api.jobs(self.id) if job.id > job_id]

    def failed(self, reason: str) -> SyncFailedError:
        return SyncFailedError(
            f"Sync of connection {self.name!r} failed: {reason}. "
            "Nothing of it is believed: correct the cause, and sync again."
        )

    def running(self, which: str) -> SyncRunningError:
        return SyncRunningError(
            f"Sync of connection {self.name!r} was not started: {which} is already running. Wait for its end, "
            "or cancel it."
        )


def sync(
    workspace: BaseAirbyteWorkspace,
    connection_id: str,
    patience: Patience | None = None,
    memory: Memory | None = None,
) -> SyncReport:
    """Sync a connection and wait for its end; where this is interrupted, or takes too long, it is cancelled.

    Raises:
        SyncRunningError: Another sync of the connection is running.
        AirbyteUnreachableError: Airbyte cannot be asked.
        SyncFailedError: It did not succeed, or is lost. The message names connection and streams.
    """
    connection, memory = _open(workspace, connection_id, patience), memory or Memory()
    with _cancelled_unless_ended(connection, memory):
        job = _find_started(connection, memory) or _start(connection, memory)
        memory.learn(memory.before, job.id)
        job = _wait(connection, job)
        # An `incomplete` one might begin another attempt behind our back.
        if job.status not in ENDED:
            _cancel(connection, memory)
    return read_report(connection.api, connection_id, job)


def attach(
    workspace: BaseAirbyteWorkspace, connection_id: str, job_id: int, patience: Patience | None = None
) -> SyncReport:
    """Wait for the end of a sync that somebody else started; it is never cancelled. Raises as `sync` does."""
    connection = _open(workspace, connection_id, patience)
    return read_report(connection.api, connection_id, _wait(connection, _look(connection, job_id)))


def _open(workspace: BaseAirbyteWorkspace, connection_id: str, patience: Patience | None) -> _Connection:
    connection = _Connection(AirbyteApi(workspace.get_client()), connection_id, connection_id, patience or Patience())
    try:
        name = connection.api.connection(connection_id).get("name")
    except RefusedError as error:
        raise connection.failed(str(error).rstrip(".")) from None
    return replace(connection, name=str(name or connection_id))


def _find_started(connection: _Connection, memory: Memory) -> Job | None:
    """Return the sync that an earlier try of this run started, unless it came to nothing."""
    known = [] if memory.before is None else connection.jobs_after(memory.before)
    return next((job for job in known if job.status in ("succeeded", *RUNNING)), None)


def _start(connection: _Connection, memory: Memory) -> Job:
    known = connection.api.jobs(connection.id)
    running = next((job for job in known if job.status in RUNNING), None)
    if running is not None:
        raise connection.running(f"job {running.id}")
    before = max((job.id for job in known), default=0)
    memory.learn(before)
    try:
        return connection.api.start(connection.id)
    except RefusedError as error:
        # What is listed from now on is somebody else's, and not ours to cancel.
        memory.learn(None)
        if error.status == CONFLICT:
            raise connection.running("another sync") from None
        raise connection.failed(str(error).rstrip(".")) from None
    except AirbyteUnreachableError as error:
        return _find_again(connection, before, error)


def _find_again(connection: _Connection, before: int, lost: AirbyteUnreachableError) -> Job:
    """Return the sync that a start brought about whose answer was lost; it is not started a second time."""
    wait = connection.patience.start.total_seconds()
    deadline = time.monotonic() + wait
    while True:
        with suppress(AirbyteUnreachableError):
            for job in connection.jobs_after(before):
                return job
        if time.monotonic() >= deadline:
            unanswered = "its start was not answered, and no sync is listed since"
            raise AirbyteUnreachableError(f"Sync of connection {connection.name!r}: {unanswered}. {lost}")
        time.sleep(min(connection.api.client.poll_interval, wait / 10))


def _wait(connection: _Connection, job: Job) -> Job:
    """Return the job at its end, or when it has been `incomplete` for too long."""
    patience, interval = connection.patience, connection.api.client.poll_interval
    deadline = time.monotonic() + patience.sync.total_seconds()
    broken_at: float | None = None
    unheard = ""
    while job.status not in ENDED:
        now = time.monotonic()
        broken_at = (broken_at or now) if job.status == "incomplete" else None
        if broken_at is not None and now - broken_at >= patience.incomplete.total_seconds():
            break
        if now >= deadline:
            raise connection.failed(f"job {job.id} is {job.status}, and not at its end after {patience.sync}{unheard}")
        time.sleep(min(interval, deadline - now))
        try:
            job, unheard = _look(connection, job.id), ""
        except AirbyteUnreachableError as error:
            unheard = f"; of late there was no answer: {str(error).rstrip('.')}"
    return job


def _look(connection: _Connection, job_id: int) -> Job:
    for _ in range(LOST_AFTER):
        try:
            return connection.api.job(job_id)
        except RefusedError as error:
            if error.status != NOT_THERE:
                raise connection.failed(str(error).rstrip(".")) from None
        time.sleep(connection.api.client.poll_interval)
    raise connection.failed(f"job {job_id} is lost: Airbyte does not know it any more")


@contextmanager
def _cancelled_unless_ended(connection: _Connection, memory: Memory) -> Iterator[None]:
    """Cancel the run's sync where it is left before its end, by whatever; also one whose start was not answered."""
    try:
        yield
    except BaseException:
        _cancel(connection, memory)
        raise


def _cancel(connection: _Connection, memory: Memory) -> None:
    """Cancel what the run started; a job that has ended stays what it is."""
    with suppress(DashboardTrustError):
        ours = [memory.job] if memory.job is not None else []
        if not ours and memory.before is not None:
            ours = [job.id for job in connection.jobs_after(memory.before) if job.status not in ENDED]
        for job_id in ours:
            connection.api.cancel(job_id)
