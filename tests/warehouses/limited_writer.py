"""A process of its own that replaces a day of a DuckDB table, where files may not grow or may not be written.

It prints what came of it. Limits and rights cannot be given back, so they are not tried in the test's own process.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

import duckdb  # noqa: F401  # before the rights to read it are gone
import pyarrow as pa

from dashboard_trust.errors import DashboardTrustError
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse
from dashboard_trust.warehouses.replace import Slice, draw_ticket, replace_slice
from dashboard_trust.warehouses.session import column

DAY = "2024-03-01"


def write(path: str, rows: str, most_bytes: str) -> str:
    warehouse = DuckDBWarehouse(Path(path))
    data = pa.table({"day": [DAY] * int(rows), "value": [f"new {n} {os.urandom(16).hex()}" for n in range(int(rows))]})
    try:
        if most_bytes == "read only":
            if os.geteuid() == 0:
                os.setuid(65534)
            ticket = draw_ticket(warehouse, Slice("mart.orders", {DAY: column("day").eq(DAY)}), "w1", "us")
        else:
            ticket = draw_ticket(warehouse, Slice("mart.orders", {DAY: column("day").eq(DAY)}), "w1", "us")
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(most_bytes), int(most_bytes)))
        written = replace_slice(warehouse, ticket, data)
    except DashboardTrustError as error:
        return f"{type(error).__name__}: {error}"
    return f"written, repeated={written.repeated}"


if __name__ == "__main__":
    print(write(*sys.argv[1:]), flush=True)
