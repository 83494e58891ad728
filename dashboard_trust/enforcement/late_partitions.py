"""Partitions that nobody would look at any more, had not a load changed late what they were delivered from."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Iterable, Mapping, Sequence

import dagster as dg

from dashboard_trust.contracts.model import Period, Promise
from dashboard_trust.enforcement.binding import Binding
from dashboard_trust.enforcement.partition_mappings import period_of
from dashboard_trust.evidence.facts import Materialization, Place
from dashboard_trust.readers.changes import read_loads_since
from dashboard_trust.readers.event_log import read_newest
from dashboard_trust.warehouses.days import start_of

LOOKED_FOR = dt.timedelta(days=7)
"""How long after a day changed the partitions that stand on it are looked at again."""

READ_BACK = dt.timedelta(days=31)
"""How many days after a day a partition may lie that still reads it."""

MOST = 50
MOST_LOOKED_AT = 1000
"""How many partitions a turn chooses from, and how many it chooses at most."""


def read_late_partitions(
    binding: Binding, instance: dg.DagsterInstance, newest: Collection[str | None], now: dt.datetime, turn: int = 0
) -> list[str]:
    """Return partitions that were delivered from what a load changed since, oldest first.

    A day of a table that has days, or a partition that was made anew. Those of ``newest`` are left out; of many others
    it is 50 at each ``turn``, since one that is held stays among them. Where nothing changed, that is two queries.
    """
    changed, reloads = _read_changed_days(binding, instance, now), _read_reloads(binding, instance, now)
    spans = _newest_by_span(binding, changed, reloads)
    older = [key for key in _keys(binding.partitions, instance) if key not in newest] if spans else []
    near = {key: found for key in older if (found := _last_read(binding.partitions, key, spans)) is not None}
    delivered = _read_delivered(binding, instance, near)
    due = [key for key, load in delivered.items() if load.storage_id < near[key]]
    start = turn * MOST % len(due) if due else 0
    looked_at = [*due[start:], *due[:start]][:MOST_LOOKED_AT]
    promises = binding.promises(looked_at, instance) if looked_at else {}
    reading = {*[key for key in looked_at if _reads(promises[key], changed, reloads, delivered[key])][:MOST]}
    return [key for key in due if key in reading]


def _read_delivered(binding: Binding, instance: dg.DagsterInstance, keys: Iterable[str]) -> dict[str, Materialization]:
    """Return of each of these partitions what was delivered; of a step with several assets, the one made first."""
    names = [key.to_user_string() for key in binding.guarded]
    loads = read_newest(instance, {(name, key) for name in names for key in keys})
    found = {key: [load for name in names if (load := loads.get((name, key)))] for key in keys}
    return {key: min(several, key=lambda load: load.storage_id) for key, several in found.items() if several}


def _reads(
    promise: Promise,
    changed: Mapping[str, frozenset[str]],
    reloads: Mapping[Place, int],
    delivered: Materialization,
) -> bool:
    """Whether a partition stands on a day that changed, or on a partition made anew since it was delivered."""
    asked = (*promise.dashboard_inputs, *(one for r in promise.requirements for one in r.inputs))
    places = ((one.asset, partition) for one in asked for partition in one.partitions)
    return any(changed.get(one.asset, frozenset()) & {*one.days} for one in asked) or any(
        reloads.get(place, 0) > delivered.storage_id for place in places
    )


def _read_reloads(binding: Binding, instance: dg.DagsterInstance, now: dt.datetime) -> dict[Place, int]:
    """Return the partitions upstream that were made lately, each with the storage id of that."""
    parted = {key.to_user_string() for key in binding.upstream if binding.graph.get(key).partitions_def is not None}
    return read_loads_since(instance, parted, now - LOOKED_FOR)


def _newest_by_span(
    binding: Binding, changed: Mapping[str, frozenset[str]], reloads: Mapping[Place, int]
) -> dict[Period | None, float]:
    """Return the stretches of time that changed (None: any), each with the newest storage id of what changed it.

    That of a day is not known, and newer than any.
    """
    days = {day for found in changed.values() for day in found}
    spans: dict[Period | None, float] = {span: math.inf for day in days if (span := _span(day)) is not None}
    for (asset, partition), id_ in reloads.items():
        node = binding.graph.get(dg.AssetKey.from_user_string(asset))
        span = period_of(node.partitions_def, partition)
        spans[span] = max(spans.get(span, 0), id_)
    return spans


def _read_changed_days(binding: Binding, instance: dg.DagsterInstance, now: dt.datetime) -> dict[str, frozenset[str]]:
    """Return the days that changed of each table without partitions upstream, if any did."""
    tables = [key.to_user_string() for key in binding.upstream if binding.graph.get(key).partitions_def is None]
    loads = read_newest(instance, {(table, None) for table in tables})
    changed = {
        asset: frozenset(day for day, at in load.changed.items() if day and now - at < LOOKED_FOR)
        for (asset, _), load in loads.items()
    }
    return {asset: days for asset, days in changed.items() if days}


def _keys(partitions: dg.PartitionsDefinition | None, instance: dg.DagsterInstance) -> Sequence[str]:
    if partitions is None:
        return []
    with dg.partition_loading_context(dynamic_partitions_store=instance):
        return list(partitions.get_partition_keys())


def _last_read(
    partitions: dg.PartitionsDefinition | None, key: str, spans: Mapping[Period | None, float]
) -> float | None:
    """Return the newest change of what a partition may read; what has no time may read and be read by all."""
    period = period_of(partitions, key)
    read = (id_ for span, id_ in spans.items() if period is None or span is None or _may_read(period, span))
    return max(read, default=None)


def _may_read(period: Period, span: Period) -> bool:
    return period.end > span.start and period.start - READ_BACK < span.end


def _span(day: str) -> Period | None:
    start = start_of(day)
    if start is None or start.date() == dt.date.max:  # of no day, or of one without an end
        return None
    return Period(start, start + dt.timedelta(days=1))
