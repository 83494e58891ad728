"""The chains, their dashboards behind a gate."""

import dagster as dg
from chains import CHAINS, MULTI_RUN, PARTITIONS, SINGLE_RUN, WINDOW, build_project, prefix, publish

from dashboard_trust import DashboardContract, trust, trusted_dashboard


def build_dashboard(chain: str, name: str, policy: dg.BackfillPolicy) -> dg.AssetsDefinition:
    contract = DashboardContract(
        key=f"{chain}/{name}",
        owner="team:dashboards",
        freshness={"overdue/raw": WINDOW} if chain == "overdue" else {},
    )

    def refresh(context, verdicts):
        publish(contract.key, [verdict.partition for verdict in verdicts], context.run.run_id)

    return trusted_dashboard(
        contract, refresh, deps=[f"{chain}/mart"], partitions_def=PARTITIONS, backfill_policy=policy
    )


defs = trust(
    build_project(
        build_dashboard(prefix(chain), name, policy)
        for chain in CHAINS
        for name, policy in [("dashboard", SINGLE_RUN), ("dashboard_by_day", MULTI_RUN)]
    )
)
