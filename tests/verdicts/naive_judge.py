"""The rules of docs/architecture.md, told once more: slow, one after the other, and nothing shared with the judge."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from dashboard_trust.evidence.facts import join_versions

HARMLESS = {"warned", "waived"}
WRONG = {"failed", "errored", "unverified", "unapproved"}


def judge_naively(promise, evidence):
    """Return the readiness and the findings, as (asset, partition, check, outcome)."""
    contract = promise.contract
    if evidence.unreadable or not promise.requirements:
        return "UNKNOWN", {(contract.key, promise.partition, None, "unverified")}
    told = []  # of each finding: what, and whether it blocks
    if is_held_by_a_person(promise, evidence):
        told.append(((contract.key, promise.partition, None, "unapproved"), True))
    for requirement in promise.requirements:
        for check, outcome in examine(requirement, promise, evidence):
            told.append((waived(requirement, check, outcome, evidence), requirement.blocks))
    return readiness(told, promise, evidence), {finding for finding, _ in told}


def readiness(told, promise, evidence):
    if any(finding[3] in WRONG and blocks for finding, blocks in told):
        return "BLOCKED"
    if any(finding[3] not in HARMLESS and blocks for finding, blocks in told):
        ready_by = promise.contract.ready_by
        end = promise.period.end if promise.period else evidence.as_of
        late = ready_by is not None and evidence.as_of >= promised_moment(ready_by, end)
        return "DELAYED" if late else "WAITING"
    if any(finding[3] not in HARMLESS for finding, _ in told):
        return "PARTIAL"
    return "READY"


def promised_moment(ready_by, end):
    zone = ZoneInfo(ready_by.timezone)
    day = end.astimezone(zone).date() + dt.timedelta(days=ready_by.days_after_end)
    return dt.datetime(
        day.year, day.month, day.day, ready_by.time.hour, ready_by.time.minute, ready_by.time.second, tzinfo=zone
    )


def is_held_by_a_person(promise, evidence):
    """A release of the whole dashboard lifts every hold; one of a partition lifts what holds only that."""
    words = [word for word in evidence.words if word.asset == promise.contract.key]
    for n, word in enumerate(words):
        if word.kind == "hold" and word.partition in (None, promise.partition):
            releases = [later for later in words[n + 1 :] if later.kind == "release"]
            if not any(release.partition in (None, word.partition) for release in releases):
                return True
    return False


def waived(requirement, check, outcome, evidence):
    """A waiver is for one finding, at the version it was given for, until it ends."""
    partition = requirement.partition
    if partition is None and len(requirement.days) == 1:
        partition = requirement.days[0]
    load = evidence.materializations.get((requirement.asset, requirement.partition))
    version = "missing" if load is None else load.version_of(requirement.days)
    for word in evidence.words:
        if word.kind != "waive" or word.until is None or word.until <= evidence.as_of:
            continue
        about = (word.asset, word.partition, word.check, word.outcome)
        if about == (requirement.asset, partition, check, outcome) and word.version == version:
            return (requirement.asset, partition, check, "waived")
    return (requirement.asset, partition, check, outcome)


def examine(requirement, promise, evidence):
    """Return what is not as promised of one asset's partition, as (check, outcome)."""
    place = (requirement.asset, requirement.partition)
    load = evidence.materializations.get(place)
    of_attempt, broken_because = examine_attempt(requirement, evidence.attempts.get(place))
    if load is None:
        return of_attempt or [(None, "missing")]
    if load.days is not None and not set(requirement.days) <= set(load.days):
        return [*of_attempt, (None, "missing")]
    found = list(of_attempt)
    if load.run_id == "" and not promise.contract.accept_reported:
        found.append((None, "unverified"))
    if not all(has_consumed_the_newest(load, asked, evidence) for asked in requirement.inputs):
        found.append((None, "outdated"))
    if is_overdue(requirement, load, promise, evidence):
        found.append((None, "overdue"))
    for check in requirement.checks:
        outcome, reason = examine_check(requirement, check, load, promise.contract, evidence)
        named_already = outcome == "errored" and broken_because is not None and reason == broken_because
        if outcome != "passed" and not named_already:
            found.append((check, outcome))
    return found


