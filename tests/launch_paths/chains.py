"""Small chains of ordinary Dagster assets on DuckDB: one that is well, and one for each failure.

Every chain is raw → mart → two dashboards, by day, with a blocking check on raw and on mart. The dashboards
have a gate (`trusted_project.py`) or are as plain as the rest (`stock_project.py`). Which step is to go wrong,
and how, stands in a table, `faults`.
"""

import datetime as dt
import os
import signal
from collections.abc import Iterable, Sequence
from pathlib import Path

import dagster as dg

from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

WAREHOUSE_VARIABLE = "LAUNCH_PATHS_WAREHOUSE"
WELL = "well"
MENDED = "mended"  # as failed, until somebody mends it
FAILURES = [
    "failed",
    "errored",
    "never run",
    "planned but unfinished",
    "evaluated on an older version",
    "missing",
    "overdue",
    "built from an older version",
    "reported without a run",
    "partial partition range",
    "held by a person",
]
CHAINS = [WELL, MENDED, *FAILURES]
PATHS = [
    "UI through GraphQL",
    "dagster asset materialize",
    "schedule",
    "sensor",
    "multi-run backfill",
    "single-run backfill",
    "re-execution",
]
DAYS = ["2024-03-01", "2024-03-02", "2024-03-03"]
BAD = "2024-03-02"  # what is wrong is wrong on this day; those beside it are good
WINDOW = dt.timedelta(hours=12)  # of overdue/raw
PARTITIONS = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-04")
SINGLE_RUN, MULTI_RUN = dg.BackfillPolicy.single_run(), dg.BackfillPolicy.multi_run()
TABLES = """
CREATE TABLE source (chain VARCHAR, day VARCHAR, order_no INTEGER, amount VARCHAR);
CREATE TABLE raw (chain VARCHAR, day VARCHAR, order_no INTEGER, amount VARCHAR);
CREATE TABLE mart (chain VARCHAR, day VARCHAR, order_no INTEGER, amount VARCHAR);
CREATE TABLE published (dashboard VARCHAR, day VARCHAR, order_no INTEGER, amount VARCHAR);
CREATE TABLE refreshes (dashboard VARCHAR, day VARCHAR, run_id VARCHAR);
CREATE TABLE faults (chain VARCHAR, day VARCHAR, fault VARCHAR);
"""


def prefix(chain: str) -> str:
    """Return what the asset keys of a chain begin with."""
    return chain.replace(" ", "_")


def board_of(path: str) -> str:
    """Return which dashboard of a chain a path launches: the policy of a backfill is the asset's."""
    return "dashboard_by_day" if path == "multi-run backfill" else "dashboard"


def boards_of(path: str) -> list[str]:
    """Return the dashboards of all chains that a path launches."""
    return [f"{prefix(chain)}/{board_of(path)}" for chain in CHAINS]


def connect(purpose: str):
    """Open the chains' file, one process at a time."""
    return DuckDBWarehouse(Path(os.environ[WAREHOUSE_VARIABLE])).connect(purpose)


def has_fault(connection, chain: str, day: str, fault: str) -> bool:
    found = connection.execute("SELECT fault FROM faults WHERE chain = ? AND day = ?", [chain, day]).fetchall()
    return (fault,) in found


def publish(dashboard: str, days: Sequence[str], run_id: str) -> None:
    """Show the mart's rows of these days, and write down that it was done, and by whom."""
    chain, _, _ = dashboard.partition("/")
    with connect("publish") as connection:
        for day in days:
            connection.execute("DELETE FROM published WHERE dashboard = ? AND day = ?", [dashboard, day])
            connection.execute(
                "INSERT INTO published SELECT ?, day, order_no, amount FROM mart WHERE chain = ? AND day = ?",
                [dashboard, chain, day],
            )
            connection.execute("INSERT INTO refreshes VALUES (?, ?, ?)", [dashboard, day, run_id])


def read_published() -> dict[tuple[str, str], list[tuple]]:
    """Return the rows that every dashboard shows of every day."""
    with connect("look") as connection:
        rows = connection.execute("SELECT * FROM published ORDER BY ALL").fetchall()
    shown: dict[tuple[str, str], list[tuple]] = {}
    for dashboard, day, *row in rows:
        shown.setdefault((dashboard, day), []).append(tuple(row))
    return shown


