"""What a dashboard shows now: its newest partition that was ever published, and since when."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

import dagster as dg

from dashboard_trust.evidence.names import SINCE
from dashboard_trust.readers.event_log import read_newest


@dataclass(frozen=True, slots=True)
class Serving:
    """The partition people see (None: the dashboard has no partitions), and since when (aware, UTC)."""

    partition: str | None
    since: dt.datetime


def read_serving(
    instance: dg.DagsterInstance, asset_key: dg.AssetKey, partitions: dg.PartitionsDefinition | None
) -> Serving | None:
    """Return what the dashboard shows, None where nothing was ever published.

    Two storage queries, whatever the number of partitions. Without ``partitions`` the newest is the
    greatest key, which is right for days and months.
    """
    stored = instance.get_materialized_partitions(asset_key)
    partition = _newest(stored, partitions, instance)
    if partition is None and partitions is not None:
        return None
    asked = dg.AssetRecordsFilter(asset_key, asset_partitions=None if partition is None else [partition])
    records = instance.fetch_materializations(asked, limit=1).records
    if not records:
        return None
    record = records[0]
    said = record.asset_materialization.metadata.get(SINCE) if record.asset_materialization else None
    published = _moment(said.value) if said is not None else None
    return Serving(partition, published or dt.datetime.fromtimestamp(record.timestamp, dt.UTC))


def read_corrections(
    instance: dg.DagsterInstance, asset_key: dg.AssetKey, partitions: Iterable[str | None]
) -> dict[str | None, str]:
    """Return when and why these partitions were published anew after they had been shown; of others, nothing."""
    name = asset_key.to_user_string()
    loads = read_newest(instance, {(name, partition) for partition in partitions})
    return {partition: load.corrected for (_, partition), load in loads.items() if load.corrected}


def _newest(stored: set[str], partitions: dg.PartitionsDefinition | None, instance: dg.DagsterInstance) -> str | None:
    if partitions is None:
        return max(stored, default=None)
    with dg.partition_loading_context(dynamic_partitions_store=instance):
        keys = partitions.get_partition_keys()
    return next((key for key in reversed(keys) if key in stored), None)


def _moment(value: object) -> dt.datetime | None:
    """Return a moment written as text or as seconds; one without a zone is UTC."""
    if isinstance(value, int | float):
        return dt.datetime.fromtimestamp(value, dt.UTC)
    try:
        moment = dt.datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
