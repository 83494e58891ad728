"""The landing folder of a connection: one folder per job, with what a good sync brought."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from dashboard_trust.errors import SyncFailedError
from dashboard_trust.ingestion.airbyte_read import StreamRead, land_file

WORD = "landed.json"


@dataclass(frozen=True, slots=True)
class LandedStream:
    """A stream's records in a file, one JSON object per line, and its columns' SQL types."""

    name: str
    file: Path
    columns: Mapping[str, str]


def open_job(landing: Path, job_id: int) -> tuple[Path, FileLock]:
    """Create the folder of a job; return it with the lock that keeps it from being cleaned.

    What killed runs left behind is removed. The lock is held until its process ends: a job is
    loaded while the server that ran it still lives.
    """
    landing.mkdir(parents=True, exist_ok=True)
    with FileLock(landing / ".lock"):
        for left in landing.iterdir():
            if left.is_dir():
                _clean(left)
        folder = landing / str(job_id)
        folder.mkdir()
        # Not bound to this thread: it must outlive the job's own.
        lock = FileLock(folder / ".lock", thread_local=False)
        lock.acquire()
    return folder, lock


def _clean(folder: Path) -> None:
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return
    shutil.rmtree(folder, ignore_errors=True)
    lock.release()


def write_landed(folder: Path, streams: Sequence[StreamRead]) -> None:
    """Write, last of all, what the sync brought; a folder without this word is never loaded."""
    word = {stream.name: dict(stream.columns) for stream in streams}
    new = folder / f"{WORD}.new"
    new.write_text(json.dumps(word))
    new.replace(folder / WORD)


def read_landed(landing: Path, job_id: int) -> dict[str, LandedStream]:
    """Return what a good sync landed, by stream; raise `SyncFailedError` if it is not there (any more)."""
    folder = landing / str(job_id)
    try:
        word = json.loads((folder / WORD).read_text())
    except FileNotFoundError:
        raise SyncFailedError(
            f"Job {job_id} has nothing landed in {landing.name!r}: it was loaded before, or its "
            "server ended and a later sync cleaned up. Sync again, and load while the server runs."
        ) from None
    return {name: LandedStream(name, land_file(folder, name), columns) for name, columns in word.items()}


def remove_landed(landing: Path, job_id: int) -> None:
    """Remove what a job landed."""
    shutil.rmtree(landing / str(job_id), ignore_errors=True)
