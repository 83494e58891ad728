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
            # A mapping that somebody declared says itself what is read.
            if window is not None and isinstance(mapping, dg.AllPartitionMapping):
                return tuple(sorted(_newest(above, window)))
            subset = below.subset_with_partition_keys([partition]) if below is not None and partition else None
            reached = _with_days_to_come(mapping, above)
            result = mapping.get_upstream_mapped_partitions_result_for_partitions(subset, below, reached)
            keys = {*result.partitions_subset.get_partition_keys()}
            keys |= {*result.required_but_nonexistent_subset.get_partition_keys()}
            if isinstance(above, dg.DynamicPartitionsDefinition):
                # What its runs left behind speaks for no partition that was taken away since.
                known = {*above.get_partition_keys()}
                keys = {key if key in known else f"{key} (removed)" for key in keys}
            return tuple(sorted(keys))

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
        time = _time_dimension(partitions)
        if time is None:
            return None
        name, days = time
        return period_of(days, partitions.get_partition_key_from_str(partition).keys_by_dimension[name])
    if not isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        return None
    window = partitions.time_window_for_partition_key(partition)
    return Period(window.start, window.end)


def _with_days_to_come(mapping: dg.PartitionMapping, above: dg.PartitionsDefinition) -> dg.PartitionsDefinition:
    """Return partitions that go on as far as a mapping looks ahead.

    Dagster cuts such a mapping off where the partitions end: the last day would be built without the one after it.
    Where they begin, there is no past to wait for.
    """
    if not isinstance(mapping, dg.TimeWindowPartitionMapping) or mapping.allow_nonexistent_upstream_partitions:
        return above
    if mapping.end_offset <= 0 or not isinstance(above, dg.TimeWindowPartitionsDefinition):
        return above
    return dg.TimeWindowPartitionsDefinition(
        start=above.start,
        fmt=above.fmt,
        timezone=above.timezone,
        cron_schedule=above.cron_schedule,
        end_offset=above.end_offset + mapping.end_offset,
    )


def _hashable(mapping: dg.PartitionMapping) -> object:
    """Return what a mapping is told by: itself, or its identity where it holds lists."""
    try:
        hash(mapping)
    except TypeError:
        return id(mapping)
    return mapping


def _newest(partitions: dg.PartitionsDefinition, window: int) -> list[str]:
    """Return the partitions of the newest times; every one where no single time tells them apart."""
    keys = list(partitions.get_partition_keys())
    if isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        return keys[-window:]
    time = _time_dimension(partitions) if isinstance(partitions, dg.MultiPartitionsDefinition) else None
    if time is None or not isinstance(partitions, dg.MultiPartitionsDefinition):
        return keys
    name, days = time
    newest = {*list(days.get_partition_keys())[-window:]}
    return [key for key in keys if partitions.get_partition_key_from_str(key).keys_by_dimension[name] in newest]


def _time_dimension(partitions: dg.MultiPartitionsDefinition) -> tuple[str, dg.PartitionsDefinition] | None:
    """Return the name and the partitions of the one dimension that is of time."""
    found = [(d.name, d.partitions_def) for d in partitions.partitions_defs]
    times = [one for one in found if isinstance(one[1], dg.TimeWindowPartitionsDefinition)]
    return times[0] if len(times) == 1 else None
