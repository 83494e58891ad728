"""How sharp the comparison with the naive judge is: every small change of the judge shows in some case."""

from __future__ import annotations

import functools
import inspect
import types

import pytest
from generated_cases import fixed_cases, fixed_findings
from mutants import load_judge, mutate, parse
from naive_judge import judge_naively, separate_naively

from dashboard_trust.verdicts import examination, judge, minimums, standing_words, trace

CASES, FINDINGS = 5000, 2000

NO_CASE_CAN_TELL_OF_EXAMINATION = {
    "examine: for finding in tried  ->  for finding in list(tried)[0:1]": "an attempt gives one finding at most",
    "examine: result is not None and outcome is Outcome.PENDING  ->  outcome is Outcome.PENDING": (
        "only a result is ever pending"
    ),
    "_examine_result: len(days)  ->  len(())": "only wording: the day is named though it is the only one",
    "_examine_result: reasons.values() if len(days) == 1 else (f'{day}: {reason}' for day, reason in reasons.items())"
    "  ->  (f'{day}: {reason}' for day, reason in reasons.items())": "only wording, the same",
    "_find_result: requirement.partition is not None and (result is None or result.status == 'skipped')"
    "  ->  result is None or result.status == 'skipped'": "without a partition both are one result",
    "_has_consumed: same and seen is not None and (seen.version_of(days) == upstream.version_of(days))"
    "  ->  same and seen.version_of(days) == upstream.version_of(days)": "`same` says that it was seen; mypy cannot",
    "_has_consumed: upstream.storage_id < consumer.storage_id  ->  upstream.storage_id <= consumer.storage_id": (
        "two events never share a storage id"
    ),
    "_overdue: f'the end of what it is to cover ({moment(end)})' if end else 'now'  ->  'now'": "only wording",
    "_overdue: newest.data_at is not None and lag >= window  ->  lag >= window": (
        "without data_at the lag is nothing, and a window is longer than nothing"
    ),
    "_overdue: return ''  ->  pass": "None is no reason either",
    "_owner: check or ''  ->  check": "no check is named by nothing",
}

NO_CASE_CAN_TELL = {
    "_version: for requirement in promise.requirements  ->  for requirement in list(promise.requirements)[0:1]": (
        "an answer is laid side by side without its version; test_against_naive.py lays versions beside versions"
    ),
    "_version: for requirement in promise.requirements  ->  for requirement in list(promise.requirements)[1:None]": (
        "the same"
    ),
    "_version: return join_versions(['promise', *sorted(parts)])  ->  pass": "the same",
    "judge: if not unsettled:  ->  if False:": "what follows changes nothing where nothing is unsettled",
    "judge: return verdict  ->  pass": "the same",
}

