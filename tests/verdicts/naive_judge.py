"""The rules of docs/architecture.md, told once more: slow, one after the other, and nothing shared with the judge."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

from dashboard_trust.evidence.facts import join_versions

HARMLESS = {"passed", "warned", "waived"}
WRONG = {"failed", "errored", "unverified", "unapproved"}
MAY_FOLLOW = {"missing", "outdated", "pending", "not_run", "overdue"}


@dataclass(frozen=True)
class Told:
    """One finding: what it is about, whose it is, and the run or version it stands on."""

    asset: str
    partition: str | None
    check: str | None
    outcome: str
    owner: str
    version: str = ""
    run_id: str | None = None
    sections: tuple[str, ...] = ()
    blocks: bool = True
    failure: object = None
    because: tuple[str, ...] = field(default=(), compare=False)  # what the facts themselves say

    @property
    def holds(self):
        return self.outcome not in HARMLESS


@dataclass(frozen=True)
class Answer:
    """What a judge says, without its words; findings in an order of their own."""

    readiness: str
    causes: tuple[Told, ...]
    consequences: tuple[Told, ...] = ()
    unmet: tuple[str, ...] = ()
    consumed: tuple[tuple[str, str], ...] = ()
    deadline: dt.datetime | None = None
    holds: bool = True
    labels: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def findings(self):
        return (*self.causes, *self.consequences)

    def agrees_with(self, verdict):
        """Whether a verdict says the same, and gives the reasons that the facts gave."""
        same = self == answer_of(verdict)
        both = zip(self.findings, in_order(verdict.findings) + in_order(verdict.consequences), strict=same)
        return same and all(word in f.reason for told, f in both for word in told.because)


def in_order(findings):
    return tuple(sorted(findings, key=lambda f: (f.asset, str(f.partition), str(f.check), str(f.outcome))))


def answer_of(verdict):
    """Return a verdict as an answer, to lay beside the naive one."""

    def told(findings):
        return in_order(
            Told(
                f.asset,
                f.partition,
                f.check,
                str(f.outcome),
                f.owner,
                f.version,
                f.run_id,
                f.sections,
                f.blocks,
                f.failure,
            )
            for f in findings
        )

    return Answer(
        str(verdict.readiness),
        told(verdict.findings),
        told(verdict.consequences),
        verdict.unmet,
        verdict.consumed,
        verdict.deadline,
        verdict.holds,
        verdict.labels,
        verdict.left_out,
    )


def judge_naively(promise, evidence):
    contract = promise.contract
    if evidence.unreadable or not promise.requirements:
        return Answer("UNKNOWN", (Told(contract.key, promise.partition, None, "unverified", contract.owner),))
    of_person = Told(contract.key, promise.partition, None, "unapproved", contract.owner)
    found = [of_person] if is_held_by_a_person(promise, evidence) else []
    for requirement in promise.requirements:
        found += [waived(finding, evidence) for finding in examine(requirement, promise, evidence)]
    _, _, without = what_is_done_without(promise, evidence, found)
    found += [waived(finding, evidence) for finding in built_with_others(promise, evidence, without)]
    lists, too_few, without = what_is_done_without(promise, evidence, found)
    unmet = [s.key for s in contract.sections if any(f.holds and s.key in f.sections for f in found)]
    consumed = [one for _, one in what_is_consumed(promise, unmet, evidence, found, lists, too_few) if one]
    for section in contract.sections:
        if section.key in too_few and section.when_unmet == "block":
            found = [replace(f, blocks=True) if spoils(f, section.assets, promise, found) else f for f in found]
            if sum(map(len, lists[section.key])) < section.at_least:
                found.append(Told(contract.key, promise.partition, None, "unverified", contract.owner))
    causes, consequences = separate_naively(promise.requirements, found)
    if contract.at_most_once:
        causes += [of_person] * how_many_may_have_arrived(promise, consumed, evidence)
    causes += [of_person] if is_taken_back(promise, consumed, evidence) else []
    state = readiness([*causes, *consequences], promise, evidence)
    return Answer(
        readiness=state,
        causes=in_order(causes),
        consequences=in_order(consequences),
        unmet=tuple(unmet),
        consumed=tuple(consumed),
        deadline=deadline(promise, evidence),
        holds=state not in ("PARTIAL", "READY"),
        labels=tuple(label(s, lists.get(s.key)) for s in contract.sections if s.key in unmet),
        left_out=tuple(sorted(without)),
    )


def what_is_done_without(promise, evidence, found):
    """What is there and missing of each section with a minimum, those with too little, and all that is left out."""
    sections = promise.contract.sections
    lists = {s.key: what_is_there(s, promise, found) for s in sections if s.at_least is not None}
    too_few = [s.key for s in sections if s.key in lists and len(lists[s.key][0]) < s.at_least]
    unmet = [s.key for s in sections if any(f.holds and s.key in f.sections for f in found)]
    shown = {asset for asset, _ in what_is_consumed(promise, unmet, evidence, found, lists, too_few)}
    without = {asset for _, missing in lists.values() for asset in missing}
    for key in too_few:
        without |= {asset for asset in lists[key][0] if asset not in shown}
    return lists, too_few, without


def built_with_others(promise, evidence, without):
    """What was built without something that nothing does without, or is read and holds what is done without now."""
    loads = {
        (r.asset, r.partition): evidence.materializations.get((r.asset, r.partition)) for r in promise.requirements
    }
    read = [asked.asset for asked in promise.dashboard_inputs]
    for requirement in promise.requirements:
        load = loads[requirement.asset, requirement.partition]
        if load is None:
            continue
        lacks = [asset for asset in load.left_out if asset not in without]
        inside = [
            asset
            for asset in without
            if requirement.asset in read
            and any(place[0] == asset and there is not None for place, there in loads.items())
            and reaches(asset, requirement.asset, promise, loads)
        ]
        if lacks or inside:
            yield Told(
                asset=requirement.asset,
                partition=requirement.part,
                check=None,
                outcome="outdated",
                owner=requirement.owner,
                version=load.version_of(requirement.days),
                sections=requirement.sections,
                blocks=requirement.blocks,
                because=("without", *lacks) if lacks else ("built with ", *inside),
            )


def reaches(asset, other, promise, loads):
    """Whether something of an asset came into another, by loads of which none on the way left it out."""
    for requirement in promise.requirements:
        load = loads[requirement.asset, requirement.partition]
        if requirement.asset == other != asset and load is not None and asset not in load.left_out:
            for asked in requirement.inputs:
                if asked.asset == asset or (asked.asset != other and reaches(asset, asked.asset, promise, loads)):
                    return True
    return False


def what_is_there(section, promise, found):
    """Of the assets of a section that are asked: those that nothing holds, and the others."""
    there, missing = [], []
    for asset in dict.fromkeys(section.assets):
        if any(requirement.asset == asset for requirement in promise.requirements):
            spoilt = any(spoils(finding, [asset], promise, found) for finding in found)
            (missing if spoilt else there).append(asset)
    return there, missing


def spoils(finding, assets, promise, found):
    """Whether a finding holds one of these assets that are asked, or something one is built from."""
    asked = {requirement.asset for requirement in promise.requirements} & set(assets)
    return finding.holds and any(finding.asset in assets_above(asset, promise.requirements) for asset in asked)


def label(section, counted):
    if counted is None or not counted[1]:
        return section.title
    there, missing = counted
    number = f"{len(there)} of {len(there) + len(missing)}"
    if len(there) < section.at_least:
        return f"{section.title} (only {number}: {', '.join(missing)})"
    return f"{', '.join(missing)} ({section.title}: {number})"


def readiness(found, promise, evidence):
    if any(finding.outcome in WRONG and finding.blocks for finding in found):
        return "BLOCKED"
    if any(finding.holds and finding.blocks for finding in found):
        promised = deadline(promise, evidence)
        return "DELAYED" if promised is not None and promised <= evidence.as_of else "WAITING"
    if any(finding.holds for finding in found):
        return "PARTIAL"
    return "READY"


def deadline(promise, evidence):
    """Without partitions the promise is kept anew every day."""
    if promise.contract.ready_by is None:
        return None
    return promised_moment(promise.contract.ready_by, promise.period.end if promise.period else evidence.as_of)


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


def how_many_may_have_arrived(promise, consumed, evidence):
    """What was begun to be sent, neither delivered nor released, needs a person, unless something now is new to it."""
    number = 0
    for receipt in evidence.receipts:
        news = [name for name, version in consumed if receipt.consumed.get(name) != version]
        if receipt.partition == promise.partition and not receipt.settled and not news:
            number += 1
    return number


def is_taken_back(promise, consumed, evidence):
    """What was rolled back is refused until its inputs change or it is released."""
    words = [word for word in evidence.words if word.asset == promise.contract.key]
    for n, word in enumerate(words):
        if word.kind == "roll_back" and word.partition == promise.partition:
            news = [name for name, version in consumed if word.consumed.get(name) != version]
            releases = [later for later in words[n + 1 :] if later.kind == "release"]
            if not news and not any(release.partition in (None, word.partition) for release in releases):
                return True
    return False


def what_is_consumed(promise, unmet, evidence, found, lists, too_few):
    """Return each direct input that is not of unmet sections alone, and what a refresh would read of it (or None).

    A section that does with fewer shows what is not spoilt, unless too few are there.
    """

    def shows(key, asset):
        if key not in unmet:
            return True
        if key not in lists or key in too_few:
            return False
        return not any(spoils(finding, [asset], promise, found) for finding in found)

    read = []
    for asked in promise.dashboard_inputs:
        loads = [evidence.materializations.get((asked.asset, partition)) for partition in asked.partitions]
        shown_in = [r.sections for r in promise.requirements if r.asset == asked.asset and r.sections]
        labelled = bool(shown_in) and not any(shows(key, asked.asset) for key in shown_in[0])
        there = loads and None not in loads
        if not labelled:
            version = join_versions([load.version_of(asked.days) for load in loads]) if there else None
            read.append((asked.asset, (asked.name, version) if there else None))
    return read


def separate_naively(requirements, found):
    causes = [finding for finding in found if not only_follows(finding, found, requirements)]
    return causes, [finding for finding in found if finding not in causes]


def only_follows(finding, found, requirements):
    """What is not there yet waits for anything upstream that holds; a label upstream excuses no block."""
    if str(finding.outcome) not in MAY_FOLLOW:
        return False
    above = assets_above(finding.asset, requirements) - {finding.asset}
    return any(str(f.outcome) not in HARMLESS and f.asset in above and f.blocks >= finding.blocks for f in found)


def assets_above(asset, requirements):
    above, known = {asset}, 0
    while len(above) != known:
        known = len(above)
        above |= {asked.asset for r in requirements if r.asset in above for asked in r.inputs}
    return above


def waived(finding, evidence):
    """A waiver is for one finding, at the version it was given for, until it ends."""
    for word in evidence.words:
        if word.kind != "waive" or word.until is None or word.until <= evidence.as_of:
            continue
        about = (word.asset, word.partition, word.check, word.outcome, word.version)
        if about == (finding.asset, finding.partition, finding.check, finding.outcome, finding.version):
            return replace(finding, outcome="waived")
    return finding


def who_acts(requirement, check, outcome):
    """Return the owner of what a check says, or of its not saying it; else the asset's."""
    for name, (of_data, of_tools) in requirement.owners.items():
        if name == check:
            own = of_data if outcome in ("failed", "warned") else of_tools
            return own if own != "" else requirement.owner
    return requirement.owner


