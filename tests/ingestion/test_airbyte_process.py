from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from dashboard_trust.errors import DashboardTrustError
from dashboard_trust.ingestion.airbyte_load import load
from dashboard_trust.ingestion.airbyte_process import running_airbyte
from dashboard_trust.ingestion.airbyte_sync import Patience, sync
from dashboard_trust.ingestion.connections import Workspace

SECONDS = 10
PARENT = """
import signal, sys, time
from dashboard_trust.ingestion.airbyte_process import running_airbyte
from dashboard_trust.ingestion.connections import Workspace

# A job in the background of a script ignores the interrupt, and its children inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
workspace = Workspace.from_json(sys.stdin.readline())
with running_airbyte(workspace) as endpoint:
    endpoint.workspace().get_client().start_sync_job("scripted")
    print(endpoint.pid, flush=True)
    time.sleep(300)
"""


def read_pid(path: Path) -> int:
    deadline = time.monotonic() + SECONDS
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, "the connector never started"
        time.sleep(0.05)
    return int(path.read_text())


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_server_and_connector_end_with_their_parent(scripted, tmp_path, end, gone):
    pid_file = tmp_path / "pid"
    connection = scripted({"payments": {}}, sleep=300, pid_file=str(pid_file))
    with subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as parent:
        parent.stdin.write(Workspace("w", (connection,)).to_json().encode() + b"\n")
        parent.stdin.flush()
        server = int(parent.stdout.readline())
        connector = read_pid(pid_file)
        os.kill(server, 0)
        os.kill(connector, 0)

        os.kill(parent.pid, end)

        assert gone(server)
        assert gone(connector)


def test_leaving_ends_the_server_and_its_connectors(scripted, tmp_path, gone):
    pid_file = tmp_path / "pid"
    connection = scripted({"payments": {}}, sleep=300, pid_file=str(pid_file))
    with running_airbyte(Workspace("w", (connection,))) as endpoint:
        endpoint.workspace().get_client().start_sync_job("scripted")
        connector = read_pid(pid_file)

    assert gone(endpoint.pid)
    assert gone(connector)


def test_two_servers_do_not_know_of_each_other(scripted, warehouse):
    one, two = (
        scripted({name: {"records": [{"id": 1}], "status": "COMPLETE"}}, name) for name in ("payments", "orders")
    )
    with (
        running_airbyte(Workspace("w", (one,))) as first,
        running_airbyte(Workspace("w", (two,))) as second,
    ):
        assert first.port != second.port
        reports = [
            sync(endpoint.workspace(), connection.id, Patience(timedelta(minutes=1)))
            for endpoint, connection in ((first, one), (second, two))
        ]
        assert load(warehouse, one, reports[0])["payments"] == 1
        assert load(warehouse, two, reports[1])["orders"] == 1


def test_two_servers_may_share_a_landing_folder(demo, warehouse):
    with (
        running_airbyte(Workspace("w", (demo,))) as first,
        running_airbyte(Workspace("w", (demo,))) as second,
    ):
        reports = [sync(end.workspace(), demo.id, Patience(timedelta(minutes=1))) for end in (first, second)]

        assert load(warehouse, demo, reports[0]) == load(warehouse, demo, reports[1])


def test_a_server_that_is_too_slow_is_ended_and_named(scripted):
    workspace = Workspace("w", (scripted({"payments": {}}),))

    with (
        pytest.raises(DashboardTrustError, match="did not start: it said no port in time"),
        running_airbyte(workspace, wait=timedelta(milliseconds=1)),
    ):
        pass


def test_a_server_that_cannot_start_says_why(scripted, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", "/nowhere")

    with (
        pytest.raises(DashboardTrustError, match="The loopback Airbyte did not start: it ended"),
        running_airbyte(Workspace("w", (scripted({"payments": {}}),))),
    ):
        pass
