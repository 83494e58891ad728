"""A connector that we did not write reads a file: airbyte-source-file in an environment of its own."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from airbyte_shop import Shop
from faulty_airbyte import faulty_airbyte

from dashboard_trust.ingestion.connections import Connection, Stream, Workspace
from dashboard_trust.verdicts.verdict import Readiness

pytestmark = [pytest.mark.faker, pytest.mark.timeout(900)]
HEAD = "id,at,amount\n"
ROWS = "1,2026-01-01T08:00:00Z,10.5\n2,2026-01-02T08:00:00Z,20\n"
FIELDS = {"id": "integer", "at": "string", "amount": "number"}


@pytest.fixture(scope="module")
def source_file(connector_program) -> str:
    return connector_program("airbyte-source-file==0.5.39", "source-file", "DASHBOARD_TRUST_SOURCE_FILE_VENV")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "payments.csv"
    found.write_text(HEAD + ROWS)
    return found


@pytest.fixture
def shop(source_file, file, run, instance, warehouse, tmp_path, monkeypatch) -> Iterator[Shop]:
    """A shop whose payments are a file, synced once."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    config = {"dataset_name": "payments", "format": "csv", "url": str(file), "provider": {"storage": "local"}}
    schema = {"properties": {name: {"type": ["null", kind]} for name, kind in FIELDS.items()}}
    connection = Connection(
        "c-file", "files", (source_file,), config, (Stream("payments", schema),), tmp_path / "landing"
    )
    with faulty_airbyte(Workspace("w", (connection,))) as airbyte:
        shop = Shop(run, instance, warehouse, connection, airbyte)
        shop.patience(sync=timedelta(minutes=3))
        assert shop.sync().success
        assert shop.verdict().readiness is Readiness.READY
        yield shop


def rows(shop: Shop) -> int:
    with shop.warehouse.session("test") as session:
        return session.connection.execute("SELECT COUNT(*) FROM raw.payments").fetchone()[0]


def header_alone(file: Path) -> None:
    """The connector calls it COMPLETE, with exit code 0 and no records."""
    file.write_text(HEAD)


def empty(file: Path) -> None:
    file.write_text("")


def gone(file: Path) -> None:
    file.unlink()


def without_a_column(file: Path) -> None:
    """The connector calls it COMPLETE."""
    file.write_text("id,at\n1,2026-01-01T08:00:00Z\n2,2026-01-02T08:00:00Z\n")


@pytest.mark.parametrize(
    ("fault", "said", "left"),
    [
        (header_alone, "brought no rows, and replaced 2 rows", 0),
        (empty, "not loaded.*No columns to parse from file", 2),
        (gone, "not loaded.*No such file or directory", 2),
        (without_a_column, "selected and not in the table: amount", 2),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_what_becomes_of_the_file_is_found(shop, file, fault, said, left):
    fault(file)

    assert not shop.sync().success
    assert shop.verdict().holds
    told = "; ".join(finding.reason for finding in shop.verdict().findings)
    assert re.search(f"connection 'files', stream 'payments': .*{said}", told), told
    assert rows(shop) == left


def test_a_connector_that_is_killed_while_it_reads_leaves_the_old_rows(shop, file):
    with file.open("a") as more:
        more.writelines(f"{number},2026-01-03T08:00:00Z,1\n" for number in range(3, 400_000))
    threading.Thread(target=kill_reading, args=(str(shop.connection.landing),), daemon=True).start()

    assert not shop.sync().success
    (finding,) = shop.verdict().findings
    assert "connection 'files', stream 'payments': not loaded" in finding.reason
    assert "connector exit code -9" in finding.reason
    assert rows(shop) == 2


def kill_reading(landing: str) -> None:
    """Kill the process that reads for this landing folder, once it has landed something."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for process in Path("/proc").glob("[0-9]*"):
            landed = [one for one in Path(landing).glob("*/payments.jsonl") if one.stat().st_size > 10_000]
            try:
                words = (process / "cmdline").read_text().split("\0")
            except OSError:
                continue
            if landed and "read" in words and any(word.startswith(landing) for word in words):
                os.kill(int(process.name), signal.SIGKILL)
                return
        time.sleep(0.05)
