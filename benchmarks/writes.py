"""A frame of 10 million rows and 10 columns into one partition of a DuckDB table, in several ways, in one run.

``python benchmarks/writes.py [--rows N] [--repeats 3] [--stock PYTHON]``

Each way runs in a process of its own, on a file of its own, in an order that turns with every round. The time is
from the data in memory to the closed file; ratios are to the raw `INSERT ... SELECT` of the same Arrow table in one
transaction. Memory is the most the process held while it wrote, the data included, less what it held before it had
that; its ratio is to the data. ``--stock`` is the interpreter of an environment with dagster-duckdb-pandas, which is
given a pandas frame, as ``pandas`` is, which is ours.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

DAY, OTHER_DAY = "2026-01-02", "2026-01-01"
COLUMNS = "day, id, a, b, x, y, word, amount, flag, moment"
# Of types that a pandas frame has too, neither constant nor random: about as hard to compress as what people keep.
MAKE = """
    SELECT TIMESTAMP '{day} 00:00:00' AS day, n AS id, n % 1013 AS a, CAST(hash(n) % 100000 AS BIGINT) AS b,
        sqrt(n) AS x, n * 0.37::DOUBLE AS y, 'word ' || hash(n) % 10007 AS word, (n % 100000)::DOUBLE / 100 AS amount,
        n % 3 = 0 AS flag, TIMESTAMP '{day} 00:00:00' + to_microseconds(n * 8000) AS moment
    FROM range({rows}) AS r(n)
"""


def make_data(rows: int, day: str = DAY) -> Any:
    """Return the data as an Arrow table, as whoever writes it has it."""
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        return connection.sql(MAKE.format(day=day, rows=rows)).to_arrow_table()


def write_data(source: str, rows: int) -> None:
    """Write the data to a file, in pieces as a reader gets them."""
    import pyarrow as pa

    data = make_data(rows)
    with pa.OSFile(source, "wb") as file, pa.ipc.new_file(file, data.schema) as writer:
        writer.write_table(data, max_chunksize=1_000_000)


def prepare(path: Path, rows: int, existing: str) -> None:
    """Make the table that is written to: with a day that is left alone, and perhaps with the day that is written."""
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA raw")
        connection.execute(f"CREATE TABLE raw.events AS {MAKE.format(day=OTHER_DAY, rows=1000)}")
        if existing == "replaced":
            connection.execute(f"INSERT INTO raw.events {MAKE.format(day=DAY, rows=rows)}")


def write_raw(path: Path, data: Any) -> None:
    """Replace the day in one transaction, and look at nothing."""
    import duckdb

    with duckdb.connect(str(path)) as connection:
        connection.register("data", data)
        connection.execute("BEGIN")
        connection.execute(f"DELETE FROM raw.events WHERE day = TIMESTAMP '{DAY} 00:00:00'")
        connection.execute(f"INSERT INTO raw.events SELECT {COLUMNS} FROM data")
        connection.execute("COMMIT")


def write_ours(path: Path, data: Any) -> None:
    """Replace the day as the IO manager does: fence, audit of three rules, fingerprint."""
    from sqlglot import exp

    from dashboard_trust.checks.audit import Audit
    from dashboard_trust.contracts.row_rules import Condition, NotNull
    from dashboard_trust.contracts.table_rules import RowCount, TableRules
    from dashboard_trust.warehouses.duckdb import DuckDBWarehouse
    from dashboard_trust.warehouses.replace import Slice, draw_ticket, replace_slice
    from dashboard_trust.warehouses.session import column

    warehouse = DuckDBWarehouse(path)
    what = Slice("raw.events", {DAY: column("day").eq(exp.cast(exp.convert(f"{DAY} 00:00:00"), "TIMESTAMP"))})
    rules = (NotNull("id"), RowCount(min=1), Condition("amount >= 0", name="amount_is_positive"))
    audit = Audit(TableRules("raw/events", rules, "raw.events"))
    replace_slice(warehouse, draw_ticket(warehouse, what, "a write", "the benchmark"), data, audit)


def write_pandas(path: Path, data: Any) -> None:
    """Replace the day as the IO manager does with a pandas frame."""
    from dashboard_trust.warehouses.frames import to_arrow

    write_ours(path, to_arrow(data))


def write_stock(path: Path, data: Any) -> None:
    """Replace the day through dagster-duckdb-pandas."""
    import dagster as dg
    from dagster_duckdb_pandas import DuckDBPandasIOManager

    manager = DuckDBPandasIOManager(database=str(path)).create_io_manager(dg.build_init_resource_context())
    context = dg.build_output_context(
        asset_key=dg.AssetKey(["raw", "events"]),
        partition_key=DAY,
        asset_partitions_def=dg.DailyPartitionsDefinition(OTHER_DAY, end_date="2026-01-04"),
        definition_metadata={"partition_expr": "day"},
        resource_config={"database": str(path), "connection_config": {}},
        name="result",
    )
    manager.handle_output(context, data)


WAYS: dict[str, Callable[[Path, Any], None]] = {
    "raw": write_raw,
    "ours": write_ours,
    "pandas": write_pandas,
    "stock": write_stock,
}
OF_PANDAS = ("pandas", "stock")


def run_child(way: str, existing: str, rows: int, source: str) -> None:
    """Write once, and print the seconds and the bytes it took."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "warehouse.duckdb")
        subprocess.run([sys.executable, __file__, "--prepare", str(path), existing, str(rows)], check=True)
        warm(way)
        gc.collect()
        before = held("VmRSS")
        data = read_data(source, way in OF_PANDAS)
        size = int(data.memory_usage(deep=True).sum()) if way in OF_PANDAS else data.nbytes
        # What was needed to make the data does not count: the most is counted from here.
        Path("/proc/self/clear_refs").write_text("5")
        start = time.perf_counter()
        WAYS[way](path, data)
        took = time.perf_counter() - start
        most = held("VmHWM")
        check(path, rows)
    print(json.dumps({"took": took, "memory": most - before, "data": size}))


