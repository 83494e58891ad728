"""The judge, beside one written for nothing but being obvious: over generated promises and evidence they agree."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest
from generated_cases import cases, fixed_cases
from good_worlds import build_good_world
from hypothesis import HealthCheck, given, settings
from naive_judge import judge_naively
from oddities import ODDITIES

from dashboard_trust.verdicts.judge import judge
from dashboard_trust.verdicts.verdict import Outcome, Readiness

ANY_SIZE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@settings(ANY_SIZE, max_examples=300)
@given(cases())
def test_the_judge_agrees_with_the_naive_one(case):
    assert judge_naively(*case).agrees_with(judge(*case))


def test_the_judge_agrees_with_the_naive_one_on_every_fixed_case():
    apart = [case for case in fixed_cases(5000) if not judge_naively(*case).agrees_with(judge(*case))]

    assert apart[:1] == []


def test_a_case_without_oddities_is_ready():
    worlds = [build_good_world(random.Random(seed).choice) for seed in range(500)]

    assert {judge(*world.case()).readiness for world in worlds} == {Readiness.READY}


@pytest.mark.parametrize("oddity", sorted(set(ODDITIES), key=lambda oddity: oddity.__name__))
def test_each_oddity_alone_decides_now_and_then_and_not_always(oddity):
    held = Counter()
    for seed in range(200):
        pick = random.Random(seed).choice
        world = build_good_world(pick)
        oddity(world, pick)
        held[judge(*world.case()).holds] += 1

    assert min(held[True], held[False]) > 5


def test_the_fixed_cases_are_of_every_readiness_and_every_outcome_and_mostly_turn_on_one_finding():
    verdicts = [judge(*case) for case in fixed_cases(5000)]
    found = [(*verdict.findings, *verdict.consequences) for verdict in verdicts]

    assert {verdict.readiness for verdict in verdicts} == set(Readiness)
    assert {finding.outcome for several in found for finding in several} == set(Outcome) - {Outcome.PASSED}
    assert len([f for f in found if sum(finding.outcome.holds for finding in f) <= 1]) > len(found) * 0.6


def test_the_version_of_a_verdict_is_the_same_exactly_where_every_required_version_is():
    versions = {}
    for promise, evidence in fixed_cases(2000):
        one_load_newer = [evidence.materializations]
        for place, load in evidence.materializations.items():
            newer = replace(load, storage_id=2000, version="newer", days=None)
            one_load_newer.append({**evidence.materializations, place: newer})
        for loads in one_load_newer:
            verdict = judge(promise, replace(evidence, materializations=loads))
            if verdict.readiness is not Readiness.UNKNOWN:
                required = frozenset(
                    (r.asset, r.partition, load.version_of(r.days) if load else None)
                    for r in promise.requirements
                    for load in [loads.get((r.asset, r.partition))]
                )
                versions.setdefault(required, set()).add(verdict.version)

    assert all(len(same) == 1 for same in versions.values())
    assert len(set.union(*versions.values())) == len(versions)
