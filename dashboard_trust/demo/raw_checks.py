"""The checks on the raw tables as Dagster asset checks, run right after each load."""

# No postponed annotations here: Dagster reads the one of `context` as an object.

from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from dashboard_trust.checks.evaluate import run_checks
from dashboard_trust.checks.rules import CheckOutcome, RawTable
from dashboard_trust.demo.home import Home
from dashboard_trust.demo.tables import TABLES
from dashboard_trust.enforcement.evaluations import PartitionResult, evaluate_partitions
from dashboard_trust.errors import DashboardTrustError
from dashboard_trust.evidence.names import DAYS

STREAMS = ("customers", "orders", "payments", "refunds")
DESCRIPTIONS = {
    "freshness": "The newest row is as new as those of the sibling tables.",
    "row_count": "Every day has rows.",
    "duplicates": "No key occurs twice.",
    "null_keys": "Every row has a key.",
    "accepted_values": "No other values than the declared ones.",
    "types": "Every declared column is there, and every value fits its type without loss.",
    "reconciliation": "The day's paid orders and paid payments are the same, order by order.",
}


def build_stream_checks() -> dg.AssetChecksDefinition:
    """Build the checks of the synced tables: one scan a table, results by day."""

    @dg.multi_asset_check(
        name="check_raw_streams",
        specs=[spec for name in STREAMS for spec in _specs(name, None)],
        can_subset=True,
    )
    def check_raw_streams(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        selected = context.selected_asset_check_keys
        broken = []
        for name, outcome in _run(sorted({key.asset_key.path[-1] for key in selected})):
            key = dg.AssetCheckKey(dg.AssetKey(["raw", name]), outcome.name)
            if key in selected and outcome.errored:
                broken.append(f"{key.asset_key.to_user_string()} {key.name}: {outcome.reason}")
            elif key in selected:
                yield _result(key, outcome)
        _raise(broken)

    return check_raw_streams


def build_crm_checks(partitions: dg.PartitionsDefinition) -> dg.AssetChecksDefinition:
    """Build the checks of the CRM's daily files, one result per day of the run."""

    @dg.multi_asset_check(
        name="check_crm_opportunities", specs=_specs("crm_opportunities", partitions), can_subset=True
    )
    def check_crm_opportunities(context: dg.AssetCheckExecutionContext) -> Iterator[Any]:
        broken, results = [], {}
        for name, outcome in _run(["crm_opportunities"]):
            key = dg.AssetCheckKey(dg.AssetKey(["raw", name]), outcome.name)
            if key in context.selected_asset_check_keys and outcome.errored:
                broken.append(f"{key.name}: {outcome.reason}")
            elif key in context.selected_asset_check_keys:
                results[key] = {day: _of_day(outcome, day) for day in _days(context)}
        yield from evaluate_partitions(context.instance, results)
        _raise(broken)

    return check_crm_opportunities


def _specs(name: str, partitions: dg.PartitionsDefinition | None) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(
            check,
            asset=dg.AssetKey(["raw", name]),
            blocking=True,
            partitions_def=partitions,
            description=DESCRIPTIONS[check],
        )
        for check in TABLES[name].checks
    ]


def _run(names: Sequence[str]) -> Iterator[tuple[str, CheckOutcome]]:
    with Home.from_environment().warehouse.connect("checks of raw tables") as connection:
        outcomes = {name: run_checks(connection, TABLES[name]) for name in names}
        reaches = max((_newest(found) for name, found in outcomes.items() if _has_days(TABLES[name])), default="")
        for name, found in outcomes.items():
            for outcome in run_checks(connection, TABLES[name], reaches) if _newest(found) < reaches else found:
                yield name, outcome


def _has_days(table: RawTable) -> bool:
    return table.time_column is not None


def _newest(outcomes: Sequence[CheckOutcome]) -> str:
    return max((max(outcome.days, default="") for outcome in outcomes if outcome.days), default="")


def _result(key: dg.AssetCheckKey, outcome: CheckOutcome) -> dg.AssetCheckResult:
    days = {day: [found.passed, found.reason] for day, found in (outcome.days or {}).items()}
    return dg.AssetCheckResult(
        passed=outcome.passed,
        asset_key=key.asset_key,
        check_name=key.name,
        description=outcome.reason or None,
        metadata={} if outcome.days is None else {DAYS: dg.MetadataValue.json(days)},
    )


def _of_day(outcome: CheckOutcome, day: str) -> PartitionResult:
    if outcome.days is None:
        return PartitionResult(outcome.passed, outcome.reason)
    found = outcome.days.get(day)
    return PartitionResult(found.passed, found.reason) if found else PartitionResult(False, "it holds no rows")


def _days(context: dg.AssetCheckExecutionContext) -> Sequence[str]:
    return context.op_execution_context.partition_keys


def _raise(broken: Sequence[str]) -> None:
    """Fail the step for the checks that could not run: theirs stay without a result, as errored."""
    if broken:
        raise DashboardTrustError(f"{len(broken)} checks could not run: {'; '.join(broken)}")
