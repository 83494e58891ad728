"""Dagster's own check factories and freshness policies stand beside ours, and count as evidence."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.contracts.row_rules import NotNull
from dashboard_trust.contracts.table_rules import TableRules
from dashboard_trust.enforcement.gated_assets import trust, trusted_dashboard
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

ERROR = dg.AssetCheckSeverity.ERROR
# Superseded, and what many projects have.
pytestmark = pytest.mark.filterwarnings("ignore:Function `build_last_update_freshness_checks` is superseded")


class Project:
    """Orders with every kind of check that Dagster builds, one rule of ours, and a dashboard on them."""

    def __init__(self, run, tmp_path):
        self.run, self.rows, self.columns = run, 5, ["id"]
        warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
        with warehouse.connect("test") as connection:
            connection.execute("CREATE SCHEMA shop; CREATE TABLE shop.orders AS SELECT 1 AS id")

        @dg.asset(
            key=["shop", "orders"],
            freshness_policy=dg.FreshnessPolicy.time_window(fail_window=dt.timedelta(hours=24)),
        )
        def orders() -> dg.MaterializeResult[None]:
            schema = dg.TableSchema([dg.TableColumn(name, "int") for name in self.columns])
            return dg.MaterializeResult(metadata={"rows": self.rows, "dagster/column_schema": schema})

        rules = TableRules("shop/orders", (NotNull("id"),))
        dash = trusted_dashboard(
            DashboardContract("dash", "team:dash", tables=(rules,)), lambda *_: None, deps=["shop/orders"]
        )
        checks = [
            *dg.build_metadata_bounds_checks(assets=[orders], metadata_key="rows", min_value=1, severity=ERROR),
            *dg.build_column_schema_change_checks(assets=[orders], severity=ERROR),
            *dg.build_last_update_freshness_checks(
                assets=[orders], lower_bound_delta=dt.timedelta(hours=1), severity=ERROR
            ),
        ]
        self.defs = trust(dg.Definitions([orders, dash], asset_checks=checks), warehouse=lambda: warehouse)

    def load(self):
        return self.run(self.defs, "shop/orders")


@pytest.fixture
def project(run, tmp_path):
    return Project(run, tmp_path)


def causes(verdict):
    return {(finding.check, str(finding.outcome)) for finding in verdict.causes}


def test_all_of_them_are_evidence(project, run, verdict_of):
    assert project.load().success
    assert project.load().success  # a schema that has changed is told by the load before

    assert str(verdict_of(project.defs, "dash").readiness) == "READY"
    assert run(project.defs, "dash").success


@pytest.mark.parametrize(
    ("spoil", "check"),
    [
        (lambda project: setattr(project, "rows", 0), "rows_bounds_check"),
        (lambda project: setattr(project, "columns", ["id", "more"]), "column_schema_change"),
    ],
    ids=["bounds", "schema"],
)
def test_what_a_stock_check_finds_holds(project, run, verdict_of, spoil, check):
    project.load()
    project.load()
    spoil(project)
    project.load()

    assert (check, "failed") in causes(verdict_of(project.defs, "dash"))
    assert not run(project.defs, "dash").success


def test_a_stock_check_that_has_not_run_holds(project, instance, verdict_of):
    job = project.defs.resolve_implicit_global_asset_job_def()
    orders = dg.AssetKey(["shop", "orders"])
    alone = job.get_subset(asset_selection={orders}, asset_check_selection=set())
    assert alone.execute_in_process(instance=instance).success

    found = causes(verdict_of(project.defs, "dash"))
    assert {outcome for _, outcome in found} == {"not_run"}
    assert len(found) == 5
