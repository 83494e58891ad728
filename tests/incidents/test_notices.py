from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.incidents.notices import Kind, Told, apply, find_changes, group_notices
from dashboard_trust.verdicts.verdict import Finding, Outcome, Readiness, Verdict

SEVEN = dt.datetime(2026, 11, 4, 7, tzinfo=dt.UTC)
EIGHT = SEVEN + dt.timedelta(hours=1)
NINE = SEVEN + dt.timedelta(hours=2)
CONTRACTS = {
    "sales": DashboardContract("sales", "team:sales"),
    "costs": DashboardContract("costs", "team:costs"),
    "own": DashboardContract("own", "team:pay"),
}
OWNERS = {"raw/pay": "team:pay", "raw/fees": "team:pay", "raw/crm": "team:crm"}


def verdict(*assets, dashboard="sales", partition="2026-11-03", as_of=SEVEN, readiness=None, deadline=EIGHT):
    late = deadline is not None and as_of >= deadline
    held = (Readiness.DELAYED if late else Readiness.WAITING) if assets else Readiness.READY
    findings = tuple(Finding(asset, partition, None, Outcome.MISSING, "is missing", OWNERS[asset]) for asset in assets)
    return Verdict(dashboard, partition, readiness or held, as_of, findings=findings, deadline=deadline)


class Desk:
    """What was told, and a way to tell more."""

    def __init__(self):
        self.told = []

    def tell(self, *verdicts, failing=()):
        """Return (kind, owner, places) of each message; those to ``failing`` owners do not arrive."""
        changes = find_changes(self.told, verdicts, CONTRACTS)
        notices = group_notices(changes)
        lost = [change for notice in notices if notice.owner in failing for change in notice.changes]
        self.told = apply(self.told, [change for change in changes if change not in lost])
        return [
            (str(notice.kind), notice.owner, [(c.verdict.dashboard, c.verdict.partition) for c in notice.changes])
            for notice in notices
        ]

    def words(self, *verdicts, failing=()):
        return [(kind, owner) for kind, owner, _ in self.tell(*verdicts, failing=failing)]


HELD_PAY_AND_SALES = [("held", "team:pay"), ("held", "team:sales")]


@pytest.fixture
def desk():
    return Desk()


def test_the_same_state_told_again_sends_nothing(desk):
    assert desk.words(verdict("raw/pay")) == HELD_PAY_AND_SALES
    assert desk.words(verdict("raw/pay")) == []
    assert desk.words(verdict("raw/pay", as_of=SEVEN + dt.timedelta(minutes=5))) == []


def test_ready_from_the_start_sends_nothing(desk):
    assert desk.words(verdict()) == []
    assert desk.told == []


def test_an_owner_of_both_cause_and_dashboard_gets_one_message(desk):
    assert desk.words(verdict("raw/pay", dashboard="own")) == [("held", "team:pay")]


def test_partitions_and_dashboards_in_one_evaluation_make_one_message_per_owner(desk):
    assert desk.tell(
        verdict("raw/pay"), verdict("raw/pay", partition="2026-11-02"), verdict("raw/pay", dashboard="costs")
    ) == [
        ("held", "team:costs", [("costs", "2026-11-03")]),
        ("held", "team:pay", [("sales", "2026-11-03"), ("sales", "2026-11-02"), ("costs", "2026-11-03")]),
        ("held", "team:sales", [("sales", "2026-11-03"), ("sales", "2026-11-02")]),
    ]


def test_partitions_and_dashboards_one_after_the_other_do_not_repeat_the_cause_to_its_owner(desk):
    desk.tell(verdict("raw/pay"))

    assert desk.words(verdict("raw/pay", partition="2026-11-02")) == []
    assert desk.words(verdict("raw/pay", dashboard="costs")) == [("held", "team:costs")]


def test_another_cause_elsewhere_is_news_to_the_same_owner(desk):
    desk.tell(verdict("raw/pay"))

    assert desk.words(verdict("raw/fees", partition="2026-11-02")) == [("held", "team:pay"), ("held", "team:sales")]


def test_a_matter_that_nobody_evaluates_any_more_does_not_silence_a_new_one(desk):
    desk.tell(verdict("raw/pay"))
    later = SEVEN + dt.timedelta(days=2)

    assert desk.words(verdict("raw/pay", partition="2026-11-05", as_of=later, deadline=None)) == HELD_PAY_AND_SALES


def test_a_changed_set_of_causes_sends_nothing_but_to_a_new_owner(desk):
    desk.tell(verdict("raw/pay"))

    assert desk.words(verdict("raw/pay", "raw/fees")) == []
    assert desk.words(verdict("raw/fees", "raw/crm")) == [("held", "team:crm")]
    assert desk.words(verdict("raw/crm")) == []
    assert desk.words(verdict("raw/pay")) == []


def test_blocked_after_waiting_sends_nothing(desk):
    desk.tell(verdict("raw/pay"))

    assert desk.words(verdict("raw/pay", readiness=Readiness.BLOCKED)) == []
    assert desk.words(verdict("raw/pay", readiness=Readiness.UNKNOWN)) == []


