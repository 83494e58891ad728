from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import dashboard_trust

CONNECTOR = Path(dashboard_trust.__file__).parent / "demo" / "connector.py"
HEADERS = {
    "payments": "payment_id,order_id,customer_id,paid_at,amount,status",
    "orders": "order_id,customer_id,ordered_at,amount,status",
    "refunds": "refund_id,payment_id,refunded_at,amount",
    "customers": "customer_id,name,country,created_at",
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for stream, header in HEADERS.items():
        (folder / f"{stream}.csv").write_text(header + "\n")
    (folder / "refunds.csv").write_text(
        HEADERS["refunds"] + "\nr1,p1,2026-01-01T08:00:00Z,5.00\nr2,p2,2026-01-01T09:00:00Z,007.10\n"
    )
    return folder


def run(source: Path, command: str, streams: list[str] | None = None) -> tuple[int, list[dict[str, Any]]]:
    config = source.parent / "config.json"
    config.write_text(json.dumps({"folder": str(source)}))
    arguments = [sys.executable, "-I", "-S", CONNECTOR, command, "--config", config]
    if streams is not None:
        catalog = source.parent / "catalog.json"
        catalog.write_text(json.dumps({"streams": [{"stream": {"name": name}} for name in streams]}))
        arguments += ["--catalog", catalog]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True, timeout=30)
    assert done.stderr == ""
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


def errors(messages: list[dict[str, Any]]) -> list[str]:
    traces = [message["trace"] for message in messages if message["type"] == "TRACE"]
    return [trace["error"]["message"] for trace in traces if trace["type"] == "ERROR"]


def last_status(messages: list[dict[str, Any]], stream: str) -> str:
    traces = [message["trace"] for message in messages if message["type"] == "TRACE"]
    said = [trace["stream_status"] for trace in traces if trace["type"] == "STREAM_STATUS"]
    return [word["status"] for word in said if word["stream_descriptor"]["name"] == stream][-1]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"r,p,t,a\n1,2,3,4\n1,2,3\n", "refunds.csv line 3: 3 values, but the header has 4 columns"),
        (b"r,p,t,a\n1,2,3,4,5\n", "refunds.csv line 2: 5 values, but the header has 4 columns"),
        (b"r,p,t,a\n1,2,3,\xff\n", "refunds.csv line 2: not UTF-8 (invalid start byte)"),
        (b'r,p,t,a\n1,2,3,"4\n', "refunds.csv line 2: unexpected end of data"),
        (b"r,p,t,t\n", "refunds.csv line 1: a column stands in the header twice"),
        (b"r,,t,a\n", "refunds.csv line 1: a column of the header has no name"),
        (b"", "refunds.csv line 1: no header"),
        (None, "refunds.csv: No such file or directory"),
    ],
)
def test_a_file_that_cannot_be_delivered_is_incomplete_and_named(source, content, problem):
    (source / "refunds.csv").unlink()
    if content is not None:
        (source / "refunds.csv").write_bytes(content)

    code, messages = run(source, "read", ["refunds", "orders"])

    assert code == 1
    assert errors(messages) == [problem]
    assert last_status(messages, "refunds") == "INCOMPLETE"
    assert last_status(messages, "orders") == "COMPLETE"


def test_discover_and_check_name_a_missing_file(source):
    (source / "payments.csv").unlink()

    code, messages = run(source, "discover")
    assert code == 1
    assert errors(messages) == ["payments.csv: No such file or directory"]
    assert run(source, "check")[1][0]["connectionStatus"] == {
        "status": "FAILED",
        "message": "payments.csv: No such file or directory",
    }


def test_an_unknown_stream_is_not_complete(source):
    code, messages = run(source, "read", ["refund"])

    assert code == 1
    assert last_status(messages, "refund") == "INCOMPLETE"


def test_values_are_the_text_of_the_file(source):
    code, messages = run(source, "read", ["refunds"])
    records = [message["record"]["data"] for message in messages if message["type"] == "RECORD"]

    assert code == 0
    assert [record["amount"] for record in records] == ["5.00", "007.10"]
    assert last_status(messages, "refunds") == "COMPLETE"


def test_a_renamed_column_is_delivered_under_its_new_name(source):
    text = (source / "refunds.csv").read_text()
    (source / "refunds.csv").write_text("\ufeff" + text.replace("amount", "amount_eur"))

    catalog = run(source, "discover")[1][0]["catalog"]
    properties = {stream["name"]: list(stream["json_schema"]["properties"]) for stream in catalog["streams"]}
    records = [message["record"]["data"] for message in run(source, "read", ["refunds"])[1] if "record" in message]

    assert properties["refunds"] == ["refund_id", "payment_id", "refunded_at", "amount_eur"]
    assert set(properties) == set(HEADERS)
    assert records[0]["amount_eur"] == "5.00"


def test_line_breaks_in_quotes_and_blank_lines_lose_nothing(source):
    (source / "customers.csv").write_text(HEADERS["customers"] + '\nc1,"Ann\nLee",NL,2026-01-01\n\nc2,Bo,SE,x\n')

    records = [m["record"]["data"] for m in run(source, "read", ["customers"])[1] if m["type"] == "RECORD"]

    assert [record["name"] for record in records] == ["Ann\nLee", "Bo"]


def test_it_starts_at_once(source):
    assert run(source, "check")[1][0]["connectionStatus"]["status"] == "SUCCEEDED"
    assert run(source, "spec")[1][0]["spec"]["connectionSpecification"]["required"] == ["folder"]
    took = []
    for _ in range(5):
        start = time.perf_counter()
        run(source, "spec")
        took.append(time.perf_counter() - start)

    assert min(took) < 1
