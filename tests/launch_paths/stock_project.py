"""The same chains in Dagster as it comes: blocking checks, and dashboards without a gate."""

import dagster as dg
from chains import CHAINS, MULTI_RUN, PARTITIONS, SINGLE_RUN, build_project, prefix, publish


def build_dashboard(chain: str, name: str, policy: dg.BackfillPolicy) -> dg.AssetsDefinition:
    @dg.asset(
        name=name,
        key_prefix=chain,
        deps=[dg.AssetKey([chain, "mart"])],
        partitions_def=PARTITIONS,
        backfill_policy=policy,
    )
    def dashboard(context) -> None:
        publish(f"{chain}/{name}", context.partition_keys, context.run.run_id)

    return dashboard


defs = build_project(
    build_dashboard(prefix(chain), name, policy)
    for chain in CHAINS
    for name, policy in [("dashboard", SINGLE_RUN), ("dashboard_by_day", MULTI_RUN)]
)
refresh = defs.resolve_job_def("refresh")