def test_a_missed_promise_is_told_once(desk):
    desk.tell(verdict("raw/pay"))

    assert desk.words(verdict("raw/pay", as_of=EIGHT)) == [("late", "team:pay"), ("late", "team:sales")]
    assert desk.words(verdict("raw/pay", as_of=NINE)) == []


def test_a_missed_promise_is_told_also_where_something_is_wrong_rather_than_late(desk):
    desk.tell(verdict("raw/pay", readiness=Readiness.BLOCKED))

    assert desk.words(verdict("raw/pay", readiness=Readiness.BLOCKED, as_of=EIGHT)) == [
        ("late", "team:pay"),
        ("late", "team:sales"),
    ]


def test_first_held_when_already_late_is_one_message(desk):
    assert desk.words(verdict("raw/pay", as_of=NINE)) == HELD_PAY_AND_SALES
    assert desk.words(verdict("raw/pay", as_of=NINE)) == []


def test_resolved_is_told_once_to_everyone_who_was_told(desk):
    desk.tell(verdict("raw/pay"))
    desk.tell(verdict("raw/crm"))

    assert desk.words(verdict()) == [("resolved", "team:crm"), ("resolved", "team:pay"), ("resolved", "team:sales")]
    assert desk.words(verdict()) == []
    assert desk.told == []


def test_resolved_is_told_when_the_last_of_a_cause_is(desk):
    desk.tell(verdict("raw/pay"), verdict("raw/pay", partition="2026-11-02"))

    assert desk.tell(verdict()) == []
    assert desk.words(verdict(partition="2026-11-02")) == [("resolved", "team:pay"), ("resolved", "team:sales")]


def test_held_again_after_it_was_resolved_is_told_again(desk):
    desk.tell(verdict("raw/pay"))
    desk.tell(verdict())

    assert desk.words(verdict("raw/pay")) == HELD_PAY_AND_SALES


def test_one_day_resolved_while_the_next_is_held_tells_of_the_next(desk):
    desk.tell(verdict("raw/pay"))

    assert desk.tell(verdict(), verdict("raw/pay", partition="2026-11-04")) == [
        ("held", "team:pay", [("sales", "2026-11-04")]),
        ("held", "team:sales", [("sales", "2026-11-04")]),
    ]


def test_a_labelled_section_is_told_to_its_owner_once_and_the_rest_is_resolved(desk):
    partial = verdict("raw/crm", readiness=Readiness.PARTIAL)

    assert desk.words(partial) == [("held", "team:crm")]
    assert desk.words(partial) == []
    assert desk.words(verdict("raw/crm", readiness=Readiness.PARTIAL, as_of=NINE)) == []
    assert desk.words(verdict()) == [("resolved", "team:crm")]


def test_from_held_to_labelled_resolves_for_those_who_have_nothing_left(desk):
    desk.tell(verdict("raw/pay", "raw/crm"))

    assert desk.words(verdict("raw/crm", readiness=Readiness.PARTIAL)) == [
        ("resolved", "team:pay"),
        ("resolved", "team:sales"),
    ]


def test_a_message_that_did_not_arrive_is_tried_again(desk):
    assert desk.words(verdict("raw/pay"), failing=["team:pay"]) == HELD_PAY_AND_SALES
    assert desk.words(verdict("raw/pay"), failing=["team:pay"]) == [("held", "team:pay")]
    assert desk.words(verdict("raw/pay")) == [("held", "team:pay")]
    assert desk.words(verdict("raw/pay", as_of=NINE), failing=["team:sales"]) == [
        ("late", "team:pay"),
        ("late", "team:sales"),
    ]
    assert desk.words(verdict("raw/pay", as_of=NINE)) == [("late", "team:sales")]
    assert desk.words(verdict(), failing=["team:pay"]) == [("resolved", "team:pay"), ("resolved", "team:sales")]
    assert desk.words(verdict()) == [("resolved", "team:pay")]


EVALUATIONS = st.lists(
    st.tuples(
        st.lists(st.sampled_from(sorted(OWNERS)), max_size=3, unique=True),
        st.sampled_from(["sales", "costs"]),
        st.sampled_from(["2026-11-02", "2026-11-03"]),
        st.sampled_from([SEVEN, NINE]),
    ),
    max_size=12,
)


@given(EVALUATIONS)
def test_nobody_is_told_twice_and_everyone_held_is_known(evaluations):
    desk = Desk()
    for assets, dashboard, partition, as_of in evaluations:
        now = verdict(*assets, dashboard=dashboard, partition=partition, as_of=as_of)
        desk.tell(now)
        owners = {told.owner for told in desk.told if (told.dashboard, told.partition) == (dashboard, partition)}

        assert desk.tell(now) == []
        if now.holds:
            assert {OWNERS[asset] for asset in assets} | {CONTRACTS[dashboard].owner} <= owners
        else:
            assert owners == set()


def test_a_matter_is_about_another_only_with_an_owner_and_a_cause_in_common():
    one = Told("sales", None, "team:pay", frozenset({"raw/pay"}), False, SEVEN)
    other = Told("costs", None, "team:crm", frozenset({"raw/pay"}), False, SEVEN)

    assert one.is_about(one)
    assert not one.is_about(other)
    assert Kind.HELD == "held"