def read_data(source: str, pandas: bool) -> Any:
    """Return the data as who writes it has it, in memory of its own."""
    import pyarrow as pa

    with pa.OSFile(source) as file:
        data = pa.ipc.open_file(file).read_all()
    if not pandas:
        return data
    frame = data.to_pandas(self_destruct=True, split_blocks=True)
    del data
    pa.default_memory_pool().release_unused()
    return frame


def warm(way: str) -> None:
    """Write one row elsewhere: imports and first uses are not what is measured."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "warehouse.duckdb")
        prepare(path, 1, "replaced")
        data = make_data(1)
        WAYS[way](path, data.to_pandas() if way in OF_PANDAS else data)


def held(what: str) -> int:
    """Return the bytes this process holds now (VmRSS), or held at most (VmHWM)."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) * 1024


def check(path: Path, rows: int) -> None:
    import duckdb

    with duckdb.connect(str(path)) as connection:
        query = "SELECT count(*), count(DISTINCT id), sum(id) FROM raw.events WHERE day = ?"
        assert connection.execute(query, [DAY]).fetchall() == [(rows, rows, rows * (rows - 1) // 2)]


def measure(existing: str, rows: int, repeats: int, stock: str | None, source: str) -> None:
    """Print the medians of every way, in turn."""
    ways = [way for way in WAYS if way != "stock" or stock]
    found: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    for n in range(repeats):
        for way in ways[n % len(ways) :] + ways[: n % len(ways)]:
            python = (stock or "") if way == "stock" else sys.executable
            command = [python, "-W", "ignore", __file__, "--child", way, existing, str(rows), source]
            said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found[way].append(json.loads(said.splitlines()[-1]))
    raw = statistics.median(one["took"] for one in found["raw"])
    for way in ways:
        took = [one["took"] for one in found[way]]
        held = statistics.median(one["memory"] for one in found[way])
        data = found[way][0]["data"]
        print(
            f"{way:<6} partition {existing:<9}{statistics.median(took):>7.2f} s ({min(took):.2f} to {max(took):.2f})"
            f"{statistics.median(took) / raw:>6.2f} x raw   {held / data:>5.2f} x the data of {data / 2**20:.0f} MiB",
            flush=True,
        )


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        run_child(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
        return
    if sys.argv[1:2] == ["--data"]:
        write_data(sys.argv[2], int(sys.argv[3]))
        return
    if sys.argv[1:2] == ["--prepare"]:
        prepare(Path(sys.argv[2]), int(sys.argv[4]), sys.argv[3])
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--stock", help="the Python of an environment with dagster-duckdb-pandas")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = str(Path(folder, "data.arrow"))
        subprocess.run([sys.executable, __file__, "--data", source, str(asked.rows)], check=True)
        for existing in ("new", "replaced"):
            measure(existing, asked.rows, asked.repeats, asked.stock, source)


if __name__ == "__main__":
    main()