def said_of_failure(requirement, evidence, outcome, check):
    """What a step said of its failure goes with what its attempt comes to."""
    attempt = evidence.attempts.get((requirement.asset, requirement.partition))
    return attempt.failure if attempt and check is None and outcome in ("pending", "errored") else None


def examine(requirement, promise, evidence):
    """Return what is not as promised of one asset's partition."""
    load = evidence.materializations.get((requirement.asset, requirement.partition))
    partition = requirement.partition
    if partition is None and requirement.days:
        first, last = min(requirement.days), max(requirement.days)
        partition = first if first == last else f"{first}..{last}"
    return [
        Told(
            asset=requirement.asset,
            partition=partition,
            check=check,
            outcome=outcome,
            owner=getattr(said_of_failure(requirement, evidence, outcome, check), "owner", "")
            or who_acts(requirement, check, outcome),
            failure=said_of_failure(requirement, evidence, outcome, check),
            version="missing" if load is None else load.version_of(requirement.days),
            run_id=run_id,
            sections=requirement.sections,
            blocks=requirement.blocks,
            because=tuple(because),
        )
        for check, outcome, run_id, because in examine_facts(requirement, load, promise, evidence)
    ]


def examine_facts(requirement, load, promise, evidence):
    """Return (check, outcome, the run it waits for, what the facts say)."""
    attempt = evidence.attempts.get((requirement.asset, requirement.partition))
    of_attempt = examine_attempt(requirement, attempt)
    if load is None:
        return of_attempt or [(None, "missing", None, [])]
    absent = [] if load.days is None else sorted(set(requirement.days) - set(load.days))
    if absent:
        return [*of_attempt, (None, "missing", None, absent)]
    found = list(of_attempt)
    if load.run_id == "" and not promise.contract.accept_reported:
        found.append((None, "unverified", None, []))
    behind = [asked.asset for asked in requirement.inputs if not has_consumed_the_newest(load, asked, evidence)]
    if behind:
        found.append((None, "outdated", None, behind))
    if is_overdue(requirement, load, promise, evidence):
        found.append((None, "overdue", None, []))
    for check in requirement.checks:
        outcome, because, run_id = examine_check(requirement, check, load, promise.contract, evidence)
        if outcome == "errored" and broke_with(attempt, of_attempt, requirement, check, because, evidence):
            continue  # a step that broke takes its own checks with it
        if outcome != "passed":
            found.append((check, outcome, run_id, because))
    return found


