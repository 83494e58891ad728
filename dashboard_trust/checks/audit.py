"""What a write must satisfy before it is let be seen: its rules, looked at within its transaction."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from dashboard_trust.checks.evaluate import check_table
from dashboard_trust.checks.outcomes import RuleOutcome
from dashboard_trust.checks.scopes import Partitions
from dashboard_trust.checks.values import RuleError
from dashboard_trust.contracts.table_rules import RowCount, TableRules
from dashboard_trust.errors import WriteRefusedError
from dashboard_trust.warehouses.fingerprints import Fingerprint
from dashboard_trust.warehouses.parts import WHOLE, Parts
from dashboard_trust.warehouses.replace import Slice
from dashboard_trust.warehouses.session import Session


class AuditFailedError(WriteRefusedError):
    """A write that its audit refused, with what every rule found."""

    def __init__(self, message: str, outcomes: Sequence[RuleOutcome]) -> None:
        super().__init__(message)
        self.outcomes = tuple(outcomes)


class Audit:
    """The rules of a table as an audit of every write of it; ``outcomes`` is what it found last.

    A rule of severity ``warn`` refuses nothing. Without a row count no rows are as good as any: `replace_slice` itself
    refuses to empty a partition. ``periods`` are the start and the end of partitions of time, ``told_by`` the columns
    that tell them apart.
    """

    def __init__(
        self,
        rules: TableRules,
        periods: Mapping[str, tuple[dt.datetime, dt.datetime]] | None = None,
        told_by: Collection[str] = (),
    ) -> None:
        self.rules, self.periods, self.told_by = rules, periods or {}, told_by
        self.outcomes: Sequence[RuleOutcome] = ()

    @property
    def accepts_empty(self) -> bool:
        """Whether the rules say themselves how few rows there may be."""
        return any(isinstance(rule, RowCount) and rule.min is not None for rule in self.rules.rules)

    def examine(self, session: Session, what: Slice) -> Mapping[str, Fingerprint]:
        """Look at what was written, and return its fingerprints by partition.

        Raises:
            AuditFailedError: A rule of severity ``error`` does not hold, or cannot be looked at.
            WarehouseError: The engine refused to look.
        """
        counted = any(isinstance(rule, RowCount) for rule in self.rules.rules)
        wanted = self.rules.rules if counted else (RowCount(min=0), *self.rules.rules)
        rules = replace(self.rules, rules=wanted, table=what.table)
        report = check_table(session, rules, _scope_of(what, self.periods, self.told_by), stop_at_refusal=True)
        self.outcomes = report.outcomes
        failed = [found for found in report.outcomes if not found.passed and found.rule.severity == "error"]
        if failed:
            first = "; ".join(f"{found.rule.check}: {found.reason}" for found in failed[:3])
            more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
            raise AuditFailedError(f"{what} was not written, the old rows stand: {first}{more}.", report.outcomes)
        return report.fingerprints


def _scope_of(
    what: Slice, periods: Mapping[str, tuple[dt.datetime, dt.datetime]], told_by: Collection[str]
) -> Partitions:
    def parts_of(session: Session, name: str, types: Mapping[str, str], column: str) -> Parts:
        if what.parts and (column or name != what.table):
            raise RuleError(f"an audit knows the partitions of {what.table} alone: check {name} in an asset check")
        return what.parts or {WHOLE: None}

    return Partitions(what.names, parts_of, periods, told_by)
