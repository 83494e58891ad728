"""Which table an asset is: whoever writes it, checks it, reads it or takes its fingerprint means the same one."""

from __future__ import annotations

import dagster as dg
import pandas as pd
import pytest

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.contracts.table_names import name_table
from dashboard_trust.contracts.table_rules import RowCount, TableRules
from dashboard_trust.enforcement.fingerprinted_assets import fingerprinted
from dashboard_trust.enforcement.gated_assets import trust, trusted_dashboard
from dashboard_trust.enforcement.io_manager import TrustedIOManager
from dashboard_trust.enforcement.suite_checks import suite_checks
from dashboard_trust.enforcement.table_checks import table_checks
from dashboard_trust.errors import InvalidInputError
from dashboard_trust.evidence.names import FINGERPRINT
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

ROWS = pd.DataFrame({"id": [1, 2, 3]})
SUITE = {"name": "s", "expectations": [{"type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}}]}
ASSETS = {
    "one part": (["orders"], {}, "public.orders"),
    "two parts": (["shop", "orders"], {}, "shop.orders"),
    "three parts": (["eu", "shop", "orders"], {}, "shop.orders"),
    "a schema for one part": (["orders"], {"schema": "shop"}, "shop.orders"),
    "a schema for two parts": (["eu", "orders"], {"schema": "shop"}, "shop.orders"),
    "a table": (["eu", "orders"], {"dagster/table_name": "shop.all_orders"}, "shop.all_orders"),
    "a table with its database": (["orders"], {"dagster/table_name": "wh.shop.all_orders"}, "shop.all_orders"),
    "a table and a schema": (["orders"], {"dagster/table_name": "shop.o", "schema": "eu"}, "shop.o"),
    "names that need quotes": (["my-shop", "2026.orders"], {}, '"my-shop"."2026.orders"'),
}
pytestmark = pytest.mark.long
PLACES = ["main.orders", "public.orders", "shop.orders", "eu.orders", "shop.all_orders", "shop.o"]


@pytest.fixture
def warehouse(tmp_path):
    """A warehouse in which every table that might be taken for the right one is there, and empty."""
    warehouse = DuckDBWarehouse(tmp_path / "wh.duckdb")
    with warehouse.connect("test") as connection:
        for schema in ("public", "shop", "eu"):
            connection.execute(f"CREATE SCHEMA {schema}")
        for place in PLACES:
            connection.execute(f"CREATE TABLE {place} (id BIGINT)")
    return warehouse


def run_all(defs, instance):
    return defs.resolve_implicit_global_asset_job_def().execute_in_process(instance=instance, raise_on_error=False)


def newest(instance, key):
    said = instance.get_latest_materialization_event(key).asset_materialization.metadata
    return {label: value.value for label, value in said.items()}


@pytest.mark.parametrize(("path", "metadata", "table"), ASSETS.values(), ids=ASSETS)
def test_all_of_us_mean_the_same_table(warehouse, instance, path, metadata, table):
    key, read = dg.AssetKey(path), []

    @dg.asset(key=key, metadata=metadata, io_manager_key="io")
    def orders() -> pd.DataFrame:
        return ROWS

    @dg.asset(ins={"orders": dg.AssetIn(key)})
    def reader(orders: pd.DataFrame) -> None:
        read.append(len(orders))

    rules = TableRules(key.to_user_string(), (RowCount(min=3, max=3),))
    dash = trusted_dashboard(DashboardContract("dash", "team:x", tables=(rules,)), lambda *_: None, deps=[key])
    checks = [suite_checks(orders, SUITE, lambda: warehouse)]
    io = {"io": TrustedIOManager(warehouse)}
    defs = trust(dg.Definitions([orders, reader, dash], asset_checks=checks, resources=io), warehouse=lambda: warehouse)
    result = run_all(defs, instance)

    evaluations = [e for e in result.get_asset_check_evaluations() if e.asset_key == key]
    assert [(e.passed, e.metadata["rows"].value) for e in evaluations] == [(True, 3), (True, 3)]
    assert read == [3]
    with warehouse.connect("test") as connection:
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (3,)
    written = newest(instance, key)

    @dg.asset(key=key, metadata=metadata)
    def same() -> None: ...

    assert run_all(dg.Definitions([fingerprinted(same, lambda: warehouse)]), instance).success
    assert newest(instance, key)[FINGERPRINT] == written[FINGERPRINT]


def test_an_asset_of_another_location_is_read_from_where_it_says(warehouse, instance):
    with warehouse.connect("test") as connection:
        connection.execute("INSERT INTO shop.all_orders VALUES (1)")
    spec = dg.AssetSpec("orders", metadata={"schema": "shop", "dagster/table_name": "shop.all_orders"})
    read = []

    @dg.asset
    def reader(orders: pd.DataFrame) -> None:
        read.append(len(orders))

    defs = dg.Definitions([spec.with_io_manager_key("io"), reader], resources={"io": TrustedIOManager(warehouse)})
    job = defs.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("reader")])

    assert (result.success, read) == (True, [1])


def test_a_table_that_the_rules_name_themselves_comes_first(warehouse, instance):
    with warehouse.connect("test") as connection:
        connection.execute("INSERT INTO eu.orders VALUES (1)")

    @dg.asset(metadata={"schema": "shop"})
    def orders() -> None: ...

    checks = table_checks(orders, TableRules("orders", (), table="eu.orders"), lambda: warehouse)
    (evaluation,) = run_all(dg.Definitions([orders], asset_checks=[checks]), instance).get_asset_check_evaluations()

    assert evaluation.passed


@pytest.mark.parametrize("kind", ["rules", "suite", "fingerprint"])
def test_where_the_table_is_not_there_it_is_said_how_to_name_another(warehouse, instance, kind):
    @dg.asset(metadata={"schema": "nowhere"})
    def orders() -> None: ...

    checks = {
        "rules": lambda: [table_checks(orders, TableRules("orders", ()), lambda: warehouse)],
        "suite": lambda: [suite_checks(orders, SUITE, lambda: warehouse)],
    }
    asset = fingerprinted(orders, lambda: warehouse) if kind == "fingerprint" else orders
    result = run_all(dg.Definitions([asset], asset_checks=checks[kind]() if kind in checks else []), instance)

    failed = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    (message,) = [(error.cause or error).message for error in failed]
    assert "nowhere" in message
    assert "metadata 'dagster/table_name' or 'schema' of the asset, or 'table'" in message


@pytest.mark.parametrize("said", ["orders", "a.b.c.d", "a..b", '"a"b.c', "a.b.", 'a."b', 3])
def test_what_is_no_name_of_a_table_is_refused(said):
    with pytest.raises(InvalidInputError, match=r"shop/orders: 'dagster/table_name' has to be schema\.name, and is"):
        name_table(["shop", "orders"], {"dagster/table_name": said})


def test_a_schema_that_is_no_text_is_refused():
    with pytest.raises(InvalidInputError, match="orders: 'schema' has to name the schema of its table, and is 3"):
        name_table(["orders"], {"schema": 3})


def test_a_name_in_quotes_keeps_its_dots_and_quotes():
    assert name_table(["x"], {"dagster/table_name": 'db."my.shop"."a ""b"""'}) == '"my.shop"."a ""b"""'
