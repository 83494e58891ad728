"""Snowflake twice: fakesnow, which knows its dialect, in an environment of its own; and a real account.

What is marked ``fakesnow`` runs on the first, what is marked ``snowflake`` on the second, which has to be asked for
(`pytest -m snowflake`): it needs an account, named by the environment as `ASKED_FOR` says.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlglot import parse_one

from dashboard_trust.ingestion.child import tied
from dashboard_trust.warehouses.frames import to_arrow
from dashboard_trust.warehouses.replace import NoAudit, Slice, draw_ticket, replace_slice
from dashboard_trust.warehouses.session import Session, Warehouse, column
from dashboard_trust.warehouses.snowflake import SnowflakeSession, SnowflakeWarehouse

if TYPE_CHECKING:
    from dagster_snowflake import SnowflakeResource

REQUIREMENTS = ("fakesnow[server]==0.12.1", "snowflake-connector-python<5")
SECRET = "not-to-be-said"
ASKED_FOR = """
Tests on a real account need it in the environment: SNOWFLAKE_ACCOUNT, SNOWFLAKE_USER, SNOWFLAKE_WAREHOUSE, and
SNOWFLAKE_PASSWORD or SNOWFLAKE_PRIVATE_KEY_PATH (and SNOWFLAKE_PRIVATE_KEY_PASSWORD if it has one). SNOWFLAKE_ROLE,
if it is not the user's own, may create databases: every test has one, and drops it.
"""
NEEDED = ("SNOWFLAKE_ACCOUNT", "SNOWFLAKE_USER", "SNOWFLAKE_WAREHOUSE")
SECRETS = ("SNOWFLAKE_PASSWORD", "SNOWFLAKE_PRIVATE_KEY_PATH")
NAMED = {
    "account": "SNOWFLAKE_ACCOUNT",
    "user": "SNOWFLAKE_USER",
    "warehouse": "SNOWFLAKE_WAREHOUSE",
    "role": "SNOWFLAKE_ROLE",
    "password": "SNOWFLAKE_PASSWORD",
    "private_key_path": "SNOWFLAKE_PRIVATE_KEY_PATH",
    "private_key_password": "SNOWFLAKE_PRIVATE_KEY_PASSWORD",
}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the real account out, unless it is asked for; then it has to be there."""
    for item in items:
        if item.get_closest_marker("fakesnow"):
            item.add_marker(pytest.mark.timeout(900))  # whichever comes first builds the environment
    if re.search(r"(?<!not )\bsnowflake\b", config.option.markexpr or ""):
        missing = [name for name in NEEDED if not os.environ.get(name)]
        if missing or not any(os.environ.get(name) for name in SECRETS):
            raise pytest.UsageError(f"{' and '.join(missing or SECRETS)} not set. {' '.join(ASKED_FOR.split())}")
        return
    left_out = [item for item in items if item.get_closest_marker("snowflake")]
    items[:] = [item for item in items if not item.get_closest_marker("snowflake")]
    config.hook.pytest_deselected(items=left_out)


@dataclass(frozen=True)
class Account:
    """How to reach a Snowflake, or what stands for it; ``is_real`` if transactions are Snowflake's own."""

    settings: dict[str, Any]
    is_real: bool
    process: int = 0
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def resource(self, database: str | None, **settings: Any) -> SnowflakeResource:
        # Seconds, that whoever leaves these tests out need not wait.
        from dagster_snowflake import SnowflakeResource

        named = {"database": database} if database else {}
        return SnowflakeResource(**{**self.settings, **named, **settings})

    def through(self, host: str, port: int) -> Account:
        """The same by way of another port."""
        extra = {**self.settings["additional_snowflake_connection_args"], "host": host, "port": port}
        return replace(self, settings={**self.settings, "additional_snowflake_connection_args": extra})

    def execute(self, sql: str, database: str | None = None) -> None:
        with self.resource(database).get_connection() as connection:
            connection.cursor().execute(sql)


