"""Bad news never turns a hold into a publication, whatever else is known."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from hypothesis import Phase, assume, find, given, settings
from hypothesis import strategies as st

from dashboard_trust.contracts.model import (
    DashboardContract,
    Input,
    Period,
    Promise,
    ReadyBy,
    Requirement,
    Section,
)
from dashboard_trust.evidence.facts import Attempt, CheckResult, DayResult, Evidence, Materialization
from dashboard_trust.verdicts.judge import judge
from dashboard_trust.verdicts.verdict import Readiness

PAST, DAY, NEXT = "2025-12-31", "2026-01-01", "2026-01-02"
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
PERIOD = Period(START, START + dt.timedelta(days=1))
SECTIONS = (Section("sales", "Sales", ("mart",)), Section("deals", "Deals", ("deals",), "label"))
REQUIREMENTS = (
    Requirement("raw", None, "o", (DAY,), checks=("complete",), sections=("sales", "deals")),
    Requirement("staging", DAY, "o", inputs=(Input("raw", (None,), (DAY,)),), sections=("sales",)),
    Requirement("mart", DAY, "o", inputs=(Input("staging", (DAY,)),), checks=("unique",), sections=("sales",)),
    Requirement("deals", DAY, "o", inputs=(Input("raw", (None,), (DAY,)),), sections=("deals",), blocks=False),
    Requirement("totals", DAY, "o", inputs=(Input("totals", (PAST,)),)),  # reads its own past
    Requirement("totals", PAST, "o"),
)
PLACES = [(requirement.asset, requirement.partition) for requirement in REQUIREMENTS]
CHECKS = [("raw", "complete", None), ("mart", "unique", DAY)]
LOADED, AFTER = START + dt.timedelta(hours=24), START + dt.timedelta(hours=26)
CONSUMED = {"staging": "raw", "mart": "staging", "deals": "raw"}


def storage_id(asset, partition=DAY):
    """Ids in the order of building; the past comes first."""
    return 20 + [name for name, _ in PLACES].index(asset) - (15 if partition == PAST else 0)


def good_load(asset, partition):
    read = CONSUMED.get(asset)
    days = {DAY: "v1", NEXT: "v1"} if asset == "raw" else None
    consumed, pointers = ({f"{read} {DAY}": "v1"}, {read: storage_id(read)}) if read else ({}, {})
    own = storage_id(asset, partition)
    return Materialization(asset, partition, own, LOADED, f"run of {asset}", "v1", days, consumed, pointers, own)


GOOD_LOADS = {place: good_load(*place) for place in PLACES}
GOOD_CHECKS = {
    key: CheckResult(*key, "passed", LOADED, f"run of {key[0]}", storage_id(key[0]), 50, days=None) for key in CHECKS
}
load_changes = st.sampled_from(
    [
        None,
        {"version": "v2"},
        {"run_id": ""},
        {"run_id": "run of mart"},
        {"consumed": {}},
        {"consumed": {}, "pointers": {}},
        {"consumed": {}, "in_range": True},
        {"consumed": {f"raw {DAY}": "v2", f"staging {DAY}": "v2"}},
        {"storage_id": 19},
        {"days": {DAY: "v2"}},
        {"days": {NEXT: "v1"}},
        {"days": {}},
        {"at": START},
    ]
)
check_changes = st.sampled_from(
    [
        None,
        *({"status": status} for status in ("failed", "errored", "pending", "skipped")),
        {"status": "failed", "warns": True},
        {"run_id": ""},
        {"target_id": None},
        {"target_id": 1},
        {"days": {DAY: DayResult(True), NEXT: DayResult(False)}},
        {"days": {DAY: DayResult(False)}},
        {"days": {NEXT: DayResult(True)}},
    ]
)


@st.composite
def changed(draw, facts, changes):
    """A good state with at most two facts of this kind changed (None: taken away), so that one can tip it."""
    facts = dict(facts)
    for key in draw(st.lists(st.sampled_from(sorted(facts, key=str)), max_size=2)):
        change = draw(changes)
        if change is None or key not in facts:
            facts.pop(key, None)
        else:
            facts[key] = replace(facts[key], **change)
    return facts


@st.composite
def attempts(draw):
    place = draw(st.sampled_from(PLACES))
    state = draw(st.sampled_from(["running", "failed", "not_started"]))
    return Attempt(*place, 90, "run-9", AFTER, state, held=draw(st.booleans()))


@st.composite
def states(draw, with_freshness=False):
    loads = draw(changed(GOOD_LOADS, load_changes))
    older = [replace(load, storage_id=1) for load in loads.values()]
    tried = draw(st.lists(attempts(), max_size=1))
    window = dt.timedelta(hours=draw(st.integers(1, 48)))
    contract = DashboardContract(
        key="dash",
        owner="o",
        ready_by=draw(st.sampled_from([None, ReadyBy(dt.time(8))])),
        sections=SECTIONS,
        freshness={"raw": window} if with_freshness else {},
    )
    evidence = Evidence(
        as_of=START + dt.timedelta(hours=draw(st.integers(20, 90))),
        materializations=loads,
        earlier={load.storage_id: load for load in (*older, *loads.values())},
        attempts={(attempt.asset, attempt.partition): attempt for attempt in tried},
        checks=draw(changed(GOOD_CHECKS, check_changes)),
    )
    return Promise(contract, DAY, draw(st.sampled_from([PERIOD, None])), REQUIREMENTS), evidence


def never_releases(promise, before, after):
    assert not judge(promise, before).holds or judge(promise, after).holds


@given(states(), st.sampled_from(CHECKS), st.sampled_from(["failed", "errored"]))
def test_a_failing_check(state, key, status):
    promise, before = state
    load = before.materializations.get((key[0], key[2]))
    bad = CheckResult(*key, status, before.as_of, "run-9", target_id=load.storage_id if load else None)

    never_releases(promise, before, replace(before, checks={**before.checks, key: bad}))


@given(states(), st.sampled_from(PLACES))
def test_an_attempt_that_broke(state, place):
    promise, before = state
    broken = Attempt(*place, 91, "run-10", before.as_of, "failed", "boom")

    never_releases(promise, before, replace(before, attempts={**before.attempts, place: broken}))


@given(states(), st.sampled_from(CHECKS))
def test_a_check_taken_away(state, key):
    promise, before = state

    never_releases(promise, before, replace(before, checks={k: v for k, v in before.checks.items() if k != key}))


@given(states(with_freshness=True), st.sampled_from(PLACES))
def test_a_materialization_taken_away(state, place):
    promise, before = state
    fewer = {key: load for key, load in before.materializations.items() if key != place}
    assume(place in {(r.asset, r.partition) for r in promise.requirements})

    never_releases(promise, before, replace(before, materializations=fewer))


@given(states(with_freshness=True), st.sampled_from(PLACES))
def test_a_newer_version_upstream(state, place):
    promise, before = state
    old = before.materializations.get(place)
    assume(old is not None)
    days = None if old.days is None else {day: f"{version} changed" for day, version in old.days.items()}
    newer = replace(old, storage_id=100, version="changed", days=days)

    never_releases(promise, before, replace(before, materializations={**before.materializations, place: newer}))


@given(states(), st.integers(0, 1000))
def test_time_passing(state, hours):
    promise, before = state

    never_releases(promise, before, replace(before, as_of=before.as_of + dt.timedelta(hours=hours)))


@settings(max_examples=300)
@given(states(with_freshness=True), st.integers(0, 1000))
def test_time_passing_over_a_freshness_window(state, hours):
    promise, before = state

    never_releases(promise, before, replace(before, as_of=before.as_of + dt.timedelta(hours=hours)))


@given(states(with_freshness=True))
def test_evidence_that_cannot_be_read(state):
    promise, before = state

    assert judge(promise, replace(before, unreadable="gone")).holds


@settings(max_examples=300)
@given(states(with_freshness=True))
def test_no_missing_or_failed_blocking_requirement_is_ever_published(state):
    promise, evidence = state
    verdict = judge(promise, evidence)
    for requirement in promise.requirements:
        missing = (requirement.asset, requirement.partition) not in evidence.materializations
        if missing and requirement.blocks:
            assert verdict.holds


def test_these_states_are_of_every_readiness_but_unknown():
    search = settings(max_examples=2000, phases=[Phase.generate], database=None)
    for readiness in set(Readiness) - {Readiness.UNKNOWN}:
        find(states(), lambda state, wanted=readiness: judge(*state).readiness is wanted, settings=search)
