"""What a message says: plain text, short, the same through every service."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.incidents.notices import Change, Kind, Notice, causes_of
from dashboard_trust.readers.serving import Serving
from dashboard_trust.verdicts.verdict import Finding, Verdict

SHOWN = 5  # dashboards in a message, and causes of each


def write_title(notice: Notice, contracts: Mapping[str, DashboardContract]) -> str:
    """Return one line: which dashboard and partition, and what about it."""
    first, others = notice.changes[0].verdict, len(notice.changes) - 1
    what = _place(first, contracts[first.dashboard])
    if others:
        what += f" and {others} more"
    match notice.kind:
        case Kind.RESOLVED:
            return f"Resolved: {what}"
        case Kind.LATE:
            return f"Late: {what}"
        case Kind.HELD:
            return f"Held: {what}" if any(c.verdict.holds for c in notice.changes) else f"Incomplete: {what}"


def write_body(
    notice: Notice, contracts: Mapping[str, DashboardContract], serving: Mapping[str, Serving | None]
) -> str:
    """Return for each dashboard what holds it, who is on it, and what readers see meanwhile."""
    parts = ["\n".join(_lines(change, notice, contracts, serving)) for change in notice.changes[:SHOWN]]
    more = len(notice.changes) - SHOWN
    if more > 0:
        parts.append(f"And {more} more that wait for the same.")
    return "\n\n".join(parts)


def _lines(
    change: Change,
    notice: Notice,
    contracts: Mapping[str, DashboardContract],
    serving: Mapping[str, Serving | None],
) -> Iterator[str]:
    verdict = change.verdict
    contract = contracts[verdict.dashboard]
    yield f"{_place(verdict, contract)} {_state(verdict, contract)}"
    if notice.kind is not Kind.RESOLVED:
        causes = causes_of(verdict, notice.owner, contract)
        yield from (_cause(finding) for finding in causes[:SHOWN])
        if len(causes) > SHOWN:
            yield f"- and {len(causes) - SHOWN} more"
    yield _shown(serving.get(verdict.dashboard))
    if contract.url:
        yield contract.url


def _state(verdict: Verdict, contract: DashboardContract) -> str:
    if not verdict.holds:
        titles = [section.title for section in contract.sections if section.key in verdict.unmet]
        labels = "; ".join(verdict.labels or titles)
        return f"is {verdict.readiness}" + (f", without {labels}." if labels else ": nothing holds it.")
    if verdict.deadline is None:
        return f"is {verdict.readiness}."
    missed = verdict.as_of >= verdict.deadline
    return f"is {verdict.readiness}; it {'was' if missed else 'is'} promised by {_moment(verdict.deadline)}."


def _cause(finding: Finding) -> str:
    return f"- {finding.place}: {finding.outcome.replace('_', ' ')}, {finding.told} ({finding.owner} is on it)"


def _shown(serving: Serving | None) -> str:
    if serving is None:
        return "Readers see nothing yet."
    return f"Readers see {serving.partition or 'the last good version'}, since {_moment(serving.since)}."


def _place(verdict: Verdict, contract: DashboardContract) -> str:
    return f"{contract.name} {verdict.partition}" if verdict.partition else contract.name


def _moment(at: dt.datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M %Z").strip()