def broke_with(attempt, of_attempt, requirement, check, because, evidence):
    """Whether a check says no more than the step that broke: it raised in that very run, for the same reason."""
    result = answer_to(requirement, check, evidence)
    return result.run_id == getattr(attempt, "run_id", None) and (None, "errored", None, because) in of_attempt


def examine_attempt(requirement, attempt):
    """Running holds as pending, broken as errored; a held or never reached one is judged by its inputs."""
    if attempt is None:
        return []
    if attempt.state == "running":
        return [(None, "pending", attempt.run_id, [attempt.run_id[:8]])]
    if attempt.held:
        return []
    if attempt.state == "not_started" and requirement.inputs:
        return []
    return [(None, "errored", None, [attempt.reason or "its last run failed"])]


def is_overdue(requirement, load, promise, evidence):
    """Fresh is what came after the time it is to cover, lately, and speaks of nearly all of that time."""
    window = promise.contract.freshness.get(requirement.asset)
    if window is None:
        return False
    present = present_of(requirement, promise.contract, evidence)
    covers_until = requirement.period.end if requirement.period else None
    came_too_soon = covers_until is not None and load.at < covers_until
    came_long_ago = load.at + window <= present
    speaks_of_too_little = load.data_at is not None and load.data_at + window <= (covers_until or present)
    return came_too_soon or came_long_ago or speaks_of_too_little


