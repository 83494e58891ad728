"""A project as it is found: a load, dbt models with tests, and a dashboard, with no gate anywhere."""

import json
import os
from pathlib import Path

import dagster as dg
import duckdb
from dagster_dbt import DbtCliResource, DbtProject, dbt_assets

project = DbtProject(project_dir=Path(__file__).parent / "dbt")
warehouse = Path(os.environ["SHOP_WAREHOUSE"])
site = Path(os.environ["SHOP_SITE"])


@dg.asset(key=["raw", "orders"], kinds={"duckdb"})
def raw_orders() -> None:
    with duckdb.connect(str(warehouse)) as connection:
        connection.execute("create schema if not exists raw")
        connection.execute(f"create or replace table raw.orders as from read_csv('{os.environ['SHOP_ORDERS']}')")


@dbt_assets(manifest=project.manifest_path)
def models(context: dg.AssetExecutionContext, dbt: DbtCliResource):
    yield from dbt.cli(["build"], context=context).stream()


@dg.asset(deps=["daily_sales"])
def sales_dashboard() -> dg.MaterializeResult:
    with duckdb.connect(str(warehouse)) as connection:
        rows = connection.execute("select cast(ordered_on as varchar), amount from main.daily_sales").fetchall()
    site.write_text(json.dumps(dict(rows)))
    return dg.MaterializeResult(metadata={"days": len(rows)})


defs = dg.Definitions(
    assets=[raw_orders, models, sales_dashboard],
    resources={"dbt": DbtCliResource(project_dir=project)},
)
