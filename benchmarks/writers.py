"""Processes that write for ever, to be killed; forked from one that has everything imported, and is never killed.

``python writers.py write|publish|stock FOLDER [URI]`` forks a writer for each number it reads from its standard input,
which is the one it begins with, and says ``born PID``. A writer says ``begin N``, and ``done N`` when it has written.
``stock`` needs dagster-duckdb-pandas and not this package: it runs in an environment of its own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

DAYS = ("2026-01-01", "2026-01-02", "2026-01-03")
ROWS, ROWS_PUBLISHED, TABLES = 10_000, 2_000, 5
REFUSED_EVERY, ROLLED_BACK_EVERY = 5, 4
DASHBOARD = "dash"


def make_rows(version: int, day: str, rows: int) -> dict[str, Any]:
    """Return one version of a partition: every row says which it is."""
    import numpy as np

    numbers = np.arange(rows)
    words = np.char.add("word ", (numbers % 97).astype(str)).astype(object)
    return {
        "day": np.full(rows, day, dtype=object),
        "version": np.full(rows, version),
        "number": numbers,
        "amount": numbers * 0.25 + version,
        "word": words,
    }


def day_of(number: int) -> str:
    """Return the partition that a write is of."""
    return DAYS[number % len(DAYS)]


def is_refused(number: int) -> bool:
    """Whether the audit of a write refuses it."""
    return number % REFUSED_EVERY == REFUSED_EVERY - 1


def open_warehouse(folder: Path, uri: str) -> Any:
    from dashboard_trust.warehouses.duckdb import DuckDBWarehouse
    from dashboard_trust.warehouses.postgres import PostgresWarehouse

    return PostgresWarehouse(uri) if uri else DuckDBWarehouse(folder / "warehouse.duckdb")


def open_destination(folder: Path, uri: str) -> Any:
    """Return where the dashboard is published; its page says what is in the first table."""
    from sqlglot import parse_one

    from dashboard_trust.publication.swap import Destination

    query = "SELECT day, MIN(version), MAX(version), COUNT(*) FROM published.t0 GROUP BY day ORDER BY day"
    return Destination(
        DASHBOARD, open_warehouse(folder, uri), folder / "site", lambda session: str(session.query(parse_one(query)))
    )


def slices_of(version: int) -> Any:
    """Return what is published as a version: the marts of one of two builds, which are in turn."""
    from dashboard_trust.publication.tables import PublishedTable
    from dashboard_trust.warehouses.session import column

    parts = {day: column("day").eq(day) for day in DAYS}
    return {PublishedTable(f"build{version % 2}.t{n}", f"published.t{n}"): parts for n in range(TABLES)}


def write_slices(folder: Path, uri: str) -> Callable[[int], int]:
    """Replace one partition after the other; one write in five is refused by its audit, and its rows are kept."""
    import datetime as dt

    import pyarrow as pa

    from dashboard_trust.checks.audit import Audit
    from dashboard_trust.contracts.row_rules import NotNull, Unique
    from dashboard_trust.contracts.table_rules import RowCount, TableRules
    from dashboard_trust.errors import WriteRefusedError
    from dashboard_trust.warehouses.rejected import keep_rejected
    from dashboard_trust.warehouses.replace import Slice, draw_ticket, replace_slice
    from dashboard_trust.warehouses.session import column

    def step(number: int) -> int:
        warehouse, day = open_warehouse(folder, uri), day_of(number)
        what = Slice("raw.events", {day: column("day").eq(day)})
        most = ROWS - 1 if is_refused(number) else None
        rules = (NotNull("number"), Unique(("number",)), RowCount(max=most))
        audit = Audit(TableRules("raw/events", rules, "raw.events"))
        ticket = draw_ticket(warehouse, what, f"write{number}", f"writer {os.getpid()}")
        data = pa.table(make_rows(number, day, ROWS))
        try:
            replace_slice(warehouse, ticket, data, audit)
        except WriteRefusedError as error:
            now, keep = dt.datetime.now(dt.UTC), dt.timedelta(minutes=5)
            keep_rejected(warehouse, ticket, data, str(error), now=now, keep=keep)
        return number

    return step


def publish_tables(folder: Path, uri: str) -> Callable[[int], int]:
    """Publish one build after the other; every fourth time, roll back instead."""
    import datetime as dt

    from dashboard_trust.publication.journal import read_publications
    from dashboard_trust.publication.rollback import roll_back
    from dashboard_trust.publication.swap import publish
    from dashboard_trust.warehouses.fingerprints import Fingerprint

    said = json.loads((folder / "expected.json").read_text())
    expected = {(source, part): Fingerprint.parse(text) for source, part, text in said}

    def step(number: int) -> int:
        destination, now = open_destination(folder, uri), dt.datetime.now(dt.UTC)
        if number % ROLLED_BACK_EVERY == ROLLED_BACK_EVERY - 1:
            with destination.warehouse.session("reading the log") as session:
                newest = read_publications(session, DASHBOARD, newest=2)
            if len(newest) == 2 and newest[0].restores != newest[1].number:
                return roll_back(destination, now, to=newest[1].number).number
        return publish(destination, slices_of(number), expected, now).number

    return step


def write_stock(folder: Path, _: str) -> Callable[[int], int]:
    """Replace one partition after the other, as dagster-duckdb-pandas does."""
    import dagster as dg
    import pandas as pd
    from dagster_duckdb_pandas import DuckDBPandasIOManager

    partitions = dg.StaticPartitionsDefinition(list(DAYS))
    manager = DuckDBPandasIOManager(database=str(folder / "warehouse.duckdb")).create_io_manager(
        dg.build_init_resource_context()
    )

    def step(number: int) -> int:
        context = dg.build_output_context(
            asset_key=dg.AssetKey(["raw", "events"]),
            partition_key=day_of(number),
            asset_partitions_def=partitions,
            definition_metadata={"partition_expr": "day"},
            resource_config={"database": str(folder / "warehouse.duckdb"), "connection_config": {}},
            name="result",
        )
        manager.handle_output(context, pd.DataFrame(make_rows(number, day_of(number), ROWS)))
        return number

    return step


WARM = ("duckdb", "pandas", "polars", "pyarrow.dataset", "adbc_driver_postgresql.dbapi", "filelock", "sqlglot")
KINDS = {"write": write_slices, "publish": publish_tables, "stock": write_stock}


def say(word: str, number: int) -> None:
    os.write(1, f"{word} {number}\n".encode())


def main() -> None:
    kind, folder, uri = sys.argv[1], Path(sys.argv[2]), "".join(sys.argv[3:])
    step = KINDS[kind](folder, uri)
    # What would be imported by the first write. Nothing is opened here: that would start threads, which do not fork.
    for module in WARM:
        with suppress(ImportError):
            import_module(module)
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            for number in count(int(line)):
                say("begin", number)
                say("done", step(number))
        say("born", pid)
        os.waitpid(pid, 0)
        say("dead", pid)


if __name__ == "__main__":
    main()
