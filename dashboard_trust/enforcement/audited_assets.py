"""What a write's audit found, as asset checks of the asset that was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent

from dashboard_trust.checks.audit import Audit, AuditResult
from dashboard_trust.enforcement.evaluations import PartitionResult, evaluate_partitions
from dashboard_trust.enforcement.gated_step import add_checks, body_of, check_spec, keys_of
from dashboard_trust.errors import DashboardTrustError, InvalidInputError

AUDIT = "dashboard_trust/audit"
"""On an asset's definition: what every write of it must satisfy, with the fields of `Audit`."""

_found: dict[tuple[str, dg.AssetKey], Sequence[AuditResult]] = {}


def audited(assets: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """Show the audit of each write (`AUDIT`, by `TrustedIOManager`) as blocking asset checks, one for each condition.

    Raises:
        InvalidInputError: No asset of these declares an audit.
    """
    specs = [spec for asset in assets.specs for spec in _check_specs(asset)]
    if not specs:
        names = ", ".join(key.to_user_string() for key in assets.keys)
        raise InvalidInputError(f"{names} declares no audit: say what a write must satisfy as metadata {AUDIT!r}.")
    body, declared = body_of(assets), {asset.key for asset in assets.specs if AUDIT in asset.metadata}

    def compute(own_context: Any, inputs: Mapping[str, Any]) -> Iterator[Any]:
        context, made = dg.AssetExecutionContext.get(), set[dg.AssetKey]()
        for event in body(own_context, inputs):
            made |= keys_of(context, event) & declared
            yield event
        # Here the outputs are written and stored, so that their checks can name them.
        for key in sorted(made):
            results = _found.pop((context.run.run_id, key), None)
            if results is None:
                raise DashboardTrustError(
                    f"{key.to_user_string()} declares an audit, and nothing audited what was written. "
                    "Give it a TrustedIOManager, and return the frame."
                )
            yield from evaluate_partitions(context.instance, _by_check(key, results))

    return add_checks(assets, specs, compute)


def read_audit(metadata: Mapping[str, Any]) -> Audit:
    """Return the audit that an asset's definition declares; of none, one that only counts rows."""
    return Audit.read(metadata.get(AUDIT) or {})


def remember_results(context: dg.OutputContext, results: Sequence[AuditResult]) -> None:
    """Keep what an audit found until the step, if it is `audited`, can say it of the stored materialization."""
    if _declared(context):
        _found[context.run_id, context.asset_key] = tuple(results)


def log_results(context: dg.OutputContext, results: Sequence[AuditResult]) -> None:
    """Say what an audit found of a write that was refused: there is no materialization to say it of.

    The step is about to fail, and what it would yield is not heard any more; that an event can be logged
    from within an IO manager is internal, and ``tests/upstream/test_audited_assets.py`` pins it.
    """
    step, declared = context.step_context, _declared(context)
    for result in results:
        if dg.AssetCheckKey(context.asset_key, result.name) in declared:
            evaluation = dg.AssetCheckEvaluation(
                asset_key=context.asset_key,
                check_name=result.name,
                passed=result.passed,
                partition=result.partition or None,
                description=result.reason or None,
                blocking=True,
                metadata={},
            )
            DagsterEvent.asset_check_evaluation(step, evaluation)


def _declared(context: dg.OutputContext) -> set[dg.AssetCheckKey]:
    """Return the checks of the asset that are conditions of its audit."""
    known = context.step_context.job_def.asset_layer.asset_graph.asset_check_keys
    names = set(read_audit(context.definition_metadata or {}).names)
    return {key for key in known if key.asset_key == context.asset_key and key.name in names}


def _by_check(
    key: dg.AssetKey, results: Sequence[AuditResult]
) -> dict[dg.AssetCheckKey, dict[str | None, PartitionResult]]:
    found: dict[dg.AssetCheckKey, dict[str | None, PartitionResult]] = {}
    for result in results:
        check = dg.AssetCheckKey(key, result.name)
        found.setdefault(check, {})[result.partition or None] = PartitionResult(result.passed, result.reason)
    return found


def _check_specs(asset: dg.AssetSpec) -> list[dg.AssetCheckSpec]:
    if AUDIT not in asset.metadata:
        return []
    return [check_spec(asset, name, "Audited before it was let be seen.") for name in read_audit(asset.metadata).names]
