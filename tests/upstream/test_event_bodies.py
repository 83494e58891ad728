"""What is assumed of the JSON in which Dagster stores an event."""

from __future__ import annotations

import json

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable


def bodies(instance, asset):
    columns = SqlEventLogStorageTable.c
    query = db.select(columns.event).where(columns.asset_key == json.dumps([asset]))
    query = query.where(columns.dagster_event_type == "ASSET_MATERIALIZATION").order_by(columns.id)
    with instance.event_log_storage.index_connection() as connection:
        return [json.loads(row.event) for row in connection.execute(query)]


def test_a_materialization_holds_tags_and_json_metadata(instance, run):
    @dg.asset
    def raw():
        return dg.MaterializeResult(
            metadata={
                "kept": dg.MetadataValue.json({"a": 1}),
                "dagster/last_updated_timestamp": dg.TimestampMetadataValue(5.0),
            },
            data_version=dg.DataVersion("v"),
        )

    run(dg.Definitions([raw]), "raw")
    said = bodies(instance, "raw")[0]["dagster_event"]["event_specific_data"]["materialization"]

    assert said["tags"]["dagster/data_version"] == "v"
    assert said["tags"]["dagster/data_version_is_user_provided"] == "true"
    entries = {
        entry["label"]: entry["entry_data"]["data"]
        for entry in said["metadata_entries"]
        if "data" in entry["entry_data"]
    }
    assert entries == {"kept": {"a": 1}}
    values = {e["label"]: e["entry_data"]["value"] for e in said["metadata_entries"] if "value" in e["entry_data"]}
    assert values == {"dagster/last_updated_timestamp": 5.0}


def test_a_version_that_dagster_made_up_is_not_called_the_authors(instance, run):
    @dg.asset
    def raw():
        return None

    run(dg.Definitions([raw]), "raw")
    tags = bodies(instance, "raw")[0]["dagster_event"]["event_specific_data"]["materialization"]["tags"]

    assert "dagster/data_version" in tags
    assert "dagster/data_version_is_user_provided" not in tags


def test_a_materialization_points_at_what_was_newest_when_its_step_began(instance, run):
    def reload():
        run(defs, "raw")

    @dg.asset
    def raw():
        return None

    @dg.asset(deps=["raw"])
    def mart():
        reload()

    defs = dg.Definitions([raw, mart])
    run(defs, "raw")
    before = instance.fetch_materializations(dg.AssetKey("raw"), limit=1).records[0].storage_id
    run(defs, "mart")
    tags = bodies(instance, "mart")[0]["dagster_event"]["event_specific_data"]["materialization"]["tags"]

    assert int(tags["dagster/input_event_pointer/raw"]) == before
    assert instance.fetch_materializations(dg.AssetKey("raw"), limit=1).records[0].storage_id > before


def test_in_a_range_run_every_partition_carries_one_pointer(instance, run):
    """So that the pointer of a range run proves nothing, and is not believed."""
    days = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-04")
    whole = dg.BackfillPolicy.single_run()

    @dg.asset(partitions_def=days, backfill_policy=whole)
    def raw():
        return dg.MaterializeResult()

    @dg.asset(partitions_def=days, backfill_policy=whole, deps=["raw"])
    def mart():
        return dg.MaterializeResult()

    defs = dg.Definitions([raw, mart])
    for asset in ("raw", "mart"):
        run(defs, asset, day="2024-03-01", to="2024-03-03")

    said = [body["dagster_event"]["event_specific_data"]["materialization"] for body in bodies(instance, "mart")]

    assert len(said) == 3
    assert len({one["tags"]["dagster/input_event_pointer/raw"] for one in said}) == 1


def test_a_check_result_holds_severity_description_and_metadata(instance, run):
    @dg.asset(check_specs=[dg.AssetCheckSpec("complete", asset="raw")])
    def raw():
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(
            passed=False,
            severity=dg.AssetCheckSeverity.WARN,
            description="half",
            metadata={"kept": dg.MetadataValue.json({"a": 1})},
        )

    run(dg.Definitions([raw]), "raw")
    query = db.select(AssetCheckExecutionsTable.c.evaluation_event)
    with instance.event_log_storage.index_connection() as connection:
        said = json.loads(connection.execute(query).scalar())["dagster_event"]["event_specific_data"]

    assert said["severity"] == {"__enum__": "AssetCheckSeverity.WARN"}
    assert said["description"] == "half"
    assert json.dumps({"a": 1}) in json.dumps(said)


def test_a_planned_check_names_its_step(instance):
    @dg.asset_check(asset="raw")
    def complete():
        return dg.AssetCheckResult(passed=True)

    raw = dg.asset(name="raw")(lambda: None)
    defs = dg.Definitions([raw], asset_checks=[complete])
    instance.create_run_for_job(defs.resolve_implicit_global_asset_job_def())
    query = db.select(AssetCheckExecutionsTable.c.evaluation_event)
    with instance.event_log_storage.index_connection() as connection:
        assert json.loads(connection.execute(query).scalar())["step_key"] == "raw_complete"
