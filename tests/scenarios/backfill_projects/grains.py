"""Chains of mixed granularity: raw by day or hour → model by day → mart by week → dashboards by day, by week and whole.

What goes wrong in raw stands in a file in the instance's folder (`TROUBLE`), so that runs in any process see
it: partitions its check finds wrong, and partitions its load breaks on. Each attribute at the end is one
project, by how its assets are backfilled.
"""

import json
from pathlib import Path

import dagster as dg

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.gated_assets import trust, trusted, trusted_dashboard

TROUBLE = "trouble.json"
FIRST, END = "2024-03-03", "2024-03-17"
DAYS = dg.DailyPartitionsDefinition(FIRST, end_date=END)
WEEKS = dg.WeeklyPartitionsDefinition(FIRST, end_date=END)
HOURS = dg.HourlyPartitionsDefinition(f"{FIRST}-00:00", end_date=f"{END}-00:00")
EACH = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)
THREE = dg.BackfillPolicy.multi_run(max_partitions_per_run=3)
ONE_RUN = dg.BackfillPolicy.single_run()


def table(name: str, partitions: dg.PartitionsDefinition, policy: dg.BackfillPolicy, *deps: str):
    """A table that its own check looks at, partition by partition."""
    check = dg.AssetCheckSpec("ok", asset=name, partitions_def=partitions)
    spec = dg.AssetSpec(name, deps=list(deps), partitions_def=partitions)

    @dg.multi_asset(name=name, specs=[spec], check_specs=[check], backfill_policy=policy)
    def build(context):
        file = Path(context.instance.root_directory, TROUBLE)
        trouble = json.loads(file.read_text()) if name == "raw" and file.exists() else {}
        broken = set(context.partition_keys) & set(trouble.get("broken", []))
        if broken:
            raise ValueError(f"no file for {', '.join(sorted(broken))}")
        yield dg.MaterializeResult(asset_key=name)
        for partition in context.partition_keys:
            yield dg.AssetCheckEvaluation(
                asset_key=dg.AssetKey(name),
                check_name="ok",
                passed=partition not in trouble.get("wrong", []),
                metadata={},
                partition=partition,
            )
        yield dg.Output(None, output_name=check.get_python_identifier())

    return build


def dashboard(name: str, dep: str, partitions=None, policy=None, **promises):
    """A dashboard that shows nothing: that it was materialized says that it was refreshed."""
    options = {"backfill_policy": policy} if policy is not None else {}
    contract = DashboardContract(name, f"team:{name}", **promises)
    return trusted_dashboard(contract, lambda *_: None, deps=[dep], partitions_def=partitions, **options)


def project(raw: dg.PartitionsDefinition, policy: dg.BackfillPolicy, *, guarded: bool = False) -> dg.Definitions:
    """The whole chain; ``guarded`` puts gates before model and mart too.

    ``day_of_week`` keeps the policy dashboards have by default: one run for all days.
    """
    between = [table("model", DAYS, policy, "raw"), table("mart", WEEKS, policy, "model")]
    assets = [
        table("raw", raw, policy),
        *(trusted(one, owner="team:models") if guarded else one for one in between),
        dashboard("by_day", "model", DAYS, policy),
        dashboard("by_week", "mart", WEEKS, policy),
        dashboard("day_of_week", "mart", DAYS),
        dashboard("whole", "mart"),
        dashboard("newest", "mart", window=1),
    ]
    return trust(dg.Definitions(assets, executor=dg.in_process_executor))


each_day = project(DAYS, EACH)
three_days = project(DAYS, THREE)
one_run = project(DAYS, ONE_RUN)
hours = project(HOURS, ONE_RUN)
guarded_each_day = project(DAYS, EACH, guarded=True)
guarded_one_run = project(DAYS, ONE_RUN, guarded=True)
