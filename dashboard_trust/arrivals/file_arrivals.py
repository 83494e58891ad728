"""The sensor that asks for a run of each version of files that arrived."""

# No postponed annotations here: Dagster reads the one of `context` as an object.

import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from dashboard_trust.arrivals.asked import tag_of
from dashboard_trust.arrivals.declaration import FileSource
from dashboard_trust.arrivals.look import Arrival, Look, describe, look_for_arrivals
from dashboard_trust.arrivals.memory import Memory
from dashboard_trust.arrivals.partitions import Partitioning
from dashboard_trust.enforcement.automation import request_run, stretches
from dashboard_trust.evidence.names import UNEXPECTED

MOST_SHOWN = 100


def file_arrival_sensor(
    asset: dg.AssetsDefinition,
    source: FileSource,
    *,
    name: str | None = None,
    together: int = 1,
    **sensor_options: Any,
) -> dg.SensorDefinition:
    """Build the sensor that launches the partition of each file that arrived or was corrected.

    One run a version of a partition's files: what was loaded is known from the materializations, so that a lost cursor
    loads nothing twice, and a file whose run was killed is asked for again. Files that are of no partition become an
    observation of the asset.

    Args:
        asset: As `arriving_files` returned it.
        source: The files, as given to it.
        name: The sensor's name; by default the asset's, with ``_arrivals``.
        together: How many partitions of time that follow one another one run may load, where starting runs costs more
            than loading files. If that fails, each is asked for alone.
        sensor_options: Anything else ``dg.sensor`` takes.
    """
    spec = next(iter(asset.specs))
    partitioning = Partitioning.tell(source.pattern, spec.partitions_def)

    @dg.sensor(
        name=name or f"{spec.key.to_python_identifier()}_arrivals",
        target=dg.AssetSelection.assets(spec.key),
        **{"description": f"Launches the partitions whose files {source.pattern.text} arrived.", **sensor_options},
    )
    def arrivals(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        now = dt.datetime.now(dt.UTC)
        memory = Memory.parse(context.cursor, _identity(source, partitioning), now)
        try:
            look = look_for_arrivals(source, partitioning, spec.key, context.instance, memory, now)
        except FileNotFoundError:
            return dg.SkipReason(f"{source.open_store()} has nothing yet where {source.pattern.text} is to arrive.")
        return dg.SensorResult(
            run_requests=[_request(spec.key, each) for each in _runs(look.due, partitioning, together)],
            skip_reason=None if look.due else f"Nothing new: {'; '.join(describe(look))}.",
            cursor=look.memory.dump(),
            dynamic_partitions_requests=list(_new_keys(look, context.instance)),
            asset_events=list(_observe(spec.key, look)),
        )

    return arrivals


def _runs(due: Sequence[Arrival], partitioning: Partitioning, together: int) -> Iterator[Sequence[Arrival]]:
    """Yield what each run is to load."""
    partitions = partitioning.partitions
    first = {each.key.text: each for each in due if not each.attempt}
    if together < 2 or not isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        first = {}
    for stretch in stretches(partitions.get_partition_keys(), first) if first and partitions is not None else ():
        for n in range(0, len(stretch), together):
            yield [first[key] for key in stretch[n : n + together]]
    yield from ([each] for each in due if each.key.text not in first)


def _request(asset: dg.AssetKey, arrivals: Sequence[Arrival]) -> dg.RunRequest:
    # Without a run key: Dagster would never again launch the content that was loaded before the last correction.
    request = request_run(asset, [each.key.text for each in arrivals])
    tags = tag_of({each.key.text: each.version for each in arrivals})
    return request._replace(tags={**request.tags, **tags})


def _new_keys(look: Look, instance: dg.DagsterInstance) -> Iterator[dg.AddDynamicPartitionsRequest]:
    wanted: dict[str, set[str]] = {}
    for arrival in look.due:
        for name, key in arrival.key.dynamic.items():
            wanted.setdefault(name, set()).add(key)
    for name, keys in wanted.items():
        new = sorted(keys - set(instance.get_dynamic_partitions(name)))
        if new:
            yield dg.AddDynamicPartitionsRequest(name, new)


def _observe(key: dg.AssetKey, look: Look) -> Iterator[dg.AssetObservation]:
    if not look.unexpected:
        return
    shown = dict(sorted(look.unexpected.items())[:MOST_SHOWN])
    path, why = next(iter(shown.items()))
    more = f", and {len(look.unexpected) - 1} more" if len(look.unexpected) > 1 else ""
    yield dg.AssetObservation(
        key,
        description=f"Unexpected: {path} {why}{more}. Rename it, or move it away.",
        metadata={UNEXPECTED: dg.MetadataValue.json(shown), "number": len(look.unexpected)},
    )


def _identity(source: FileSource, partitioning: Partitioning) -> str:
    """Return what a memory is of: with another pattern, or other partitions, every name means something else."""
    # New keys of dynamic partitions change the meaning of no name.
    told = [
        one.get_serializable_unique_identifier()
        for *_, one in partitioning.dimensions
        if not isinstance(one, dg.DynamicPartitionsDefinition)
    ]
    said = "\n".join([str(source.open_store()), source.pattern.text, str(source.complete), *told])
    return hashlib.sha256(said.encode()).hexdigest()[:16]
