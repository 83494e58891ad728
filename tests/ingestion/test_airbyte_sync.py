from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest
import requests

from dashboard_trust.errors import AirbyteUnreachableError, InvalidInputError, SyncFailedError, SyncRunningError
from dashboard_trust.ingestion.airbyte_process import running_airbyte
from dashboard_trust.ingestion.airbyte_sync import Patience, sync
from dashboard_trust.ingestion.connections import Workspace
from dashboard_trust.ingestion.sync_evidence import StreamCount

MINUTE = Patience(timedelta(minutes=1))
GOOD = {"records": [{"id": 1, "at": "2026-01-01T00:00:00Z"}], "status": "COMPLETE"}
MORE = {"records": [{"id": 1, "at": "2026-01-02"}, {"id": 2, "at": "2026-01-02"}], "status": "COMPLETE"}


INCOMPLETE = {**GOOD, "status": "INCOMPLETE"}
BAD = {
    "incomplete with exit code 0": (
        {"payments": INCOMPLETE},
        {},
        r"stream 'payments' said INCOMPLETE \(connector exit code 0\)",
    ),
    "silent with exit code 0": (
        {"payments": {"records": GOOD["records"]}},
        {},
        r"stream 'payments' never said COMPLETE \(connector exit code 0\)",
    ),
    "complete with exit code 1": (
        {"payments": GOOD},
        {"exit_code": 1, "stderr": "boom"},
        r"failed after every stream said COMPLETE: boom \(connector exit code 1\)",
    ),
    "one of two": (
        {"payments": GOOD, "orders": {**INCOMPLETE, "error": "disk on fire"}},
        {},
        "stream 'orders' said INCOMPLETE: disk on fire",
    ),
    "complete, with an error of the stream": (
        {"payments": {**GOOD, "error": "half of it"}},
        {},
        "stream 'payments' said COMPLETE: half of it",
    ),
    "complete, with an error of the connector": (
        {"payments": GOOD},
        {"error": "lost the source"},
        "said COMPLETE: lost the source",
    ),
    "a broken line": (
        {"payments": GOOD},
        {"lines": ['{"type": "RECORD", "record": {"stre']},
        "a line that is no message",
    ),
    "a record without data": (
        {"payments": GOOD},
        {"lines": ['{"type": "RECORD", "record": {"stream": "payments"}}']},
        "a line that is no message",
    ),
    "killed": (
        {"payments": {}, "orders": {}},
        {"exit_code": 3, "stderr": "out of memory"},
        "'payments' never said COMPLETE: out of memory .*3.*; not complete either: 'orders'",
    ),
}


@pytest.mark.parametrize(("streams", "script", "reason"), BAD.values(), ids=BAD)
def test_a_sync_that_is_not_good_commits_nothing_and_says_why(scripted, land, tables, streams, script, reason):
    land(scripted({"payments": GOOD, "orders": GOOD}))
    before = tables()
    connection = scripted(streams, **script)

    with pytest.raises(SyncFailedError, match=f"^Sync of connection 'scripted' failed: job .*{reason}"):
        land(connection)

    assert tables() == before
    assert {"raw.payments", "raw.orders"} == set(before)
    assert not list(connection.landing.glob("*/*.jsonl"))


def test_a_stream_that_the_connector_does_not_know_is_named(scripted, land):
    connection = scripted({"payments": GOOD})
    connection.config["streams"]["payment"] = connection.config["streams"].pop("payments")

    with pytest.raises(SyncFailedError, match=r"stream 'payments' is not in the .* did you mean 'payment'"):
        land(connection)


def test_a_connector_that_cannot_be_started_is_named(scripted, land):
    connection = scripted({"payments": GOOD})
    object.__setattr__(connection, "command", ("no-such-program",))

    with pytest.raises(SyncFailedError, match=r"cannot start no-such-program: .* \(connector exit code 127\)"):
        land(connection)


def test_other_words_on_stdout_are_no_harm(scripted, land):
    lines = ["", "a library says hello", '{"type": "LOG", "log": {"level": "INFO", "message": "x"}}', "5"]

    assert land(scripted({"payments": GOOD}, lines=lines))["payments"] == 1


def test_a_good_sync_reports_each_stream(scripted):
    connection = scripted({"payments": MORE, "orders": {"status": "COMPLETE"}})
    with running_airbyte(Workspace("w", (connection,))) as endpoint:
        report = sync(endpoint.workspace(), "scripted", MINUTE)

    payments, orders = report.streams["payments"], report.streams["orders"]
    assert payments.counts == (StreamCount(2, 2, payments.bytes),)
    assert payments.bytes > 0
    assert orders.counts == (StreamCount(0, 0),)
    assert (payments.status, orders.status, report.attempts) == ("COMPLETE", "COMPLETE", 1)


def test_a_sync_that_does_not_end_is_cancelled(scripted, tmp_path, gone):
    pid_file = tmp_path / "pid"
    connection = scripted({"payments": GOOD}, sleep=300, pid_file=str(pid_file))
    with running_airbyte(Workspace("w", (connection,))) as endpoint:
        with pytest.raises(SyncFailedError, match=r"'scripted' failed: job \d+ is running, .* after 0:00:02"):
            sync(endpoint.workspace(), "scripted", Patience(timedelta(seconds=2)))

        jobs = endpoint.workspace().get_client().get_jobs_for_connection("scripted")
        assert [job.status for job in jobs] == ["cancelled"]
        assert gone(int(pid_file.read_text()))
        deadline = time.monotonic() + 10  # the job says so before its thread has tidied up
        while list(connection.landing.glob("*/*.jsonl")) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not list(connection.landing.glob("*/*.jsonl"))


def test_a_second_sync_while_one_runs_is_refused(scripted):
    connection = scripted({"payments": GOOD}, sleep=300)
    with running_airbyte(Workspace("w", (connection,))) as endpoint:
        client = endpoint.workspace().get_client()
        first = client.start_sync_job("scripted")
        again = requests.post(
            f"{endpoint.rest_url}/jobs", json={"connectionId": "scripted", "jobType": "sync"}, timeout=5
        )

        assert again.status_code == 409
        with pytest.raises(SyncRunningError, match="already running"):
            sync(endpoint.workspace(), "scripted", MINUTE)
        assert client.get_job_details(first["jobId"])["status"] == "running"


def test_an_unknown_connection_and_a_server_that_is_gone_are_failed_syncs(scripted):
    with running_airbyte(Workspace("w", (scripted({"payments": GOOD}),))) as endpoint:
        with pytest.raises(SyncFailedError, match=r"Sync of connection 'nope' failed: .*connections/get"):
            sync(endpoint.workspace(), "nope", MINUTE)
        workspace = endpoint.workspace()

    with pytest.raises(AirbyteUnreachableError, match="does not answer"):
        sync(workspace, "scripted", MINUTE)


def test_no_time_is_refused():
    with pytest.raises(InvalidInputError, match="Give it some time"):
        Patience(timedelta(0))


def test_a_proxy_of_the_environment_is_not_asked(scripted, land, monkeypatch):
    monkeypatch.setitem(os.environ, "http_proxy", "http://127.0.0.1:9")
    monkeypatch.delitem(os.environ, "no_proxy", raising=False)
    monkeypatch.setitem(os.environ, "NO_PROXY", "example.org")

    assert land(scripted({"payments": GOOD}))["payments"] == 1
    assert os.environ["no_proxy"] == "example.org,127.0.0.1"
