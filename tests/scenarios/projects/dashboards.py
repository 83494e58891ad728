"""The code location of a dashboard on the other one's mart, which it only names; ``published`` counts its refreshes."""

from pathlib import Path

import dagster as dg

from dashboard_trust import DashboardContract, trust, trusted_dashboard

PUBLISHED = Path(__file__).with_name("published")


def publish(context, verdicts):
    count = int(PUBLISHED.read_text()) if PUBLISHED.exists() else 0
    PUBLISHED.write_text(str(count + 1))


dash = trusted_dashboard(DashboardContract("dash", "team:dash"), publish, deps=["mart"])
refresh = dg.define_asset_job("refresh", "dash", executor_def=dg.in_process_executor)
defs = trust(dg.Definitions([dash], jobs=[refresh]))
