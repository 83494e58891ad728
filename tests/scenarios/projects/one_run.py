"""raw → mart → dashboard by day in a real warehouse, with a check of the mart in a step of its own.

It is copied into a folder of its own; ``plan.json`` beside the copy says what happens in which step.
"""

import datetime as dt
import json
import os
import signal
import time
from pathlib import Path

import dagster as dg
from sqlglot import exp

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.fingerprinted_assets import fingerprinted
from dashboard_trust.enforcement.gated_assets import confirm, trust, trusted_dashboard
from dashboard_trust.publication.checked import read_checked
from dashboard_trust.publication.swap import Destination, publish
from dashboard_trust.publication.tables import PublishedTable
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse
from dashboard_trust.warehouses.session import column, table

HERE = Path(__file__).parent
PLAN = HERE / "plan.json"
DAYS = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-08")
BY_DAY = {"partitions_def": DAYS, "backfill_policy": dg.BackfillPolicy.single_run()}
SALES = PublishedTable("marts.sales", "published.sales")
WAREHOUSE = DuckDBWarehouse(HERE / "warehouse.duckdb")


def plan(step):
    """Return what is to happen in a step: ``raise``, ``kill``, ``fail``, or nothing."""
    return json.loads(PLAN.read_text()).get(step)


def happen(step):
    """Do to this step what is planned for it."""
    if plan(step) == "raise":
        raise ValueError(f"{step} is broken")
    if plan(step) == "kill":
        os.kill(os.getpid(), signal.SIGKILL)


def wait_until(look, what):
    """Look again until it is so; two minutes on a busy machine are a fault, and not for any test to pass."""
    end = time.monotonic() + 120
    while not look():
        assert time.monotonic() < end, f"waited in vain until {what}"
        time.sleep(0.05)


def render(session):
    rows = exp.select("report_date", "amount").from_(table("published.sales")).order_by("report_date", "amount")
    return str(session.query(rows))


@dg.asset(**BY_DAY)
def raw():
    happen("raw")
    return dg.MaterializeResult()


@dg.asset(**BY_DAY, deps=["raw"], metadata={"partition_expr": "report_date"})
def mart(context):
    happen("mart")
    with WAREHOUSE.connect("building the mart") as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS marts")
        connection.execute("CREATE TABLE IF NOT EXISTS marts.sales (report_date DATE, amount BIGINT)")
        connection.execute("DELETE FROM marts.sales WHERE report_date = ?", [context.partition_key])
        connection.execute("INSERT INTO marts.sales VALUES (?, ?)", [context.partition_key, plan("amount") or 10])
    return dg.MaterializeResult()


@dg.asset(**BY_DAY)
def aside():
    """A table that the check reads too, and the dashboard does not."""
    happen("aside")
    return dg.MaterializeResult()


@dg.asset_check(
    asset="mart",
    additional_deps=["aside"] if plan("aside") else [],
    blocking=plan("blocks") or False,
    **({} if plan("whole") else {"partitions_def": DAYS}),
)
def unique(context):
    if plan("slow"):
        # Slower than whatever the dashboard's step does first.
        event = dg.DagsterEventType[plan("slow")]
        own = {"run_id": context.run.run_id, "of_type": event}
        wait_until(lambda: context.instance.all_logs(**own), f"the dashboard's step came to {event}")
    happen("unique")
    return dg.AssetCheckResult(passed=plan("unique") != "fail")


def refresh(context, verdicts):
    happen("dash")
    if plan("together"):
        (HERE / f"{context.run.run_id}.arrived").touch()
        wait_until(lambda: len(list(HERE.glob("*.arrived"))) >= plan("together"), "the other runs came as far")
    days = (verdict.partition for verdict in verdicts)
    slices = {SALES: {day: column("report_date").eq(exp.cast(exp.convert(day), "DATE")) for day in days}}
    publish(
        Destination("dash", WAREHOUSE, HERE / "site", render),
        slices,
        read_checked(context.instance, slices, {"marts.sales": dg.AssetKey("mart")}),
        dt.datetime.now(dt.UTC),
        before_commit=lambda: confirm(context, verdicts),
        after_commit=lambda: happen("committed"),
    )


patience = dt.timedelta(seconds=plan("patience") or 60)
contract = DashboardContract("dash", "team:dash", wait_for_checks=patience)
dash = trusted_dashboard(contract, refresh, deps=["mart"], partitions_def=DAYS)
# Steps are processes of their own, forked from one that has Dagster loaded: a spawned one costs seconds.
preloaded = {"preload_modules": ["dagster", "dashboard_trust.enforcement.gated_assets", "duckdb"]}
forked = dg.multiprocess_executor.configured({"max_concurrent": 3, "start_method": {"forkserver": preloaded}})
here = dg.in_process_executor
everything = dg.AssetSelection.assets("raw", "mart", "dash", *(["aside"] if plan("aside") else []))
defs = trust(
    dg.Definitions(
        [raw, fingerprinted(mart, lambda: WAREHOUSE, {"mart": "marts.sales"}), aside, dash],
        asset_checks=[unique],
        jobs=[
            dg.define_asset_job("multiprocess", everything, executor_def=forked),
            dg.define_asset_job("in_process", everything, executor_def=here),
            dg.define_asset_job("tables", everything - dg.AssetSelection.assets("dash"), executor_def=here),
            dg.define_asset_job("dashboard", "dash", executor_def=here),
        ],
    )
)
multiprocess, in_process, tables, dashboard = map(
    defs.resolve_job_def, ("multiprocess", "in_process", "tables", "dashboard")
)
