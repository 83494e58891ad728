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

    One of which it found nothing, or could not look at, is left out.
    """
    results = {partition: _result(outcome, partition) for partition in partitions}
    return {partition: result for partition, result in results.items() if result is not None}


def _result(outcome: RuleOutcome, partition: str | None) -> PartitionResult | None:
    found = outcome.found_in(partition)
    if not found or any(one.errored for one in found.values()):
        return None
    reason = outcome.reason if partition is None else "; ".join(one.reason for one in found.values())
    days: dict[str, Any] = {}
    # What is wrong with rows of no day, or with the table, may be wrong with any day.
    if partition is None and any(found) and (WHOLE not in found or found[WHOLE].passed):
        days[DAYS] = dg.MetadataValue.json({day: [one.passed, one.reason] for day, one in found.items() if day})
    passed = all(one.passed for one in found.values())
    return PartitionResult(passed, reason or outcome.note, outcome.rule.severity == "warn", days)
