"""Which upstream partitions one partition of an asset reads: the adapter to Dagster's asset graph.

Taking a mapping from the graph is internal; ``tests/upstream/test_partition_mappings.py`` pins it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from dashboard_trust.contracts.model import Input, Period
from dashboard_trust.evidence.names import SLICES

Graph = AssetGraph


def map_input(
    graph: Graph,
    child: tuple[dg.AssetKey, str | None],
    parent: dg.AssetKey,
    instance: dg.DagsterInstance,
    window: int | None = None,
) -> Input:
    """Return what a partition of an asset (``child``) reads of ``parent``.

    An upstream partition that the mapping requires and that does not exist is named too: nobody can
    have materialized it, so it holds.
    """
    key, partition = child
    name = parent.to_user_string()
    above = graph.get(parent).partitions_def
    below = graph.get(key).partitions_def
    if above is None:
        return Input(name, (None,), _days(graph, key, partition, name))
    if below is None and window is not None:
        with dg.partition_loading_context(dynamic_partitions_store=instance):
            return Input(name, tuple(sorted(list(above.get_partition_keys())[-window:])))
    mapping = graph.get_partition_mapping(key, parent)
    subset = below.subset_with_partition_keys([partition]) if below is not None and partition is not None else None
    with dg.partition_loading_context(dynamic_partitions_store=instance):
        result = mapping.get_upstream_mapped_partitions_result_for_partitions(subset, below, above)
        keys = {*result.partitions_subset.get_partition_keys()}
        keys |= {*result.required_but_nonexistent_subset.get_partition_keys()}
    return Input(name, tuple(sorted(keys)))


def period_of(partitions: dg.PartitionsDefinition | None, partition: str | None) -> Period | None:
    """Return the time a partition reports on, None where it is not a partition of time."""
    if partition is None:
        return None
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        times = [
            d for d in partitions.partitions_defs if isinstance(d.partitions_def, dg.TimeWindowPartitionsDefinition)
        ]
        if len(times) != 1:
            return None
        keys = partitions.get_partition_key_from_str(partition).keys_by_dimension
        return period_of(times[0].partitions_def, keys[times[0].name])
    if not isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        return None
    window = partitions.time_window_for_partition_key(partition)
    return Period(window.start, window.end)


def _days(graph: Graph, child: dg.AssetKey, partition: str | None, parent: str) -> tuple[str, ...]:
    """Return the days of an unpartitioned upstream's rows that the child declares to be all it reads."""
    declared: Mapping[str, str] = graph.get(child).metadata.get(SLICES) or {}
    period = period_of(graph.get(child).partitions_def, partition)
    if parent not in declared or period is None:
        return ()
    first, end = period.start.astimezone(dt.UTC), period.end.astimezone(dt.UTC)
    length = ((end - dt.timedelta(microseconds=1)).date() - first.date()).days + 1
    return tuple((first.date() + dt.timedelta(days=n)).isoformat() for n in range(length))
