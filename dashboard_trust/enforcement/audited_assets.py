"""What a write's audit found, as asset checks of the asset that was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.events import DagsterEvent

from dashboard_trust.checks.outcomes import RuleOutcome
from dashboard_trust.checks.row_counts import refuse_conditions
from dashboard_trust.checks.volume import learns
from dashboard_trust.contracts.rules_yaml import parse_rules
from dashboard_trust.contracts.table_rules import TableRules
from dashboard_trust.enforcement.evaluations import PartitionResult, evaluate_partitions
from dashboard_trust.enforcement.gated_step import add_checks, body_of, check_spec, keys_of
from dashboard_trust.enforcement.rule_results import results_of
from dashboard_trust.errors import DashboardTrustError, InvalidInputError

AUDIT = "dashboard_trust/audit"
"""On an asset's definition: what every write of it must satisfy, a list of rules as a contract's YAML has them."""

_found: dict[tuple[str, dg.AssetKey], Sequence[RuleOutcome]] = {}


def audited(assets: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """Show the audit of each write (`AUDIT`, by `TrustedIOManager`) as blocking asset checks, one for each condition.

    Raises:
        InvalidInputError: No asset of these declares an audit.
    """
    specs = [spec for asset in assets.specs for spec in _check_specs(asset)]
    if not specs:
        names = ", ".join(key.to_user_string() for key in assets.keys)
        raise InvalidInputError(f"{names} declares no audit: say what a write must satisfy as metadata {AUDIT!r}.")
    body = body_of(assets)
    declared = {one.key: read_audit(one.key, "", one.metadata) for one in assets.specs if AUDIT in one.metadata}

    def compute(own_context: Any, inputs: Mapping[str, Any]) -> Iterator[Any]:
        context, made = dg.AssetExecutionContext.get(), set[dg.AssetKey]()
        for event in body(own_context, inputs):
            made |= keys_of(context, event) & declared.keys()
            yield event
        # Here the outputs are written and stored, so that their checks can name them.
        for key in sorted(made):
            results = _found.pop((context.run.run_id, key), None)
            if results is None:
                raise DashboardTrustError(
                    f"{key.to_user_string()} declares an audit, and nothing audited what was written. "
                    "Give it a TrustedIOManager, and return the frame."
                )
            partitions: list[str | None] = [None]
            if context.has_partition_key or context.has_partition_key_range:
                partitions = list(context.partition_keys)
            names = {rule.check for rule in declared[key].rules}
            yield from evaluate_partitions(
                context.instance, _by_check(key, [one for one in results if one.rule.check in names], partitions)
            )

    return add_checks(assets, specs, compute)


def read_audit(key: dg.AssetKey, table: str, metadata: Mapping[str, Any]) -> TableRules:
    """Return the rules that an asset's definition declares for its writes; without any, nothing is refused.

    Raises:
        ContractError: They cannot be meant.
    """
    name = key.to_user_string()
    rules = parse_rules(metadata.get(AUDIT) or [], f"the audit of {name}")
    refuse_conditions(rules, name)
    learning = [rule.check for rule in rules if learns(rule)]
    if learning:
        raise InvalidInputError(
            f"{name}: {learning[0]} is judged by the volumes before, which an audit does not know: make it a rule of "
            "its table."
        )
    return TableRules(name, rules, table)


def remember_outcomes(context: dg.OutputContext, outcomes: Sequence[RuleOutcome]) -> None:
    """Keep what an audit found until the step, if it is `audited`, can say it of the stored materialization."""
    if _declared(context):
        _found[context.run_id, context.asset_key] = tuple(outcomes)


def log_outcomes(context: dg.OutputContext, outcomes: Sequence[RuleOutcome]) -> None:
    """Say what an audit found of a write that was refused: there is no materialization to say it of.

    The step is about to fail, and what it would yield is not heard any more; that an event can be logged
    from within an IO manager is internal, and ``tests/upstream/test_audited_assets.py`` pins it.
    """
    step, declared = context.step_context, _declared(context)
    partitions: list[str | None] = list(context.asset_partition_keys) if context.has_asset_partitions else [None]
    for key, results in _by_check(context.asset_key, outcomes, partitions).items():
        for partition, result in results.items() if key in declared else ():
            evaluation = dg.AssetCheckEvaluation(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=result.passed,
                severity=dg.AssetCheckSeverity.WARN if result.warns else dg.AssetCheckSeverity.ERROR,
                partition=partition,
                description=result.reason or None,
                blocking=True,
                metadata={},
            )
            DagsterEvent.asset_check_evaluation(step, evaluation)


def _declared(context: dg.OutputContext) -> set[dg.AssetCheckKey]:
    """Return the checks of the asset that are rules of its audit, if it is `audited`."""
    graph = context.step_context.job_def.asset_layer.asset_graph
    known = {key for key in graph.asset_check_keys if key.asset_key == context.asset_key}
    return {key for key in known if AUDIT in graph.get_check_spec(key).metadata}


def _by_check(
    key: dg.AssetKey, outcomes: Sequence[RuleOutcome], partitions: Sequence[str | None]
) -> dict[dg.AssetCheckKey, dict[str | None, PartitionResult]]:
    """Return what rules found of each of these partitions; what could not be looked at has not passed."""
    found: dict[dg.AssetCheckKey, dict[str | None, PartitionResult]] = {}
    for one in outcomes:
        told, wrong = results_of(one, partitions), PartitionResult(False, one.reason, warns=one.rule.severity == "warn")
        found[dg.AssetCheckKey(key, one.rule.check)] = {part: told.get(part, wrong) for part in partitions}
    return found


def _check_specs(asset: dg.AssetSpec) -> list[dg.AssetCheckSpec]:
    if AUDIT not in asset.metadata:
        return []
    rules = read_audit(asset.key, "", asset.metadata).rules
    told = "Audited before it was let be seen."
    return [check_spec(asset, r.check, told, blocking=r.severity == "error", metadata={AUDIT: True}) for r in rules]
