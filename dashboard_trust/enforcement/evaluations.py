"""Check results for each partition of a run, each bound to the load it looked at.

Dagster writes one result a run, and in a range run one without a partition. The event built here is
public; naming its target is internal, and ``tests/upstream/test_evaluations.py`` pins it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from dashboard_trust.evidence.facts import Materialization, Place
from dashboard_trust.evidence.names import REASONS
from dashboard_trust.readers.event_log import read_newest
from dashboard_trust.warehouses.fingerprints import Fingerprint

MOST_REASONS, MOST_TOLD = 500, 10


@dataclass(frozen=True, slots=True)
class PartitionResult:
    """What a check says of one partition; ``metadata`` is shown with it.

    One that does not pass and ``stops`` keeps Dagster from what else the run was to build from it.
    """

    passed: bool
    reason: str = ""
    warns: bool = False
    stops: bool = True
    metadata: Mapping[str, Any] = field(default_factory=dict)


Results = Mapping[str | None, PartitionResult] | Mapping[str, PartitionResult]


def evaluate_partitions(
    instance: dg.DagsterInstance,
    results: Mapping[dg.AssetCheckKey, Results],
    blocking: bool = True,
    loads: Mapping[Place, Materialization] | None = None,
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Yield one evaluation per check and partition, and the output that ends each check.

    ``loads`` are what they looked at; by default the newest of each.
    """
    if loads is None:
        loads = read_newest(instance, places_of(results))
    for key, days in results.items():
        for partition, result in days.items():
            yield dg.AssetCheckEvaluation(
                asset_key=key.asset_key,
                check_name=key.name,
                partition=partition,
                passed=result.passed,
                severity=dg.AssetCheckSeverity.WARN if result.warns else dg.AssetCheckSeverity.ERROR,
                description=result.reason or None,
                blocking=blocking and result.stops and not result.warns,
                target_materialization_data=_target(loads, (key.asset_key.to_user_string(), partition)),
                metadata=dict(result.metadata),
            )
        if not days:
            continue  # nothing is known of it, so that it is not at its end
        yield dg.Output(None, output_name=dg.AssetCheckSpec(key.name, asset=key.asset_key).get_python_identifier())


def evaluate_unmoved(
    context: dg.OpExecutionContext, results: Mapping[dg.AssetCheckKey, Results], before: Mapping[Place, Materialization]
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Yield the results on loads that nobody else replaced since ``before`` was read.

    Of a load that was replaced meanwhile it is not known what was looked at: it gets no result. What this run was
    not asked for, and spoke of all the same, is evaluated too; it has no output to end.
    """
    now = read_newest(context.instance, places_of(results))
    same = {place for place in places_of(results) if now.get(place) == before.get(place)}
    same |= {place for place, load in now.items() if load.run_id == context.run_id}
    seen = {
        key: {part: result for part, result in parts.items() if (key.asset_key.to_user_string(), part) in same}
        for key, parts in results.items()
    }
    for event in evaluate_partitions(context.instance, {key: parts for key, parts in seen.items() if parts}, loads=now):
        if not isinstance(event, dg.Output) or event.output_name in context.selected_output_names:
            yield event


def fail_unanswered(asset: str, reasons: Mapping[tuple[str, str], str]) -> None:
    """Fail the step of an asset's checks for what could not be looked at: that stays without a result, as errored.

    ``reasons`` are by check and part (``""``: all of either). Each travels by itself, so that every owner is told of
    their own; the first 500.
    """
    if not reasons:
        return
    told: dict[str, dict[str, str]] = {}
    for (check, part), reason in list(reasons.items())[:MOST_REASONS]:
        told.setdefault(check, {})[part] = reason
    words = [
        f"{check}{f' ({part})' if part else ''}: {reason}" if check else reason
        for (check, part), reason in list(reasons.items())[:MOST_TOLD]
    ]
    more = f"; and {len(reasons) - MOST_TOLD} more" if len(reasons) > MOST_TOLD else ""
    message = f"{asset}: {len(reasons)} checks could not run: {'; '.join(words)}{more}"
    raise dg.Failure(message, metadata={REASONS: dg.MetadataValue.json(told)})


def places_of(results: Mapping[dg.AssetCheckKey, Results]) -> set[Place]:
    """Return the places that these results are about."""
    return {(key.asset_key.to_user_string(), partition) for key, days in results.items() for partition in days}


def find_moved(
    loads: Mapping[Place, Materialization], asset: str, found: Mapping[str | None, Fingerprint | None]
) -> dict[str | None, str]:
    """Say of which partitions other rows were found than their newest load left: no check of them speaks of that load.

    Where either is not known, or another engine's, nothing can be told.
    """
    moved = {}
    for partition, now in found.items():
        load = loads.get((asset, partition))
        left = Fingerprint.parse(load.fingerprint) if load is not None and load.fingerprint else None
        if left is not None and now is not None and now.engine == left.engine and now.version != left.version:
            where = f"{partition}: " if partition else ""
            left_there = f"rows that its newest load did not leave there (it left {left.rows})"
            moved[partition] = f"{where}the table holds {now.rows} {left_there}: load it again"
    return moved


def _target(
    loads: Mapping[Place, Materialization], place: Place
) -> AssetCheckEvaluationTargetMaterializationData | None:
    load = loads.get(place)
    if load is None:
        return None
    return AssetCheckEvaluationTargetMaterializationData(
        storage_id=load.storage_id, run_id=load.run_id, timestamp=load.at.timestamp()
    )
