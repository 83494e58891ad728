"""The rules of a table, looked at in one scan, and in a query more for each that needs a grouping or a join."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, TypeVar

from sqlglot import exp

from dashboard_trust.checks.columns import judge_columns, shape_of
from dashboard_trust.checks.known import Known
from dashboard_trust.checks.outcomes import PartOutcome, RuleOutcome, TableReport
from dashboard_trust.checks.reconciliation import compare
from dashboard_trust.checks.reconciliation_between import compare_between
from dashboard_trust.checks.row_counts import BAD, count_bad
from dashboard_trust.checks.row_queries import QUERIES, query_bad
from dashboard_trust.checks.samples import sample_keys
from dashboard_trust.checks.scopes import Days, Scope, Whole
from dashboard_trust.checks.single_queries import judge_newest, measure_query, newest
from dashboard_trust.checks.values import RuleError, Table
from dashboard_trust.checks.volume import Volumes, judge_days, judge_empty, judge_volumes, learns, sound_parts
from dashboard_trust.checks.wording import describe_bad
from dashboard_trust.contracts.rules import RowRule, Rule
from dashboard_trust.contracts.table_names import SAY_WHICH
from dashboard_trust.contracts.table_rules import (
    Columns,
    Freshness,
    Query,
    Reconciliation,
    RowCount,
    TableRules,
    VolumeAnomaly,
)
from dashboard_trust.errors import DashboardTrustError, WarehouseError, nearest
from dashboard_trust.warehouses.fingerprints import Fingerprint, Shape, measures, read_shape
from dashboard_trust.warehouses.parts import UNREADABLE, WHOLE, Grouping, count_groups
from dashboard_trust.warehouses.session import CountedSession, Session
from dashboard_trust.warehouses.session import table as as_table

Found = TypeVar("Found")


def check_table(
    session: Session,
    rules: TableRules,
    scope: Scope | None = None,
    known: Known | None = None,
    *,
    stop_at_refusal: bool = False,
) -> TableReport:
    """Look at all rules of a table.

    Args:
        session: Open where the table is.
        rules: What is to hold.
        scope: What is looked at, in which parts; by default the table's days, or without a time column all of it.
        known: What else is known; by default nothing but the time.
        stop_at_refusal: Whether to raise what the engine refuses: in a transaction, which that has ended.

    Returns:
        An outcome for each rule, in their order. One that cannot be looked at is errored and stops no other.
    """
    scope = scope or (Days(rules.time_column) if rules.time_column else Whole())
    # A transaction that is open has its own state already.
    with nullcontext(session) if stop_at_refusal else session.snapshot() as of_one_state:
        look = _Look(of_one_state or session, rules, scope, known or Known())
        look.stop_at_refusal, look.may_move = stop_at_refusal, of_one_state is None
        return look.report()


class _Look:
    """One look at a table: what was found, and what could not be looked at, by the checks' names."""

    def __init__(self, session: Session, rules: TableRules, scope: Scope, known: Known) -> None:
        self.session, self.rules, self.scope, self.known = CountedSession(session), rules, scope, known
        self.errors: dict[str, str] = {}
        self.found: dict[str, dict[str, PartOutcome]] = {}
        self.overall: dict[str, PartOutcome] = {}
        self.notes: dict[str, str] = {}
        self.samples: dict[str, tuple[str, ...]] = {}
        self.fingerprints: dict[str, Fingerprint] = {}
        self.whole: Fingerprint | None = None
        self.accepted: dict[str, int] = {}
        self.stop_at_refusal = self.may_move = False

    def report(self) -> TableReport:
        types = self.session.columns(self.rules.name)
        if types is None:
            self._fail(self.rules.all_rules, f"table {self.rules.title} is not there: {SAY_WHICH}")
        else:
            self.table = Table(self.session, self.rules.name, types, self.rules.title)
            self._look_at_columns()
            changed_at = self.session.changed_at(self.rules.name) if self.may_move else None
            try:
                self.grouping = self.scope.grouping(self.session, self.rules.name, types)
                self._scan(read_shape(self.session, self.rules.name))
            except DashboardTrustError as error:
                self._raise_refusal(error)
                self._fail([rule for rule in self.rules.all_rules if not isinstance(rule, Columns)], str(error))
            else:
                scanned = self.session.queries
                self._query()
                if self.may_move and self.session.queries > scanned and self._has_moved(changed_at):
                    self._fail(self.rules.all_rules, f"{self.rules.title} changed while it was looked at: run it again")
                else:
                    self._judge_volumes()
        outcomes = [self._outcome(rule) for rule in self.rules.all_rules]
        return TableReport(outcomes, self.fingerprints, self.accepted, self.session.queries, self.whole)

    def _outcome(self, rule: Rule) -> RuleOutcome:
        name = rule.check
        if name in self.errors:
            return RuleOutcome(rule, error=self.errors[name])
        note, sample = self.notes.get(name, ""), self.samples.get(name, ())
        return RuleOutcome(rule, self.found[name], note=note, sample=sample, overall=self.overall.get(name))

    def _fail(self, rules: Sequence[Rule], reason: str) -> None:
        self.errors |= {rule.check: reason for rule in rules}

    def _of(self, *kinds: type[Rule]) -> list[Any]:
        """Return the rules of these kinds that can still be looked at."""
        return [rule for rule in self.rules.all_rules if isinstance(rule, kinds) and rule.check not in self.errors]

    def _attempt(self, rule: Rule, look: Callable[[], Found]) -> Found | None:
        """Look at one rule; why that cannot be done is kept as its error."""
        try:
            return look()
        except DashboardTrustError as error:
            self._raise_refusal(error)
            self.errors[rule.check] = str(error)
            return None

    def _raise_refusal(self, error: DashboardTrustError) -> None:
        if self.stop_at_refusal and isinstance(error, WarehouseError):
            raise error

    def _look_at_columns(self) -> None:
        for rule in self._of(Columns):
            judged = self._attempt(rule, partial(judge_columns, rule, self.table.types, self.session.dialect))
            if judged is not None:
                self._note_columns(rule, *judged)

    def _note_columns(self, rule: Columns, problem: str, note: str) -> None:
        shape = shape_of(rule, self.table.types)
        by = self.known.schemas.get(shape)
        self.notes[rule.check] = f"accepted by {by}: {problem}" if problem and by else note
        reason = "" if by or not problem else f"{problem} (schema {shape})"
        self.found[rule.check] = {WHOLE: PartOutcome(not reason, reason)}

    def _scan(self, shape: Shape) -> None:
        """Count everything that one scan can: fingerprints, rows, what breaks rules, the newest values."""
        wanted: dict[str, exp.Expr] = {}
        for rule in self._of(*BAD, Freshness):
            measure = self._attempt(rule, partial(self._measure, rule))
            if measure is not None:
                wanted[rule.check] = measure
        counted = self._count(shape, wanted)
        nothing: list[Any] = [0, *([None] * (len(wanted) + 1))]
        counted |= {part: nothing for part in self.scope.names if part not in counted}
        self.fingerprints = {part: shape.fingerprint(*values[:2]) for part, values in counted.items()}
        sums = [[int(value or 0) for value in values[:2]] for values in counted.values()]
        self.whole = shape.fingerprint(sum(rows for rows, _ in sums), sum(total for _, total in sums))
        by_check = {name: n for n, name in enumerate(wanted, start=2)}
        for rule in self._of(*BAD, Freshness):
            at = by_check[rule.check]
            self.found[rule.check] = {part: self._judge(rule, part, values[at]) for part, values in counted.items()}
            if isinstance(rule, Freshness) and isinstance(self.scope, Days) and counted:
                self.overall[rule.check] = self._judge_age(rule, [values[at] for values in counted.values()])
        for rule in self._of(*BAD):
            self._sample(rule)

    def _measure(self, rule: Rule) -> exp.Expr:
        if isinstance(rule, Freshness):
            return newest(rule, self.table, self.known.now, self._zone(rule))
        assert isinstance(rule, RowRule)
        return count_bad(rule, self.table)

    def _judge(self, rule: Rule, part: str, value: Any) -> PartOutcome:
        if isinstance(rule, Freshness):
            period = self.scope.period(part)
            return judge_newest(rule, value, period[1] if period else None, self.known.now, self._zone(rule))
        assert isinstance(rule, RowRule)
        return self._judge_bad(rule, part, int(value or 0))

    def _judge_age(self, rule: Freshness, newest_of_days: Sequence[Any]) -> PartOutcome:
        """Judge a table by its newest value: days that never came have no word."""
        return self._judge(rule, WHOLE, max((each for each in newest_of_days if each is not None), default=None))

    def _zone(self, rule: Freshness) -> dt.tzinfo:
        is_plain = self.table.kind(rule.column) in ("date", "timestamp")
        return self.scope.zone(rule.column) if is_plain else dt.UTC

    def _judge_bad(self, rule: RowRule, part: str, bad: int) -> PartOutcome:
        rows = self.fingerprints[part].rows
        allowed = rule.allows(bad, rows)
        return PartOutcome(allowed, "" if allowed else describe_bad(rule, bad, rows), bad)

    def _count(self, shape: Shape, wanted: dict[str, exp.Expr]) -> dict[str, list[Any]]:
        """Scan the table; where the engine refuses, without the rules that it refuses."""
        own, source = measures(self.session, shape), as_table(self.rules.name)
        # Where it does, each is asked of no rows first, which finds what is not understood without reading the table.
        for grouping in (Grouping(where=exp.false()), self.grouping):
            try:
                return count_groups(self.session, source, self.grouping, [*own, *wanted.values()])
            except WarehouseError as error:
                self._raise_refusal(error)
            for rule in self._of(*BAD, Freshness):
                look = partial(count_groups, self.session, source, grouping, [wanted[rule.check]])
                if self._attempt(rule, look) is None:
                    del wanted[rule.check]
        return count_groups(self.session, source, self.grouping, [*own, *wanted.values()])

    def _query(self) -> None:
        """Ask what needs a query of its own, rule by rule."""
        for rule in self._of(*QUERIES):
            bad = self._attempt(rule, partial(query_bad, rule, self.table, self.grouping))
            if bad is not None:
                judged = {part: self._judge_bad(rule, part, bad.get(part, 0)) for part in self.fingerprints}
                self.found[rule.check] = judged
                self._sample(rule)
        for rule in self._of(Reconciliation):
            compared = self._attempt(rule, partial(self._compare, rule))
            if compared is not None:
                # A day that goes on may have come to one side first.
                early = {part for part, one in compared.items() if one.errored and self._goes_on(part)}
                self.found[rule.check] = {part: one for part, one in compared.items() if part not in early}
        for rule in self._of(Query):
            asked = self._attempt(rule, partial(self._ask, rule))
            if asked is not None:
                self.found[rule.check] = asked

    def _has_moved(self, changed_at: str | None) -> bool:
        """Return whether the rows are others than those that were scanned, where the engine has no snapshots."""
        if changed_at is not None:
            return bool(self.session.changed_at(self.rules.name) != changed_at)
        shape = read_shape(self.session, self.rules.name)
        found = self._count(shape, {})
        return any(
            shape.fingerprint(*found.get(part, (0, None))[:2]) != before for part, before in self.fingerprints.items()
        ) or not set(found) <= set(self.fingerprints)

    def _goes_on(self, part: str) -> bool:
        """Return whether a part is a day that has begun and is not over."""
        period = self.scope.period(part) if isinstance(self.scope, Days) else None
        return period is not None and period[0] <= self.known.now < period[1]

    def _compare(self, rule: Reconciliation) -> dict[str, PartOutcome]:
        scope, grouping = (self.scope, self.grouping) if self.fingerprints else (Whole(), Grouping())
        if not rule.warehouse:
            return compare(rule, self.table, scope, grouping, self.fingerprints)
        elsewhere = self.known.elsewhere
        if rule.warehouse not in elsewhere:
            raise RuleError(f"no warehouse is named {rule.warehouse!r}: {nearest(rule.warehouse, elsewhere)}")
        with elsewhere[rule.warehouse]().session(f"reconciliation with {self.rules.title}") as other:
            return compare_between(rule, self.table, scope, grouping, self.fingerprints, other)

    def _ask(self, rule: Query) -> dict[str, PartOutcome]:
        parts = self.scope.apart(self.session, self.rules.name, self.table.types)
        found = {part: self._ask_of(rule, where) for part, where in parts.items()}
        if all(one.errored for one in found.values()):
            reasons = {one.reason for one in found.values()}
            raise RuleError(reasons.pop() if len(reasons) == 1 else RuleOutcome(rule, found).reason)
        return found

    def _ask_of(self, rule: Query, where: exp.Expr | None) -> PartOutcome:
        """Ask a query of one part: what cannot be asked of it may well be asked of the others."""
        try:
            return measure_query(rule, self.table, where)
        except DashboardTrustError as error:
            self._raise_refusal(error)
            return PartOutcome(False, str(error), errored=True)

    def _sample(self, rule: RowRule) -> None:
        if self.rules.sample_failures and not all(part.passed for part in self.found[rule.check].values()):
            keys = self._attempt(rule, partial(sample_keys, rule, self.rules, self.table, self.grouping))
            self.samples[rule.check] = keys or ()

    def _judge_volumes(self) -> None:
        days = self.scope if isinstance(self.scope, Days) else None
        rows = {part: found.rows for part, found in self.fingerprints.items() if part or days is None}
        periods = {part: self.scope.period(part) for part in rows}
        starts = {part: period[0].replace(tzinfo=None) for part, period in periods.items() if period}
        others = [
            self._outcome(rule)
            for rule in self.rules.all_rules
            if rule.severity == "error" and not isinstance(rule, RowCount | VolumeAnomaly)
        ]
        sound, known = sound_parts(others, self.fingerprints.keys(), self.scope.names), self.known
        running = {part for part, period in periods.items() if days and period and period[1] > known.now}
        volumes = Volumes(rows, starts, sound, known.history, known.waived, known.refused, running)
        counted = self._of(RowCount, VolumeAnomaly)
        found, self.accepted = judge_volumes(counted, volumes)
        self.found |= found
        if days is not None:
            learned = [rule for rule in counted if learns(rule) and rows]
            self.overall |= {rule.check: judge_days(rule, found[rule.check], volumes) for rule in learned}
            self._judge_unplaced(days)

    def _judge_unplaced(self, days: Days) -> None:
        """Rows of no day are of none that is looked at, and no rows at all have no days: nothing says they are well."""
        if not self.fingerprints:
            for rule in self._of(Freshness, VolumeAnomaly):
                self.found[rule.check][UNREADABLE] = self._judge_nothing(rule)
        unplaced = self.fingerprints.get(UNREADABLE)
        for rule in self._of(RowCount):
            if unplaced is not None:
                reason = f"{unplaced.rows} rows have no readable {days.time_column}"
                self.found[rule.check][UNREADABLE] = PartOutcome(False, reason, unplaced.rows)
            elif not self.fingerprints:
                self.found[rule.check][UNREADABLE] = judge_empty(rule)
                if self.found[rule.check][UNREADABLE].passed:  # then there is nothing that could break a rule
                    self.found = {name: parts or {UNREADABLE: PartOutcome(True)} for name, parts in self.found.items()}

    def _judge_nothing(self, rule: Freshness | VolumeAnomaly) -> PartOutcome:
        if isinstance(rule, Freshness):
            return judge_newest(rule, None, None, self.known.now)
        return judge_volumes([rule], Volumes({UNREADABLE: 0}, {}, frozenset()))[0][rule.check][UNREADABLE]
