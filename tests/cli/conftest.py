from __future__ import annotations

import os
import sys
from pathlib import Path

import dagster as dg
import pytest

SHOP = """
import datetime as dt
import subprocess
import dagster as dg
from dashboard_trust.contracts.model import DashboardContract, ReadyBy
from dashboard_trust.enforcement.gated_assets import trust, trusted, trusted_dashboard

print("printed while it loads")
subprocess.run(["echo", "printed by a child"], check=True)
DAYS = dg.DailyPartitionsDefinition("2026-11-01", end_date="2026-11-06")
CHECK = dg.AssetCheckSpec("row_count", asset="pay", partitions_def=DAYS)


@dg.asset(partitions_def=DAYS, owners=["team:pay"], check_specs=[CHECK])
def pay(context):
    passed = context.partition_key != "2026-11-03"
    result = dg.AssetCheckResult(passed=passed, check_name="row_count", description="[red]half\\x1b[31m is missing")
    yield dg.MaterializeResult(check_results=[result])


@dg.asset(partitions_def=DAYS, deps=[pay], owners=["team:data"])
def mart(): ...


contract = DashboardContract(
    "dashboards/sales", "team:sales", title="Sales", url="https://bi.example.com", ready_by=ReadyBy(dt.time(8))
)
dashboard = trusted_dashboard(contract, lambda context, verdicts: None, deps=[mart], partitions_def=DAYS)
defs = trust(dg.Definitions([pay, trusted(mart), dashboard]))
"""


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> Path:
    """A folder with a module `trust_shop`, and an instance in which its first three days were run."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "trust_shop.py").write_text(SHOP)
    (folder / "instance").mkdir()
    (folder / "instance" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    namespace: dict = {"__name__": "shop_of_the_fixture"}
    exec(compile(SHOP, "trust_shop", "exec"), namespace)
    job = namespace["defs"].resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.from_config(os.fspath(folder / "instance")) as instance:
        for day in ("2026-11-01", "2026-11-02", "2026-11-03"):
            job.execute_in_process(instance=instance, partition_key=day, raise_on_error=False)
    return folder


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """An empty working folder, and an environment that names nothing."""
    monkeypatch.chdir(tmp_path)
    for name in ("DASHBOARD_TRUST_HOME", "DAGSTER_HOME"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


@pytest.fixture
def in_shop(place, shop, monkeypatch) -> Path:
    """The shop as the working folder, with its instance."""
    monkeypatch.chdir(shop)
    monkeypatch.setenv("DAGSTER_HOME", os.fspath(shop / "instance"))
    return shop
