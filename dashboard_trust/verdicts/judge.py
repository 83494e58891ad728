"""The one function that decides, from what is found of each requirement. No clock, no file, no framework."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from dashboard_trust.contracts.model import DashboardContract, Period, Promise
from dashboard_trust.evidence.facts import Evidence, join_versions
from dashboard_trust.verdicts.examination import examine, finding_of, newest_version, requirement_version
from dashboard_trust.verdicts.minimums import (
    count_minimums,
    describe_unmet,
    find_left_out,
    find_mixed,
    find_shown,
    heed_minimums,
)
from dashboard_trust.verdicts.standing_words import find_hold, find_rollback, waive
from dashboard_trust.verdicts.trace import separate_causes
from dashboard_trust.verdicts.verdict import Finding, Outcome, Readiness, Verdict


def judge(promise: Promise, evidence: Evidence) -> Verdict:
    """Judge whether a dashboard may refresh for one partition.

    Args:
        promise: The contract spelled out for that partition. Requiring nothing is UNKNOWN.
        evidence: Facts read at one instant; a requirement without facts is missing.
    """
    deadline = _deadline(promise.contract, promise.period, evidence.as_of)
    if evidence.unreadable:
        return unknown(promise, evidence.as_of, f"the evidence could not be read: {evidence.unreadable}")
    if not promise.requirements:
        return unknown(promise, evidence.as_of, "it requires nothing, so nothing proves it right")
    found = [
        replace(finding, version=requirement_version(requirement, evidence))
        for requirement in promise.requirements
        for finding in examine(requirement, promise, evidence)
    ]
    found = [*_held_by_a_person(promise, evidence), *waive(found, evidence.words, evidence.as_of)]
    found = [*found, *_mixed(promise, evidence, found)]
    counts = count_minimums(promise, found)
    unmet = _unmet_sections(promise, found)
    shown = find_shown(promise, unmet, counts)
    found = heed_minimums(promise, found, counts)
    causes, consequences = separate_causes(promise.requirements, found)
    late = deadline is not None and evidence.as_of >= deadline
    verdict = Verdict(
        dashboard=promise.contract.key,
        partition=promise.partition,
        readiness=_readiness((*causes, *consequences), late),
        as_of=evidence.as_of,
        findings=causes,
        consequences=consequences,
        unmet=unmet,
        deadline=deadline,
        version=_version(promise, evidence),
        consumed=tuple(_consumed(promise, shown, evidence)),
        labels=tuple(describe_unmet(promise, unmet, counts)),
        left_out=tuple(sorted(find_left_out(counts, shown))),
    )
    unsettled = (*_unsettled(promise, verdict, evidence), *_taken_back(promise, verdict, evidence))
    if not unsettled:
        return verdict
    findings = (*unsettled, *causes)
    return replace(verdict, findings=findings, readiness=_readiness((*findings, *consequences), late))


def unknown(promise: Promise, as_of: dt.datetime, reason: str) -> Verdict:
    """Return the verdict for when nothing can be known: it holds, and says why."""
    contract = promise.contract
    finding = Finding(contract.key, promise.partition, None, Outcome.UNVERIFIED, reason, contract.owner)
    return Verdict(contract.key, promise.partition, Readiness.UNKNOWN, as_of, findings=(finding,))


def _mixed(promise: Promise, evidence: Evidence, found: Sequence[Finding]) -> list[Finding]:
    """Return what has to be built anew, since a minimum does without other assets now than when it was built."""
    counts = count_minimums(promise, found)
    left_out = find_left_out(counts, find_shown(promise, _unmet_sections(promise, found), counts))
    mixed = [
        replace(finding_of(asked, Outcome.OUTDATED, reason, None), version=requirement_version(asked, evidence))
        for asked, reason in find_mixed(promise, evidence, left_out)
    ]
    return waive(mixed, evidence.words, evidence.as_of)


def _consumed(promise: Promise, shown: Collection[str], evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Yield what a refresh reads now: the direct inputs that are shown."""
    for asked in promise.dashboard_inputs:
        version = newest_version(asked, evidence)
        if version is not None and asked.asset in shown:
            yield asked.name, version


def _held_by_a_person(promise: Promise, evidence: Evidence) -> Iterator[Finding]:
    contract = promise.contract
    word = find_hold(contract.key, promise.partition, evidence.words)
    if word is not None:
        reason = f"held by {word.by}: {word.reason}"
        yield Finding(contract.key, promise.partition, None, Outcome.UNAPPROVED, reason, contract.owner, word.at)


def _unsettled(promise: Promise, verdict: Verdict, evidence: Evidence) -> Iterator[Finding]:
    """What was begun to be sent of these very versions, and may have arrived: a person has to say."""
    contract = promise.contract
    for receipt in evidence.receipts if contract.at_most_once else ():
        # A section that went bad since is no other version: what is shown now was all in what was begun.
        same = dict(verdict.consumed).items() <= receipt.consumed.items()
        if receipt.partition == promise.partition and same and not receipt.settled:
            reason = (
                f"run {receipt.run_id[:8]} began to send this version and has not said that it arrived; "
                "if it did not, release the dashboard to have it sent again; the next version is sent as always"
            )
            yield Finding(contract.key, promise.partition, None, Outcome.UNAPPROVED, reason, contract.owner, receipt.at)


def _taken_back(promise: Promise, verdict: Verdict, evidence: Evidence) -> Iterator[Finding]:
    contract = promise.contract
    word = find_rollback(contract.key, promise.partition, dict(verdict.consumed), evidence.words)
    if word is not None:
        reason = f"this version was rolled back by {word.by}: {word.reason}"
        yield Finding(contract.key, promise.partition, None, Outcome.UNAPPROVED, reason, contract.owner, word.at)


def _version(promise: Promise, evidence: Evidence) -> str:
    parts = [
        f"{requirement.asset}@{requirement.partition}={requirement_version(requirement, evidence)}"
        for requirement in promise.requirements
    ]
    return join_versions(["promise", *sorted(parts)])


def _readiness(findings: Sequence[Finding], late: bool) -> Readiness:
    blocking = [finding for finding in findings if finding.blocks and finding.outcome.holds]
    if any(finding.outcome.is_wrong for finding in blocking):
        return Readiness.BLOCKED
    if blocking:
        return Readiness.DELAYED if late else Readiness.WAITING
    return Readiness.PARTIAL if any(finding.outcome.holds for finding in findings) else Readiness.READY


def _unmet_sections(promise: Promise, findings: Sequence[Finding]) -> tuple[str, ...]:
    unmet = {key for finding in findings if finding.outcome.holds for key in finding.sections}
    return tuple(section.key for section in promise.contract.sections if section.key in unmet)


def _deadline(contract: DashboardContract, period: Period | None, as_of: dt.datetime) -> dt.datetime | None:
    if contract.ready_by is None:
        return None
    # Without partitions the promise is kept anew every day.
    return contract.ready_by.deadline(period.end if period else as_of)
