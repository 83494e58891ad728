"""Eight processes that write the same day of a table in Postgres at once, and a line of each on what came of it.

They are forked from one, before it has any connection: eight starts of Python would take ten times as long.
"""

from __future__ import annotations

import multiprocessing
import sys

import adbc_driver_postgresql.dbapi  # noqa: F401  # before the fork, since it takes its time
import pyarrow as pa

from dashboard_trust.errors import DashboardTrustError
from dashboard_trust.warehouses.postgres import PostgresWarehouse
from dashboard_trust.warehouses.replace import Slice, draw_ticket, replace_slice
from dashboard_trust.warehouses.session import column

DAY = "2024-03-01"


def write(uri: str, by: str, barrier, results) -> None:
    warehouse = PostgresWarehouse(uri)
    ticket = draw_ticket(warehouse, Slice("mart.orders", {DAY: column("day").eq(DAY)}), by, by)
    data = pa.table({"day": [DAY] * 1000, "by": [by] * 1000, "n": range(1000)})
    barrier.wait(60)
    try:
        replace_slice(warehouse, ticket, data)
    except DashboardTrustError as error:
        results.put(f"{by}: {type(error).__name__}: {error}")
    else:
        results.put(f"{by}: written")


if __name__ == "__main__":
    fork = multiprocessing.get_context("fork")
    barrier, results = fork.Barrier(8), fork.Queue()
    writers = [fork.Process(target=write, args=(sys.argv[1], f"p{n}", barrier, results)) for n in range(8)]
    for writer in writers:
        writer.start()
    for _ in writers:
        print(results.get(timeout=60))
