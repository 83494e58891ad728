"""The code location that makes the tables; ``unique_fails`` beside a copy of it makes the mart's check fail."""

from pathlib import Path

import dagster as dg

HERE = Path(__file__).parent


@dg.asset
def raw():
    return dg.MaterializeResult()


@dg.asset(deps=["raw"])
def mart():
    return dg.MaterializeResult()


@dg.asset_check(asset="mart")
def unique():
    return dg.AssetCheckResult(passed=not (HERE / "unique_fails").exists())


load = dg.define_asset_job("load", executor_def=dg.in_process_executor)
defs = dg.Definitions([raw, mart], asset_checks=[unique], jobs=[load])
