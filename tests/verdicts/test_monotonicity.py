"""Bad news never turns a hold into a publication, whatever else is known.

Each law makes its change wherever it can be made in a generated case. One thing may lift a hold all the
same, and only as far as said here: a person's waiver of the very finding that the change brings.
"""

from __future__ import annotations

import datetime as dt
import inspect
from collections import Counter
from dataclasses import replace

import pytest
from generated_cases import cases, fixed_cases
from good_worlds import DAY, NEXT, PAST, SECOND
from hypothesis import HealthCheck, given, settings
from mutants import load_judge, parse

from dashboard_trust.evidence.facts import Attempt, CheckResult, DayResult
from dashboard_trust.verdicts import examination
from dashboard_trust.verdicts import judge as judging
from dashboard_trust.verdicts.judge import judge
from dashboard_trust.verdicts.trace import upstream_assets
from dashboard_trust.verdicts.verdict import Outcome, Readiness

LATER = 2000
"""A storage id after every other."""
AFTER = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
WHILE = (SECOND, dt.timedelta(hours=5), dt.timedelta(days=1), dt.timedelta(days=30))


def found_in(verdict):
    return (*verdict.findings, *verdict.consequences)


def holding(verdict):
    """What holds, by what it is about: a count, since a receipt's finding may stand beside a person's hold.

    Not that something was built with or without what a minimum does without: that ends where it is as before again.
    """
    found = [f for f in found_in(verdict) if f.outcome.holds and not f.reason.startswith("was built with")]
    return Counter((f.asset, f.partition, f.check, f.outcome) for f in found)


def label(requirement):
    """What findings call the partition of a requirement."""
    days = sorted(set(requirement.days))
    span = days[0] if len(days) == 1 else f"{days[0]}..{days[-1]}" if days else None
    return requirement.partition or span


def is_waived(verdict, requirement, check=None):
    about = (requirement.asset, label(requirement), check)
    return any((f.asset, f.partition, f.check) == about and f.outcome is Outcome.WAIVED for f in found_in(verdict))


def with_and_without_receipts(evidence):
    return [evidence, replace(evidence, receipts=())] if evidence.receipts else [evidence]


def holds_of(judge, promise, before):
    """The evidence with its verdict, with and without receipts, where that holds."""
    verdicts = [(known, judge(promise, known)) for known in with_and_without_receipts(before)]
    return [(known, verdict) for known, verdict in verdicts if verdict.holds]


def releases(judge, promise, holds, change, requirement, check=None):
    """Whether a change lifts a hold, and not only by a waiver of what it brings.

    Nor where a minimum does without what it spoils: the dashboard is PARTIAL at most then, and a label names that.
    """
    for known, was in holds:
        now = judge(promise, replace(known, **change))
        if not now.holds:
            newly_waived = is_waived(now, requirement, check) and not is_waived(was, requirement, check)
            if not newly_waived and not is_named_as_missing(now, requirement.asset, promise):
                return True
    return False


def a_failing_check_releases_nothing(judge, promise, before):
    holds = holds_of(judge, promise, before)
    for requirement in promise.requirements:
        load = before.materializations.get((requirement.asset, requirement.partition))
        for check in requirement.checks:
            for bad in failing_results(requirement, check, load):
                change = {"checks": {**before.checks, (bad.asset, check, bad.partition): bad}}
                assert not releases(judge, promise, holds, change, requirement, check)


def failing_results(requirement, check, load):
    """Words of this check, for the reason a step may have broken for, that the asset is wrong, or one of its days."""
    newest = load.storage_id if load is not None else None
    word = CheckResult(requirement.asset, check, requirement.partition, "failed", AFTER, "run 950", newest, 950)
    word = replace(word, reason="boom")
    of_the_load = replace(word, target_id=None, run_id=load.run_id if load is not None else "run 950")
    yield from (word, of_the_load, replace(word, target_id=1))
    yield from (replace(word, status="errored"), replace(of_the_load, status="errored", at=AFTER - WHILE[-1] * 9))
    for day in requirement.days:
        days = {**dict.fromkeys(requirement.days, DayResult(True)), day: DayResult(False, "wrong")}
        yield replace(word, status="passed", days=days)


