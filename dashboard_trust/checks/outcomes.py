"""What rules found: by rule, and by part of the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dashboard_trust.contracts.rules import Rule
from dashboard_trust.warehouses.fingerprints import Fingerprint
from dashboard_trust.warehouses.parts import WHOLE


@dataclass(frozen=True, slots=True)
class PartOutcome:
    """What a rule found in one part: a partition, a UTC day, or the whole table (`WHOLE`).

    ``measured`` is what it was judged by: mostly the number of rows that break it. What is ``errored`` could not be
    looked at, and has not passed.
    """

    passed: bool
    reason: str = ""
    measured: float | None = None
    errored: bool = False


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What a rule found, by part; ``error`` says why it could be looked at in none, and then it found nothing.

    ``note`` is to be said though nothing is wrong; ``sample`` are keys of failing rows, where they were asked for.
    ``overall`` is what the rule says of the whole table where that does not follow from its days.
    """

    rule: Rule
    parts: Mapping[str, PartOutcome] = field(default_factory=dict)
    error: str = ""
    note: str = ""
    sample: tuple[str, ...] = ()
    overall: PartOutcome | None = None

    @property
    def passed(self) -> bool:
        """Whether it was looked at, and holds of the whole."""
        return not self.error and all(outcome.passed for _, outcome in self._deciding)

    @property
    def _deciding(self) -> Sequence[tuple[str, PartOutcome]]:
        """What the word on the whole follows from, with its part; what rows of no day are wrong in is in it."""
        if self.overall is None:
            return sorted(self.parts.items())
        return [(WHOLE, one) for one in (self.parts.get(WHOLE), self.overall) if one is not None]

    @property
    def errors(self) -> Mapping[str, str]:
        """Why it could not be looked at, by the parts in which it could not (`WHOLE`: in none)."""
        if self.error:
            return {WHOLE: self.error}
        return {part: outcome.reason for part, outcome in self.parts.items() if outcome.errored}

    def found_in(self, partition: str | None) -> Mapping[str, PartOutcome]:
        """Return what it found of a partition, or (None) of the table, by part; what all rows are each part is."""
        if partition is None:
            return self.parts
        found = self.parts.get(partition, self.parts.get(WHOLE))
        return {partition: found} if found is not None else {}

    @property
    def reason(self) -> str:
        """What is wrong, with the newest three parts of which it is."""
        if self.error:
            return self.error
        wrong = [_told(part, outcome) for part, outcome in self._deciding if not outcome.passed]
        more = f"; and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        return "; ".join(wrong[-3:]) + more or self.note


@dataclass(frozen=True, slots=True)
class TableReport:
    """What all rules of a table found in the same rows, and what these rows are.

    ``whole`` is the fingerprint of all of them together; ``queries`` is how many statements were asked; ``accepted``
    are the rows of the parts from which volumes may be learned.
    """

    outcomes: Sequence[RuleOutcome]
    fingerprints: Mapping[str, Fingerprint]
    accepted: Mapping[str, int] = field(default_factory=dict)
    queries: int = 0
    whole: Fingerprint | None = None

    @property
    def rows(self) -> Mapping[str, int]:
        """The number of rows of each part."""
        return {part: found.rows for part, found in self.fingerprints.items()}


def _told(part: str, outcome: PartOutcome) -> str:
    return f"{part}: {outcome.reason}" if part else outcome.reason
