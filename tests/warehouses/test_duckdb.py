"""What only a file can do to a write: be full, be read-only, be no database, be held by somebody else."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from dashboard_trust.errors import WarehouseBusyError, WarehouseError
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

D1 = "2024-03-01"
ORDERS = "mart.orders"
OLD = pa.table({"day": [D1] * 3, "value": ["old"] * 3})


@pytest.fixture
def loaded(duckdb_warehouse, write):
    write(duckdb_warehouse, ORDERS, OLD, D1, by="the first load")
    return duckdb_warehouse


def write_limited(path: Path, rows: int, limit: str) -> str:
    script = Path(__file__).with_name("limited_writer.py")
    run = subprocess.run(
        [sys.executable, script, path, str(rows), limit], capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.mark.parametrize(
    ("rows", "limit"),
    [
        pytest.param(5_000, 20_000, id="while committing"),
        pytest.param(200_000, 2_000_000, id="while writing rows"),
    ],
)
def test_a_full_disk_leaves_the_old_rows_and_is_said(loaded, stands, rows, limit):
    said = write_limited(loaded.path, rows, str(limit))

    assert said.startswith("WarehouseError: ")
    assert "File too large" in said
    assert stands(loaded, ORDERS) == OLD.to_pylist()


def test_a_write_that_fitted_stands_even_if_the_file_could_not_be_tidied_up(loaded, stands):
    """What is committed is in the log; moving it into the file is for whoever has the room."""
    said = write_limited(loaded.path, 20, "8192")

    assert said == "written, repeated=False"
    assert len(stands(loaded, ORDERS)) == 20


def test_a_file_that_may_not_be_written_is_named(write):
    # In a folder that any user may enter: as root, the writer becomes somebody who may not write.
    with tempfile.TemporaryDirectory() as folder:
        warehouse = DuckDBWarehouse(Path(folder) / "warehouse.duckdb")
        write(warehouse, ORDERS, OLD, D1)
        Path(folder).chmod(0o555)
        for file in Path(folder).iterdir():
            file.chmod(0o444)

        said = write_limited(warehouse.path, 20, "read only")

        Path(folder).chmod(0o755)
        assert said.startswith(f"WarehouseError: {warehouse.path} cannot be opened: ")
        assert "Permission denied" in said


def test_a_file_that_is_no_database_is_named(tmp_path):
    path = tmp_path / "locked notes.txt"  # a name must not be taken for the word of an error
    path.write_text("x" * 5000)

    named = r"locked notes\.txt cannot be opened: .*not a valid DuckDB database"
    with pytest.raises(WarehouseError, match=named), DuckDBWarehouse(path).session("test"):
        pass
    assert path.read_text() == "x" * 5000


def test_whoever_has_the_file_open_in_another_tool_is_named(loaded):
    code = f"import duckdb; c = duckdb.connect({str(loaded.path)!r}); print('open', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as shell:
        assert shell.stdout.readline() == b"open\n"

        named = rf"held by process {shell.pid} \(.*python"
        with pytest.raises(WarehouseBusyError, match=named), loaded.connect("test", timedelta(0)):
            pass
        shell.communicate(b"\n")


def test_a_failure_in_a_write_is_said_as_it_was(loaded):
    def write_text_as_numbers(session):
        with session.transaction():
            session.query(_sql("CREATE TABLE mart.numbers (n INTEGER)"))
            session.append("mart.numbers", pa.table({"n": ["no number"]}))

    with loaded.session("test") as session, pytest.raises(WarehouseError, match="Conversion Error"):
        write_text_as_numbers(session)


def _sql(text: str):
    from sqlglot import parse_one

    return parse_one(text, dialect="duckdb")
