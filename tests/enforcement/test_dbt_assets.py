# No `from __future__ import annotations`: Dagster reads the annotations of assets, and as strings refuses them.
import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import duckdb
import pytest
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.gated_assets import trust, trusted, trusted_dashboard

FILES = {
    "dbt_project.yml": "name: tiny\nversion: '1.0'\nprofile: tiny\nflags: {send_anonymous_usage_stats: false}\n",
    "profiles.yml": "tiny: {target: dev, outputs: {dev: {type: duckdb, path: tiny.duckdb}}}\n",
    "models/schema.yml": """
version: 2
sources:
  - name: raw
    schema: main
    tables: [{name: payments}]
models:
  - name: paid
    columns: [{name: amount, data_tests: [not_null]}]
  - name: total
    columns: [{name: amount, data_tests: [not_null]}]
""",
    "models/paid.sql": "select * from {{ source('raw', 'payments') }}",
    "models/total.sql": "select sum(amount) as amount from {{ ref('paid') }}",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A tiny dbt project, parsed once."""
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "models").mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    dbt = [sys.executable, "-m", "dbt.cli.main", "parse", "--profiles-dir", "."]
    subprocess.run(dbt, cwd=folder, check=True, capture_output=True)
    return folder


def relations(project):
    with duckdb.connect(str(project / "tiny.duckdb")) as connection:
        return {row[0] for row in connection.execute("select table_name from information_schema.tables").fetchall()}


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:AssetExecutionContext:DeprecationWarning")  # dagster-dbt's own use of it
def test_stock_dbt_assets_are_guarded_whole_and_in_part(project, run, is_held):
    amounts, refreshed = ["1.50", "2.50"], []

    @dg.asset(key=["raw", "payments"], check_specs=[dg.AssetCheckSpec("complete", asset=["raw", "payments"])])
    def payments():
        with duckdb.connect(str(project / "tiny.duckdb")) as connection:
            values = ", ".join(f"({amount})" for amount in amounts)
            connection.execute(f"create or replace table payments as select * from (values {values}) t(amount)")
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(passed=bool(complete))

    complete: list[bool] = []

    @dbt_assets(
        manifest=json.loads((project / "target" / "manifest.json").read_text()),
        dagster_dbt_translator=DagsterDbtTranslator(),
    )
    def models(context: dg.AssetExecutionContext, dbt: DbtCliResource):
        yield from dbt.cli(["build"], context=context).stream()

    dash = trusted_dashboard(DashboardContract("dash", "team:dash"), lambda *_: refreshed.append(True), deps=["total"])
    dbt = DbtCliResource(
        project_dir=str(project), profiles_dir=str(project), dbt_executable=str(Path(sys.executable).with_name("dbt"))
    )
    defs = trust(dg.Definitions([payments, trusted(models), dash], resources={"dbt": dbt}))

    run(defs, "raw/payments")
    assert is_held(run(defs, "paid", "total"))
    assert is_held(run(defs, "total"))
    assert relations(project) == {"payments"}

    complete.append(True)
    run(defs, "raw/payments")
    whole = run(defs, "paid", "total")
    assert whole.success
    checked = {(e.asset_key.to_user_string(), e.check_name) for e in whole.get_asset_check_evaluations() if e.passed}
    assert {"paid", "total"} == {asset for asset, name in checked if name.startswith("not_null")}
    assert relations(project) == {"payments", "paid", "total"}
    assert run(defs, "total").success
    assert run(defs, "dash").success
    assert refreshed == [True]

    amounts.append("null")
    run(defs, "raw/payments")
    assert not run(defs, "paid", "total").success
    assert is_held(run(defs, "dash"))
    assert refreshed == [True]
