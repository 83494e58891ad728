import dagster as dg

from dashboard_trust.enforcement.evaluations import PartitionResult, evaluate_partitions

DAYS = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-04")


def test_results_of_a_range_are_kept_by_partition_and_bound_to_what_they_looked_at(instance):
    spec = dg.AssetCheckSpec("sound", asset="mart", partitions_def=DAYS)

    @dg.multi_asset(
        specs=[dg.AssetSpec("mart", partitions_def=DAYS)],
        check_specs=[spec],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def mart(context):
        yield dg.MaterializeResult(asset_key="mart")
        found = {day: PartitionResult(day != "2024-03-02", "odd") for day in context.partition_keys}
        yield from evaluate_partitions(context.instance, {spec.key: found}, blocking=False)

    job = dg.Definitions(assets=[mart]).resolve_implicit_global_asset_job_def()
    tags = {"dagster/asset_partition_range_start": "2024-03-01", "dagster/asset_partition_range_end": "2024-03-02"}

    result = job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)

    assert result.success
    loads = {
        event.partition: instance.fetch_materializations(
            dg.AssetRecordsFilter(dg.AssetKey("mart"), asset_partitions=[event.partition]), limit=1
        )
        .records[0]
        .storage_id
        for event in result.asset_materializations_for_node("mart")
    }
    told = {
        evaluation.partition: (evaluation.passed, evaluation.target_materialization_data.storage_id)
        for evaluation in result.get_asset_check_evaluations()
    }
    assert told == {"2024-03-01": (True, loads["2024-03-01"]), "2024-03-02": (False, loads["2024-03-02"])}
