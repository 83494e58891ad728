"""What is assumed of taking a partition mapping from the asset graph."""

from __future__ import annotations

import dagster as dg

DAYS = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-20")
WEEKS = dg.WeeklyPartitionsDefinition("2024-03-03", end_date="2024-03-20")


def test_the_graph_gives_the_mapping_and_the_mapping_gives_the_partitions(instance):
    later = dg.DailyPartitionsDefinition("2024-03-05", end_date="2024-03-20")
    graph = dg.Definitions(
        [dg.AssetSpec("days", partitions_def=later), dg.AssetSpec("weeks", deps=["days"], partitions_def=WEEKS)]
    ).resolve_asset_graph()
    mapping = graph.get_partition_mapping(dg.AssetKey("weeks"), dg.AssetKey("days"))
    subset = WEEKS.subset_with_partition_keys(["2024-03-03"])

    with dg.partition_loading_context(dynamic_partitions_store=instance):
        result = mapping.get_upstream_mapped_partitions_result_for_partitions(subset, WEEKS, later)

    found = {*result.partitions_subset.get_partition_keys()}
    nonexistent = {*result.required_but_nonexistent_subset.get_partition_keys()}
    assert found == {f"2024-03-0{n}" for n in range(5, 10)}
    assert found | nonexistent >= {"2024-03-05", "2024-03-09"}


def test_an_asset_nobody_defines_is_marked_as_made_up():
    graph = dg.Definitions([dg.AssetSpec("known", deps=["unknown"])]).resolve_asset_graph()

    assert "dagster/auto_created_stub_asset" in graph.get(dg.AssetKey("unknown")).metadata
    assert "dagster/auto_created_stub_asset" not in graph.get(dg.AssetKey("known")).metadata


def test_an_asset_that_reads_its_own_past_is_its_own_parent():
    past = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
    spec = dg.AssetSpec("totals", partitions_def=DAYS, deps=[dg.AssetDep("totals", partition_mapping=past)])

    assert dg.Definitions([spec]).resolve_asset_graph().get(dg.AssetKey("totals")).parent_keys == {
        dg.AssetKey("totals")
    }