def read_refreshes() -> set[tuple[str, str, str]]:
    """Return every refresh there was: dashboard, day and run."""
    with connect("look") as connection:
        return set(connection.execute("FROM refreshes").fetchall())


def build_chain(chain: str) -> list[dg.AssetsDefinition]:
    """Return raw and mart of a chain, and a blocking check on each."""
    options = {"key_prefix": chain, "partitions_def": PARTITIONS, "backfill_policy": SINGLE_RUN}
    fresh = dg.FreshnessPolicy.time_window(fail_window=WINDOW) if chain == "overdue" else None

    @dg.asset(**options, freshness_policy=fresh)
    def raw(context) -> None:
        with connect("load") as connection:
            for day in context.partition_keys:
                connection.execute("DELETE FROM raw WHERE chain = ? AND day = ?", [chain, day])
                lost = has_fault(connection, chain, day, "half is lost")
                connection.execute(
                    "INSERT INTO raw FROM source WHERE chain = ? AND day = ? AND order_no <= ?",
                    [chain, day, 2 if lost else 99],
                )

    @dg.asset(**options, deps=[raw], output_required=False)
    def mart(context):
        built = []
        with connect("build") as connection:
            for day in context.partition_keys:
                if has_fault(connection, chain, day, "left out"):
                    continue
                connection.execute("DELETE FROM mart WHERE chain = ? AND day = ?", [chain, day])
                connection.execute("INSERT INTO mart FROM raw WHERE chain = ? AND day = ?", [chain, day])
                built.append(day)
        if built == list(context.partition_keys):
            yield dg.MaterializeResult()
            return
        for day in built:  # what Dagster asks of a step that delivers a part of its range
            yield dg.AssetMaterialization([chain, "mart"], partition=day)

    @dg.asset_check(asset=raw, blocking=True, partitions_def=PARTITIONS)
    def complete(context):
        counted = "SELECT count(*) FROM {} WHERE chain = ? AND day = ?"
        place = [chain, context.partition_key]
        with connect("check") as connection:
            sent, arrived = (connection.execute(counted.format(t), place).fetchone()[0] for t in ("source", "raw"))
        return dg.AssetCheckResult(passed=sent == arrived, description=f"{arrived} of {sent} orders arrived")

    @dg.asset_check(asset=mart, blocking=True, partitions_def=PARTITIONS)
    def sums(context):
        summed = "SELECT sum(amount::DECIMAL(9, 2)) FROM {} WHERE chain = ? AND day = ?"
        place = [chain, context.partition_key]
        with connect("check") as connection:
            if has_fault(connection, *place, "its process is killed"):
                os.kill(os.getpid(), signal.SIGKILL)
            loaded, shown = (connection.execute(summed.format(t), place).fetchone() for t in ("raw", "mart"))
        return dg.AssetCheckResult(passed=loaded == shown, description=f"{shown[0]} of {loaded[0]}")

    return [raw, mart, complete, sums]


def build_project(dashboards: Iterable[dg.AssetsDefinition]) -> dg.Definitions:
    """Return every chain with these dashboards, and a job, a schedule and a sensor that refresh them."""
    dashboards = list(dashboards)
    refresh = dg.define_asset_job("refresh", boards_of("schedule"))

    @dg.schedule(cron_schedule="* * * * *", job=refresh)
    def by_the_clock(context):
        own = dg.RunsFilter(tags={"dagster/schedule_name": "by_the_clock"})
        asked = context.instance.get_runs_count(own) > 0
        return dg.SkipReason("one run is enough") if asked else dg.RunRequest(partition_key=BAD)

    @dg.sensor(job=refresh, minimum_interval_seconds=1)
    def once(context):
        return dg.RunRequest(run_key="once", partition_key=BAD)

    chains = [build_chain(prefix(chain)) for chain in CHAINS]
    return dg.Definitions(
        assets=[*(asset for raw, mart, *_ in chains for asset in (raw, mart)), *dashboards],
        asset_checks=[check for *_, complete, sums in chains for check in (complete, sums)],
        jobs=[refresh],
        schedules=[by_the_clock],
        sensors=[once],
        executor=dg.in_process_executor,
    )
