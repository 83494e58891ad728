from __future__ import annotations

import re
import subprocess
import sys
import traceback

import dagster as dg
import pytest
from dagster.components.core.component_tree import ComponentTreeException

from dashboard_trust.components import TrustedDashboard
from dashboard_trust.contracts.yaml import CONTRACT, parse_contracts
from dashboard_trust.enforcement.gated_assets import gates
from dashboard_trust.errors import ContractError

SALES = dg.AssetKey(["dashboards", "sales"])
ATTRIBUTES = """\
key: dashboards/sales
owner: team:sales
deps: [orders]
"""
WHOLE = """
    key: dashboards/sales
    owner: sales@example.com
    title: Sales
    url: https://bi.example.com/sales
    partitions: {schedule: daily, start: 2026-01-31, timezone: Europe/Berlin}
    ready_by: {time: 08:00, timezone: Europe/Berlin, days_after_end: 1}
    requires:
      - customers
      - {asset: orders, checks: [row_count]}
    freshness:
      orders: {fail_after_hours: 26.5}
    sections:
      - {key: main, title: Main, assets: [orders], when_unmet: label}
    tables:
      - {asset: orders, time_column: day, rules: [not_null: id, range: {column: amount, min: 0}]}
    window: 7
    wait_for_checks: {minutes: 5}
    enforce: false
    accept_reported: true
    at_most_once: true
    message: Being checked.
    late_inputs: propose
    sources: [{key: shop_api, assets: [orders], owner: team:shop}]
    """


def test_a_dashboard_from_yaml_holds_until_its_inputs_are_there_and_then_refreshes(project, run, is_held):
    project.declare(f"{ATTRIBUTES}refresh: {project.package}.refresh:sales\n")
    defs = project.load()

    assert is_held(run(defs, "dashboards/sales"))
    assert project.refreshed() == []
    assert run(defs, "orders").success
    assert run(defs, "dashboards/sales").success
    assert project.refreshed() == [None]


def test_without_a_refresh_it_is_a_gate_alone(project, run, is_held, instance):
    project.declare(ATTRIBUTES)
    defs = project.load()

    assert is_held(run(defs, "dashboards/sales"))
    assert instance.get_latest_materialization_event(SALES) is None
    assert run(defs, "orders").success
    assert run(defs, "dashboards/sales").success
    assert instance.get_latest_materialization_event(SALES) is not None


def test_a_project_that_forgot_trust_is_held(project, run, is_held):
    project.declare(ATTRIBUTES)
    file = project.folder / "src" / project.package / "definitions.py"
    file.write_text(file.read_text().replace("trust(dg.load", "(dg.load"))
    defs = project.load()

    assert run(defs, "orders").success
    result = run(defs, "dashboards/sales")
    assert is_held(result)
    said = next(iter(result.get_asset_check_evaluations()))
    assert "never bound" in said.description


@pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated")  # Dagster's own use of it
def test_every_field_means_what_it_means_in_a_yaml_contract():
    component = TrustedDashboard.resolve_from_yaml(WHOLE)

    assert component.contract() == parse_contracts(WHOLE)[0]
    assert set(TrustedDashboard.model_fields) == {*CONTRACT, "deps", "refresh"}
    assert set(CONTRACT) <= component.model_fields_set


def test_a_key_from_the_environment_is_filled_in(project, monkeypatch):
    monkeypatch.setenv("SALES_OWNER", "sales@example.com")
    project.declare(ATTRIBUTES.replace("team:sales", '"{{ env.SALES_OWNER }}"'))

    assert gates(project.load())[SALES].contract.owner == "sales@example.com"


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("ready_by: {tme: '08:00'}", "tme"),
        ("ready_by: {time: '25:00'}", "'25:00' is not a time of day"),
        ("ready_by: {time: 10:30}", "ReadyByFieldModel.time"),
        ("requires: []", "requires nothing"),
        ("requires: [order]", "'order', which is not upstream of it"),
        ("freshness: {orders: {fail_after: 3}}", "fail_after"),
        ("sections: [{key: a, title: A, assets: [orders], when_unmet: hide}]", "when_unmet"),
        ("refresh: shop", "package.module:function"),
        ("refresh: no_such_package:sales", "No module named 'no_such_package'"),
        ("refresh: dashboard_trust.errors:sales", "no function 'sales'"),
        ("partitions: {schedule: yearly, start: 2026-01-01}", "schedule"),
    ],
)
def test_what_cannot_be_meant_is_an_error_that_names_it(project, line, named):
    project.declare(f"{ATTRIBUTES}{line}\n")

    with pytest.raises((ContractError, ComponentTreeException)) as caught:
        project.load()

    told = "".join(traceback.format_exception(caught.value))
    assert named in told


def test_dg_lists_it(project):
    code, said = project.dg("list", "components")

    assert code == 0
    assert "dashboard_trust.components.TrustedDashboard" in said


@pytest.mark.long
def test_dg_scaffolds_and_checks_it(project):
    code, said = project.dg("scaffold", "defs", "dashboard_trust.components.TrustedDashboard", "sales")
    file = project.folder / "src" / project.package / "defs" / "sales" / "defs.yaml"
    assert code == 0
    assert "key: dashboards/sales" in file.read_text()
    assert f"# refresh: {project.package}.refresh:sales" in file.read_text()

    # What was scaffolded is valid; it requires nothing yet, and is refused for that.
    code, said = project.dg("check", "defs")
    assert code != 0
    assert "All component YAML validated successfully" in said
    assert "nothing is upstream of it. Give the asset its deps." in said

    file.write_text(file.read_text().replace("deps: []", "deps: [orders]"))
    code, said = project.dg("check", "defs")
    assert (code, "All definitions loaded successfully" in said) == (0, True)


@pytest.mark.long
def test_dg_names_the_keys_that_a_defs_yaml_may_not_have(project):
    project.declare(f"{ATTRIBUTES}onwer: team:sales\nready_by: {{tme: '08:00'}}\n")

    code, said = project.dg("check", "yaml")

    assert code == 1
    assert "'onwer' was unexpected" in said
    assert "tme" in said


def test_every_line_of_a_scaffold_can_be_used(project):
    from dashboard_trust.components.scaffold import TrustedDashboardScaffolder

    folder = project.folder / "src" / project.package / "defs" / "sales"
    folder.mkdir()
    request = dg.ScaffoldRequest("dashboard_trust.components.TrustedDashboard", folder, "yaml", project.folder, None)
    TrustedDashboardScaffolder().scaffold(request)
    text = (folder / "defs.yaml").read_text().replace("deps: []", "deps: [orders]")
    text = re.sub(r"(?m)^  # (?=\w+: |\w+:$|  )", "  ", text)  # every key that it shows, and no prose
    (folder / "defs.yaml").write_text(text.replace("raw/orders", "orders").replace("marts/orders", "orders"))

    contract = gates(project.load())[SALES].contract

    assert (contract.title, contract.url) == ("Sales", "https://bi.example.com/sales")
    assert contract.partitions
    assert contract.ready_by
    assert contract.freshness
    assert contract.sections


def test_importing_the_component_imports_no_heavy_library():
    code = "import sys, dashboard_trust.components; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    heavy = {"altair", "dagster_dbt", "dbt", "duckdb", "great_expectations", "pandas", "polars", "snowflake.connector"}
    assert not heavy & set(done.stdout.split())
