"""DuckDB: a file with one writing process at a time, and fingerprints of what it holds."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from dashboard_trust.errors import WarehouseBusyError

if TYPE_CHECKING:
    import duckdb

LOCK_WAIT = timedelta(minutes=1)
LOCK_WAIT_VARIABLE = "DASHBOARD_TRUST_LOCK_SECONDS"


@dataclass(frozen=True, slots=True)
class DuckDBWarehouse:
    """One DuckDB file behind an operating system lock that dies with its holder.

    Every open takes the lock, readers too: DuckDB refuses a second process while one writes.
    """

    path: Path

    @contextmanager
    def lock(self, purpose: str, wait: timedelta | None = None) -> Iterator[None]:
        """Hold the file for ``purpose``; raise `WarehouseBusyError` naming the holder after ``wait``.

        The default wait is a minute (or ``DASHBOARD_TRUST_LOCK_SECONDS``). Holding it twice in one
        thread is allowed.
        """
        lock = FileLock(f"{self.path}.lock", is_singleton=True)
        holder = Path(f"{self.path}.holder")
        try:
            lock.acquire(timeout=(wait or _lock_wait()).total_seconds(), poll_interval=0.05)
        except Timeout:
            raise WarehouseBusyError(
                f"{self.path.name} is held by {_read_holder(holder)}. "
                "Wait for it to end, or stop it, and run this again."
            ) from None
        try:
            word = {"pid": os.getpid(), "purpose": purpose, "since": datetime.now(UTC).isoformat()}
            holder.write_text(json.dumps(word))
            yield
        finally:
            lock.release()

    @contextmanager
    def connect(self, purpose: str, wait: timedelta | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file for reading and writing, in UTC, while holding its lock."""
        deadline = time.monotonic() + (wait or _lock_wait()).total_seconds()
        with self.lock(purpose, wait):
            connection = self._open(deadline)
            try:
                connection.execute("SET TimeZone = 'UTC'")
                yield connection
            finally:
                connection.close()

    def wait_until_free(self, purpose: str) -> None:
        """Wait until no foreign process holds the file; raise `WarehouseBusyError` naming the one that does."""
        with self.connect(purpose):
            pass

    def _open(self, deadline: float) -> duckdb.DuckDBPyConnection:
        import duckdb

        while True:
            try:
                return duckdb.connect(str(self.path))
            except duckdb.IOException as error:
                # A tool that does not know our lock (a shell, a BI tool) may hold the file itself.
                if "lock" not in str(error).lower():
                    raise
                if time.monotonic() >= deadline:
                    raise WarehouseBusyError(
                        f"{self.path.name} is held by {_foreign_holder(str(error))}. "
                        "Close it there, and run this again."
                    ) from None
                time.sleep(0.2)


def _lock_wait() -> timedelta:
    seconds = os.environ.get(LOCK_WAIT_VARIABLE)
    return timedelta(seconds=float(seconds)) if seconds else LOCK_WAIT


def _read_holder(holder: Path) -> str:
    try:
        word = json.loads(holder.read_text())
        return f"process {word['pid']} ({word['purpose']}, since {word['since'][:19]}Z)"
    except (OSError, ValueError, KeyError):
        return "another process"


def _foreign_holder(message: str) -> str:
    found = re.search(r"held in (.+?) \(PID (\d+)\)", message)
    return f"process {found[2]} ({found[1]})" if found else "another process"
