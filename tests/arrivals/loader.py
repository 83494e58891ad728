"""A process that does what a tick asks for, and kills itself on the way: ``HOME MOMENT``.

The moments: ``reading`` a file, ``kept`` aside what does not fit, ``writing`` the rows within the transaction,
``written`` and committed, before anything says so.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path

import dagster as dg

from dashboard_trust.arrivals import loading
from dashboard_trust.arrivals.stores import Store
from dashboard_trust.enforcement.io_manager import TrustedIOManager
from dashboard_trust.warehouses.duckdb import DuckDBSession

spec = importlib.util.spec_from_file_location("landings", Path(__file__).with_name("conftest.py"))
landings = importlib.util.module_from_spec(spec)
sys.modules["landings"] = landings
spec.loader.exec_module(landings)

home, moment = Path(sys.argv[1]), sys.argv[2]


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


append = DuckDBSession.append


def append_and_die(session: DuckDBSession, table: str, data: object) -> None:
    append(session, table, data)
    if "orders" in table:
        die()


if moment == "reading":
    loading.read_rows = die
if moment == "writing":
    DuckDBSession.append = append_and_die
if moment == "written":
    TrustedIOManager._describe = die
bucket = landings.Bucket(Store(str(home / "landing")))
options = {"max_refused": 1, "transform": die if moment == "kept" else None}
with dg.DagsterInstance.local_temp(str(home / "dagster")) as instance:
    landings.Landing(bucket, instance, home, **options).work()
