"""What asks for runs: it decides when to ask, never whether; the gate in the step decides that."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetNode

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.gate import Gate, Standing
from dashboard_trust.enforcement.gated_step import gate_of
from dashboard_trust.verdicts.verdict import Readiness, Verdict

LOOKBACK = 14
Evaluated = Callable[[dg.DagsterInstance, Sequence[Verdict]], None]
"""Told the verdicts of every evaluation, oldest partition first, whether or not a run follows."""


class InputsReady(dg.AutomationCondition[dg.AssetKey]):
    """True for the partitions of a guarded asset whose inputs are ready and newer than what it has."""

    @property
    def name(self) -> str:
        """The name the UI shows."""
        return "inputs_ready"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Judge the newest partitions; those that may be rebuilt and need it are true."""
        view = context.asset_graph_view
        node = view.asset_graph.get(context.key)
        # Only the code location's own process has the definition, and with it the gate.
        gate = gate_of(node.assets_def) if isinstance(node, AssetNode) else None
        due: set[str | None] = set()
        if gate is not None:
            now = dt.datetime.now(dt.UTC)
            standings = gate.survey(view.instance, newest_partitions(gate, view.instance), now)
            due = {partition for partition, standing in standings.items() if needs_run(standing)}
        if node.partitions_def is None:
            subset = view.get_full_subset(key=context.key) if due else view.get_empty_subset(key=context.key)
        else:
            keys = {partition for partition in due if partition is not None}
            subset = view.get_subset_from_partition_keys(context.key, node.partitions_def, keys)
        return dg.AutomationResult(context, context.candidate_subset.compute_intersection(subset))


def inputs_ready() -> dg.AutomationCondition[dg.AssetKey]:
    """Return the condition that asks once, each time the inputs of a guarded asset become ready anew."""
    return (InputsReady() & ~dg.AutomationCondition.in_progress()).newly_true()


def needs_run(standing: Standing) -> bool:
    """Whether a run would be let through and would deliver something new."""
    return not standing.verdict.holds and not standing.is_current


def newest_partitions(gate: Gate, instance: dg.DagsterInstance, count: int = LOOKBACK) -> Sequence[str | None]:
    """Return the newest partitions of a gate, oldest first; ``[None]`` where it has none to name."""
    partitions = gate.binding.partitions if gate.binding else None
    if partitions is None:
        return [None]
    with dg.partition_loading_context(dynamic_partitions_store=instance):
        return list(partitions.get_partition_keys())[-count:]


def readiness_sensor(
    dashboard: dg.AssetsDefinition,
    *,
    name: str | None = None,
    evaluated: Evaluated | None = None,
    **sensor_options: Any,
) -> dg.SensorDefinition:
    """Build the sensor that launches a dashboard once per version of its inputs.

    READY launches at once, PARTIAL when ``ready_by`` has come, and again when it is READY.

    Args:
        dashboard: As `trusted_dashboard` returned it.
        name: The sensor's name; by default the asset's, with ``_readiness``.
        evaluated: Told every verdict (to write a page, to send a message), also where nothing runs.
        sensor_options: Anything else ``dg.sensor`` takes.
    """
    gate = gate_of(dashboard)
    if gate is None:
        raise dg.DagsterInvalidDefinitionError(
            f"{dashboard.key.to_user_string()} has no gate: build it with trusted_dashboard"
        )

    @dg.sensor(
        name=name or f"{dashboard.key.to_python_identifier()}_readiness",
        target=dg.AssetSelection.assets(dashboard.key),
        **sensor_options,
    )
    def sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        now = dt.datetime.now(dt.UTC)
        standings = gate.survey(context.instance, newest_partitions(gate, context.instance), now)
        if evaluated is not None:
            evaluated(context.instance, [standing.verdict for standing in standings.values()])
        asked: Mapping[str, str] = json.loads(context.cursor or "{}")
        due = {str(p): _ask(s) for p, s in standings.items() if needs_run(s) and is_time(gate.contract, s.verdict)}
        new = {partition: word for partition, word in due.items() if asked.get(partition) != word}
        kept = {str(p): asked[str(p)] for p in standings if str(p) in asked}
        if not new:
            return dg.SkipReason(_summary(standings))
        requests = list(_requests(standings, new))
        return dg.SensorResult(run_requests=requests, cursor=json.dumps({**kept, **new}))

    return sensor


def is_time(contract: DashboardContract, verdict: Verdict) -> bool:
    """Whether a verdict that does not hold is reason to launch: PARTIAL only once it is promised."""
    if verdict.readiness is Readiness.READY:
        return True
    return verdict.deadline is None or verdict.as_of >= verdict.deadline


def _ask(standing: Standing) -> str:
    return f"{standing.verdict.readiness}:{standing.verdict.version}"


def _requests(standings: Mapping[str | None, Standing], new: Mapping[str, str]) -> Iterator[dg.RunRequest]:
    for partition in standings:
        if str(partition) in new:
            yield dg.RunRequest(run_key=f"{partition}:{new[str(partition)]}", partition_key=partition)


def _summary(standings: Mapping[str | None, Standing]) -> str:
    newest = list(standings.values())[-1].verdict
    causes = "; ".join(f"{finding.place}: {finding.reason}" for finding in newest.causes[:2])
    return f"{newest.partition or newest.dashboard} is {newest.readiness}" + (
        f": {causes}" if causes else "; nothing new"
    )
