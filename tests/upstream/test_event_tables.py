"""What is assumed of the tables in which Dagster keeps its event log."""

from __future__ import annotations

import dagster as dg
import pytest
import sqlalchemy as db
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetKeyTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage


@dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a"]))
def table():
    return None


@dg.asset_check(asset="table")
def passes():
    return dg.AssetCheckResult(passed=True)


@dg.asset_check(asset="table")
def fails():
    return dg.AssetCheckResult(passed=False)


@dg.asset_check(asset="table")
def raises():
    raise ValueError("boom")


DEFS = dg.Definitions([table], asset_checks=[passes, fails, raises])


def rows(instance, query):
    with instance.event_log_storage.index_connection() as connection:
        return connection.execute(query).fetchall()


@pytest.mark.parametrize(
    ("columns", "names"),
    [
        (
            SqlEventLogStorageTable.c,
            "id asset_key partition run_id step_key timestamp dagster_event_type event",
        ),
        (
            AssetCheckExecutionsTable.c,
            "id asset_key check_name partition run_id execution_status evaluation_event evaluation_event_timestamp "
            "evaluation_event_storage_id materialization_event_storage_id create_timestamp",
        ),
        (AssetKeyTable.c, "asset_key wipe_timestamp"),
    ],
)
def test_the_tables_have_the_columns_we_read(columns, names):
    assert set(names.split()) <= set(columns.keys())


def test_the_default_storage_is_sql_also_where_it_is_configured(tmp_path, instance):
    (tmp_path / "dagster.yaml").write_text(
        f"storage: {{sqlite: {{base_dir: {tmp_path}/kept}}}}\ntelemetry: {{enabled: false}}\n"
    )

    with dg.DagsterInstance.from_config(str(tmp_path)) as configured:
        for one in (instance, configured):
            assert isinstance(one.event_log_storage, SqlEventLogStorage)


def test_plans_and_materializations_carry_key_partition_run_and_step(run, instance):
    result = run(DEFS, "table", day="a")
    columns = SqlEventLogStorageTable.c
    kinds = ("ASSET_MATERIALIZATION_PLANNED", "ASSET_MATERIALIZATION")
    query = db.select(
        columns.dagster_event_type, columns.asset_key, columns.partition, columns.run_id, columns.step_key
    )

    found = rows(instance, query.where(columns.dagster_event_type.in_(kinds)).order_by(columns.id))

    assert [tuple(row) for row in found] == [(kind, '["table"]', "a", result.run_id, "table") for kind in kinds]


def test_a_range_plans_each_partition_by_itself(run, instance, mini):
    mini.build()
    columns = SqlEventLogStorageTable.c
    query = db.select(columns.partition).where(columns.dagster_event_type == "ASSET_MATERIALIZATION_PLANNED")

    planned = {row.partition for row in rows(instance, query.where(columns.asset_key == '["mart"]'))}

    assert planned == set(mini.rows)


def test_a_check_is_planned_failed_succeeded_and_stays_planned_where_it_raised(run, instance):
    run(DEFS, "table", day="a")
    columns = AssetCheckExecutionsTable.c
    query = db.select(columns.check_name, columns.partition, columns.execution_status)

    words = {(row.check_name, row.execution_status) for row in rows(instance, query)}

    assert {("passes", "SUCCEEDED"), ("fails", "FAILED"), ("raises", "PLANNED")} <= words


def test_a_check_row_names_the_load_it_looked_at(mini, instance):
    mini.run("raw")
    columns = AssetCheckExecutionsTable.c
    query = db.select(columns.materialization_event_storage_id).where(columns.check_name == "complete")
    loaded = instance.get_latest_materialization_event(dg.AssetKey("raw"))
    record = instance.fetch_materializations(dg.AssetKey("raw"), limit=1).records[0]

    assert rows(instance, query)[0][0] == record.storage_id
    assert loaded.run_id == record.run_id


def test_a_wipe_leaves_its_time(run, instance):
    run(DEFS, "table", day="a")
    instance.wipe_assets([dg.AssetKey("table")])

    assert not instance.get_latest_materialization_event(dg.AssetKey("table"))
    found = rows(instance, db.select(AssetKeyTable.c.wipe_timestamp))
    assert not found or found[0][0] is not None
