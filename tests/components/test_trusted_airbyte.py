"""Airbyte connections in a ``defs.yaml``: loaded without a server, and as they were declared."""

from __future__ import annotations

import json
import textwrap

import dagster as dg
import pytest

from dashboard_trust.components import TrustedAirbyte
from dashboard_trust.contracts.streams import ConnectionContract, FullList, StreamContract
from dashboard_trust.enforcement.airbyte_assets import trusted_airbyte
from dashboard_trust.enforcement.gated_assets import gates
from dashboard_trust.errors import InvalidInputError
from dashboard_trust.ingestion.airbyte_process import running_airbyte
from dashboard_trust.ingestion.connections import Connection, Stream, Workspace

NOBODY = "http://127.0.0.1:9/api"
WHERE = """
workspace: {workspace_id: w, rest_api_base_url: REST, configuration_api_base_url: CONFIGURATION}
warehouse: "duckdb://WAREHOUSE"
"""
DECLARED = """
connections:
  - id: c1
    name: shop
    schema_name: raw
    prefix: crm_
    owner: team:shop
    streams:
      - {name: refunds}
      - name: orders
        asset: shop/orders
        table: raw.crm_orders
        sync_mode: incremental
        destination_sync_mode: append_dedup
        cursor: updated_at
        primary_key: [order_id]
        columns: [order_id, updated_at]
        time_column: updated_at
        fingerprint: true
        deletes: unseen
        full_list: {table: raw.order_ids, every_hours: 12, columns: [id]}
        changed_records: null
        may_be_empty: true
        catalog: abc
        owner: team:orders
"""


def written(text: str, rest: str = NOBODY, configuration: str = NOBODY, warehouse: str = "/nowhere.duckdb") -> str:
    where = WHERE.replace("REST", rest).replace("CONFIGURATION", configuration).replace("WAREHOUSE", warehouse)
    return where + text


def component(text: str, **where: str) -> TrustedAirbyte:
    return TrustedAirbyte.resolve_from_yaml(written(text, **where))


@pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated")  # Dagster's own use of it
def test_every_field_of_a_contract_can_be_declared():
    (field,) = component(DECLARED).connections

    assert field.build(None) == ConnectionContract(
        "c1",
        "shop",
        (
            StreamContract("refunds"),
            StreamContract(
                "orders",
                "shop/orders",
                "raw.crm_orders",
                "incremental",
                "append_dedup",
                "updated_at",
                ("order_id",),
                ("order_id", "updated_at"),
                "updated_at",
                fingerprint=True,
                deletes="unseen",
                full_list=FullList("raw.order_ids", FullList("x").every / 2, ("id",)),
                may_be_empty=True,
                changed_records=None,
                catalog="abc",
                owner="team:orders",
            ),
        ),
        schema="raw",
        prefix="crm_",
        owner="team:shop",
    )
    fields = {*StreamContract.__dataclass_fields__}
    assert {*type(field.streams[0]).model_fields} == fields


@pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated")
def test_it_loads_without_a_server_with_checks_and_a_sensor():
    defs = component(DECLARED).build({})
    graph = defs.resolve_asset_graph()
    orders, refunds = dg.AssetKey(["shop", "orders"]), dg.AssetKey(["raw", "crm_refunds"])

    assert set(graph.get_all_asset_keys()) == {orders, refunds}
    assert {key.name for key in graph.asset_check_keys if key.asset_key == refunds} == {
        "sync_evidence",
        "stream_configuration",
    }
    assert {key.name for key in graph.asset_check_keys if key.asset_key == orders} == {
        "sync_evidence",
        "stream_configuration",
        "deleted_keys",
    }
    assert graph.get(refunds).metadata["dagster/table_name"] == "raw.crm_refunds"
    assert [sensor.name for sensor in defs.sensors] == ["shop_syncs"]
    assert not component(DECLARED + "sensor: false\n").build({}).sensors


@pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated")
def test_what_is_left_out_is_read_from_airbyte_once_and_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    connection = Connection("c1", "shop", ("true",), {}, (Stream("a", {}), Stream("b", {})), tmp_path, "crm_")
    with running_airbyte(Workspace("w", (connection,))) as endpoint:
        where = {"rest": endpoint.rest_url, "configuration": endpoint.configuration_url}
        component("connections: [{id: c1}]", **where).write_state_to_path(tmp_path / "state")

    known = json.loads((tmp_path / "state").read_text())
    (field,) = component("connections: [{id: c1}]").connections
    assert field.build(known["c1"]) == ConnectionContract(
        "c1", "shop", (StreamContract("a"), StreamContract("b")), "raw", "crm_", "warehouse"
    )


@pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated")
def test_a_stream_is_where_its_namespace_puts_it_unless_it_is_declared():
    known = {"schema": "raw", "prefix": "crm_", "streams": ["a", "b"], "places": {"a": ["shop", "a"]}}
    (undeclared,) = component("connections: [{id: c1}]").connections
    (declared,) = component("connections: [{id: c1, streams: [{name: a, table: x.y}]}]").connections
    (all_in_one,) = component("connections: [{id: c1, schema_name: other}]").connections

    shop = undeclared.build(known)
    assert [(shop.asset_of(one), shop.table_of(one)) for one in shop.streams] == [
        ("shop/crm_a", '"shop"."crm_a"'),
        ("raw/crm_b", '"raw"."crm_b"'),
    ]
    assert [(one.asset, one.table) for one in declared.build(known).streams] == [("shop/crm_a", "x.y")]
    assert [one.asset for one in all_in_one.build(known).streams] == ["", ""]


@pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated")
def test_a_connection_of_which_nothing_is_known_yet_has_no_assets():
    assert not component("connections: [{id: c1}]").build({}).assets


def test_in_a_project_it_is_loaded_and_what_stands_on_it_holds(project, run, is_held, instance):
    file = project.declare("", "shop")
    attributes = written(DECLARED).strip().replace("\n", "\n  ")
    file.write_text(f"type: dashboard_trust.components.TrustedAirbyte\nattributes:\n  {attributes}\n")
    project.declare("key: dashboards/sales\nowner: team:sales\ndeps: [shop/orders]\n")
    defs = project.load()

    assert is_held(run(defs, "dashboards/sales"))
    (requirement, *_) = gates(defs)[dg.AssetKey(["dashboards", "sales"])].binding.promise(None, instance).requirements
    assert set(requirement.checks) == {"sync_evidence", "stream_configuration", "deleted_keys"}


def test_partitions_of_a_sync_are_refused():
    shop = ConnectionContract("c", "shop", (StreamContract("a"),), schema="raw")
    with pytest.raises(InvalidInputError, match="'shop': a sync brings whole streams, not partitions"):
        trusted_airbyte(shop, lambda: None, lambda: None, partitions_def=dg.DailyPartitionsDefinition("2026-01-01"))


@pytest.mark.long
def test_dg_scaffolds_it_and_finds_nothing_wrong_with_what_it_wrote(project):
    code, said = project.dg("scaffold", "defs", "dashboard_trust.components.TrustedAirbyte", "shop")
    assert code == 0, said

    names = ("WORKSPACE_ID", "REST_URL", "CONFIGURATION_URL")
    (project.folder / ".env").write_text("".join(f"AIRBYTE_{name}=x\n" for name in names) + "WAREHOUSE=duckdb:///x\n")
    code, said = project.dg("check", "yaml", "--no-validate-requirements")
    assert code == 0, said
    code, said = project.dg("check", "defs")
    assert code == 0, said


@pytest.mark.long
def test_its_state_is_refreshed_as_a_person_does_and_loaded_without_a_server(project, tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    connection = Connection("c1", "shop", ("true",), {}, (Stream("a", {}),), tmp_path / "landing", "crm_")
    file = project.declare("", "shop", "TrustedAirbyte")
    head = file.read_text()
    with running_airbyte(Workspace("w", (connection,))) as endpoint:
        where = written("connections: [{id: c1}]\n", endpoint.rest_url, endpoint.configuration_url)
        file.write_text(head + textwrap.indent(where, "  "))
        code, said = project.dg("utils", "refresh-defs-state")
        assert code == 0, said

    # The server is gone.
    code, said = project.dg("list", "defs", "--json")
    assert code == 0, said
    assert '"raw/crm_a"' in said
    assert '"raw/crm_a:sync_evidence"' in said
    assert "shop_syncs" in said

    code, said = project.dg("utils", "refresh-defs-state")
    assert code != 0
    assert "does not answer" in said
    assert '"raw/crm_a"' in project.dg("list", "defs", "--json")[1]
