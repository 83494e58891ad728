"""What asks for runs: it decides when to ask, never whether; the gate in the step decides that."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import dagster as dg
from dagster._core.asset_graph_view.asset_graph_view import AssetGraphView
from dagster._core.definitions.assets.graph.asset_graph import AssetNode

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.gate import Gate, Standing
from dashboard_trust.enforcement.gated_step import gate_of
from dashboard_trust.enforcement.partition_mappings import period_of
from dashboard_trust.enforcement.watch import Look, Watch, look, newest_partitions
from dashboard_trust.verdicts.corrections import find_corrected
from dashboard_trust.verdicts.verdict import Readiness, Verdict

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
Evaluated = Callable[[dg.DagsterInstance, Sequence[Verdict]], None]
"""Told the verdicts of what was judged, oldest partition first, whether or not a run follows."""


class InputsReady(dg.AutomationCondition[dg.AssetKey]):
    """True once for each version of its inputs on which a guarded step may be run and needs to be.

    Its cursor holds the version last asked for by partition (`Watch`), so that a run that fails is not
    asked for again until something changes.
    """

    @property
    def name(self) -> str:
        """The name the UI shows."""
        return "inputs_ready"

    async def evaluate(  # type: ignore[override]  # Dagster awaits it where it is a coroutine
        self, context: dg.AutomationContext[dg.AssetKey]
    ) -> dg.AutomationResult[dg.AssetKey]:
        """Judge the newest partitions; those that are due and not asked for yet are true."""
        view = context.asset_graph_view
        node = view.asset_graph.get(context.key)
        # Only the code location's own process has the definition, and with it the gate.
        gate = gate_of(node.assets_def) if isinstance(node, AssetNode) else None
        if gate is None:
            return dg.AutomationResult(context, context.get_empty_subset())
        seen = _look(gate, view, Watch.parse(context.cursor))
        due = {p: s.verdict.version for p, s in seen.standings.items() if needs_run(s) and not is_proposed(gate, s)}
        busy = await _in_progress(gate, view) if due else set()
        new, watch = seen.ask(due, busy)
        if node.partitions_def is None:
            subset = view.get_full_subset(key=context.key) if new else context.get_empty_subset()
        else:
            subset = view.get_subset_from_partition_keys(context.key, node.partitions_def, {str(p) for p in new})
        true = context.candidate_subset.compute_intersection(subset)
        return dg.AutomationResult(context, true, cursor=watch.dump())


def inputs_ready() -> dg.AutomationCondition[dg.AssetKey]:
    """Return the condition that asks once for each version of the inputs of a guarded asset."""
    return InputsReady()


_looks: WeakKeyDictionary[AssetGraphView, dict[tuple[object, ...], Look]] = WeakKeyDictionary()


def _look(gate: Gate, view: AssetGraphView, watch: Watch) -> Look:
    """Look once a tick, so that all assets of one step are asked for together."""
    known = _looks.setdefault(view, {})
    asked = (gate, watch.seen, watch.again_at, watch.newest, watch.unsettled, watch.turn)
    if asked not in known:
        known[asked] = look(gate, view.instance, watch, view.effective_dt)
    found = known[asked]
    return replace(found, watch=replace(found.watch, asked=watch.asked))


async def _in_progress(gate: Gate, view: AssetGraphView) -> set[str]:
    """Return the partitions of which a run or a backfill is building any asset of the step."""
    found: set[str] = set()
    for key in sorted(gate.binding.guarded) if gate.binding else ():
        whole = view.get_full_subset(key=key)
        for compute in (view.compute_run_in_progress_subset, view.compute_backfill_in_progress_subset):
            subset = await compute(key=key, from_subset=whole)
            found |= {str(item.partition_key) for item in subset.expensively_compute_asset_partitions()}
    return found


def needs_run(standing: Standing) -> bool:
    """Whether a run would be let through and would deliver something new."""
    return not standing.stops and not standing.is_current


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
        evaluated: Told the verdicts of what was judged (to write a page, to send a message), also where
            nothing runs: at least every ten minutes, and always with the newest partition.
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
        seen = look(gate, context.instance, Watch.parse(context.cursor), now)
        standings = seen.standings
        if evaluated is not None and standings:
            evaluated(context.instance, [standing.verdict for standing in standings.values()])
        new, watch = seen.ask({p: _ask(s) for p, s in standings.items() if _is_due(gate, s)})
        order = newest_partitions(gate, context.instance, count=None)
        requests = [request_run(dashboard.key, stretch) for stretch in stretches(order, new)]
        reason = None if requests else _summary(gate, standings)
        return dg.SensorResult(requests, skip_reason=reason, cursor=watch.dump())

    return sensor


def _is_due(gate: Gate, standing: Standing) -> bool:
    return needs_run(standing) and is_time(gate.contract, standing.verdict) and not is_proposed(gate, standing)


def is_proposed(gate: Gate, standing: Standing) -> bool:
    """Whether a run would correct what was delivered after its end, and the contract leaves that to a person."""
    if gate.contract.late_inputs != "propose" or gate.binding is None or not needs_run(standing):
        return False
    period = period_of(gate.binding.partitions, standing.verdict.partition)
    shown = [load for load in standing.delivered if load is not None]
    corrected = any(find_corrected(load, standing.verdict) for load in shown)
    return period is not None and corrected and all(load.at >= period.end for load in shown)


def is_time(contract: DashboardContract, verdict: Verdict) -> bool:
    """Whether a verdict that stops nothing is reason to launch: PARTIAL only once it is promised."""
    if verdict.readiness is not Readiness.PARTIAL:
        return True
    return verdict.deadline is None or verdict.as_of >= verdict.deadline


def _ask(standing: Standing) -> str:
    return f"{standing.verdict.readiness}:{standing.verdict.version}"


def stretches(order: Sequence[str | None], wanted: Collection[str | None]) -> Iterator[list[str | None]]:
    """Cut the wanted partitions into stretches without a gap in ``order``."""
    for is_wanted, stretch in itertools.groupby(order, key=lambda partition: partition in wanted):
        if is_wanted:
            yield list(stretch)


def request_run(asset: dg.AssetKey, stretch: Sequence[str | None], run_key: str | None = None) -> dg.RunRequest:
    """Ask for one run of an asset for a stretch of partitions, which it must take in a single run."""
    if len(stretch) == 1:
        return dg.RunRequest(run_key, asset_selection=[asset], partition_key=stretch[0])
    return dg.RunRequest(run_key, asset_selection=[asset], tags={RANGE_START: stretch[0], RANGE_END: stretch[-1]})


def _summary(gate: Gate, standings: Mapping[str | None, Standing]) -> str:
    if not standings:
        return "nothing happened to anything it stands on"
    proposed = [str(partition) for partition, standing in standings.items() if is_proposed(gate, standing)]
    if proposed:
        return f"to be corrected by a run of {gate.contract.key}, which is yours to launch: {', '.join(proposed)}"
    newest = list(standings.values())[-1].verdict
    causes = "; ".join(f"{finding.place}: {finding.told}" for finding in newest.causes[:2])
    return f"{newest.partition or newest.dashboard} is {newest.readiness}" + (
        f": {causes}" if causes else "; nothing new"
    )
