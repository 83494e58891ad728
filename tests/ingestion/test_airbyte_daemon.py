"""The sensor under Dagster's own daemon, which is killed and started again."""

from __future__ import annotations

import json
import os
import signal
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest
from dagster_processes import dagster_daemon

from dashboard_trust.verdicts.verdict import Readiness

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
PAYMENTS = dg.AssetKey(["raw", "payments"])
LOCATION = """
import json, os, sys
told = json.loads(os.environ["SHOP"])
sys.path.insert(0, told["tests"])

import dagster as dg
from airbyte_shop import META, write
from dagster_airbyte import AirbyteWorkspace
from dashboard_trust.contracts.streams import ConnectionContract, StreamContract
from dashboard_trust.enforcement.airbyte_assets import trusted_airbyte
from dashboard_trust.enforcement.airbyte_sensor import airbyte_sensor
from dashboard_trust.ingestion.airbyte_landing import read_landed
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

WAREHOUSE = DuckDBWarehouse(told["warehouse"])
SHOP = ConnectionContract("shop", "shop", (StreamContract("payments"), StreamContract("orders")), schema="raw")
BASE = f"http://127.0.0.1:{told['port']}"


def workspace():
    return AirbyteWorkspace(
        rest_api_base_url=f"{BASE}/api/public/v1", configuration_api_base_url=f"{BASE}/api/v1", workspace_id="w",
        poll_interval=0.05,
    )


def load(report, streams):
    from pathlib import Path
    landed = read_landed(Path(told["landing"]), report.job_id)
    with WAREHOUSE.connect("destination") as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS raw")
        for name in streams:
            write(connection, f"raw.{name}", f"SELECT *, {META} FROM read_json('{landed[name].file}')", "overwrite")


running = dg.DefaultSensorStatus.RUNNING
defs = dg.Definitions(
    [trusted_airbyte(SHOP, workspace, lambda: WAREHOUSE, load=load)],
    sensors=[airbyte_sensor(SHOP, workspace, minimum_interval_seconds=1, default_status=running)],
)
"""


@contextmanager
def daemon(shop, folder: Path):
    """Run Dagster's daemon on the shop's instance."""
    location = folder / "location.py"
    location.write_text(LOCATION)
    told = {
        "tests": str(Path(__file__).parent), "warehouse": str(folder / "warehouse.duckdb"),
        "port": shop.airbyte.port, "landing": str(shop.connection.landing),
    }  # fmt: skip
    home, log, environment = shop.instance.root_directory, folder / "daemon.log", {"SHOP": json.dumps(told)}
    with dagster_daemon(home, "-f", str(location), log=log, environment=environment) as process:
        yield process


def until(shop, folder: Path, true) -> None:
    end = time.monotonic() + 180
    while not true():
        assert time.monotonic() < end, (folder / "daemon.log").read_text()[-3000:]
        time.sleep(0.05)


def reported(shop) -> Counter[int]:
    """How many loads of the payments there are of each job."""
    loads = shop.instance.fetch_materializations(PAYMENTS, limit=100).records
    return Counter(load.asset_materialization.metadata["dashboard_trust/airbyte_job"].value for load in loads)


def test_a_daemon_that_is_killed_at_its_ticks_reports_each_sync_once(shop, tmp_path):
    jobs = []
    for _ in range(2):
        jobs.append(shop.sync_elsewhere())
        with daemon(shop, tmp_path) as process:
            # A run is there, and the tick that asked for it is not at its end.
            until(shop, tmp_path, lambda: len(shop.instance.get_runs()) >= len(jobs))
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            time.sleep(1)
    with daemon(shop, tmp_path):
        until(shop, tmp_path, lambda: jobs[-1] in reported(shop))
        ticks = len(all_ticks(shop))
        until(shop, tmp_path, lambda: len(all_ticks(shop)) >= ticks + 3)

    assert set(reported(shop).values()) == {1}
    assert jobs[-1] in reported(shop)
    assert shop.airbyte.starts() == len(jobs)
    assert shop.verdict().readiness is Readiness.READY


def all_ticks(shop) -> list:
    state = [one for one in shop.instance.all_instigator_state() if one.instigator_name == "shop_syncs"]
    return [tick for one in state for tick in shop.instance.get_ticks(one.instigator_origin_id, one.selector_id)]
