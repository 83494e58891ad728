"""The jobs of the loopback server: each a sync in a thread, believed only if all of it is good."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from filelock import FileLock

from dashboard_trust.errors import DashboardTrustError
from dashboard_trust.ingestion.airbyte_landing import open_job, remove_landed, write_landed
from dashboard_trust.ingestion.airbyte_protocol import Connector, kill
from dashboard_trust.ingestion.airbyte_read import ConnectorRead, StreamRead, read_connector
from dashboard_trust.ingestion.connections import Connection


class AlreadyRunningError(DashboardTrustError):
    """A second sync of a connection while one is running (Airbyte answers 409)."""


@dataclass
class Job:
    """One sync of one connection; ``status`` is running, succeeded, failed or cancelled.

    ``problem`` is why it failed, naming stream and cause. Its files are there if it succeeded.
    """

    id: int
    connection: Connection
    status: str = "running"
    problem: str | None = None
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    read: ConnectorRead | None = None
    _process: subprocess.Popen[bytes] | None = None
    _landing_lock: FileLock | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def streams(self) -> Sequence[StreamRead]:
        """What each stream delivered, once the connector has ended."""
        return self.read.streams if self.read else ()

    def run(self) -> None:
        """Run the sync to its end, whatever that is."""
        problem: str | None = "the loopback server itself failed; its log says why"
        try:
            problem = self._sync()
        except (DashboardTrustError, OSError) as error:
            problem = str(error)
        finally:
            self._finish(problem)

    def cancel(self) -> None:
        """Kill the connector; a job that has ended stays what it is."""
        with self._lock:
            if self.status != "running":
                return
            self.status = "cancelled"
            self.updated_at = datetime.now(UTC)
            if self._process:
                kill(self._process)

    def _sync(self) -> str | None:
        folder, self._landing_lock = open_job(self.connection.landing, self.id)
        private = folder / "connector"
        private.mkdir(mode=0o700)
        connector = Connector(self.connection.command, self.connection.config, private, self._attach)
        try:
            self.read = read_connector(connector, self.connection.streams, folder)
        finally:
            # It holds the connector's configuration, secrets included.
            shutil.rmtree(private)
        if self.read.problem is None:
            write_landed(folder, self.read.streams)
        return self.read.problem

    def _attach(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._process = process
            if self.status == "cancelled":
                kill(process)

    def _finish(self, problem: str | None) -> None:
        with self._lock:
            if problem is None and self.status == "running":
                self.status = "succeeded"
            else:
                remove_landed(self.connection.landing, self.id)
            if self.status == "running":
                self.status, self.problem = "failed", problem
            self.updated_at = datetime.now(UTC)


class JobBoard:
    """Every job since the server started, at most one running per connection."""

    def __init__(self) -> None:
        self._jobs: dict[int, Job] = {}
        self._lock = threading.Lock()

    def start(self, connection: Connection) -> Job:
        """Start a sync; raise `AlreadyRunningError` if one of this connection is running."""
        with self._lock:
            for job in self._jobs.values():
                if job.connection.id == connection.id and job.status == "running":
                    raise AlreadyRunningError(
                        f"Job {job.id} of connection {connection.name!r} is running. Wait, or cancel it."
                    )
            # By the clock: servers that share a landing folder do not share a counter.
            job = Job(max([time.time_ns() // 1000, *(known + 1 for known in self._jobs)]), connection)
            self._jobs[job.id] = job
        threading.Thread(target=job.run, name=f"sync {job.id}", daemon=True).start()
        return job

    def find(self, job_id: int) -> Job | None:
        """Return the job, if this server knows it."""
        return self._jobs.get(job_id)

    def of(self, connection_id: str | None, since: datetime | None) -> list[Job]:
        """Return the jobs of a connection (None: of all) created at ``since`` or later, newest first."""
        with self._lock:
            jobs = sorted(self._jobs.values(), key=lambda job: job.id, reverse=True)
        return [
            job
            for job in jobs
            if connection_id in (None, job.connection.id) and (since is None or job.created_at >= since)
        ]
