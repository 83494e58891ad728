"""The modules these tests share lie beside them; so do the two kinds of event log they are run on."""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

sys.path.append(str(Path(__file__).parent))

QUIET = {"telemetry": {"enabled": False}, "python_logs": {"python_log_level": "CRITICAL"}}


def write_home(folder: Path, storage: dict) -> Path:
    (folder / "dagster.yaml").write_text(json.dumps({**QUIET, "storage": storage}))
    return folder


@pytest.fixture(scope="session")
def sqlite_home(tmp_path_factory):
    """A folder for `DagsterInstance.from_config`, with its storage in it."""
    folder = tmp_path_factory.mktemp("sqlite")
    return write_home(folder, {"sqlite": {"base_dir": str(folder / "history")}})


@pytest.fixture(scope="session")
def postgres_home(tmp_path_factory):
    """A folder for `DagsterInstance.from_config`, with a PostgreSQL server of its own for storage."""
    with warnings.catch_warnings(action="ignore"):  # says on import where it would keep its files
        import pgserver

    # Not in pytest's own folder: another session closes that to the user the server runs as.
    with tempfile.TemporaryDirectory() as data:
        server = pgserver.get_server(Path(data, "data"), cleanup_mode="delete")
        for setting in ("alter system set fsync = off", "select pg_reload_conf()"):
            server.psql(setting)  # thousands of logs are written, and none has to last
        url = server.get_uri().replace("postgresql://", "postgresql+psycopg2://")
        yield write_home(tmp_path_factory.mktemp("postgres"), {"postgres": {"postgres_url": url}})
        server.cleanup()


@pytest.fixture(scope="module")
def filled_sqlite(sqlite_home):
    """An instance with the runs that made-up logs speak of; each case puts another log into it."""
    with open_filled(sqlite_home) as instance:
        yield instance


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def filled(request):
    """The same, on either kind of storage."""
    with open_filled(request.getfixturevalue(f"{request.param}_home")) as instance:
        yield instance


@contextmanager
def open_filled(home: Path):
    from generated_logs import make_runs

    with dg.DagsterInstance.from_config(str(home)) as instance:
        make_runs(instance)
        yield instance
