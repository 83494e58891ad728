"""The engines that rules are looked at on, each open once for a module; what these tests share lies beside them."""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from rule_engines import Engines

from dashboard_trust.warehouses.duckdb import DuckDBWarehouse
from dashboard_trust.warehouses.postgres import PostgresWarehouse
from dashboard_trust.warehouses.session import Session

ENGINES = ["duckdb", "postgres"]


@pytest.fixture(scope="module")
def postgres_uri() -> Iterator[str]:
    with warnings.catch_warnings(action="ignore"):  # says on import where it would keep its files
        import pgserver

    # Not in pytest's folder: each start of pytest closes that to the user a root's server runs as.
    with tempfile.TemporaryDirectory(prefix="dashboard-trust-") as folder:
        server = pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        yield server.get_uri()
        server.cleanup()


@pytest.fixture(scope="module")
def postgres_session(postgres_uri: str) -> Iterator[Session]:
    with PostgresWarehouse(postgres_uri).session("test") as session:
        yield session


@pytest.fixture(scope="module")
def duckdb_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with DuckDBWarehouse(tmp_path_factory.mktemp("warehouse") / "warehouse.duckdb").session("test") as session:
        yield session


@pytest.fixture(scope="module")
def engines(duckdb_session: Session, postgres_session: Session) -> Engines:
    """Every engine, and frames of every library."""
    return Engines({"duckdb": duckdb_session, "postgres": postgres_session})


@pytest.fixture(params=ENGINES)
def session(request: pytest.FixtureRequest) -> Session:
    """A session of each engine, one after the other."""
    return request.getfixturevalue(f"{request.param}_session")
