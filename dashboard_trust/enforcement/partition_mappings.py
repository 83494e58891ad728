"""Which upstream partitions one partition of an asset reads: the adapter to Dagster's asset graph.

Taking a mapping from the graph is internal; ``tests/upstream/test_partition_mappings.py`` pins it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

from dashboard_trust.contracts.model import Input, Period
from dashboard_trust.evidence.names import SLICES

Graph = AssetGraph


@dataclass(frozen=True)
class Mappings:
    """What the partitions of a graph's assets read of each other, at one instant.

    Assets share partitions and mappings: each is followed once for a partition, however many share it.
    ``instance`` is asked only for dynamic partitions.
    """

    graph: Graph
    instance: dg.DagsterInstance
    _followed: dict[tuple[object, ...], tuple[dg.PartitionMapping, tuple[str, ...]]] = field(default_factory=dict)
    _periods: dict[tuple[int, str | None], Period | None] = field(default_factory=dict)

    def map_input(self, child: tuple[dg.AssetKey, str | None], parent: dg.AssetKey, window: int | None = None) -> Input:
        """Return what a partition of an asset (``child``) reads of ``parent``.

        An upstream partition that the mapping requires and that does not exist is named too: nobody can
        have materialized it, so it holds. ``window`` narrows all of a partitioned parent to its newest.
        """
        key, partition = child
        name = parent.to_user_string()
        above = self.graph.get(parent).partitions_def
        below = self.graph.get(key).partitions_def
        if above is None:
            return Input(name, (None,), self._days(key, partition, name))
        mapping = self.graph.get_partition_mapping(key, parent)
        window = window if below is None else None
        # The graph keeps its partitions, so their ids stay theirs; hashing them would cost more than mapping.
        asked = (_hashable(mapping), id(below), id(above), partition, window)
        if asked not in self._followed:
            self._followed[asked] = (mapping, self._follow(mapping, below, above, partition, window))
        return Input(name, self._followed[asked][1])

    def period(self, key: dg.AssetKey, partition: str | None) -> Period | None:
        """Return the time a partition of an asset reports on, None where it is not a partition of time."""
        partitions = self.graph.get(key).partitions_def
        asked = (id(partitions), partition)
        if asked not in self._periods:
            self._periods[asked] = period_of(partitions, partition)
        return self._periods[asked]

    def _follow(
        self,
        mapping: dg.PartitionMapping,
        below: dg.PartitionsDefinition | None,
        above: dg.PartitionsDefinition,
        partition: str | None,
        window: int | None,
    ) -> tuple[str, ...]:
        with dg.partition_loading_context(dynamic_partitions_store=self.instance):
            if window is not None:
                return tuple(sorted(list(above.get_partition_keys())[-window:]))
            subset = below.subset_with_partition_keys([partition]) if below is not None and partition else None
            result = mapping.get_upstream_mapped_partitions_result_for_partitions(subset, below, above)
            keys = {*result.partitions_subset.get_partition_keys()}
            return tuple(sorted(keys | {*result.required_but_nonexistent_subset.get_partition_keys()}))

    def _days(self, child: dg.AssetKey, partition: str | None, parent: str) -> tuple[str, ...]:
        """Return the days of an unpartitioned upstream's rows that the child declares to be all it reads."""
        declared: Mapping[str, str] = self.graph.get(child).metadata.get(SLICES) or {}
        period = self.period(child, partition) if parent in declared else None
        if period is None:
            return ()
        first, end = period.start.astimezone(dt.UTC), period.end.astimezone(dt.UTC)
        length = ((end - dt.timedelta(microseconds=1)).date() - first.date()).days + 1
        return tuple((first.date() + dt.timedelta(days=n)).isoformat() for n in range(length))


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


def _hashable(mapping: dg.PartitionMapping) -> object:
    """Return what a mapping is told by: itself, or its identity where it holds lists."""
    try:
        hash(mapping)
    except TypeError:
        return id(mapping)
    return mapping
