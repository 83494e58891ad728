"""A project that never heard of us, and what at most ten added lines make of it."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path

import dagster as dg
import pytest
from dagster_dbt import DbtCliResource, DbtProject

from dashboard_trust.enforcement.gated_assets import gates

GATED_WITH_A_CONTRACT = """
from dashboard_trust import DashboardContract, trust

defs = trust(defs, [DashboardContract(key="sales_dashboard", owner="sales@example.com")])
"""
GATED_WITH_ITS_EXPOSURE = """
from dashboard_trust import trust
from dashboard_trust.contracts.exposures import read_exposures

defs = trust(defs, read_exposures(project.manifest_path).contracts)
"""
GOOD = "order_id,ordered_on,amount\n1,2024-03-01,10\n2,2024-03-02,20\n"
DOUBLED = GOOD + "2,2024-03-02,20\n"


class Shop:
    """A copy of the project in a folder of its own."""

    def __init__(self, folder: Path, run) -> None:
        self.folder = folder
        self.orders = folder / "orders.csv"
        self.site = folder / "site.json"
        self._run = run

    def load(self, added: str = "") -> dg.Definitions:
        """Return its definitions, with these lines added at the end."""
        assert len([line for line in added.splitlines() if line.strip()]) <= 10
        file = self.folder / f"definitions_{len(added)}.py"
        file.write_text((self.folder / "definitions.py").read_text() + added)
        spec = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.defs

    def build(self, defs: dg.Definitions, orders: str) -> dg.ExecuteInProcessResult:
        """Load these orders and run dbt."""
        self.orders.write_text(orders)
        assert self._run(defs, "raw/orders").success
        return self._run(defs, "stg_orders", "daily_sales")

    def refresh(self, defs: dg.Definitions) -> dg.ExecuteInProcessResult:
        """Launch the dashboard alone."""
        return self._run(defs, "sales_dashboard")

    def shown(self) -> dict[str, float]:
        """What the dashboard shows."""
        return json.loads(self.site.read_text())


@pytest.fixture
def shop(tmp_path, run, monkeypatch):
    folder = tmp_path / "shop"
    shutil.copytree(Path(__file__).parent / "shop", folder)
    shop = Shop(folder, run)
    monkeypatch.setenv("SHOP_WAREHOUSE", str(folder / "shop.duckdb"))
    monkeypatch.setenv("SHOP_ORDERS", str(shop.orders))
    monkeypatch.setenv("SHOP_SITE", str(shop.site))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)  # as in an activated environment
    dbt = DbtProject(project_dir=folder / "dbt")
    DbtCliResource(project_dir=dbt).cli(["parse"], target_path=dbt.project_dir / "target").wait()
    return shop


# dagster-dbt calls what Dagster has deprecated; it is the project's step that does, not ours.
@pytest.mark.filterwarnings("ignore:AssetExecutionContext.op is deprecated:DeprecationWarning")
def test_ten_lines_gate_the_one_dashboard_of_an_existing_project(shop, is_held, verdict_of):
    stock, gated = shop.load(), shop.load(GATED_WITH_A_CONTRACT)

    assert is_held(shop.refresh(gated))  # nothing was ever loaded
    assert not shop.site.exists()

    assert shop.build(gated, GOOD).success
    assert shop.refresh(gated).success
    assert shop.shown() == {"2024-03-01": 10, "2024-03-02": 20}
    good = shop.site.read_bytes()

    assert not shop.build(gated, DOUBLED).success
    assert is_held(shop.refresh(gated))
    assert shop.site.read_bytes() == good
    causes = [(f.asset, f.check, str(f.outcome)) for f in verdict_of(gated, "sales_dashboard").causes]
    assert ("stg_orders", "unique_stg_orders_order_id", "failed") in causes

    by_exposure = shop.load(GATED_WITH_ITS_EXPOSURE)
    contract = gates(by_exposure)[dg.AssetKey("sales_dashboard")].contract
    assert contract.owner == "sales@example.com"
    assert contract.ready_by is not None
    assert {one.asset for one in contract.requires} == {"daily_sales", "stg_orders", "raw/orders"}
    assert is_held(shop.refresh(by_exposure))
    assert shop.site.read_bytes() == good

    shop.site.unlink()
    assert shop.refresh(stock).success  # without our lines it runs, whatever failed above it
    assert shop.site.exists()
