"""The judge, beside one written for nothing but being obvious: over generated promises and evidence they agree."""

from __future__ import annotations

import datetime as dt
import importlib.util
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dashboard_trust.contracts.model import DashboardContract, Input, Period, Promise, ReadyBy, Requirement, Section
from dashboard_trust.evidence.facts import Attempt, CheckResult, DayResult, Evidence, Materialization, join_versions
from dashboard_trust.evidence.words import Word
from dashboard_trust.verdicts.judge import judge
from dashboard_trust.verdicts.verdict import Outcome, Readiness

_spec = importlib.util.spec_from_file_location("naive_judge", Path(__file__).with_name("naive_judge.py"))
naive = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(naive)

PAST, DAY = "2025-12-31", "2026-01-01"
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
PERIOD = Period(START, START + dt.timedelta(days=1))
CHECKS = ("complete", "unique")
SECTIONS = (Section("sales", "Sales", ("a0",)), Section("deals", "Deals", ("a1",), "label"))
rarely = st.sampled_from([False] * 5 + [True])


def hours(first, last):
    return st.integers(first, last).map(lambda n: START + dt.timedelta(hours=n))


@st.composite
def requirements(draw):
    """Up to six assets, each reading up to two before it: by day, whole, or sliced by day; one may read its past."""
    made = []
    for n in range(draw(st.integers(1, 6))):
        partition = draw(st.sampled_from([DAY, None]))
        above = draw(st.lists(st.sampled_from(made), max_size=2, unique_by=lambda r: r.asset)) if made else []
        inputs = [Input(r.asset, (r.partition,), r.days) for r in above]
        if partition and draw(rarely):
            inputs.append(Input(f"a{n}", (PAST,)))
            made.append(Requirement(f"a{n}", PAST, "o"))
        wide = [r for r in made if r.partition == PAST and r.asset != f"a{n}"]
        inputs += [Input(r.asset, (PAST, DAY)) for r in wide[:1] if draw(st.booleans())]
        blocks = draw(st.sampled_from([True, True, False]))
        days = () if partition else draw(st.sampled_from([(), (DAY,), (PAST, DAY)]))
        made.append(
            Requirement(
                asset=f"a{n}",
                partition=partition,
                owner="o",
                days=days,
                inputs=tuple(inputs),
                checks=CHECKS[: draw(st.integers(0, 2))],
                sections=("sales",) if blocks else ("deals",),
                blocks=blocks,
            )
        )
    return tuple(made)


@st.composite
def promises(draw):
    contract = DashboardContract(
        key="dash",
        owner="o",
        ready_by=draw(st.sampled_from([None, ReadyBy(dt.time(8)), ReadyBy(dt.time(7, 30), "America/New_York", 1)])),
        sections=SECTIONS,
        freshness={"a0": dt.timedelta(hours=draw(st.integers(1, 60)))} if draw(rarely) else {},
        accept_reported=draw(st.booleans()),
    )
    wanted = () if draw(st.integers(0, 30)) == 0 else draw(requirements())
    return Promise(contract, DAY, draw(st.sampled_from([PERIOD, None])), wanted)


@st.composite
def loads(draw, requirement, storage_id, newest):
    """A load that consumed the newest of everything, in one of the ways to know it; now and then not."""
    run_id = "" if draw(rarely) else draw(st.sampled_from([f"run {storage_id}", "run of all"]))
    way = draw(st.sampled_from(["recorded", "recorded", "pointers", "plan"]))
    consumed, pointers = {}, {}
    for asked in requirement.inputs:
        seen = [newest[asked.asset, p] for p in asked.partitions if (asked.asset, p) in newest]
        if way == "recorded" and seen:
            consumed[asked.name] = "v0" if draw(rarely) else join_versions([s.version_of(asked.days) for s in seen])
        if way == "pointers" and seen:
            pointers[asked.asset] = max(s.storage_id for s in seen) - draw(st.sampled_from([0, 0, 1]))
    days = None
    if requirement.days or (requirement.partition is None and draw(rarely)):
        named = [day for day in (PAST, DAY) if not draw(rarely)]
        days = {day: draw(st.sampled_from(["v1", "v1", "v2"])) for day in named}
    return Materialization(
        asset=requirement.asset,
        partition=requirement.partition,
        storage_id=storage_id,
        at=draw(hours(0, 50)),
        run_id=run_id,
        version=draw(st.sampled_from(["v1", "v1", f"event {storage_id}"])),
        days=None if draw(rarely) else days,
        consumed=consumed,
        pointers=pointers,
        planned_id=draw(st.sampled_from([None, storage_id - 1, storage_id - 1, storage_id - 9])),
        in_range=draw(rarely),
    )


