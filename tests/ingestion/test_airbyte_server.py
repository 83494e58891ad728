from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest
import requests

from dashboard_trust.ingestion.airbyte_process import running_airbyte
from dashboard_trust.ingestion.connections import Workspace


@pytest.fixture
def workspace(scripted):
    bad = scripted({"payments": {"records": [{"id": 1}], "status": "INCOMPLETE", "error": "half"}}, "bad")
    return Workspace("w", (bad, scripted({"orders": {"status": "COMPLETE"}}, "good")))


def post(url, **body):
    return requests.post(url, json=body, timeout=5)


def wait_for_end(endpoint, job_id):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        job = requests.get(f"{endpoint.rest_url}/jobs/{job_id}", timeout=5).json()
        if job["status"] != "running":
            return job
        time.sleep(0.05)
    raise AssertionError("the job never ended")


def test_a_failed_job_committed_nothing_and_says_why(workspace):
    with running_airbyte(workspace) as endpoint:
        job_id = post(f"{endpoint.rest_url}/jobs", connectionId="bad", jobType="sync").json()["jobId"]
        ended = wait_for_end(endpoint, job_id)
        evidence = post(f"{endpoint.configuration_url}/jobs/get", id=job_id).json()

    attempt = evidence["attempts"][0]["attempt"]
    assert (ended["status"], ended["rowsSynced"], evidence["job"]["status"]) == ("failed", 0, "failed")
    (stream,) = attempt["streamStats"]
    assert (stream["streamName"], stream["stats"]["recordsEmitted"], stream["stats"]["recordsCommitted"]) == (
        "payments",
        1,
        0,
    )
    assert (stream["stats"]["bytesEmitted"], stream["stats"]["bytesCommitted"]) == (10, 0)
    assert attempt["failureSummary"]["failures"][0]["externalMessage"] == (
        "stream 'payments' said INCOMPLETE: half (connector exit code 0)"
    )


def test_what_is_not_known_is_not_found(workspace):
    with running_airbyte(workspace) as endpoint:
        rest, configuration = endpoint.rest_url, endpoint.configuration_url
        answers = [
            requests.get(f"{rest}/workspaces/x", timeout=5),
            requests.get(f"{rest}/connections?workspaceIds=x", timeout=5),
            requests.get(f"{rest}/destinations/x", timeout=5),
            requests.get(f"{rest}/jobs/1", timeout=5),
            requests.delete(f"{rest}/jobs/1", timeout=5),
            post(f"{rest}/jobs", connectionId="x", jobType="sync"),
            post(f"{configuration}/connections/get", connectionId="x"),
            post(f"{configuration}/jobs/get", id=1),
            post(f"{configuration}/stream_statuses/list", workspaceId="w", jobId=1),
        ]

    assert [answer.status_code for answer in answers] == [404] * len(answers)


def test_dagsters_own_client_reads_the_whole_workspace(workspace):
    with running_airbyte(workspace) as endpoint:
        resource = endpoint.workspace()
        props = resource.fetch_airbyte_workspace_data().to_airbyte_connection_table_props_data()
        token = post(f"{endpoint.rest_url}/applications/token", client_id="a", client_secret="b").json()

    assert {(prop.connection_id, prop.table_name) for prop in props} == {
        ("bad", "payments"),
        ("good", "orders"),
    }
    assert {prop.fully_qualified_table_name for prop in props} == {
        "warehouse.raw.payments",
        "warehouse.raw.orders",
    }
    assert token["access_token"]


def test_jobs_are_listed_by_connection_and_time_and_a_cancelled_one_stays_cancelled(workspace):
    with running_airbyte(workspace) as endpoint:
        client = endpoint.workspace().get_client()
        first = client.start_sync_job("good")["jobId"]
        wait_for_end(endpoint, first)
        second = client.start_sync_job("good")["jobId"]
        client.cancel_job(second)
        listed = client.get_jobs_for_connection("good")
        future = client.get_jobs_for_connection("good", datetime.now(UTC) + timedelta(minutes=1))
        other = client.get_jobs_for_connection("bad")
        client.cancel_job(first)
        kept = client.get_job_details(first)["status"]

    assert [(job.id, job.status) for job in listed] == [(second, "cancelled"), (first, "succeeded")]
    assert (future, other, kept) == ([], [], "succeeded")


def test_the_program_reads_a_file_and_writes_its_port(workspace, tmp_path):
    config, port_file = tmp_path / "workspace.json", tmp_path / "port"
    config.write_text(workspace.to_json())
    command = [sys.executable, "-m", "dashboard_trust.ingestion.airbyte_server"]
    with subprocess.Popen([*command, "--config", config, "--port-file", port_file]) as server:
        deadline = time.monotonic() + 10
        while not port_file.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        port = int(port_file.read_text())
        answer = requests.get(f"http://127.0.0.1:{port}/api/public/v1/workspaces/w", timeout=5)
        server.terminate()

    assert answer.json()["workspaceId"] == "w"
