"""The loopback Airbyte as a child process that ends with its parent."""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import IO, TYPE_CHECKING

import requests

from dashboard_trust.errors import DashboardTrustError
from dashboard_trust.ingestion.child import tied
from dashboard_trust.ingestion.connections import Workspace

if TYPE_CHECKING:
    from dagster_airbyte import AirbyteWorkspace

COMMAND = (sys.executable, "-m", "dashboard_trust.ingestion.airbyte_server")
START_WAIT = timedelta(seconds=30)
END_WAIT = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class AirbyteEndpoint:
    """Where a loopback Airbyte answers, and its process."""

    workspace_id: str
    port: int
    pid: int

    @property
    def rest_url(self) -> str:
        """The base of Airbyte's public API."""
        return f"http://127.0.0.1:{self.port}/api/public/v1"

    @property
    def configuration_url(self) -> str:
        """The base of Airbyte's configuration API."""
        return f"http://127.0.0.1:{self.port}/api/v1"

    def workspace(self) -> AirbyteWorkspace:
        """Return Dagster's own resource for this server; it polls ten times a second."""
        import dagster as dg
        from dagster_airbyte import AirbyteWorkspace

        with warnings.catch_warnings():
            # That it is in beta is known: its minor version is held. The client is kept, and warns once.
            warnings.simplefilter("ignore", dg.BetaWarning)
            workspace = AirbyteWorkspace(
                rest_api_base_url=self.rest_url,
                configuration_api_base_url=self.configuration_url,
                workspace_id=self.workspace_id,
                poll_interval=0.1,
            )
            workspace.get_client()
        return workspace


@contextmanager
def running_airbyte(workspace: Workspace, wait: timedelta = START_WAIT) -> Iterator[AirbyteEndpoint]:
    """Run a loopback Airbyte for ``workspace`` on a free port, and end it afterwards.

    On Linux it is killed when the thread that entered is: the server, and every connector.

    Raises:
        DashboardTrustError: It does not answer within ``wait``.
    """
    deadline = time.monotonic() + wait.total_seconds()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(tied(COMMAND), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
        try:
            endpoint = AirbyteEndpoint(workspace.id, _start(process, workspace, log, deadline), process.pid)
            _wait_until_it_answers(endpoint, log, deadline)
            yield endpoint
        finally:
            _end(process)


def _start(process: subprocess.Popen[bytes], workspace: Workspace, log: IO[bytes], deadline: float) -> int:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        # By stdin, since the configuration may hold secrets.
        process.stdin.write(workspace.to_json().encode())
        process.stdin.close()
    except BrokenPipeError:
        raise _not_started("it ended at once", log) from None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(deadline - time.monotonic()):
            raise _not_started("it said no port in time", log)
    line = process.stdout.readline()
    if not line:
        raise _not_started("it ended before it listened", log)
    return int(line)


def _wait_until_it_answers(endpoint: AirbyteEndpoint, log: IO[bytes], deadline: float) -> None:
    _bypass_proxies()
    left = max(deadline - time.monotonic(), 0.1)
    try:
        url = f"{endpoint.rest_url}/workspaces/{endpoint.workspace_id}"
        requests.get(url, timeout=left).raise_for_status()
    except requests.RequestException as error:
        raise _not_started(f"it does not answer ({type(error).__name__})", log) from None


def _bypass_proxies() -> None:
    # dagster-airbyte's client obeys a proxy of the environment, which cannot reach our loopback.
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    if "127.0.0.1" not in known.split(","):
        os.environ["no_proxy"] = f"{known},127.0.0.1".lstrip(",")


def _not_started(why: str, log: IO[bytes]) -> DashboardTrustError:
    log.seek(0)
    said = [line for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    words = f": {said[-1]}" if said else ""
    return DashboardTrustError(
        f"The loopback Airbyte did not start: {why}{words}. Check the installation, and run this again."
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(END_WAIT.total_seconds())
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