def present_of(requirement, contract, evidence):
    """A window is about the present: what covers an old time keeps the age it had when the next one was due."""
    if requirement.period is None or requirement.read_now:
        return evidence.as_of
    next_due = requirement.period.end + (requirement.period.end - requirement.period.start)
    if contract.ready_by is not None:
        next_due = promised_moment(contract.ready_by, next_due)
    return next_due if next_due < evidence.as_of else evidence.as_of


def has_consumed_the_newest(consumer, asked, evidence):
    newest = [evidence.materializations.get((asked.asset, partition)) for partition in asked.partitions]
    if asked.name in consumer.consumed:
        if not newest or None in newest:
            return False  # what it was built from is no longer there
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
    """Return the outcome of one check, what it says itself, and the run it waits for."""
    result = answer_to(requirement, check, evidence)
    if result is None or result.status == "skipped":
        return "not_run", [], None
    if result.status == "pending":
        return "pending", [], result.run_id
    if result.run_id == "" and not contract.accept_reported:
        return "unverified", [], None
    of_this_version = has_looked_at(result, load, requirement.days, evidence)
    if result.status == "errored":
        of_this_run = result.run_id != "" and result.run_id == load.run_id
        counts = of_this_version or of_this_run or result.at >= load.at
        return ("errored", [result.reason or "raised an error"], None) if counts else ("not_run", [], None)
    if not of_this_version:
        return "not_run", [], None
    is_over = result.until is not None and present_of(requirement, contract, evidence) >= result.until
    answer = read_answer(result, requirement)
    return ("not_run", [], None) if is_over and answer[0] in ("passed", "warned") else answer


def read_answer(result, requirement):
    """Return what a result of this version says of the days it is asked for."""
    bad = "warned" if result.warns else "failed"
    if result.days is None or not requirement.days:
        return ("passed", [], None) if result.status == "passed" else (bad, [result.reason or "failed"], None)
    failed = [day for day in requirement.days if day in result.days and not result.days[day].passed]
    if failed:
        reasons = [result.days[day].reason or "failed" for day in failed]
        return bad, [*reasons, *(failed if len(requirement.days) > 1 else ())], None
    unseen = [day for day in requirement.days if day not in result.days]
    if unseen:
        return "not_run", [result.reason] if result.reason else unseen, None
    return "passed", [], None


def answer_to(requirement, check, evidence):
    """A check without partitions is skipped for the partition, and answers without naming one."""
    result = evidence.checks.get((requirement.asset, check, requirement.partition))
    if result is None or result.status == "skipped":
        result = evidence.checks.get((requirement.asset, check, None))
    return result


def has_looked_at(result, load, days, evidence):
    if result.target_id is not None:
        if result.target_id == load.storage_id:
            return True
        target = evidence.earlier.get(result.target_id)
        return target is not None and target.version_of(days) == load.version_of(days)
    if result.run_id == "" or result.run_id != load.run_id or result.storage_id is None:
        return False
    return result.storage_id > load.storage_id
