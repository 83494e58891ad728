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
from dashboard_trust.readers.event_log import read_newest


@dataclass(frozen=True, slots=True)
class PartitionResult:
    """What a check says of one partition, and what is shown with it."""

    passed: bool
    reason: str = ""
    warns: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)


Results = Mapping[str | None, PartitionResult] | Mapping[str, PartitionResult]


def evaluate_partitions(
    instance: dg.DagsterInstance,
    results: Mapping[dg.AssetCheckKey, Results],
    loads: Mapping[Place, Materialization] | None = None,
) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
    """Yield one evaluation per check and partition, and the output that ends each check.

    ``loads`` are those that were looked at; by default the newest ones.
    """
    if loads is None:
        places = {(key.asset_key.to_user_string(), partition) for key, days in results.items() for partition in days}
        loads = read_newest(instance, places)
    for key, days in results.items():
        for partition, result in days.items():
            yield dg.AssetCheckEvaluation(
                asset_key=key.asset_key,
                check_name=key.name,
                partition=partition,
                passed=result.passed,
                severity=dg.AssetCheckSeverity.WARN if result.warns else dg.AssetCheckSeverity.ERROR,
                description=result.reason or None,
                blocking=not result.warns,
                target_materialization_data=_target(loads, (key.asset_key.to_user_string(), partition)),
                metadata=dict(result.metadata),
            )
        if not days:
            continue  # nothing is known of it, so that it is not at its end
        yield dg.Output(None, output_name=dg.AssetCheckSpec(key.name, asset=key.asset_key).get_python_identifier())


def _target(
    loads: Mapping[Place, Materialization], place: Place
) -> AssetCheckEvaluationTargetMaterializationData | None:
    load = loads.get(place)
    if load is None:
        return None
    return AssetCheckEvaluationTargetMaterializationData(
        storage_id=load.storage_id, run_id=load.run_id, timestamp=load.at.timestamp()
    )