@st.composite
def results(draw, requirement, check, load, ids):
    """What one check says: mostly that the newest load passes."""
    status = draw(st.sampled_from(["passed"] * 4 + ["failed", "errored", "pending", "skipped"]))
    tells_days = bool(requirement.days) and draw(st.booleans())
    return CheckResult(
        asset=requirement.asset,
        check=check,
        partition=None if draw(rarely) else requirement.partition,
        status=status,
        at=draw(hours(0, 50)),
        run_id="" if draw(rarely) else draw(st.sampled_from([load.run_id, "run 90", "run of all"])),
        target_id=draw(st.sampled_from([load.storage_id] * 4 + [None, None, *ids])),
        storage_id=draw(st.sampled_from([None, load.storage_id + 1, load.storage_id - 1])),
        warns=draw(st.booleans()),
        reason=draw(st.sampled_from(["", "boom"])),
        days={d: DayResult(not draw(rarely)) for d in (PAST, DAY) if not draw(rarely)} if tells_days else None,
    )


@st.composite
def attempts(draw, requirement):
    state = draw(st.sampled_from(["running", "failed", "failed", "not_started"]))
    place = (requirement.asset, requirement.partition)
    reason = draw(st.sampled_from(["", "boom"]))
    return Attempt(*place, 90, "run 90", START, state, reason, held=draw(st.booleans()))


@st.composite
def words(draw, found):
    """Holds and releases of this day, of all or of another, and waivers that fit a finding or nearly do."""
    kind = draw(st.sampled_from(["hold", "release", "waive", "waive", "waive"]))
    partition = draw(st.sampled_from([None, DAY, PAST]))
    if kind != "waive" or not found:
        return Word(kind, draw(st.sampled_from(["dash", "dash", "other"])), "ann", START, "because", partition)
    about = draw(st.sampled_from(found))
    return Word(
        kind="waive",
        asset=about.asset,
        by="ann",
        at=START,
        reason="known",
        partition=partition if draw(rarely) else about.partition,
        check=None if draw(rarely) else about.check,
        outcome="failed" if draw(rarely) else str(about.outcome),
        version="v0" if draw(rarely) else about.version,
        until=draw(st.one_of(st.none(), hours(20, 110), hours(110, 200))),
    )


@st.composite
def cases(draw):
    """A promise with its evidence: everything built in order, some of it built twice, some of it taken away."""
    promise = draw(promises())
    newest, earlier, tried, checks = {}, {}, {}, {}
    for n, requirement in enumerate(promise.requirements):
        place = (requirement.asset, requirement.partition)
        for again in range(2 if draw(rarely) else 1):
            load = draw(loads(requirement, 10 + 2 * n + 15 * again, newest))
            if draw(st.integers(0, 11)):
                newest[place] = earlier[load.storage_id] = load
        if draw(rarely):
            tried[place] = draw(attempts(requirement))
        for check in requirement.checks:
            result = draw(results(requirement, check, newest.get(place, load), sorted(earlier)))
            checks[result.asset, check, result.partition] = result
            if result.status == "skipped" and draw(st.booleans()):
                checks[result.asset, check, None] = replace(result, partition=None, status="passed")
    unreadable = "gone" if draw(st.integers(0, 40)) == 40 else ""
    evidence = Evidence(draw(hours(20, 110)), newest, earlier, tried, checks, unreadable=unreadable)
    if draw(st.booleans()):
        return promise, evidence
    verdict = judge(promise, evidence)
    said = draw(st.lists(words([*verdict.findings, *verdict.consequences]), max_size=4))
    return promise, replace(evidence, words=said)


def told(verdict):
    return {(f.asset, f.partition, f.check, str(f.outcome)) for f in (*verdict.findings, *verdict.consequences)}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(cases())
def test_the_judge_agrees_with_the_naive_one(case):
    verdict = judge(*case)
    readiness, findings = naive.judge_naively(*case)

    assert told(verdict) == findings
    assert str(verdict.readiness) == readiness
    assert verdict.holds == (readiness not in ("PARTIAL", "READY"))


def test_the_generated_cases_are_of_every_readiness_and_every_outcome():
    seen = set()

    @settings(
        max_examples=600,
        phases=[Phase.generate],
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(cases())
    def collect(case):
        verdict = judge(*case)
        seen.add(verdict.readiness)
        seen.update(f.outcome for f in (*verdict.findings, *verdict.consequences))

    collect()

    assert seen == set(Readiness) | set(Outcome) - {Outcome.PASSED}
