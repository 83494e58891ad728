"""One warehouse of each engine: whatever is promised of one is asked of all.

Another engine joins with a fixture ``<name>_warehouse`` and its name in `ENGINES`.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
import pytest
from adbc_driver_postgresql import dbapi
from sqlglot import parse_one

from dashboard_trust.warehouses.duckdb import DuckDBWarehouse
from dashboard_trust.warehouses.frames import to_arrow
from dashboard_trust.warehouses.postgres import PostgresWarehouse
from dashboard_trust.warehouses.replace import NoAudit, Slice, draw_ticket, replace_slice
from dashboard_trust.warehouses.session import Session, Warehouse, column

ENGINES = ["duckdb", "postgres"]
EMPTY = """
    DO $$ DECLARE name TEXT; BEGIN
        FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
            EXECUTE format('DROP SCHEMA %I CASCADE', name);
        END LOOP;
        CREATE SCHEMA public;
    END $$
"""


class PostgresServer:
    """A real server, of which every test gets the database empty: making one takes ten times as long."""

    def __init__(self, folder: Path) -> None:
        with warnings.catch_warnings(action="ignore"):  # says on import where it would keep its files
            import pgserver

        folder.mkdir()
        self._server = pgserver.get_server(folder, cleanup_mode="delete")
        folder_of_socket = parse_qs(urlsplit(self._server.get_uri()).query)["host"][0]
        self.socket = f"{folder_of_socket}/.s.PGSQL.5432"
        self._connection = dbapi.connect(self.uri(), autocommit=True)
        self.execute("ALTER SYSTEM SET fsync = off")
        self.execute("SELECT pg_reload_conf()")

    def uri(self, user: str = "postgres") -> str:
        """Return how to reach it."""
        return self._server.get_uri().replace("postgres:@", f"{user}:@")

    def empty(self) -> None:
        """End every other connection, and drop whatever is there."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datid > 0 AND pid <> pg_backend_pid()"
        )
        self.execute(EMPTY)

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement, as somebody who is not us."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def stop(self) -> None:
        """Stop it, and delete its files."""
        self._connection.close()
        self._server.cleanup()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    # Not in pytest's folder: each start of pytest closes that to the user a root's server runs as.
    with tempfile.TemporaryDirectory(prefix="dashboard-trust-") as folder:
        server = PostgresServer(Path(folder) / "data")
        yield server
        server.stop()


@pytest.fixture
def postgres(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """The server, with nothing in it."""
    yield postgres_server
    postgres_server.empty()


@pytest.fixture
def postgres_warehouse(postgres: PostgresServer) -> PostgresWarehouse:
    return PostgresWarehouse(postgres.uri())


@pytest.fixture
def duckdb_warehouse(tmp_path: Path) -> DuckDBWarehouse:
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb")


@pytest.fixture(params=ENGINES)
def warehouse(request: pytest.FixtureRequest) -> Warehouse:
    """A warehouse of every engine, one after the other."""
    return request.getfixturevalue(f"{request.param}_warehouse")


@pytest.fixture
def session(warehouse: Warehouse) -> Iterator[Session]:
    """An open session."""
    with warehouse.session("test") as session:
        yield session


@pytest.fixture
def do() -> Callable[..., list[tuple[Any, ...]]]:
    """Run statements of DuckDB's dialect, in that of the session's engine."""

    def do(session: Session, *statements: str) -> list[tuple[Any, ...]]:
        found = [session.query(parse_one(statement, dialect="duckdb")) for statement in statements]
        return found[-1]

    return do


@pytest.fixture
def write() -> Callable[..., Any]:
    """Replace a table, or partitions of it by the column ``day``, as the IO manager does."""

    def write(warehouse: Warehouse, name: str, data: object, *days: str, by: str = "us", **options: Any) -> Any:
        what = Slice(name, {day: column("day").eq(day) for day in days})
        ticket = draw_ticket(warehouse, what, options.pop("write_id", f"write of {by}"), by)
        return replace_slice(warehouse, ticket, to_arrow(data), options.pop("audit", NoAudit()), **options)

    return write


@pytest.fixture
def stands() -> Callable[..., list[dict[str, Any]]]:
    """The rows of a table, in one order."""

    def stands(warehouse: Warehouse, name: str) -> list[dict[str, Any]]:
        with warehouse.session("looking") as session:
            if session.columns(name) is None:
                return []
            rows = to_arrow(session.read(name)).to_pylist()
        return sorted(rows, key=lambda row: repr(sorted(row.items())))

    return stands


@pytest.fixture
def days() -> Callable[..., pa.Table]:
    """A table of one row for each of the values given, of a day each."""

    def days(**values: Any) -> pa.Table:
        return pa.table({"day": [day.replace("_", "-")[1:] for day in values], "value": list(values.values())})

    return days