def an_attempt_that_broke_releases_nothing(judge, promise, before):
    holds = holds_of(judge, promise, before)
    for requirement in promise.requirements:
        place = (requirement.asset, requirement.partition)
        broken = Attempt(*place, LATER, "run 2000", before.as_of, "failed", "boom")
        change = {"attempts": {**before.attempts, place: broken}}
        assert not releases(judge, promise, holds, change, requirement)


def a_passed_check_taken_away_releases_nothing(judge, promise, before):
    """Taken away with every word of it: where two are kept, of the partition and of the whole, one shadows."""
    holds = holds_of(judge, promise, before)
    for requirement in promise.requirements:
        for check in requirement.checks:
            words = {(requirement.asset, check, partition) for partition in (requirement.partition, None)}
            if any(before.checks[key].status == "passed" for key in words & before.checks.keys()):
                change = {"checks": {key: word for key, word in before.checks.items() if key not in words}}
                assert not releases(judge, promise, holds, change, requirement, check)


def every_materialization_of_a_requirement_taken_away_releases_nothing(judge, promise, before):
    holds = holds_of(judge, promise, before)
    for requirement in promise.requirements:
        place = (requirement.asset, requirement.partition)
        newest = {key: load for key, load in before.materializations.items() if key != place}
        older = {id_: load for id_, load in before.earlier.items() if (load.asset, load.partition) != place}
        for earlier in (before.earlier, older):
            change = {"materializations": newest, "earlier": earlier}
            assert not releases(judge, promise, holds, change, requirement)


def is_named_as_missing(verdict, asset, promise):
    """Whether a verdict is PARTIAL, and the label of a minimum names this asset, or what is built from it."""
    counted = {one for s in promise.contract.sections if s.at_least is not None for one in s.assets}
    below = {one for one in counted if asset in {one, *upstream_assets(promise.requirements).get(one, ())}}
    named = [one for one in below & {*verdict.left_out} if any(one in label for label in verdict.labels)]
    return verdict.readiness is Readiness.PARTIAL and bool(named)


def a_newer_version_leaves_what_else_holds(judge, promise, before):
    """All that it may put right is its own place: it may be fresh again, say, or have the days it lacked."""
    for place in before.materializations:
        own = {(r.asset, label(r)) for r in promise.requirements if (r.asset, r.partition) == place}
        was, now = (judge(promise, without_what_news_ends(known)) for known in (before, load_anew(before, place)))
        elsewhere = Counter({about: number for about, number in holding(was).items() if about[:2] not in own})
        assert elsewhere <= holding(now)


def a_newer_version_outdates_whatever_was_built_from_another(judge, promise, before):
    """So what it puts right is published only by a dashboard that nothing stands between."""
    for place in before.materializations if not before.unreadable else ():
        now = judge(promise, load_anew(before, place))
        for requirement in promise.requirements:
            if reads(requirement, place, before):
                outdated = (requirement.asset, label(requirement), None, Outcome.OUTDATED)
                assert holding(now)[outdated] or is_waived(now, requirement)
                assert now.holds or not requirement.blocks or is_waived(now, requirement)


def without_what_news_ends(evidence):
    """A receipt and a rollback are of the versions they name."""
    return replace(evidence, receipts=(), words=tuple(word for word in evidence.words if word.kind != "roll_back"))


def load_anew(evidence, place):
    """A newer load of a place, of another version in every day, which answers what was tried before it."""
    old = evidence.materializations[place]
    days = None if old.days is None else dict.fromkeys((PAST, DAY, NEXT), "changed")
    newer = replace(
        old, storage_id=LATER, planned_id=LATER - 1, run_id="run 2000", version="changed", days=days, at=evidence.as_of
    )
    return replace(
        evidence,
        materializations={**evidence.materializations, place: newer},
        earlier={**evidence.earlier, old.storage_id: old, LATER: newer},
        attempts={key: attempt for key, attempt in evidence.attempts.items() if key != place},
    )


