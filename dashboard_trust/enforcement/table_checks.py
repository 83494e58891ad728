"""The rules of a table as Dagster asset checks, all looked at together, each bound to the load it looked at."""

# No postponed annotations here: Dagster reads the one of `context` as an object.

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from dashboard_trust.checks.evaluate import check_table
from dashboard_trust.checks.outcomes import RuleOutcome, TableReport
from dashboard_trust.checks.row_counts import refuse_conditions
from dashboard_trust.checks.scopes import Days, Partitions, Scope, Whole
from dashboard_trust.checks.volume import learns
from dashboard_trust.checks.wording import describe_rule
from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.contracts.rules import Rule, as_check_name
from dashboard_trust.contracts.table_names import name_table
from dashboard_trust.contracts.table_rules import Freshness, TableRules
from dashboard_trust.enforcement.evaluations import evaluate_partitions, fail_unanswered, find_moved
from dashboard_trust.enforcement.gated_step import check_spec
from dashboard_trust.enforcement.known_tables import read_known
from dashboard_trust.enforcement.partition_mappings import Graph, period_of
from dashboard_trust.enforcement.rule_results import results_of
from dashboard_trust.enforcement.slices import PARTITION_EXPR, partition_columns, partition_slice
from dashboard_trust.errors import ContractError, InvalidInputError, nearest
from dashboard_trust.evidence.names import OWNERS, SLICES, TIME_COLUMN
from dashboard_trust.readers.event_log import read_newest
from dashboard_trust.warehouses.parts import Parts
from dashboard_trust.warehouses.session import Session, Warehouse

WEEKLY = ("HOURLY", "DAILY", "WEEKLY")


def table_checks(
    asset: dg.AssetSpec | dg.AssetsDefinition,
    rules: TableRules,
    warehouse: Callable[[], Warehouse],
    *,
    elsewhere: Mapping[str, Callable[[], Warehouse]] | None = None,
) -> dg.AssetChecksDefinition:
    """Build the asset checks of a table's rules: one step, in which the table is measured once.

    Of a partitioned asset each partition of the run has results of its own, of an asset with a ``time_column`` each
    UTC day. A rule that cannot be looked at is left without a result, and fails the step.

    Args:
        asset: Whose checks they are; where it is partitioned, its metadata names the ``partition_expr``.
        rules: What is to hold of its table.
        warehouse: Returns where the table is.
        elsewhere: Returns the warehouses that reconciliations name as theirs.

    Raises:
        ContractError: A condition or a query is not SQL.
        InvalidInputError: The rules are of another asset, or tell days where there are partitions.
    """
    spec = _spec_of(asset, rules)
    rules = rules if rules.table else replace(rules, table=name_table(spec.key.path, spec.metadata))
    refuse_conditions(rules.rules, rules.asset)

    @dg.multi_asset_check(
        name=as_check_name(f"rules_of_{spec.key.to_user_string()}"),
        specs=[_check_spec(spec, rules, rule) for rule in rules.all_rules],
        can_subset=True,
    )
    def checks(context: dg.AssetCheckExecutionContext) -> Iterator[Any]:
        name, selected = spec.key.to_user_string(), {key.name for key in context.selected_asset_check_keys}
        partitions: list[str | None] = [None]
        if spec.partitions_def is not None:
            partitions = list(_partitions_of(context, name))
        # Asked before the table is read: a load that comes meanwhile is not what was looked at.
        loads = read_newest(context.instance, {(name, partition) for partition in partitions})
        with warehouse().session(f"checks of {rules.title}") as session:
            known = read_known(context.instance, session, spec, rules, partitions)
            scope = _scope(spec, rules, [partition for partition in partitions if partition is not None])
            report = check_table(session, rules, scope, replace(known, elsewhere=elsewhere or {}))
        found = [outcome for outcome in report.outcomes if outcome.rule.check in selected]
        now = {part: report.whole if part is None else report.fingerprints.get(part) for part in partitions}
        moved = find_moved(loads, name, now)
        # Of what could not be compared nothing is said: it was not run.
        unmoved = [partition for partition in partitions if partition not in moved]
        results = {
            dg.AssetCheckKey(spec.key, outcome.rule.check): {
                partition: replace(
                    result,
                    stops=_stops(spec, rules, outcome.rule),
                    metadata={**result.metadata, **_described(outcome, report, partition)},
                )
                for partition, result in results_of(outcome, unmoved).items()
            }
            for outcome in found
            if not outcome.error
        }
        yield from evaluate_partitions(context.instance, results, loads=loads)
        reasons = {("", part or ""): why for part, why in moved.items()}
        reasons |= {(one.rule.check, part): why for one in found for part, why in one.errors.items()}
        fail_unanswered(name, reasons)

    return checks


def with_table_checks(
    defs: dg.Definitions,
    contracts: Sequence[DashboardContract],
    warehouse: Callable[[], Warehouse] | None,
    elsewhere: Mapping[str, Callable[[], Warehouse]] | None,
) -> dg.Definitions:
    """Return the definitions with the asset checks of every table that a contract has rules of.

    Raises:
        ContractError: No warehouse is given, there is no such asset, or two contracts have rules of one table.
    """
    rules: dict[str, TableRules] = {}
    for contract in contracts:
        for table in contract.tables:
            if rules.setdefault(table.asset, table) != table:
                raise ContractError(f"Two contracts have rules of {table.asset!r}, other ones: keep them in one.")
    if not rules:
        return defs
    if warehouse is None:
        raise ContractError(f"There are rules of {', '.join(rules)}: tell trust(...) which `warehouse` they are in.")
    graph = defs.resolve_asset_graph()
    known = {key.to_user_string(): key for key in graph.get_all_asset_keys()}
    checks = []
    for name, table in rules.items():
        if name not in known:
            raise ContractError(f"There are rules of {name!r}, and no such asset: {nearest(name, known)}")
        node = graph.get(known[name])
        _refuse_other_days(graph, name, table)
        spec = dg.AssetSpec(known[name], partitions_def=node.partitions_def, metadata=dict(node.metadata))
        checks.append(table_checks(spec, table, warehouse, elsewhere=elsewhere))
    return dg.Definitions.merge(defs, dg.Definitions(asset_checks=checks))


