"""What rules of a table found, as results of their checks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import dagster as dg

from dashboard_trust.checks.outcomes import RuleOutcome
from dashboard_trust.enforcement.evaluations import PartitionResult
from dashboard_trust.evidence.names import DAYS
from dashboard_trust.warehouses.parts import WHOLE


def results_of(outcome: RuleOutcome, partitions: Iterable[str | None]) -> dict[str | None, PartitionResult]:
    """Return what a rule found of each of these partitions (None: of the table, by day if it has days).

    One of which it found nothing, or could not look at, is left out; a table of which that is true of some days has not
    passed, and has words of the others.
    """
    results = {partition: _result(outcome, partition) for partition in partitions}
    return {partition: result for partition, result in results.items() if result is not None}


def _result(outcome: RuleOutcome, partition: str | None) -> PartitionResult | None:
    warns = outcome.rule.severity == "warn"
    if partition is None:
        return _result_of_table(outcome, warns)
    found = list(outcome.found_in(partition).values())
    if not found or found[0].errored:
        return None
    return PartitionResult(found[0].passed, found[0].reason or outcome.note, warns)


def _result_of_table(outcome: RuleOutcome, warns: bool) -> PartitionResult | None:
    looked_at = {part: one for part, one in outcome.parts.items() if not one.errored}
    if not looked_at and outcome.overall is None:
        return None
    days: dict[str, Any] = {}
    by_day = any(outcome.parts) or outcome.overall is not None
    # What is wrong with rows of no day, or with the table, may be wrong with any day.
    if by_day and (WHOLE not in looked_at or looked_at[WHOLE].passed):
        days[DAYS] = dg.MetadataValue.json({day: [one.passed, one.reason] for day, one in looked_at.items() if day})
    return PartitionResult(outcome.passed, outcome.reason, warns, metadata=days)
