"""The evidence, beside a reading written for nothing but being obvious: over made-up event logs they agree."""

from __future__ import annotations

import functools
import random
from collections import Counter
from dataclasses import replace

import pytest
from generated_logs import NOW, ODDITIES, Log, build_case, build_good, build_promises, write
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutated_readers import MUTANTS
from plain_reading import read_plainly, read_runs_plainly

from dashboard_trust.readers import event_tables
from dashboard_trust.readers.event_log import read_evidence
from dashboard_trust.verdicts.judge import judge
from dashboard_trust.verdicts.verdict import Outcome, Readiness

ANY_SIZE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
REACHES = ((4, 500), (3, 1), (0, 1))
"""How far back checks are read before they are looked up: all the way, now and then, not at all."""


@st.composite
def cases(draw):
    return build_case(lambda options: draw(st.sampled_from(list(options))))


@functools.cache
def fixed_case(seed):
    return build_case(random.Random(seed).choice)


class Comparison:
    """Puts a log into the tables and reads it both ways: the same facts, and the same verdicts."""

    def __init__(self, instance):
        self.instance, self.runs = instance, read_runs_plainly(instance)

    def __call__(self, log, promises):
        write(log, self.instance)
        plain = read_plainly(self.instance, promises, NOW, self.runs)
        verdicts = [judge(promise, plain) for promise in promises]
        for reach in REACHES:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(event_tables, "SLICES", reach[0])
                patch.setattr(event_tables, "SLICE", reach[1])
                read = read_evidence(self.instance, promises, NOW)
            agree(promises, read, plain)
            assert [judge(promise, read) for promise in promises] == verdicts
        return verdicts


@pytest.fixture(scope="module")
def compare(filled):
    return Comparison(filled)


@pytest.fixture(scope="module")
def compare_on_sqlite(filled_sqlite):
    return Comparison(filled_sqlite)


def agree(promises, read, plain):
    """Assert that evidence holds the facts of the plain one, without what nobody asks for."""
    assert read.unreadable == ""
    assert read.materializations == plain.materializations
    assert read.attempts == plain.attempts
    assert read.words == plain.words
    assert read.checks == {key: tell(promises, plain.checks[key]) for key in read.checks}
    assert needed(promises, plain) <= set(read.checks)
    assert read.earlier == {id_: plain.earlier[id_] for id_ in read.earlier}
    assert referred(read) & set(plain.earlier) <= set(read.earlier)


def tell(promises, result):
    """A result without why it passed, and what it says of days where no day is asked for."""
    by_day = {r.asset for promise in promises for r in promise.requirements if r.days}
    plain = result.status == "passed" and result.asset not in by_day
    return replace(result, warns=False, reason="", days=None) if plain else result


def needed(promises, plain):
    """The results that count: a general one only where the partition has no word of its own."""
    required = {(r.asset, check, r.partition) for p in promises for r in p.requirements for check in r.checks}
    silent = {key for key in required if key not in plain.checks or plain.checks[key].status == "skipped"}
    return {key for key in required | {(a, c, None) for a, c, _ in silent} if key in plain.checks}


def referred(evidence):
    loads = evidence.materializations.values()
    targets = {result.target_id for result in evidence.checks.values()}
    return targets | {load.storage_id for load in loads} | {id_ for load in loads for id_ in load.pointers.values()}


@settings(ANY_SIZE, max_examples=60)
@given(case=cases())
def test_the_evidence_agrees_with_a_plain_reading(compare, case):
    compare(*case)


def test_the_evidence_agrees_with_a_plain_reading_of_every_fixed_log(compare):
    verdicts = [verdict for seed in range(120) for verdict in compare(*fixed_case(seed))]
    found = {f.outcome for verdict in verdicts for f in (*verdict.findings, *verdict.consequences)}

    assert {Readiness.READY, Readiness.BLOCKED, Readiness.WAITING} == {verdict.readiness for verdict in verdicts}
    assert set(Outcome) - found <= {Outcome.PASSED, Outcome.OVERDUE, Outcome.WAIVED}
    assert 0.2 < sum(verdict.holds for verdict in verdicts) / len(verdicts) < 0.8


@pytest.mark.parametrize("oddity", sorted(set(ODDITIES), key=lambda oddity: oddity.__name__))
def test_each_oddity_alone_changes_what_is_read_now_and_then(filled_sqlite, oddity):
    changed = Counter()
    for seed in range(40):
        pick = random.Random(seed).choice
        log, promises = Log(), build_promises(pick)
        build_good(log, pick, promises)
        evidence = []
        for spoil in (lambda *_: None, oddity):
            spoil(log, pick)
            write(log, filled_sqlite)
            evidence.append(read_evidence(filled_sqlite, promises, NOW))
        changed[evidence[0] == evidence[1]] += 1

    assert changed[False] > 2 or oddity.__name__ == "observe"


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_reader_with_one_thing_wrong_is_told_apart(compare_on_sqlite, mutant, monkeypatch):
    mutant(monkeypatch)

    with pytest.raises(AssertionError):
        [compare_on_sqlite(*fixed_case(seed)) for seed in range(300)]