def reads(requirement, place, evidence):
    """Whether a requirement is there and reads a place."""
    load = evidence.materializations.get((requirement.asset, requirement.partition))
    if load is None or not set(requirement.days) <= set(requirement.days if load.days is None else load.days):
        return False
    return any(place == (asked.asset, part) for asked in requirement.inputs for part in asked.partitions)


def time_passing_ends_no_finding(judge, promise, before):
    for known in with_and_without_receipts(before):
        was = judge(promise, known)
        for length in WHILE:
            now = judge(promise, replace(known, as_of=known.as_of + length))
            assert holding(was) <= holding(now)
            named = any(is_named_as_missing(now, asset, promise) for asset in now.left_out)
            assert now.holds or not was.holds or named
            if promise.period is not None and was.readiness is Readiness.DELAYED:
                assert now.readiness in (Readiness.DELAYED, Readiness.BLOCKED)


def what_may_have_arrived_is_not_sent_again_whole_or_in_part(judge, promise, before):
    verdict = judge(promise, before)
    for receipt in before.receipts if promise.contract.at_most_once else ():
        begun_for_this = receipt.partition == promise.partition and not receipt.settled
        if begun_for_this and all(receipt.consumed.get(name) == version for name, version in verdict.consumed):
            assert verdict.holds


def what_was_taken_back_is_not_shown_again_whole_or_in_part(judge, promise, before):
    verdict = judge(promise, before)
    released = [n for n, word in enumerate(before.words) if word.kind == "release"]
    for n, word in enumerate(before.words):
        of_this = (word.kind, word.asset, word.partition) == ("roll_back", promise.contract.key, promise.partition)
        shown = all(word.consumed.get(name) == version for name, version in verdict.consumed)
        assert verdict.holds or not (of_this and shown) or any(later > n for later in released)


def nothing_missing_is_published_but_by_a_waiver(judge, promise, before):
    verdict = judge(promise, before)
    for requirement in promise.requirements:
        missing = (requirement.asset, requirement.partition) not in before.materializations
        if missing and requirement.blocks and not is_waived(verdict, requirement):
            assert verdict.holds


def fewer_than_the_least_are_not_published_but_by_a_waiver(judge, promise, before):
    """Told from loads and attempts alone: what is not there at all is missing whatever checks say."""
    verdict = judge(promise, before)
    for section in promise.contract.sections:
        if section.at_least is not None and section.when_unmet == "block":
            asked = [r for r in promise.requirements if r.asset in section.assets]
            absent = {r.asset for r in asked if (r.asset, r.partition) not in before.materializations}
            waived = {r.asset for r in asked if is_waived(verdict, r)}
            there = {r.asset for r in asked} - absent | waived
            assert verdict.holds or len(there) >= section.at_least


def what_a_minimum_does_without_is_not_shown(judge, promise, before):
    verdict = judge(promise, before)
    plain = {s.key for s in promise.contract.sections if s.at_least is None}
    only_counted = {r.asset for r in promise.requirements if r.sections and not plain & set(r.sections)}
    hidden = set(verdict.left_out) & only_counted
    inputs = {one.name: one.asset for one in promise.dashboard_inputs}
    assert not hidden & {inputs[name] for name, _ in verdict.consumed}


def what_cannot_be_read_is_not_published(judge, promise, before):
    assert judge(promise, replace(before, unreadable="gone")).holds


