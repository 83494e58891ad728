"""Partitions that nobody would look at any more, had not a load changed late what they were delivered from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence

import dagster as dg

from dashboard_trust.contracts.model import Promise
from dashboard_trust.enforcement.binding import Binding
from dashboard_trust.enforcement.partition_mappings import period_of
from dashboard_trust.readers.event_log import read_newest
from dashboard_trust.warehouses.days import start_of

LOOKED_FOR = dt.timedelta(days=7)
"""How long after a day changed the partitions that stand on it are looked at again."""

READ_BACK = dt.timedelta(days=31)
"""How many days after a day a partition may lie that still reads it."""

MOST = 50


def read_late_partitions(
    binding: Binding, instance: dg.DagsterInstance, newest: Collection[str | None], now: dt.datetime, turn: int = 0
) -> list[str]:
    """Return partitions that were delivered and stand on a day that a load changed late, oldest first.

    Those of ``newest`` are left out; of many others it is 50 at each ``turn``, since one that is held stays among
    them. Where no day changed, that is one query.
    """
    changed = _read_changed_days(binding, instance, now)
    older = [key for key in _keys(binding.partitions, instance) if key not in newest] if changed else []
    days = {day for found in changed.values() for day in found}
    near = [key for key in older if _may_read(binding.partitions, key, days)]
    promises = binding.promises(near, instance) if near else {}
    reading = [key for key in near if _reads(promises[key], changed)]
    names = [key.to_user_string() for key in binding.guarded]
    loads = read_newest(instance, {(name, key) for name in names for key in reading})
    delivered = {key for _, key in loads}
    order = [key for key in reading if key in delivered]
    start = turn * MOST % len(order) if order else 0
    chosen = {*[*order[start:], *order[:start]][:MOST]}
    return [key for key in order if key in chosen]


def _reads(promise: Promise, changed: Mapping[str, frozenset[str]]) -> bool:
    asked = (*promise.dashboard_inputs, *(one for r in promise.requirements for one in r.inputs))
    return any(changed.get(one.asset, frozenset()) & {*one.days} for one in asked)


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


def _may_read(partitions: dg.PartitionsDefinition | None, key: str, days: Collection[str]) -> bool:
    period = period_of(partitions, key)
    if period is None:
        return False
    starts = [start for day in days if (start := start_of(day)) is not None]
    return any(period.end > start and period.start < start + dt.timedelta(days=1) + READ_BACK for start in starts)
