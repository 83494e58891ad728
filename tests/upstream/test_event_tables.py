"""What is assumed of the tables in which Dagster keeps its event log."""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path

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


@pytest.fixture(scope="module")
def postgres():
    """Where a PostgreSQL server of its own answers."""
    with warnings.catch_warnings(action="ignore"):  # says on import where it would keep its files
        import pgserver

    # Not in pytest's own folder: another session closes that to the user the server runs as.
    with tempfile.TemporaryDirectory() as folder:
        server = pgserver.get_server(Path(folder, "data"), cleanup_mode="delete")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg2://")
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgres"])
def either(request, tmp_path):
    """An instance on SQLite, or on Postgres."""
    storage = {"sqlite": {"base_dir": str(tmp_path / "history")}}
    if request.param == "postgres":
        storage = {"postgres": {"postgres_url": request.getfixturevalue("postgres")}}
    (tmp_path / "dagster.yaml").write_text(json.dumps({"storage": storage, "telemetry": {"enabled": False}}))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        instance.wipe()
        yield instance


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


def test_what_statements_look_up_is_indexed(either):
    with either.event_log_storage.index_connection() as connection:
        tables = ("event_logs", "asset_check_executions", "asset_keys")
        found = [db.inspect(connection).get_indexes(table) for table in tables]
    indexes = {tuple(index["column_names"]) for several in found for index in several}

    assert {
        ("asset_key", "dagster_event_type", "partition", "id"),
        ("asset_key", "dagster_event_type", "id"),
        ("run_id", "id"),
        ("asset_key", "check_name", "materialization_event_storage_id", "partition"),
        ("asset_key", "check_name", "run_id", "partition"),
    } <= indexes


def test_which_events_name_their_asset_and_their_partition(either, run):
    """Events of checks name neither: what happened to a check is told by their bodies, or by the executions."""
    run(DEFS, "table", day="a", instance=either)
    either.report_runless_asset_event(dg.AssetObservation("table", partition="a"))
    columns = SqlEventLogStorageTable.c

    found = rows(either, db.select(columns.dagster_event_type, columns.asset_key, columns.partition).distinct())

    named = {row[0]: (row[1], row[2]) for row in found if row[0] and row[0].startswith(("ASSET", "PIPELINE"))}
    assert named == {
        **dict.fromkeys(["ASSET_MATERIALIZATION_PLANNED", "ASSET_MATERIALIZATION"], ('["table"]', "a")),
        "ASSET_OBSERVATION": ('["table"]', "a"),
        **dict.fromkeys(["ASSET_CHECK_EVALUATION_PLANNED", "ASSET_CHECK_EVALUATION"], (None, None)),
        **dict.fromkeys(["PIPELINE_START", "PIPELINE_FAILURE"], (None, None)),
    }


def test_a_check_that_is_planned_names_no_load_and_keeps_its_row_when_it_answers(either, run):
    seen = []
    columns = AssetCheckExecutionsTable.c
    query = db.select(columns.id, columns.execution_status, columns.materialization_event_storage_id)

    @dg.asset
    def raw():
        return None

    @dg.asset_check(asset="raw")
    def complete():
        seen.extend(rows(either, query))
        return dg.AssetCheckResult(passed=True)

    run(dg.Definitions([raw], asset_checks=[complete]), "raw", instance=either)
    answered = rows(either, query)

    assert [tuple(row)[1:] for row in seen] == [("PLANNED", None)]
    assert [(row[0], row[1]) for row in answered] == [(seen[0][0], "SUCCEEDED")]
    assert answered[0][2] is not None


@pytest.mark.parametrize("how", ["ended", "canceled"])
def test_the_end_of_a_run_stands_in_the_tables_before_the_run_says_so(either, run, monkeypatch, how):
    ends = ("PIPELINE_SUCCESS", "PIPELINE_FAILURE", "PIPELINE_CANCELED")
    columns = SqlEventLogStorageTable.c
    ended = db.select(columns.run_id).where(columns.dagster_event_type.in_(ends))
    seen, handle = [], either.run_storage.handle_run_event

    def handle_run_event(run_id, event, *args, **kwargs):
        if event.event_type_value in ends:
            seen.append([row[0] for row in rows(either, ended)])
        handle(run_id, event, *args, **kwargs)

    monkeypatch.setattr(either.run_storage, "handle_run_event", handle_run_event)
    if how == "ended":
        run_id = run(DEFS, "table", day="a", instance=either).run_id
    else:
        waiting = either.create_run_for_job(DEFS.resolve_implicit_global_asset_job_def())
        either.report_run_canceled(waiting)
        run_id = waiting.run_id

    assert seen == [[run_id]]


def test_a_wipe_takes_the_executions_of_checks_and_on_sqlite_the_events(either, run):
    run(DEFS, "table", day="a", instance=either)
    either.wipe_assets([dg.AssetKey("table")])
    columns = SqlEventLogStorageTable.c

    kinds = {
        row[0] for row in rows(either, db.select(columns.dagster_event_type).where(columns.asset_key.is_not(None)))
    }

    on_sqlite = either.event_log_storage.is_run_sharded
    assert kinds == (set() if on_sqlite else {"ASSET_MATERIALIZATION_PLANNED", "ASSET_MATERIALIZATION", "ASSET_WIPED"})
    assert rows(either, db.select(AssetCheckExecutionsTable.c.id)) == []
    assert rows(either, db.select(AssetKeyTable.c.wipe_timestamp))[0][0] is not None


def test_dagster_can_be_told_to_plan_a_range_without_naming_its_partitions(either, monkeypatch):
    """Then the plan has no partition: a load of such a run counts as one of a range (`in_range`)."""
    monkeypatch.setenv("DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS", "1")
    days = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-04")

    @dg.asset(partitions_def=days, backfill_policy=dg.BackfillPolicy.single_run())
    def mart():
        return dg.MaterializeResult()

    tags = {"dagster/asset_partition_range_start": "2024-03-01", "dagster/asset_partition_range_end": "2024-03-02"}
    job = dg.Definitions([mart]).resolve_implicit_global_asset_job_def()
    job.execute_in_process(instance=either, tags=tags)
    columns = SqlEventLogStorageTable.c
    query = db.select(columns.dagster_event_type, columns.partition).where(columns.asset_key != "")

    assert {tuple(row) for row in rows(either, query)} == {
        ("ASSET_MATERIALIZATION_PLANNED", None),
        ("ASSET_MATERIALIZATION", "2024-03-01"),
        ("ASSET_MATERIALIZATION", "2024-03-02"),
    }