def examine_attempt(requirement, attempt):
    """Running holds as pending, broken as errored; a held or never reached one is judged by its inputs."""
    if attempt is None:
        return [], None
    if attempt.state == "running":
        return [(None, "pending")], None
    if attempt.held:
        return [], None
    if attempt.state == "not_started" and requirement.inputs:
        return [], None
    return [(None, "errored")], attempt.reason or "its last run failed"


def is_overdue(requirement, load, promise, evidence):
    """A window is about the present: an old partition keeps the age it had when the next one was due."""
    window = promise.contract.freshness.get(requirement.asset)
    if window is None:
        return False
    now = evidence.as_of
    if promise.period is not None:
        next_due = promise.period.end + (promise.period.end - promise.period.start)
        if promise.contract.ready_by is not None:
            next_due = promised_moment(promise.contract.ready_by, next_due)
        if next_due < now:
            now = next_due
    return now - load.at >= window


def has_consumed_the_newest(consumer, asked, evidence):
    newest = [evidence.materializations.get((asked.asset, partition)) for partition in asked.partitions]
    if asked.name in consumer.consumed:
        if not newest or None in newest:
            return True  # what is missing is a finding of its own
        return consumer.consumed[asked.name] == join_versions([load.version_of(asked.days) for load in newest])
    for upstream in newest:
        if upstream is None:
            continue
        if consumer.run_id and consumer.run_id == upstream.run_id:
            consumed = upstream.storage_id < consumer.storage_id
        elif asked.asset in consumer.pointers and not consumer.in_range:
            consumed = has_seen(consumer.pointers[asked.asset], upstream, asked.days, evidence)
        elif consumer.planned_id is None:
            consumed = False
        else:
            consumed = upstream.storage_id < consumer.planned_id
        if not consumed:
            return False
    return True


def has_seen(pointer, upstream, days, evidence):
    """Dagster's pointer is a watermark; what came after it may still be of the same version."""
    if upstream.storage_id <= pointer:
        return True
    seen = evidence.earlier.get(pointer)
    if seen is None or seen.partition != upstream.partition:
        return False
    return seen.version_of(days) == upstream.version_of(days)


def examine_check(requirement, check, load, contract, evidence):
    """Return the outcome of one check, and why."""
    result = evidence.checks.get((requirement.asset, check, requirement.partition))
    if result is None or result.status == "skipped":  # a check without partitions answers without naming one
        result = evidence.checks.get((requirement.asset, check, None))
    if result is None or result.status == "skipped":
        return "not_run", ""
    if result.status == "pending":
        return "pending", ""
    if result.run_id == "" and not contract.accept_reported:
        return "unverified", ""
    of_this_version = has_looked_at(result, load, requirement.days, evidence)
    if result.status == "errored":
        of_this_run = result.run_id != "" and result.run_id == load.run_id
        counts = of_this_version or of_this_run or result.at >= load.at
        return ("errored", result.reason or "raised an error") if counts else ("not_run", "")
    if not of_this_version:
        return "not_run", ""
    bad = "warned" if result.warns else "failed"
    if result.days is None or not requirement.days:
        return ("passed" if result.status == "passed" else bad), ""
    if any(day in result.days and not result.days[day].passed for day in requirement.days):
        return bad, ""
    if not all(day in result.days for day in requirement.days):
        return "not_run", ""
    return "passed", ""


def has_looked_at(result, load, days, evidence):
    if result.target_id is not None:
        if result.target_id == load.storage_id:
            return True
        target = evidence.earlier.get(result.target_id)
        return target is not None and target.version_of(days) == load.version_of(days)
    if result.run_id == "" or result.run_id != load.run_id or result.storage_id is None:
        return False
    return result.storage_id > load.storage_id
