from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from airbyte_shop import TWO, Shop
from faulty_airbyte import faulty_airbyte

import dashboard_trust
from dashboard_trust.ingestion.airbyte_load import load
from dashboard_trust.ingestion.airbyte_process import running_airbyte
from dashboard_trust.ingestion.airbyte_sync import Patience, sync
from dashboard_trust.ingestion.connections import Connection, Stream, Workspace
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse
from dashboard_trust.warehouses.fingerprints import Fingerprint, fingerprint

DEMO = (sys.executable, "-I", "-S", str(Path(dashboard_trust.__file__).parent / "demo" / "connector.py"))
SCRIPTED = (sys.executable, "-I", "-S", str(Path(__file__).parent / "scripted_connector.py"))
MINUTE = timedelta(minutes=1)

SOURCE = {
    "payments": "payment_id,order_id,customer_id,paid_at,amount,status\n"
    "p1,o1,c1,2026-01-01T08:00:00Z,10.00,paid\np2,o2,c1,2026-01-02T08:00:00Z,20.00,paid\n",
    "orders": "order_id,customer_id,ordered_at,amount,status\no1,c1,2026-01-01T07:00:00Z,10.00,paid\n",
    "refunds": "refund_id,payment_id,refunded_at,amount\n"
    "r1,p1,2026-01-01T09:00:00Z,1.00\nr2,p1,2026-01-02T09:00:00Z,2.00\nr3,p2,2026-01-03T09:00:00Z,3.00\n",
    "customers": "customer_id,name,country,created_at\nc1,Ann,NL,2025-12-01T00:00:00Z\n",
}


@pytest.fixture(scope="session")
def connector_program(tmp_path_factory) -> Callable[[str, str, str], str]:
    """Install a connector in an environment of its own, or use the one that a variable names; return its program."""

    def install(requirement: str, program: str, variable: str) -> str:
        kept = os.environ.get(variable)
        folder = Path(kept) if kept else tmp_path_factory.mktemp(program) / "venv"
        if not (folder / "bin" / program).exists():
            python = str(folder / "bin" / "python")
            if shutil.which("uv"):
                subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, folder], check=True)
                subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, requirement], check=True)
            else:
                subprocess.run([sys.executable, "-m", "venv", folder], check=True)
                subprocess.run([python, "-m", "pip", "install", "--quiet", requirement], check=True)
        return str(folder / "bin" / program)

    return install


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for stream, text in SOURCE.items():
        (folder / f"{stream}.csv").write_text(text)
    return folder


@pytest.fixture
def demo(source: Path) -> Connection:
    streams = tuple(Stream(name, {}) for name in SOURCE)
    return Connection("c-demo", "demo", DEMO, {"folder": str(source)}, streams, source.parent / "landing")


@pytest.fixture
def scripted(tmp_path: Path) -> Callable[..., Connection]:
    def build(streams: Mapping[str, Any], name: str = "scripted", **script: Any) -> Connection:
        selected = tuple(Stream(stream, {}) for stream in streams)
        config = {"streams": streams, **script}
        return Connection(name, name, SCRIPTED, config, selected, tmp_path / f"landing_{name}")

    return build


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb")


@pytest.fixture
def land(warehouse: DuckDBWarehouse) -> Callable[..., dict[str, int]]:
    """Sync a connection through a server of its own, load it, and return the rows of each stream."""

    def run(connection: Connection, timeout: timedelta = MINUTE) -> dict[str, int]:
        with running_airbyte(Workspace("w", (connection,))) as endpoint:
            return load(warehouse, connection, sync(endpoint.workspace(), connection.id, Patience(timeout)))

    return run


@pytest.fixture
def tables(warehouse: DuckDBWarehouse) -> Callable[[], dict[str, Fingerprint]]:
    """Every table of the warehouse with its fingerprint."""

    def look() -> dict[str, Fingerprint]:
        with warehouse.session("test") as session:
            found = session.connection.execute(
                "select schema_name || '.' || table_name from duckdb_tables()"
            ).fetchall()
            return {name: fingerprint(session, name) for (name,) in found}

    return look


@pytest.fixture
def columns(warehouse: DuckDBWarehouse) -> Callable[[str], dict[str, str]]:
    """The columns of a table with their types."""

    def look(table: str) -> dict[str, str]:
        with warehouse.session("test") as session:
            return dict(session.columns(table) or {})

    return look


@pytest.fixture
def gone() -> Callable[[int], bool]:
    """Whether a process ends within some seconds (one that only waits to be reaped has ended)."""

    def look(pid: int) -> bool:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
            except (FileNotFoundError, ProcessLookupError):
                return True
            if state == "Z":
                return True
            time.sleep(0.05)
        return False

    return look


@pytest.fixture
def shop(scripted, warehouse, run, instance, monkeypatch) -> Iterator[Shop]:
    """A shop with two payments and an order, of which nothing is synced yet."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    streams = {
        "payments": {"records": list(TWO), "status": "COMPLETE"},
        "orders": {"records": TWO[:1], "status": "COMPLETE"},
    }
    columns = {"properties": {"id": {"type": ["null", "integer"]}, "at": {"type": ["null", "string"]}}}
    connection = scripted(streams, "shop")
    shown = tuple(
        dataclasses.replace(stream, json_schema=columns, primary_key=("id",)) for stream in connection.streams
    )
    connection = dataclasses.replace(connection, streams=shown)
    with faulty_airbyte(Workspace("w", (connection,))) as airbyte:
        yield Shop(run, instance, warehouse, connection, airbyte)