LAWS = (
    a_failing_check_releases_nothing,
    an_attempt_that_broke_releases_nothing,
    a_passed_check_taken_away_releases_nothing,
    every_materialization_of_a_requirement_taken_away_releases_nothing,
    a_newer_version_leaves_what_else_holds,
    a_newer_version_outdates_whatever_was_built_from_another,
    time_passing_ends_no_finding,
    what_may_have_arrived_is_not_sent_again_whole_or_in_part,
    nothing_missing_is_published_but_by_a_waiver,
    what_cannot_be_read_is_not_published,
    what_was_taken_back_is_not_shown_again_whole_or_in_part,
    fewer_than_the_least_are_not_published_but_by_a_waiver,
    what_a_minimum_does_without_is_not_shown,
)
each_law = pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)


@each_law
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_it_is_a_law_of_every_case_that_is_drawn(law, case):
    law(judge, *case)


@each_law
def test_it_is_a_law_of_every_fixed_case(law):
    for case in fixed_cases(3000):
        law(judge, *case)


SHOWN_IN_IT = "same = dict(verdict.consumed).items() <= receipt.consumed.items()"


@pytest.mark.parametrize(
    ("law", "old", "new"),
    [
        (LAWS[0], "return Outcome.ERRORED, result.reason", "return Outcome.PASSED, result.reason"),
        (LAWS[0], "wrong = Outcome.WARNED if result.warns else Outcome.FAILED", "wrong = Outcome.WARNED"),
        (
            LAWS[1],
            "finding_of(requirement, Outcome.ERRORED, attempt",
            "finding_of(requirement, Outcome.WARNED, attempt",
        ),
        (LAWS[2], 'return Outcome.NOT_RUN, "has not run', 'return Outcome.PASSED, "has not run'),
        (LAWS[3], "Outcome.MISSING, describe_missing", "Outcome.WARNED, describe_missing"),
        (LAWS[4], "upstream.storage_id < consumer.planned_id", "upstream.storage_id > consumer.planned_id"),
        (LAWS[0], SHOWN_IN_IT, "same = dict(verdict.consumed) == dict(receipt.consumed)"),
        (LAWS[1], SHOWN_IN_IT, "same = dict(verdict.consumed) == dict(receipt.consumed)"),
        (LAWS[2], SHOWN_IN_IT, "same = dict(verdict.consumed) == dict(receipt.consumed)"),
        (LAWS[3], SHOWN_IN_IT, "same = dict(verdict.consumed) == dict(receipt.consumed)"),
        (LAWS[5], "newest_version(asked, evidence) == recorded", "newest_version(asked, evidence) != recorded"),
        (
            LAWS[5],
            "newest_version(asked, evidence) == recorded",
            "newest_version(asked, evidence) in (None, recorded)",
        ),
        (LAWS[5], "if upstream.storage_id <= pointer:", "if upstream.storage_id >= pointer:"),
        (LAWS[6], "if age >= window:", "if window <= age < 3 * window:"),
        (LAWS[7], "and not receipt.settled", "and receipt.settled"),
        (LAWS[7], SHOWN_IN_IT, "same = dict(verdict.consumed).items() >= receipt.consumed.items()"),
        (LAWS[8], "Outcome.MISSING, describe_missing", "Outcome.WARNED, describe_missing"),
        (LAWS[9], "if evidence.unreadable:", "if evidence.unreadable and not evidence.materializations:"),
        (LAWS[11], "found = heed_minimums(promise, found, counts)", "found = found"),
        (LAWS[12], "and asked.asset in shown:", "and (asked.asset in shown or promise.contract.sections):"),
        (
            LAWS[10],
            "dict(verdict.consumed), evidence.words)",
            '{**dict(verdict.consumed), "more": ""}, evidence.words)',
        ),
    ],
)
def test_a_judge_that_breaks_a_law_is_caught(law, old, new):
    sources = {module: inspect.getsource(module) for module in (judging, examination)}
    saying = [module for module, source in sources.items() if source.count(old) == 1]
    assert len(saying) == 1, f"the judge no longer says {old!r} once: break this law anew"
    lawless = load_judge(parse(sources[saying[0]].replace(old, new)), saying[0])

    def try_every_case():
        for case in fixed_cases(3000):
            law(lawless.judge, *case)

    with pytest.raises(AssertionError):
        try_every_case()
