"""What a stream is declared to be, what Airbyte's catalog has, and what columns its table has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dashboard_trust.contracts.streams import ConnectionContract, FullList, StreamContract
from dashboard_trust.errors import ContractError
from dashboard_trust.ingestion.airbyte_report import read_configurations, read_places
from dashboard_trust.ingestion.stream_configuration import find_drift
from dashboard_trust.ingestion.sync_evidence import StreamConfiguration

FIELDS = {"id": "integer", "amount": "number", "updated_at": "string/date-time"}
FOUND = StreamConfiguration(True, "incremental", "append_dedup", "updated_at", ("id",), FIELDS)
DECLARED = StreamContract(
    "payments",
    sync_mode="incremental",
    destination_sync_mode="append_dedup",
    cursor="updated_at",
    primary_key=("id",),
    columns=("id", "amount", "updated_at"),
    deletes="unseen",
)
COLUMNS = {"ID": "NUMBER", "AMOUNT": "NUMBER", "UPDATED_AT": "TIMESTAMP", "_AIRBYTE_META": "OBJECT"}

DRIFT = {
    "sync mode": (replace(FOUND, sync_mode="full_refresh"), COLUMNS, "sync_mode is declared incremental"),
    "destination": (replace(FOUND, destination_sync_mode="append"), COLUMNS, "and Airbyte has append"),
    "cursor": (replace(FOUND, cursor="created_at"), COLUMNS, "its cursor is declared updated_at"),
    "no cursor": (replace(FOUND, cursor=""), COLUMNS, "and Airbyte has none"),
    "key": (
        replace(FOUND, primary_key=("id", "shop")),
        COLUMNS,
        "primary_key is declared id, and Airbyte has id, shop",
    ),
    "not selected": (replace(FOUND, selected=False), COLUMNS, "Airbyte has it not selected"),
    "a field less": (
        replace(FOUND, fields={"id": "integer", "updated_at": "string"}),
        COLUMNS,
        "declared and not selected in Airbyte: amount",
    ),
    "a field more": (
        replace(FOUND, fields={**FIELDS, "note": "string"}),
        COLUMNS,
        "selected in Airbyte and not declared: note",
    ),
    "a column less": (FOUND, {"id": "INT", "updated_at": "TIMESTAMP"}, "selected and not in the table: amount"),
    "a column more": (FOUND, {**COLUMNS, "NOTE": "TEXT"}, "in the table and not selected: NOTE"),
    "no table": (FOUND, None, "its table is not in the warehouse"),
}


@pytest.mark.parametrize(("found", "columns", "said"), DRIFT.values(), ids=DRIFT)
def test_drift_is_said(found, columns, said):
    assert said in "; ".join(find_drift(DECLARED, found, columns))


def test_what_is_as_it_was_declared_has_no_drift_also_where_the_engine_folds_names():
    assert find_drift(DECLARED, FOUND, COLUMNS, FOUND.hash) == ()
    assert find_drift(StreamContract("payments"), FOUND, COLUMNS, FOUND.hash) == ()


def test_where_nothing_is_declared_the_catalog_has_to_stay_as_it_was():
    changed = replace(FOUND, fields={**FIELDS, "amount": "string"})
    (said,) = find_drift(StreamContract("payments"), changed, COLUMNS, FOUND.hash)

    assert f"declare catalog: {changed.hash}" in said
    assert find_drift(StreamContract("payments", catalog=changed.hash), changed, COLUMNS, FOUND.hash) == ()
    assert find_drift(StreamContract("payments"), FOUND, {"id": "INT"}, FOUND.hash) == (
        "selected and not in the table: amount, updated_at",
    )


def test_a_delete_behaviour_that_cannot_be_is_said():
    soft, hard = StreamContract("payments", deletes="soft"), StreamContract("payments", deletes="hard")

    assert "has no column _ab_cdc_deleted_at" in find_drift(soft, FOUND, COLUMNS)[0]
    assert "does not see them" in find_drift(hard, FOUND, COLUMNS)[0]
    cdc = {**COLUMNS, "_AB_CDC_DELETED_AT": "TIMESTAMP"}
    assert find_drift(soft, FOUND, cdc) == find_drift(hard, FOUND, cdc) == ()
    assert find_drift(hard, replace(FOUND, destination_sync_mode="overwrite"), COLUMNS) == ()


def test_the_catalog_of_a_connection_is_read_as_airbyte_has_it():
    entry = {
        "stream": {
            "name": "payments",
            "jsonSchema": {
                "properties": {
                    "id": {"type": ["null", "integer"]},
                    "at": {"type": "string", "format": "date-time"},
                    "secret": {"type": "string"},
                }
            },
        },
        "config": {
            "selected": True,
            "syncMode": "incremental",
            "destinationSyncMode": "append_dedup",
            "cursorField": ["meta", "at"],
            "primaryKey": [["id"], ["shop", "id"]],
            "fieldSelectionEnabled": True,
            "selectedFields": [{"fieldPath": ["id"]}, {"fieldPath": ["at"]}],
        },
    }

    assert read_configurations({"syncCatalog": {"streams": [entry]}}) == {
        "payments": StreamConfiguration(
            True,
            "incremental",
            "append_dedup",
            "meta.at",
            ("id", "shop.id"),
            {"id": "integer", "at": "string/date-time"},
        )
    }


def test_the_key_that_a_source_defines_is_its_primary_key():
    entry = {"stream": {"name": "payments", "sourceDefinedPrimaryKey": [["id"]]}, "config": {"selected": True}}

    assert read_configurations({"syncCatalog": {"streams": [entry]}})["payments"].primary_key == ("id",)


def test_streams_of_one_name_are_told_apart_by_their_namespace():
    def entry(namespace, selected):
        return {"stream": {"name": "payments", "namespace": namespace}, "config": {"selected": selected}}

    found = read_configurations({"syncCatalog": {"streams": [entry("shop", True), entry("archive", False)]}})
    assert {name: one.selected for name, one in found.items()} == {"shop.payments": True, "archive.payments": False}


@pytest.mark.parametrize(
    ("namespaces", "places"),
    [
        ({}, {}),
        ({"namespaceDefinition": "destination"}, {}),
        ({"namespaceDefinition": "source"}, {"payments": ("shop", "payments")}),
        (
            {"namespaceDefinition": "customformat", "namespaceFormat": "raw_${SOURCE_NAMESPACE}"},
            {"payments": ("raw_shop", "payments"), "rates": ("raw_", "rates")},
        ),
        ({"namespaceDefinition": "customformat", "namespaceFormat": "raw"}, {}),
    ],
)
def test_a_table_is_where_the_connection_puts_the_namespace_of_its_source(namespaces, places):
    streams = [{"stream": {"name": "payments", "namespace": "shop"}}, {"stream": {"name": "rates"}}]

    assert read_places({**namespaces, "syncCatalog": {"streams": streams}}, "raw") == places


def test_streams_of_one_name_have_tables_of_their_own():
    streams = [{"stream": {"name": "payments", "namespace": one}} for one in ("shop", "archive")]
    connection = {"namespaceDefinition": "source", "syncCatalog": {"streams": streams}}

    assert read_places(connection, "raw") == {
        "shop.payments": ("shop", "payments"),
        "archive.payments": ("archive", "payments"),
    }


def test_a_contract_that_cannot_be_meant_is_refused():
    with pytest.raises(ContractError, match="declares no stream"):
        ConnectionContract("c", "shop", (), schema="raw")
    with pytest.raises(ContractError, match="a stream twice"):
        ConnectionContract("c", "shop", (StreamContract("a"), StreamContract("a")), schema="raw")
    one_asset = (StreamContract("a", asset="raw/x"), StreamContract("b", asset="raw/x"))
    with pytest.raises(ContractError, match="streams 'a' and 'b' have one asset, raw/x"):
        ConnectionContract("c", "shop", one_asset, schema="raw")
    one_table = (StreamContract("a", table="raw.x"), StreamContract("b", table="raw.x"))
    with pytest.raises(ContractError, match=r"streams 'a' and 'b' have one table, raw\.x"):
        ConnectionContract("c", "shop", one_table, schema="raw")
    with pytest.raises(ContractError, match="is compared by its primary_key"):
        StreamContract("a", full_list=FullList("raw.ids"))
    with pytest.raises(ContractError, match="deletes has no 'sof': did you mean 'soft'"):
        StreamContract("a", deletes="sof")
    with pytest.raises(ContractError, match=r"primary_key is a tuple of columns: write \('id',\)"):
        StreamContract("a", primary_key="id")
    with pytest.raises(ContractError, match="0 or more"):
        StreamContract("a", changed_records=-1)
    with pytest.raises(ContractError, match="no stream 'paymnts': did you mean 'payments'"):
        ConnectionContract("c", "shop", (DECLARED,), schema="raw").stream("paymnts")
