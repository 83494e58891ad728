"""CRM opportunities: a file a day in the landing folder, loaded when it arrives."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from importlib import resources

import dagster as dg

from dashboard_trust.arrivals.arriving_files import arriving_files
from dashboard_trust.arrivals.completeness import Settled
from dashboard_trust.arrivals.declaration import FileColumn, FileSource
from dashboard_trust.arrivals.file_arrivals import file_arrival_sensor
from dashboard_trust.arrivals.look import look_for_arrivals
from dashboard_trust.arrivals.memory import Memory
from dashboard_trust.arrivals.partitions import Partitioning
from dashboard_trust.arrivals.patterns import PathPattern
from dashboard_trust.contracts.model import ReadyBy
from dashboard_trust.demo.home import Home
from dashboard_trust.enforcement.suite_checks import suite_checks

KEY = dg.AssetKey(["raw", "crm_opportunities"])
SOURCE = FileSource(
    store=lambda: Home.from_environment().landing,
    pattern=PathPattern("crm_opportunities/{partition_day:%Y-%m-%d}.csv"),
    columns=[FileColumn(name) for name in ("opportunity_id", "account", "stage", "amount", "updated_at")],
    complete=Settled(seconds=1),
    expected=ReadyBy(dt.time(6)),
)


def build_crm_opportunities(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """Build the asset that loads the day files."""
    return arriving_files(
        KEY,
        SOURCE,
        partitions_def=partitions,
        group_name="raw",
        kinds={"file", "duckdb"},
        owners=["sales-ops@example.com"],
        description="The CRM's daily export, as it was delivered.",
    )


def build_suite_checks(crm: dg.AssetsDefinition) -> dg.AssetChecksDefinition:
    """Build the checks that sales keeps as a Great Expectations suite."""
    with resources.as_file(resources.files("dashboard_trust.demo") / "crm_opportunities.gx.json") as suite:
        return suite_checks(crm, suite, lambda: Home.from_environment().warehouse)


def build_arrival_sensor(crm: dg.AssetsDefinition) -> dg.SensorDefinition:
    """Build the sensor that launches the days whose files arrived or changed, neighbours together."""
    return file_arrival_sensor(
        crm,
        SOURCE,
        name="crm_file_arrival",
        together=31,
        minimum_interval_seconds=10,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )


def read_arrived(instance: dg.DagsterInstance, partitions: dg.PartitionsDefinition, days: Collection[str]) -> set[str]:
    """Return those of these days whose files are to be loaded; none where there is no folder yet."""
    now, told = dt.datetime.now(dt.UTC), Partitioning.tell(SOURCE.pattern, partitions)
    try:
        look = look_for_arrivals(SOURCE, told, KEY, instance, Memory(), now)
    except FileNotFoundError:
        return set()
    return {str(arrival.key.text) for arrival in look.due} & {*days}
