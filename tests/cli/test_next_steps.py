from __future__ import annotations

import datetime as dt

import pytest

from dashboard_trust.cli.next_steps import next_steps
from dashboard_trust.readers.serving import Serving
from dashboard_trust.verdicts.verdict import Finding, Outcome, Readiness, Verdict

NOON = dt.datetime(2026, 11, 4, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome.holds])
@pytest.mark.parametrize("check", [None, "row_count"])
def test_every_outcome_that_holds_has_a_way_out(outcome, check):
    finding = Finding("raw/pay", "2026-11-03", check, outcome, "for a reason", "team:pay")
    verdict = Verdict("sales", "2026-11-03", Readiness.BLOCKED, NOON, (finding,))

    first, last = next_steps(verdict, None)
    assert "raw/pay" in first
    assert last == "Materialize sales 2026-11-03"


def test_two_findings_of_one_kind_are_one_step():
    finding = Finding("raw/pay", None, None, Outcome.MISSING, "", "team:pay")
    verdict = Verdict("sales", None, Readiness.BLOCKED, NOON, (finding, finding))

    assert len(next_steps(verdict, None)) == 2


def test_a_dashboard_that_cannot_be_judged_says_why():
    finding = Finding("sales", None, None, Outcome.UNVERIFIED, "the evidence could not be read", "team:sales")
    verdict = Verdict("sales", None, Readiness.UNKNOWN, NOON, (finding,))

    assert "could not be read" in next_steps(verdict, None)[0]


@pytest.mark.parametrize(("shown", "steps"), [(None, 1), ("2026-11-02", 1), ("2026-11-03", 0), ("2026-11-04", 0)])
def test_ready_is_materialized_unless_it_or_a_later_one_is_shown(shown, steps):
    verdict = Verdict("sales", "2026-11-03", Readiness.READY, NOON)

    assert len(next_steps(verdict, Serving(shown, NOON) if shown else None)) == steps
