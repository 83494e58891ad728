"""The demo as a Dagster code location. Loading it starts no server and opens no warehouse."""

from __future__ import annotations

import dagster as dg

from dashboard_trust.demo import crm, sync
from dashboard_trust.demo.dashboard import KEY as DASHBOARD
from dashboard_trust.demo.dashboard import announce, build_dashboard, read_contract
from dashboard_trust.demo.days import build_partitions
from dashboard_trust.demo.dbt import manifest_path
from dashboard_trust.demo.home import Home
from dashboard_trust.demo.models import build_models
from dashboard_trust.enforcement.automation import readiness_sensor
from dashboard_trust.enforcement.gated_assets import trust
from dashboard_trust.enforcement.io_manager import TrustedIOManager

SYNCED = sync.KEYS


def build_definitions(home: Home) -> dg.Definitions:
    """Build everything for a home, every gate bound."""
    home.create()
    partitions, contract = build_partitions(home), read_contract()
    crm_opportunities = crm.build_crm_opportunities(partitions)
    dashboard = build_dashboard(contract, partitions)
    return trust(
        dg.Definitions(
            assets=[
                sync.build_sync(),
                crm_opportunities,
                *build_models(manifest_path(home), partitions).values(),
                dashboard,
            ],
            asset_checks=[crm.build_suite_checks(crm_opportunities)],
            # The warehouse takes one writer at a time, and a process per step costs seconds each.
            executor=dg.in_process_executor,
            resources={"warehouse_io": TrustedIOManager(lambda: Home.from_environment().warehouse)},
            schedules=[_nightly_sync()],
            sensors=[
                crm.build_arrival_sensor(crm_opportunities),
                _models_sensor(),
                readiness_sensor(
                    dashboard,
                    name="daily_revenue_readiness",
                    evaluated=lambda instance, verdicts: announce(
                        Home.from_environment(), contract, instance, verdicts
                    ),
                    minimum_interval_seconds=10,
                    default_status=dg.DefaultSensorStatus.RUNNING,
                    description="Launches the dashboard once per version of its inputs; says how it stands.",
                ),
            ],
        ),
        warehouse=lambda: Home.from_environment().warehouse,
    )


def _nightly_sync() -> dg.ScheduleDefinition:
    """A clock starts the syncs, and nothing else: everything after waits for its inputs."""
    return dg.ScheduleDefinition(
        name="nightly_sync",
        job=dg.define_asset_job("sync", dg.AssetSelection.assets(*SYNCED)),
        cron_schedule="0 5 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Syncs the systems of record at 05:00 UTC.",
    )


def _models_sensor() -> dg.AutomationConditionSensorDefinition:
    # Only in the code location's own process does Dagster evaluate a condition that is not its own.
    return dg.AutomationConditionSensorDefinition(
        name="models_automation",
        target=dg.AssetSelection.all() - dg.AssetSelection.assets(DASHBOARD),
        use_user_code_server=True,
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=10,
        description="Launches the models of the days whose inputs became ready.",
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return what Dagster loads: built when it is asked for, so that an import alone makes no home."""
    return build_definitions(Home.from_environment())