def _refuse_other_days(graph: Graph, name: str, rules: TableRules) -> None:
    """Refuse a consumer that reads days by another column than the one the results are told by."""
    for key in graph.get_all_asset_keys() if rules.time_column else ():
        column = (graph.get(key).metadata.get(SLICES) or {}).get(name)
        if column is not None and column != rules.time_column:
            raise ContractError(
                f"{key.to_user_string()!r} reads the days of {name!r} by {column!r} ({SLICES}), and its rules tell "
                f"them by {rules.time_column!r}: tell both by one column."
            )


def _spec_of(asset: dg.AssetSpec | dg.AssetsDefinition, rules: TableRules) -> dg.AssetSpec:
    specs = [asset] if isinstance(asset, dg.AssetSpec) else list(asset.specs)
    for spec in specs:
        if spec.key.to_user_string() == rules.asset:
            if spec.partitions_def is not None and rules.time_column:
                raise InvalidInputError(
                    f"{rules.asset} is partitioned, so its rows are told by its {PARTITION_EXPR!r}: "
                    "leave time_column out of its rules."
                )
            told = spec.metadata.get(TIME_COLUMN)
            if rules.time_column and told and told != rules.time_column:
                raise InvalidInputError(
                    f"{rules.asset} has versions by the days of {told!r}, and its rules tell days by "
                    f"{rules.time_column!r}: tell both by one column."
                )
            _refuse_volumes(spec, rules, rules.time_column or told)
            return spec
    names = [spec.key.to_user_string() for spec in specs]
    raise InvalidInputError(f"These are the rules of {rules.asset!r}, not of {', '.join(names)}.")


def _refuse_volumes(spec: dg.AssetSpec, rules: TableRules, time_column: str | None) -> None:
    """Refuse what is judged by the volumes before where there is no such weekday before."""
    partitions, learning = spec.partitions_def, [rule.check for rule in rules.rules if learns(rule)]
    schedule = partitions.schedule_type if isinstance(partitions, dg.TimeWindowPartitionsDefinition) else None
    by_week = schedule is not None and schedule.name in WEEKLY
    if learning and not by_week and not (partitions is None and time_column):
        raise InvalidInputError(
            f"{rules.asset}: {learning[0]} is judged by the same weekday before, and needs hourly, daily or weekly "
            "partitions, or a time_column."
        )


def _check_spec(spec: dg.AssetSpec, rules: TableRules, rule: Rule) -> dg.AssetCheckSpec:
    owners = {"failed": rules.owner_of(rule), "errored": rules.owner_of(rule, errored=True)}
    metadata = {OWNERS: {kind: owner for kind, owner in owners.items() if owner}}
    return check_spec(spec, rule.check, describe_rule(rule), blocking=_stops(spec, rules, rule), metadata=metadata)


def _stops(spec: dg.AssetSpec, rules: TableRules, rule: Rule) -> bool:
    """Return whether nothing else of the run may be built from rows that break a rule.

    The age of a table that has days is for those who read all of it; the gate of who reads older days asks for theirs.
    """
    has_days = spec.partitions_def is None and bool(rules.time_column or spec.metadata.get(TIME_COLUMN))
    return rule.severity == "error" and not (has_days and isinstance(rule, Freshness))


def _scope(spec: dg.AssetSpec, rules: TableRules, keys: Sequence[str]) -> Scope:
    partitions = spec.partitions_def
    if partitions is None:
        time_column = rules.time_column or spec.metadata.get(TIME_COLUMN)
        return Days(time_column) if time_column else Whole()

    def parts_of(session: Session, name: str, types: Mapping[str, str], told_by: str) -> Parts:
        metadata = {**spec.metadata, **({PARTITION_EXPR: told_by} if told_by else {})}
        return partition_slice(name, partitions, keys, metadata, types, session.dialect).parts

    periods = {key: (period.start, period.end) for key in keys if (period := period_of(partitions, key))}
    return Partitions(keys, parts_of, periods, partition_columns(spec.metadata))


def _described(outcome: RuleOutcome, report: TableReport, partition: str | None) -> Mapping[str, Any]:
    rows = sum(report.rows.values()) if partition is None else report.rows.get(partition, 0)
    said: dict[str, Any] = {"rows": rows}
    if partition is not None and (part := outcome.parts.get(partition)) and part.measured is not None:
        said["measured"] = part.measured
    if outcome.rule.unit:
        said["unit"] = outcome.rule.unit
    if outcome.sample:
        said["failing keys"] = dg.MetadataValue.md("\n".join(f"- {key}" for key in outcome.sample))
    return said


def _partitions_of(context: dg.AssetCheckExecutionContext, name: str) -> Sequence[str]:
    step = context.op_execution_context
    if not step.has_partition_key and not step.has_partition_key_range:
        raise InvalidInputError(
            f"{name} is partitioned, and this run has no partition. Launch its checks for a partition, or for a range."
        )
    return step.partition_keys
