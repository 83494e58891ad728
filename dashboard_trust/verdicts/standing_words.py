"""What people's words come to at one moment: who holds a dashboard, and which findings are waived."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dashboard_trust.evidence.words import Word
from dashboard_trust.verdicts.verdict import Finding, Outcome


def find_hold(dashboard: str, partition: str | None, words: Sequence[Word]) -> Word | None:
    """Return the hold that stands on this partition: given for it or for all, and not released since.

    A release of the whole dashboard lifts every hold; one of a partition lifts what holds only that.
    """
    standing: dict[str | None, Word] = {}
    for word in words:
        if word.asset != dashboard or word.kind not in ("hold", "release"):
            continue
        if word.kind == "hold":
            standing[word.partition] = word
        elif word.partition is None:
            standing.clear()
        else:
            standing.pop(word.partition, None)
    return standing.get(None) or standing.get(partition)


def find_rollback(
    dashboard: str, partition: str | None, consumed: Mapping[str, str], words: Sequence[Word]
) -> Word | None:
    """Return the rollback that refuses what would be shown now: nothing in it is newer than what was taken back."""
    standing: Word | None = None
    for word in words:
        if word.asset != dashboard or word.partition not in (None, partition):
            continue
        if word.kind == "release":
            standing = None
        elif word.kind == "roll_back" and word.partition == partition and consumed.items() <= word.consumed.items():
            standing = word
    return standing


def waive(findings: Iterable[Finding], words: Sequence[Word], as_of: dt.datetime) -> list[Finding]:
    """Return the findings, those waived for the version they were found on marked as such."""
    waivers = [word for word in words if word.kind == "waive" and word.until is not None and as_of < word.until]
    return [_waived(finding, waivers) for finding in findings]


def _waived(finding: Finding, waivers: Sequence[Word]) -> Finding:
    for word in waivers:
        given_for = (word.asset, word.partition, word.check, word.outcome, word.version)
        if given_for == (finding.asset, finding.partition, finding.check, str(finding.outcome), finding.version):
            reason = f"waived by {word.by} until {word.until:%Y-%m-%d %H:%M} UTC ({word.reason}): {finding.reason}"
            return replace(finding, outcome=Outcome.WAIVED, reason=reason)
    return finding
