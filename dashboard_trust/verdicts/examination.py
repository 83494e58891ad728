"""What is wrong with one requirement: its newest load, the attempt since, and what its checks say of it. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace

from dashboard_trust.contracts.model import DashboardContract, Input, Promise, Requirement
from dashboard_trust.evidence.facts import Attempt, CheckResult, Evidence, Materialization, join_versions
from dashboard_trust.verdicts.verdict import Finding, Outcome
from dashboard_trust.verdicts.wording import describe_absent, describe_behind, describe_missing, hours, listed, moment


def examine(requirement: Requirement, promise: Promise, evidence: Evidence) -> Iterator[Finding]:
    """Yield what of a requirement is not as it was promised; nothing if all of it is."""
    place = (requirement.asset, requirement.partition)
    attempt = evidence.attempts.get(place)
    tried = list(_examine_attempt(requirement, attempt)) if attempt is not None else []
    yield from tried
    newest = evidence.materializations.get(place)
    if newest is None and tried:
        return  # the attempt says why there is nothing
    if newest is None:
        yield finding_of(requirement, Outcome.MISSING, describe_missing(requirement, evidence), None)
        return
    absent = [day for day in requirement.days if newest.days is not None and day not in newest.days]
    if absent:
        yield finding_of(requirement, Outcome.MISSING, describe_absent(newest, absent), newest.at)
        return
    yield from _examine_load(requirement, newest, promise, evidence)
    for check in requirement.checks:
        result = _find_result(requirement, check, evidence)
        outcome, reason, at = _examine_check(requirement, result, newest, promise.contract, evidence)
        same_run = attempt is not None and result is not None and attempt.run_id == result.run_id
        told = outcome is Outcome.ERRORED and same_run and any(finding.reason == reason for finding in tried)
        if outcome is not Outcome.PASSED and not told:  # a step that broke takes its checks with it
            run_id = result.run_id if result is not None and outcome is Outcome.PENDING else None
            yield replace(finding_of(requirement, outcome, reason, at, check), run_id=run_id)


def _examine_attempt(requirement: Requirement, attempt: Attempt) -> Iterator[Finding]:
    """A newer attempt that broke spoils what is there; one that was held or never reached does not.

    What it would have been built from is judged by itself; only an asset without inputs has nothing
    else to be judged by.
    """
    if attempt.state == "running":
        reason = f"run {attempt.run_id[:8]} has not delivered it yet"
        pending = replace(finding_of(requirement, Outcome.PENDING, reason, attempt.at), run_id=attempt.run_id)
        yield _with_failure(pending, attempt)
    elif not attempt.held and (attempt.state == "failed" or not requirement.inputs):
        errored = finding_of(requirement, Outcome.ERRORED, attempt.reason or "its last run failed", attempt.at)
        yield _with_failure(errored, attempt)


def _with_failure(finding: Finding, attempt: Attempt) -> Finding:
    """Say with a finding what its step said of why it failed: it is whoever answers for that who acts."""
    failure = attempt.failure
    return replace(finding, failure=failure, owner=failure.owner or finding.owner) if failure else finding


def _examine_load(
    requirement: Requirement, newest: Materialization, promise: Promise, evidence: Evidence
) -> Iterator[Finding]:
    contract = promise.contract
    if not newest.run_id and not contract.accept_reported:
        yield finding_of(requirement, Outcome.UNVERIFIED, "was reported by hand, not made by a run", newest.at)
    behind = [asked for asked in requirement.inputs if not _is_current(newest, asked, evidence)]
    if behind:
        yield finding_of(requirement, Outcome.OUTDATED, describe_behind(newest, behind, evidence), newest.at)
    window = contract.freshness.get(requirement.asset)
    present = _present(requirement, contract, evidence.as_of)
    reason = "" if window is None else _overdue(requirement, newest, window, present)
    if reason:
        yield finding_of(requirement, Outcome.OVERDUE, reason, newest.at)


def _overdue(requirement: Requirement, newest: Materialization, window: dt.timedelta, present: dt.datetime) -> str:
    """Say why a load is not fresh, or nothing: it came before the time it is to cover was over, or it is too old."""
    end = requirement.period.end if requirement.period else None
    if end is not None and newest.at < end:
        return f"was last loaded {moment(newest.at)}, before the end of what it is to cover ({moment(end)})"
    age = present - newest.at
    if age >= window:
        return f"was last loaded {hours(age)} ago; it is overdue from {hours(window)}"
    # What the data itself speaks of cannot be later than the partition's end.
    lag = (end or present) - newest.data_at if newest.data_at is not None else dt.timedelta()
    if newest.data_at is not None and lag >= window:
        until = f"the end of what it is to cover ({moment(end)})" if end else "now"
        return f"its data ends {moment(newest.data_at)}, {hours(lag)} before {until}; {hours(window)} is too much"
    return ""


def _is_current(consumer: Materialization, asked: Input, evidence: Evidence) -> bool:
    """Whether the consumer consumed the newest version; order of completion proves nothing."""
    recorded = consumer.consumed.get(asked.name)
    if recorded is not None:
        return newest_version(asked, evidence) == recorded
    places = ((asked.asset, partition) for partition in asked.partitions)
    upstreams = [evidence.materializations[place] for place in places if place in evidence.materializations]
    return all(_has_consumed(consumer, upstream, asked.days, evidence) for upstream in upstreams)


def _has_consumed(
    consumer: Materialization, upstream: Materialization, days: Sequence[str], evidence: Evidence
) -> bool:
    if upstream.run_id and upstream.run_id == consumer.run_id:
        return upstream.storage_id < consumer.storage_id
    pointer = None if consumer.in_range else consumer.pointers.get(upstream.asset)
    if pointer is not None:
        # A pointer into a partitioned upstream is its newest event of any partition: a watermark.
        if upstream.storage_id <= pointer:
            return True
        seen = evidence.earlier.get(pointer)
        same = seen is not None and seen.partition == upstream.partition
        return same and seen is not None and seen.version_of(days) == upstream.version_of(days)
    return consumer.planned_id is not None and upstream.storage_id < consumer.planned_id


def _find_result(requirement: Requirement, check: str, evidence: Evidence) -> CheckResult | None:
    result = evidence.checks.get((requirement.asset, check, requirement.partition))
    if requirement.partition is not None and (result is None or result.status == "skipped"):
        # A check without partitions is planned for the partition, and answers without naming one.
        result = evidence.checks.get((requirement.asset, check, None), result)
    return result


def _examine_check(
    requirement: Requirement,
    result: CheckResult | None,
    newest: Materialization,
    contract: DashboardContract,
    evidence: Evidence,
) -> tuple[Outcome, str, dt.datetime | None]:
    if result is None or result.status == "skipped":
        return Outcome.NOT_RUN, "has not run on this version", newest.at
    if result.status == "pending":
        return Outcome.PENDING, "is planned and has not ended", result.at
    if not result.run_id and not contract.accept_reported:
        return Outcome.UNVERIFIED, "was reported by hand, not made by a run", result.at
    looked = _looked_at(result, newest, requirement.days, evidence)
    same_run = bool(newest.run_id) and result.run_id == newest.run_id
    # A check that raised names no load: it never got to one.
    if result.status == "errored" and (looked or same_run or result.at >= newest.at):
        return Outcome.ERRORED, result.reason or "raised an error", result.at
    answer = _examine_result(result, requirement.days)
    unseen = "" if looked else "looked at another load than the newest one"
    # Good news ends; what was wrong is wrong until somebody looks again.
    if answer[0] in (Outcome.PASSED, Outcome.WARNED):
        unseen = unseen or _ended(result, requirement, contract, evidence)
    return (Outcome.NOT_RUN, unseen, result.at) if unseen else answer


def _ended(result: CheckResult, requirement: Requirement, contract: DashboardContract, evidence: Evidence) -> str:
    """Say since when a result says nothing any more, or nothing."""
    if result.until is None or _present(requirement, contract, evidence.as_of) < result.until:
        return ""
    return f"could be believed until {moment(result.until)}, and has not run since"


def _examine_result(result: CheckResult, days: Sequence[str]) -> tuple[Outcome, str, dt.datetime | None]:
    wrong = Outcome.WARNED if result.warns else Outcome.FAILED
    if result.days is None or not days:
        reason = result.reason or "failed"
        return (Outcome.PASSED, "", result.at) if result.status == "passed" else (wrong, reason, result.at)
    failed = [day for day in days if day in result.days and not result.days[day].passed]
    if failed:
        reasons = {day: result.days[day].reason or "failed" for day in failed}
        told = reasons.values() if len(days) == 1 else (f"{day}: {reason}" for day, reason in reasons.items())
        return wrong, "; ".join(told), result.at
    unseen = [day for day in days if day not in result.days]
    if unseen:
        # Missing is never good: a check that does not name the day has not looked at it.
        return Outcome.NOT_RUN, result.reason or f"did not look at {listed(unseen)}", result.at
    return Outcome.PASSED, "", result.at


def _looked_at(result: CheckResult, newest: Materialization, days: Sequence[str], evidence: Evidence) -> bool:
    if result.target_id == newest.storage_id:
        return True
    if result.target_id is None:
        # Dagster names no load where an unpartitioned check runs beside a partition; the run itself tells.
        same_run = bool(newest.run_id) and result.run_id == newest.run_id
        return same_run and result.storage_id is not None and result.storage_id > newest.storage_id
    target = evidence.earlier.get(result.target_id)
    return target is not None and target.version_of(days) == newest.version_of(days)


def newest_version(asked: Input, evidence: Evidence) -> str | None:
    """Return the version that there is of an input now; None where a part of it is missing."""
    upstreams = [evidence.materializations.get((asked.asset, partition)) for partition in asked.partitions]
    versions = [upstream.version_of(asked.days) for upstream in upstreams if upstream is not None]
    return join_versions(versions) if versions and len(versions) == len(upstreams) else None


def requirement_version(requirement: Requirement, evidence: Evidence) -> str:
    """Return the version that there is of what is required now."""
    newest = evidence.materializations.get((requirement.asset, requirement.partition))
    return newest.version_of(requirement.days) if newest else "missing"


def _present(requirement: Requirement, contract: DashboardContract, as_of: dt.datetime) -> dt.datetime:
    """Return the time a window is held against: now, or when the next period was due, if that is past.

    Windows are about the present; an old partition keeps the age it had when it was the newest due.
    """
    period = None if requirement.read_now else requirement.period
    if period is None:
        return as_of
    following = period.end + (period.end - period.start)
    return min(as_of, contract.ready_by.deadline(following) if contract.ready_by else following)


def _owner(requirement: Requirement, outcome: Outcome, check: str | None) -> str:
    """Return who acts: what a check says of the data is another's than that it could not say it."""
    failed, errored = requirement.owners.get(check or "", ("", ""))
    wrong = outcome in (Outcome.FAILED, Outcome.WARNED)
    return (failed if wrong else errored) or requirement.owner


def finding_of(
    requirement: Requirement, outcome: Outcome, reason: str, at: dt.datetime | None, check: str | None = None
) -> Finding:
    """Return a finding about what is required, with who acts on it."""
    return Finding(
        asset=requirement.asset,
        partition=requirement.part,
        check=check,
        outcome=outcome,
        reason=reason,
        owner=_owner(requirement, outcome, check),
        since=at,
        sections=requirement.sections,
        blocks=requirement.blocks,
    )