SHOWN_IN_IT = "same = dict(verdict.consumed).items() <= receipt.consumed.items()"
BY_HAND = (
    (
        examination,
        "whoever ended last is current",
        ("upstream.storage_id < consumer.planned_id", "upstream.storage_id < consumer.storage_id"),
    ),
    (
        examination,
        "any load of the asset will do",
        (
            "newest = evidence.materializations.get(place)",
            "newest = next((load for key, load in evidence.materializations.items() if key[0] == place[0]), None)",
        ),
    ),
    (
        examination,
        "what was recorded of any input counts",
        ("consumer.consumed.get(asked.name)", "next(iter(consumer.consumed.values()), None)"),
    ),
    (
        examination,
        "a pointer at any upstream counts",
        ("consumer.pointers.get(upstream.asset)", "next(iter(consumer.pointers.values()), None)"),
    ),
    (
        examination,
        "an input that is partly missing is compared by the rest",
        ("if versions and len(versions) == len(upstreams) else None", "if versions else None"),
    ),
    (examination, "a day without rows is one with nothing wrong", ("day not in newest.days]", "False]")),
    (
        examination,
        "a check that is planned passed",
        ('return Outcome.PENDING, "is planned', 'return Outcome.PASSED, "is planned'),
    ),
    (
        examination,
        "a check that has not run passed",
        ('return Outcome.NOT_RUN, "has not run', 'return Outcome.PASSED, "has not run'),
    ),
    (
        examination,
        "whichever load the check looked at",
        ('"" if looked else "looked at', '"" if True else "looked at'),
    ),
    (
        examination,
        "a check that raised passed",
        ("return Outcome.ERRORED, result.reason", "return Outcome.PASSED, result.reason"),
    ),
    (
        examination,
        "any check of the asset answers",
        (
            "evidence.checks.get((requirement.asset, check, requirement.partition))",
            "next((one for key, one in evidence.checks.items() if key[0] == requirement.asset), None)",
        ),
    ),
    (examination, "an old partition ages on", ("return min(as_of, ", "return max(as_of, ")),
    (
        examination,
        "the next partition is due when this one ends",
        ("following = period.end + (period.end - period.start)", "following = period.end"),
    ),
    (
        examination,
        "a load ages from the end of what it covers",
        ("age = present - newest.at", "age = present - (end or newest.at)"),
    ),
    (
        examination,
        "a load ages from what its data speaks of",
        ("age = present - newest.at", "age = present - (newest.data_at or newest.at)"),
    ),
    (examination, "the data may end anywhere", ("if newest.data_at is not None and lag >= window", "if False")),
    (
        judge,
        "a partition is promised for its start",
        ("period.end if period else as_of", "period.start if period else as_of"),
    ),
    (judge, "a receipt of any partition counts", ("receipt.partition == promise.partition and same", "same")),
    (
        judge,
        "a receipt of any version counts",
        ("receipt.partition == promise.partition and same", "receipt.partition == promise.partition"),
    ),
    (
        judge,
        "a section that went bad makes another version",
        (SHOWN_IN_IT, "same = dict(verdict.consumed) == dict(receipt.consumed)"),
    ),
    (
        judge,
        "a section that is good again is in what was begun",
        (SHOWN_IN_IT, "same = dict(verdict.consumed).items() >= receipt.consumed.items()"),
    ),
    (
        judge,
        "the same inputs of any versions were begun",
        (SHOWN_IN_IT, "same = dict(verdict.consumed).keys() <= receipt.consumed.keys()"),
    ),
    (
        judge,
        "a receipt holds while anything of it is shown",
        (SHOWN_IN_IT, "same = bool(dict(verdict.consumed).items() & receipt.consumed.items())"),
    ),
    (
        examination,
        "a step that broke takes every check with it that raised for its reason",
        ("is Outcome.ERRORED and same_run and any", "is Outcome.ERRORED and any"),
    ),
    (
        examination,
        "a step that broke takes every check of its run with it",
        ("and any(finding.reason == reason for finding in tried)", "and bool(tried)"),
    ),
    (
        examination,
        "windows are about the time of the dashboard",
        ("None if requirement.read_now else requirement.period", "None if requirement.read_now else promise.period"),
    ),
    (
        examination,
        "what was recorded counts while a part of it is missing",
        ("newest_version(asked, evidence) == recorded", "newest_version(asked, evidence) in (None, recorded)"),
    ),
    (
        minimums,
        "what something holds upstream is there all the same",
        ("holding & ({asset} | above[asset])", "holding & {asset}"),
    ),
    (
        minimums,
        "one less than the least will do",
        ("len(self.missing) < self.least", "len(self.missing) + 1 < self.least"),
    ),
    (minimums, "what this partition does not read is there", ("if asset in above))", "))")),
    (minimums, "a section that may be labelled holds", (' and count.section.when_unmet == "block"]', "]")),
    (standing_words, "a hold of any dashboard counts", ("word.asset != dashboard or word.kind", "word.kind")),
    (standing_words, "a rollback of any dashboard counts", ("word.asset != dashboard or word.part", "word.part")),
    (
        standing_words,
        "a rollback is only of the very same inputs",
        ("consumed.items() <= word.consumed.items()", "consumed == word.consumed"),
    ),
    (standing_words, "a release of all lifts the hold of all alone", ("standing.clear()", "standing.pop(None, None)")),
    (
        standing_words,
        "a release of one partition lifts every hold",
        ("standing.pop(word.partition, None)", "standing.clear()"),
    ),
    (standing_words, "a waiver of any asset counts", ("(word.asset, ", "("), ("(finding.asset, ", "(")),
    (
        standing_words,
        "a waiver of any partition counts",
        ("word.partition, word.check", "word.check"),
        ("finding.partition, ", ""),
    ),
    (standing_words, "a waiver of any check counts", ("word.check, ", ""), ("finding.check, ", "")),
    (standing_words, "a waiver of any outcome counts", ("word.outcome, ", ""), ("str(finding.outcome), ", "")),
    (standing_words, "a waiver of any version counts", (", word.version)", ")"), (", finding.version)", ")")),
)


