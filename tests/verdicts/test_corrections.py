"""Why a partition is corrected: what came, and not what was built again of it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from dashboard_trust.contracts.model import DashboardContract, Input, Period, Promise, Requirement
from dashboard_trust.evidence.facts import Evidence, Materialization
from dashboard_trust.verdicts.corrections import correction
from dashboard_trust.verdicts.verdict import Readiness, Verdict

DAY = "2026-01-17"
START = dt.datetime(2026, 1, 17, tzinfo=dt.UTC)
SHOWN_AT, NOW = START + dt.timedelta(days=2), START + dt.timedelta(days=3)
RAW = ("raw/orders", "raw/refunds")
STAGING = ("staging/orders", "staging/refunds")


def requirement(asset, *inputs, days=()):
    return Requirement(
        asset,
        None if days else DAY,
        "team:x",
        days,
        tuple(Input(one, (None,) if one in RAW else (DAY,)) for one in inputs),
    )


def load(asset, at, version="2", *, partition=DAY, **more):
    return Materialization(asset, partition, 1, at, "run", version, **more)


PROMISE = Promise(
    DashboardContract("dash", "team:x"),
    DAY,
    Period(START, START + dt.timedelta(days=1)),
    (
        *(requirement(raw, days=(DAY,)) for raw in RAW),
        *(requirement(staged, raw) for staged, raw in zip(STAGING, RAW, strict=True)),
        requirement("marts/sales", *STAGING),
    ),
)
SHOWN = load("dash", SHOWN_AT, "1", consumed={"marts/sales": "1"})


def said(*loads):
    evidence = Evidence(as_of=NOW, materializations={(one.asset, one.partition): one for one in loads})
    verdict = Verdict("dash", DAY, Readiness.READY, NOW, consumed=(("marts/sales", "2"),))
    return correction(PROMISE, evidence, SHOWN, verdict)


BUILT = tuple(load(asset, NOW) for asset in (*STAGING, "marts/sales"))


def raw(asset, *changed):
    return load(asset, NOW, partition=None, days={DAY: "2"}, changed=dict.fromkeys(changed, NOW))


def test_what_was_built_again_in_the_same_step_is_no_cause_of_it():
    reason = said(raw("raw/orders"), raw("raw/refunds", DAY), *BUILT)

    assert f"because data of {DAY} in raw/refunds came late, or changed" in reason
    assert "staging" not in reason
    assert "raw/orders" not in reason


@pytest.mark.parametrize("first", [STAGING, ("marts/sales",)])
def test_where_nothing_came_what_was_built_first_is_the_cause(first):
    reason = said(*(one for one in BUILT if one.asset in (*first, "marts/sales")))

    assert all(f"{asset} {DAY} was loaded on" in reason for asset in first)
    assert ("marts/sales 2026" in reason) == (first == ("marts/sales",))


def test_what_was_loaded_again_beside_what_changed_is_no_cause():
    customers = Requirement("raw/customers", None, "team:x")
    mart = Input("marts/sales", (DAY,))
    beside = replace(
        PROMISE,
        requirements=(*PROMISE.requirements, customers),
        dashboard_inputs=(mart, Input("raw/customers", (None,))),
    )
    evidence = (raw("raw/refunds", DAY), *BUILT, load("raw/customers", NOW, partition=None))
    shown = replace(SHOWN, consumed={mart.name: "1", "raw/customers": "1"})
    verdict = Verdict("dash", DAY, Readiness.READY, NOW, consumed=((mart.name, "2"), ("raw/customers", "1")))
    facts = Evidence(as_of=NOW, materializations={(one.asset, one.partition): one for one in evidence})
    reason = correction(beside, facts, shown, verdict)

    assert f"because data of {DAY} in raw/refunds came late, or changed" in reason
    assert "raw/customers" not in reason


def test_what_changed_before_it_was_shown_is_no_correction():
    early = load("raw/refunds", SHOWN_AT, partition=None, days={DAY: "2"}, changed={DAY: SHOWN_AT})

    assert "raw/refunds" not in said(early, *BUILT)