@pytest.fixture(scope="session")
def fakesnow_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """A fakesnow server, in an environment of its own."""
    program = _install(tmp_path_factory)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("fakesnow") / "log"
    with log.open("wb") as said:
        server = subprocess.Popen(tied([str(program), "-s", "-p", str(port)]), stdout=said, stderr=said)
    try:
        _wait_for(port, server, log)
        extra = {
            "host": "localhost",
            "port": port,
            "protocol": "http",
            # It has no such function; what it answers instead is the same every time.
            "session_parameters": {"nop_regexes": [r"SELECT CURRENT_TRANSACTION\(\)"]},
        }
        known = {"account": "test", "user": "test", "password": SECRET, "network_timeout": 6}
        yield Account({**known, "additional_snowflake_connection_args": extra}, is_real=False, process=server.pid)
    finally:
        server.kill()
        server.wait()


def _install(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kept = os.environ.get("DASHBOARD_TRUST_FAKESNOW_VENV")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("fakesnow") / "venv"
    program, python = folder / "bin" / "fakesnow", str(folder / "bin" / "python")
    if not program.exists():
        if shutil.which("uv"):
            subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, folder], check=True)
            subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, *REQUIREMENTS], check=True)
        else:
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    return program


def _wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    """Until it listens; pytest's own timeout says how long that may take."""
    while server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
    pytest.fail(f"fakesnow did not start:\n{log.read_text()}")


@pytest.fixture(scope="session")
def real_account() -> Account:
    """The account that the environment names."""
    known = {name: os.environ[variable] for name, variable in NAMED.items() if os.environ.get(variable)}
    return Account({**known, "additional_snowflake_connection_args": {}}, is_real=True)


FAKE = pytest.param("fakesnow_account", marks=pytest.mark.fakesnow, id="fakesnow")
REAL = pytest.param("real_account", marks=pytest.mark.snowflake, id="snowflake")


@pytest.fixture(params=[FAKE, REAL])
def account(request: pytest.FixtureRequest) -> Account:
    """Either of the two."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def database(account: Account) -> Iterator[str]:
    """An empty database."""
    name = f"DASHBOARD_TRUST_TEST_{uuid.uuid4().hex[:12].upper()}"
    if not account.is_real:
        yield name  # made by whoever is the first to connect
        return
    account.execute(f"CREATE TRANSIENT DATABASE {name}")
    yield name
    account.execute(f"DROP DATABASE {name}")


@pytest.fixture
def warehouse(account: Account, database: str) -> SnowflakeWarehouse:
    return SnowflakeWarehouse(account.resource(database))


@pytest.fixture
def session(warehouse: SnowflakeWarehouse) -> Iterator[SnowflakeSession]:
    with warehouse.session("test") as session:
        yield session


@pytest.fixture
def do() -> Callable[..., list[tuple[Any, ...]]]:
    """Run statements, as they are, on a session: what somebody else does with the database."""

    def do(session: SnowflakeSession, *statements: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for statement in statements:
            found = session.load(statement)
        return found

    return do


@pytest.fixture
def ask() -> Callable[[Session, str], list[tuple[Any, ...]]]:
    """Run a statement in DuckDB's dialect, by way of the session's own."""

    def ask(session: Session, statement: str) -> list[tuple[Any, ...]]:
        return session.query(parse_one(statement, dialect="duckdb"))

    return ask


@pytest.fixture
def write() -> Callable[..., Any]:
    """Replace a table, or partitions of it by the column ``day``, as the IO manager does."""

    def write(warehouse: Warehouse, name: str, data: object, *days: str, by: str = "us", **options: Any) -> Any:
        what = Slice(name, {day: column("day").eq(day) for day in days})
        ticket = options.pop("ticket", None) or draw_ticket(warehouse, what, f"write of {by}", by)
        return replace_slice(warehouse, ticket, to_arrow(data), options.pop("audit", NoAudit()), **options)

    return write


@pytest.fixture
def stands() -> Callable[..., list[dict[str, Any]]]:
    """The rows of a table, in one order; nothing if it is not there."""

    def stands(warehouse: Warehouse, name: str) -> list[dict[str, Any]]:
        with warehouse.session("looking") as session:
            rows = [] if session.columns(name) is None else session.read(name).to_pylist()
        return sorted(rows, key=lambda row: repr(sorted(row.items())))

    return stands