def shows(changed: types.ModuleType) -> bool:
    """Whether some case tells a judge from the naive one; one that raises is told."""
    return any(not agrees(changed, case, answer) for case, answer in answered_cases())


def agrees(changed: types.ModuleType, case, answer) -> bool:
    try:
        return answer.agrees_with(changed.judge(*case))
    except Exception:  # noqa: BLE001 - whatever it raises, it is told
        return False


@functools.cache
def answered_cases():
    return [(case, judge_naively(*case)) for case in fixed_cases(CASES)]


def shows_in_findings(changed: types.ModuleType) -> bool:
    """Whether some findings are separated otherwise than by the naive judge."""
    return any(not separates(changed, *drawn) for drawn in fixed_findings(FINDINGS))


def separates(changed: types.ModuleType, requirements, found) -> bool:
    try:
        causes, consequences = changed.separate_causes(requirements, found)
        return ([*causes], [*consequences]) == separate_naively(requirements, found)
    except Exception:  # noqa: BLE001 - whatever it raises, it is told
        return False


@pytest.mark.long
def test_every_small_change_of_the_judge_shows_in_some_case():
    mutants = list(mutate(inspect.getsource(judge)))

    assert {mutant.name for mutant in mutants if not shows(load_judge(mutant, judge))} == set(NO_CASE_CAN_TELL)
    assert len(mutants) > 100


@pytest.mark.long
def test_every_small_change_of_how_a_requirement_is_examined_shows_in_some_case():
    mutants = list(mutate(inspect.getsource(examination)))

    untold = {mutant.name for mutant in mutants if not shows(load_judge(mutant, examination))}
    assert untold == set(NO_CASE_CAN_TELL_OF_EXAMINATION)
    assert len(mutants) > 200


def test_every_small_change_of_what_words_come_to_shows_in_some_case():
    mutants = list(mutate(inspect.getsource(standing_words)))

    assert [mutant.name for mutant in mutants if not shows(load_judge(mutant, standing_words))] == []
    assert len(mutants) > 30


@pytest.mark.long
def test_every_small_change_of_how_minimums_are_counted_shows_in_some_case():
    mutants = list(mutate(inspect.getsource(minimums)))

    only = [
        # What follows counts nothing where there is no minimum.
        "count_minimums: if not minimums:  ->  if False:",
        "count_minimums: return {}  ->  pass",
        # In no case is an asset between a section's and what it is built from left out of the promise.
        "describe_unmet: count is None or not count.missing  ->  count is None",
    ]
    assert [mutant.name for mutant in mutants if not shows(load_judge(mutant, minimums))] == only
    assert len(mutants) > 30


def test_every_small_change_of_how_causes_are_separated_shows_in_some_findings():
    mutants = list(mutate(inspect.getsource(trace)))

    assert [mutant.name for mutant in mutants if not shows_in_findings(mutant.load())] == []
    assert len(mutants) > 30


@pytest.mark.parametrize(("module", "changes"), [pytest.param(m, c, id=name) for m, name, *c in BY_HAND])
def test_a_judge_with_a_misunderstanding_shows_in_some_case(module, changes):
    source = inspect.getsource(module)
    for old, new in changes:
        assert source.count(old) == 1, f"{module.__name__} no longer says {old!r}: say this misunderstanding anew"
        source = source.replace(old, new)

    assert shows(load_judge(parse(source), module))


def test_the_judge_as_it_is_shows_in_no_case():
    assert not shows(load_judge(parse(inspect.getsource(judge)), judge))
    assert not shows(load_judge(parse(inspect.getsource(examination)), examination))
    assert not shows(load_judge(parse(inspect.getsource(standing_words)), standing_words))
    assert not shows(load_judge(parse(inspect.getsource(minimums)), minimums))
    assert not shows_in_findings(parse(inspect.getsource(trace)).load())
