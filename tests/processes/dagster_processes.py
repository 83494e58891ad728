"""Dagster's own programs as processes of their own, for as long as a test needs them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import requests

T = TypeVar("T")


@contextmanager
def dagster_dev(home: Path, *project: str, environment: Mapping[str, str], **options: Any) -> Iterator[str]:
    """Run `dagster dev` on an instance's home and a free port of this machine; return its address once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    url, log = f"http://127.0.0.1:{port}", home / "dev.log"
    command = ["dagster", "dev", *project, "-h", "127.0.0.1", "-p", port]
    with _running(command, log, {"DAGSTER_HOME": str(home), **environment}, **options) as process:
        wait_for(lambda: process.poll() is not None or _answers(url), f"dagster dev in {home}")
        assert process.poll() is None, log.read_text()[-3000:]
        yield url


@contextmanager
def dagster_daemon(
    home: str | Path, *project: str, log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run the daemon on an instance's home."""
    told = {"DAGSTER_HOME": str(home), **(environment or {})}
    with _running(["dagster-daemon", "run", *project], log, told) as process:
        yield process


def wait_for(look: Callable[[], T | None], what: str, seconds: float = 240) -> T:
    """Look again and again until there is something; give up with what was waited for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.5)
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")


@contextmanager
def _running(
    command: list[str], log: Path, environment: Mapping[str, str], **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    program = str(Path(sys.executable).with_name(command[0]))
    told = {**os.environ, **environment}
    with log.open("ab") as out:
        process = subprocess.Popen(
            [program, *command[1:]], env=told, stdout=out, stderr=out, start_new_session=True, **options
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        # Whatever it leaves behind is in its session, which nobody else is in.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=10)


def _answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/server_info", timeout=5).ok
    except requests.RequestException:
        return False
