"""The daily revenue dashboard: its contract, how it is published, and who is told."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Sequence
from contextlib import suppress
from importlib import resources

import dagster as dg

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.contracts.yaml import read_contracts
from dashboard_trust.demo.home import Home
from dashboard_trust.enforcement.gated_assets import trusted_dashboard
from dashboard_trust.errors import WarehouseBusyError
from dashboard_trust.incidents.deliveries import tell
from dashboard_trust.publication.publisher import Publisher
from dashboard_trust.publication.states import write_states
from dashboard_trust.publication.swap import Destination
from dashboard_trust.publication.tables import PublishedTable
from dashboard_trust.readers.serving import read_corrections, read_serving
from dashboard_trust.site.readiness import ReadinessWord, Reason, write_readiness
from dashboard_trust.verdicts.verdict import Verdict

KEY = dg.AssetKey(["dashboards", "daily_revenue"])
REVENUE = PublishedTable("marts.revenue_daily", "published.revenue_daily")
PIPELINE = PublishedTable("marts.pipeline_daily", "published.pipeline_daily")
TABLES = {"marts/revenue_daily": REVENUE, "marts/pipeline_daily": PIPELINE}
SHORT_WAIT = dt.timedelta(seconds=2)
NOTIFY_VARIABLE = "DASHBOARD_TRUST_NOTIFY"


def read_contract() -> DashboardContract:
    """Read the contract that travels with the package."""
    with resources.as_file(resources.files("dashboard_trust.demo") / "contract.yaml") as path:
        return read_contracts(path)[0]


def destination(home: Home) -> Destination:
    """Return where the dashboard is published in a home."""
    from dashboard_trust.demo.page import render_page

    return Destination("dashboards/daily_revenue", home.warehouse, home.site, render_page)


def build_dashboard(contract: DashboardContract, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """Build the dashboard asset on its two marts."""
    return trusted_dashboard(
        contract,
        Publisher(lambda: destination(Home.from_environment()), TABLES),
        deps=list(TABLES),
        partitions_def=partitions,
        group_name="dashboards",
        kinds={"dashboard", "duckdb"},
        description="What finance opens at 8:00. Refreshes only because everything upstream passed.",
    )


def announce(
    home: Home, contract: DashboardContract, instance: dg.DagsterInstance, verdicts: Sequence[Verdict]
) -> None:
    """Write the newest verdict beside the page, all of them for BI tools, and tell the owners what changed."""
    newest = verdicts[-1]
    serving = read_serving(instance, KEY, None)
    judged = [verdict.partition for verdict in verdicts]
    corrected = read_corrections(instance, KEY, {*judged, *_days_shown(newest.partition)})
    write_readiness(
        home.site,
        ReadinessWord(
            dashboard=contract.key,
            partition=newest.partition,
            readiness=newest.readiness,
            evaluated_at=dt.datetime.now(dt.UTC),
            message=contract.message,
            reasons=tuple(
                Reason(f.asset, f.partition, f.check, str(f.outcome), f.told, f.owner) for f in newest.causes
            ),
            owners=tuple(dict.fromkeys(finding.owner for finding in newest.causes)),
            serving=serving,
            corrections=tuple(
                (day, corrected[day]) for day in reversed(_days_shown(newest.partition)) if day in corrected
            ),
        ),
    )
    # BI tools read it in the warehouse too; where that is busy, the next evaluation says it.
    with suppress(WarehouseBusyError), home.warehouse.session("saying how it stands", SHORT_WAIT) as session:
        since = serving.since if serving else None
        now = dt.datetime.now(dt.UTC)
        write_states(session, contract, verdicts, shown_as_of=since, evaluated_at=now, corrected=corrected)
    route = os.environ.get(NOTIFY_VARIABLE)
    tell(instance, verdicts, {contract.key: contract}, {"*": route} if route else {})


def _days_shown(newest: str | None) -> list[str]:
    """Return the days that the page may show while this is the newest, oldest first."""
    from dashboard_trust.demo.page import SHOWN_DAYS

    last = dt.date.fromisoformat(newest) if newest else None
    return [str(last - dt.timedelta(n)) for n in reversed(range(SHOWN_DAYS + 1))] if last else []
