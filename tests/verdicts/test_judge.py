from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from dashboard_trust.contracts.model import (
    DashboardContract,
    Input,
    Period,
    Promise,
    ReadyBy,
    Requirement,
    Section,
)
from dashboard_trust.evidence.facts import (
    Attempt,
    CheckResult,
    DayResult,
    Evidence,
    Materialization,
    Receipt,
    join_versions,
)
from dashboard_trust.verdicts.judge import judge
from dashboard_trust.verdicts.verdict import Outcome, Readiness

DAY, NEXT = "2026-01-01", "2026-01-02"
PERIOD = Period(dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.datetime(2026, 1, 2, tzinfo=dt.UTC))
EARLY = dt.datetime(2026, 1, 2, 7, tzinfo=dt.UTC)
LATE = dt.datetime(2026, 1, 2, 8, tzinfo=dt.UTC)
READY_BY = ReadyBy(dt.time(8))

RAW = Requirement("raw", None, "team:raw", days=(DAY,), checks=("complete",))
MART = Requirement("mart", DAY, "team:mart", inputs=(Input("raw", (None,), (DAY,)),), checks=("unique",))
RAW_LOAD = Materialization("raw", None, 10, EARLY, "run-raw", "event 10", days={DAY: "a", NEXT: "b"})
MART_LOAD = Materialization("mart", DAY, 20, EARLY, "run-mart", "event 20", consumed={f"raw {DAY}": "a"})
RAW_CHECK = CheckResult("raw", "complete", None, "passed", EARLY, "run-raw", target_id=10)
MART_CHECK = CheckResult("mart", "unique", DAY, "passed", EARLY, "run-mart", target_id=20)


def promise(*requirements, period=PERIOD, **contract):
    contract.setdefault("ready_by", READY_BY)
    return Promise(DashboardContract("dash", "team:dash", **contract), DAY, period, requirements or (RAW, MART))


def evidence(*facts, as_of=EARLY, earlier=(), unreadable="", receipts=()):
    """Evidence from facts of any kind; a later one takes the place of an earlier one."""
    loads = {(f.asset, f.partition): f for f in facts if isinstance(f, Materialization)}
    return Evidence(
        as_of=as_of,
        materializations=loads,
        earlier={f.storage_id: f for f in (*loads.values(), *earlier)},
        attempts={(f.asset, f.partition): f for f in facts if isinstance(f, Attempt)},
        checks={(f.asset, f.check, f.partition): f for f in facts if isinstance(f, CheckResult)},
        unreadable=unreadable,
        receipts=receipts,
    )


def good(*others, **kwargs):
    return evidence(RAW_LOAD, MART_LOAD, RAW_CHECK, MART_CHECK, *others, **kwargs)


def outcomes(verdict):
    return [(finding.asset, finding.check, finding.outcome) for finding in verdict.findings]


def attempt(asset="mart", partition=DAY, state="failed", **kwargs):
    return Attempt(asset, partition, 30, "run-later", EARLY, state, **kwargs)


def test_requiring_nothing_is_unknown():
    nothing = Promise(DashboardContract("dash", "team:dash"), DAY, PERIOD, ())

    verdict = judge(nothing, good())

    assert verdict.readiness is Readiness.UNKNOWN
    assert verdict.holds


def test_unreadable_evidence_is_unknown_however_good_the_rest_looks():
    verdict = judge(promise(), good(unreadable="disk full"))

    assert verdict.readiness is Readiness.UNKNOWN
    assert "disk full" in verdict.findings[0].reason


def test_without_any_fact_nothing_is_published():
    verdict = judge(promise(), evidence())

    assert verdict.readiness is Readiness.WAITING
    assert outcomes(verdict) == [("raw", None, Outcome.MISSING)]
    assert [finding.asset for finding in verdict.consequences] == ["mart"]


@pytest.mark.parametrize(("left", "found"), [(1, []), (0, [Outcome.NOT_RUN]), (-1, [Outcome.NOT_RUN])])
@pytest.mark.parametrize("warns", [False, True])
def test_a_word_holds_until_its_end_and_no_longer(left, found, warns):
    """It ends on the second."""
    until = EARLY + dt.timedelta(seconds=left)
    status = "failed" if warns else "passed"
    word = replace(MART_CHECK, until=until, warns=warns, status=status)

    verdict = judge(promise(), good(word))

    assert [f.outcome for f in verdict.findings] == (found or [Outcome.WARNED] * warns)
    assert verdict.holds == bool(found)


def test_what_was_wrong_is_wrong_until_somebody_looks_again():
    word = replace(MART_CHECK, status="failed", until=EARLY - dt.timedelta(seconds=1))

    assert [f.outcome for f in judge(promise(), good(word)).findings] == [Outcome.FAILED]


def test_of_an_old_day_a_word_holds_as_it_did_when_the_day_was_the_newest():
    """The day is over on the 2nd at 0:00 and was the newest until the 3rd at 8:00, when the next one was promised."""
    later = EARLY + dt.timedelta(days=90)
    due = PERIOD.end + dt.timedelta(days=1, hours=8)
    held, ended = (replace(MART_CHECK, until=due + dt.timedelta(seconds=n)) for n in (1, 0))

    asked = promise(RAW, replace(MART, period=PERIOD))

    assert not judge(asked, good(held, as_of=later)).holds
    assert judge(asked, good(ended, as_of=later)).holds


def test_everything_met_is_ready():
    verdict = judge(promise(), good())

    assert verdict.readiness is Readiness.READY
    assert verdict.findings == verdict.consequences == ()


@pytest.mark.parametrize(("as_of", "readiness"), [(EARLY, Readiness.WAITING), (LATE, Readiness.DELAYED)])
def test_missing_is_waiting_until_the_promised_moment_and_delayed_from_it_on(as_of, readiness):
    assert judge(promise(), evidence(RAW_LOAD, RAW_CHECK, as_of=as_of)).readiness is readiness


def test_without_a_promised_moment_missing_never_becomes_delayed():
    verdict = judge(promise(ready_by=None), evidence(as_of=LATE + dt.timedelta(days=90)))

    assert verdict.readiness is Readiness.WAITING


def test_what_is_wrong_is_blocked_even_before_the_promised_moment():
    failed = replace(RAW_CHECK, status="failed", reason="half missing")

    verdict = judge(promise(), good(failed))

    assert verdict.readiness is Readiness.BLOCKED
    assert outcomes(verdict) == [("raw", "complete", Outcome.FAILED)]
    assert verdict.findings[0].reason == "half missing"
    assert verdict.findings[0].owner == "team:raw"


@pytest.mark.parametrize(
    ("check", "outcome", "readiness"),
    [
        (replace(MART_CHECK, status="failed"), Outcome.FAILED, Readiness.BLOCKED),
        (replace(MART_CHECK, status="errored", reason="boom"), Outcome.ERRORED, Readiness.BLOCKED),
        (replace(MART_CHECK, status="errored", target_id=None), Outcome.ERRORED, Readiness.BLOCKED),
        (replace(MART_CHECK, status="pending"), Outcome.PENDING, Readiness.WAITING),
        (replace(MART_CHECK, status="skipped"), Outcome.NOT_RUN, Readiness.WAITING),
        (replace(MART_CHECK, run_id=""), Outcome.UNVERIFIED, Readiness.BLOCKED),
        (replace(MART_CHECK, target_id=19), Outcome.NOT_RUN, Readiness.WAITING),
        (replace(MART_CHECK, target_id=None), Outcome.NOT_RUN, Readiness.WAITING),
    ],
)
def test_a_check_that_did_not_pass_on_this_version_holds(check, outcome, readiness):
    verdict = judge(promise(), good(check))

    assert (outcomes(verdict), verdict.readiness) == ([("mart", "unique", outcome)], readiness)


def test_a_check_that_never_ran_holds():
    verdict = judge(promise(), evidence(RAW_LOAD, MART_LOAD, RAW_CHECK))

    assert outcomes(verdict) == [("mart", "unique", Outcome.NOT_RUN)]


def test_a_failed_check_of_severity_warn_is_told_and_does_not_hold():
    verdict = judge(promise(), good(replace(MART_CHECK, status="failed", warns=True)))

    assert outcomes(verdict) == [("mart", "unique", Outcome.WARNED)]
    assert verdict.readiness is Readiness.READY
    assert verdict.causes == ()


def test_a_check_of_severity_warn_that_raised_holds():
    verdict = judge(promise(), good(replace(MART_CHECK, status="errored", warns=True)))

    assert verdict.readiness is Readiness.BLOCKED


def test_a_pass_on_an_older_load_does_not_count():
    reloaded = replace(RAW_LOAD, storage_id=11, version="event 11", days={DAY: "changed", NEXT: "b"})
    mart = replace(MART_LOAD, consumed={f"raw {DAY}": "changed"})

    verdict = judge(promise(), good(reloaded, mart, earlier=[RAW_LOAD]))

    assert outcomes(verdict) == [("raw", "complete", Outcome.NOT_RUN)]


def test_a_pass_on_an_older_load_counts_where_the_day_is_unchanged():
    reloaded = replace(RAW_LOAD, storage_id=11, version="event 11", days={DAY: "a", NEXT: "changed"})

    assert judge(promise(), good(reloaded, earlier=[RAW_LOAD])).readiness is Readiness.READY


def test_a_failure_on_an_older_load_stays_where_the_day_is_unchanged():
    reloaded = replace(RAW_LOAD, storage_id=11, version="event 11")

    verdict = judge(promise(), good(reloaded, replace(RAW_CHECK, status="failed"), earlier=[RAW_LOAD]))

    assert outcomes(verdict) == [("raw", "complete", Outcome.FAILED)]


def test_a_check_without_target_counts_only_for_what_its_own_run_had_loaded_before_it():
    before = replace(MART_CHECK, target_id=None, storage_id=19)
    after = replace(MART_CHECK, target_id=None, storage_id=21)

    assert judge(promise(), good(before)).holds
    assert judge(promise(), good(replace(after, run_id="run-other"))).holds
    assert not judge(promise(), good(after)).holds


def test_a_check_that_does_not_name_the_day_has_not_looked_at_it():
    verdict = judge(promise(), good(replace(RAW_CHECK, days={NEXT: DayResult(True)})))

    assert outcomes(verdict) == [("raw", "complete", Outcome.NOT_RUN)]
    assert DAY in verdict.findings[0].reason


def test_a_check_that_fails_for_another_day_does_not_hold_this_one():
    days = {DAY: DayResult(True), NEXT: DayResult(False, "half missing")}

    assert not judge(promise(), good(replace(RAW_CHECK, status="failed", days=days))).holds


@pytest.mark.parametrize("status", ["passed", "failed"])
def test_a_day_that_failed_holds_whatever_the_check_says_as_a_whole(status):
    days = {DAY: DayResult(False, "half missing"), NEXT: DayResult(True)}

    verdict = judge(promise(), good(replace(RAW_CHECK, status=status, days=days)))

    assert outcomes(verdict) == [("raw", "complete", Outcome.FAILED)]
    assert verdict.findings[0].reason == "half missing"


def test_of_several_days_each_that_failed_is_named_with_its_reason():
    both = replace(RAW, days=(DAY, NEXT), inputs=())
    few = replace(RAW_CHECK, days={DAY: DayResult(False, "half missing"), NEXT: DayResult(False)})
    one = replace(RAW_CHECK, days={DAY: DayResult(True), NEXT: DayResult(False, "half missing")})

    assert judge(promise(both), good(few)).findings[0].reason == f"{DAY}: half missing; {NEXT}: failed"
    assert judge(promise(both), good(one)).findings[0].reason == f"{NEXT}: half missing"


def test_a_check_as_a_whole_answers_for_a_partition_only_if_the_partition_has_none_of_its_own():
    whole = replace(MART_CHECK, partition=None)

    assert not judge(promise(), evidence(RAW_LOAD, MART_LOAD, RAW_CHECK, whole)).holds
    assert judge(promise(), good(whole, replace(MART_CHECK, status="failed"))).holds


@pytest.mark.parametrize("days", [{}, {NEXT: "b"}])
def test_a_load_without_rows_for_the_day_is_missing_and_not_empty_but_good(days):
    verdict = judge(promise(), good(replace(RAW_LOAD, days=days)))

    assert verdict.readiness is Readiness.WAITING
    assert outcomes(verdict)[0] == ("raw", None, Outcome.MISSING)


def test_a_consumer_of_an_older_version_is_outdated():
    verdict = judge(promise(), good(replace(MART_LOAD, consumed={f"raw {DAY}": "older"})))

    assert outcomes(verdict) == [("mart", None, Outcome.OUTDATED)]
    assert verdict.readiness is Readiness.WAITING


def test_finishing_after_a_reload_does_not_make_a_consumer_current():
    consumer = replace(MART_LOAD, consumed={}, planned_id=9)

    assert outcomes(judge(promise(), good(consumer))) == [("mart", None, Outcome.OUTDATED)]
    assert not judge(promise(), good(replace(consumer, planned_id=11))).holds


def test_what_recorded_an_input_that_is_no_longer_there_is_outdated_because_of_it():
    verdict = judge(promise(), evidence(MART_LOAD, MART_CHECK))

    assert outcomes(verdict) == [("raw", None, Outcome.MISSING)]
    assert [(f.asset, f.outcome) for f in verdict.consequences] == [("mart", Outcome.OUTDATED)]


def test_what_recorded_two_days_of_an_input_is_outdated_where_one_of_them_is_gone():
    asked = Input("totals", (DAY, NEXT))
    both = replace(MART, inputs=(asked,), checks=())
    loads = [Materialization("totals", day, id_, EARLY, "run-totals", day) for day, id_ in ((DAY, 1), (NEXT, 2))]
    built = replace(MART_LOAD, consumed={asked.name: join_versions([DAY, NEXT])})

    assert outcomes(judge(promise(both), evidence(built, *loads))) == []
    for lost in loads:
        left = [load for load in loads if load is not lost]
        assert outcomes(judge(promise(both), evidence(built, *left))) == [("mart", None, Outcome.OUTDATED)]


def test_a_consumer_that_recorded_nothing_and_was_never_planned_is_outdated():
    assert outcomes(judge(promise(), good(replace(MART_LOAD, consumed={})))) == [("mart", None, Outcome.OUTDATED)]


def test_a_pointer_to_an_older_load_is_current_only_where_the_day_is_unchanged():
    consumer = replace(MART_LOAD, consumed={}, pointers={"raw": 5})
    same = replace(RAW_LOAD, storage_id=5, days={DAY: "a", NEXT: "older"})
    other = replace(RAW_LOAD, storage_id=5, days={DAY: "older", NEXT: "b"})

    assert not judge(promise(), good(consumer, earlier=[same])).holds
    assert judge(promise(), good(consumer, earlier=[other])).holds
    assert judge(promise(), good(consumer)).holds


MINUTE = dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("days", "changed", "named"),
    [
        ((DAY,), {DAY: MINUTE}, f"; a load changed the rows of {DAY} in raw late (seen 2026-01-02 07:01 UTC)"),
        ((DAY,), {DAY: -MINUTE}, ""),
        ((DAY,), {NEXT: MINUTE}, ""),
        ((DAY, NEXT), {DAY: MINUTE, NEXT: 2 * MINUTE}, f"{DAY}, {NEXT} in raw late (seen 2026-01-02 07:02 UTC)"),
        ((DAY, NEXT), {DAY: -MINUTE, NEXT: MINUTE}, f"rows of {NEXT} in raw late (seen 2026-01-02 07:01 UTC)"),
        ((), {DAY: MINUTE}, ""),
    ],
    ids=["late", "before it was built", "another day", "both days", "one of both", "read whole"],
)
def test_a_day_is_named_as_changed_late_if_it_was_read_and_changed_after_that(days, changed, named):
    asked = Input("raw", (None,), days)
    raw = replace(RAW_LOAD, changed={day: EARLY + after for day, after in changed.items()})
    verdict = judge(
        promise(RAW, replace(MART, inputs=(asked,))), good(raw, replace(MART_LOAD, consumed={asked.name: "older"}))
    )

    assert outcomes(verdict) == [("mart", None, Outcome.OUTDATED)]
    reason = verdict.findings[0].reason
    assert reason.startswith("was not built from the newest version of raw")
    assert reason.endswith(named or "of raw")


def test_of_rows_that_are_gone_it_is_said_since_when_and_how_far_the_load_reaches():
    gone = replace(RAW_LOAD, days={NEXT: "b"}, changed={DAY: EARLY})
    never = replace(RAW_LOAD, days={NEXT: "b"}, changed={NEXT: EARLY})
    nothing = replace(RAW_LOAD, days={}, changed={DAY: EARLY})
    unread = replace(RAW_LOAD, days={"": "b"})
    reasons = [judge(promise(), good(load)).findings[0].reason for load in (gone, never, nothing, unread)]

    assert reasons == [
        f"its newest load holds no rows for {DAY} any more (seen 2026-01-02 07:00 UTC); it reaches {NEXT}",
        f"its newest load holds no rows for {DAY}; it reaches {NEXT}",
        f"its newest load holds no rows for {DAY} any more (seen 2026-01-02 07:00 UTC); it is empty",
        f"its newest load holds no rows for {DAY}; none of its rows has a readable time",
    ]


def test_a_pointer_of_a_range_run_proves_nothing():
    consumer = replace(MART_LOAD, consumed={}, pointers={"raw": 10}, in_range=True, planned_id=9)

    assert outcomes(judge(promise(), good(consumer))) == [("mart", None, Outcome.OUTDATED)]


def test_within_one_run_the_upstream_must_have_come_first():
    upstream = replace(RAW_LOAD, run_id="run-mart")

    assert not judge(promise(), good(upstream, replace(MART_LOAD, consumed={}))).holds
    assert judge(promise(), good(replace(upstream, storage_id=21), replace(MART_LOAD, consumed={}))).holds


def test_an_age_equal_to_the_window_is_overdue():
    window = dt.timedelta(hours=4)
    fresh = promise(freshness={"raw": window})

    at_limit = judge(fresh, good(replace(RAW_LOAD, at=EARLY - window)))
    within = judge(fresh, good(replace(RAW_LOAD, at=EARLY - window + dt.timedelta(microseconds=1))))

    assert outcomes(at_limit) == [("raw", None, Outcome.OVERDUE)]
    assert at_limit.readiness is Readiness.WAITING
    assert within.readiness is Readiness.READY


A_HAIR = dt.timedelta(microseconds=1)
END = PERIOD.end
DAYS_LONG = {"raw": dt.timedelta(days=9), "mart": dt.timedelta(days=9)}
"""Windows so long that no age decides."""


def covering(requirement):
    return replace(requirement, period=PERIOD)


def judged_raw(load, *, window, as_of=LATE, covers=PERIOD, period=PERIOD, ready_by=None):
    """What is found of raw alone, asked to cover some time, within a window; the dashboard is for another maybe."""
    alone = Requirement("raw", None, "team:raw", period=covers)
    verdict = judge(
        promise(alone, period=period, ready_by=ready_by, freshness={"raw": window}), evidence(load, as_of=as_of)
    )
    return [(finding.outcome, finding.reason) for finding in verdict.findings]


def is_overdue(load, **kwargs):
    found = judged_raw(load, **kwargs)
    assert found == [] or [outcome for outcome, _ in found] == [Outcome.OVERDUE]
    return found != []


@pytest.mark.parametrize(("at", "overdue"), [(END - A_HAIR, True), (END, False), (END + A_HAIR, False)])
def test_a_load_from_before_the_end_of_what_it_is_to_cover_is_overdue_however_young(at, overdue):
    window, load = dt.timedelta(days=9), replace(RAW_LOAD, at=at)

    assert is_overdue(load, window=window) is overdue
    assert is_overdue(load, window=window, as_of=END + A_HAIR) is overdue
    assert is_overdue(load, window=window, period=None) is overdue


def test_a_load_from_before_the_end_is_overdue_while_the_partition_still_runs():
    during = END - dt.timedelta(hours=3)
    verdict = judge(
        promise(covering(RAW), covering(MART), freshness=DAYS_LONG),
        good(replace(RAW_LOAD, at=during), replace(MART_LOAD, at=during), as_of=during),
    )

    assert outcomes(verdict) == [("raw", None, Outcome.OVERDUE)]
    assert [(f.asset, f.outcome) for f in verdict.consequences] == [("mart", Outcome.OVERDUE)]
    assert verdict.readiness is Readiness.WAITING


def test_what_covers_no_time_may_come_at_any():
    assert not is_overdue(replace(RAW_LOAD, at=PERIOD.start), window=dt.timedelta(days=9), covers=None)


@pytest.mark.parametrize(
    ("data_at", "overdue"),
    [
        (END - dt.timedelta(hours=30) - A_HAIR, True),
        (END - dt.timedelta(hours=30), True),
        (END - dt.timedelta(hours=30) + A_HAIR, False),
        (END, False),
        (END + dt.timedelta(days=30), False),
        (None, False),
    ],
)
def test_data_that_ends_the_window_before_the_end_is_overdue_however_new_its_load(data_at, overdue):
    load = replace(RAW_LOAD, data_at=data_at)

    assert is_overdue(load, window=dt.timedelta(hours=30)) is overdue


def test_how_far_data_ends_before_the_end_does_not_grow_with_time():
    load = replace(RAW_LOAD, data_at=END - dt.timedelta(hours=20))

    # The age has stopped at 17 h, when the next day was due; the data lacks 20 h, then as now.
    assert not is_overdue(load, window=dt.timedelta(hours=20) + A_HAIR, as_of=END + dt.timedelta(days=90))
    assert is_overdue(load, window=dt.timedelta(hours=20), as_of=END + dt.timedelta(days=90))


@pytest.mark.parametrize("period", [PERIOD, None])
def test_where_no_time_is_to_be_covered_data_is_held_against_the_present(period):
    load = replace(RAW_LOAD, data_at=LATE - dt.timedelta(hours=20))

    assert is_overdue(load, window=dt.timedelta(hours=20), covers=None, period=period)
    assert not is_overdue(load, window=dt.timedelta(hours=20) + A_HAIR, covers=None, period=period)
    assert is_overdue(load, window=dt.timedelta(hours=20) + A_HAIR, covers=None, period=period, as_of=LATE + A_HAIR)


def test_new_data_does_not_make_an_old_load_fresh():
    load = replace(RAW_LOAD, at=LATE - dt.timedelta(hours=4), data_at=LATE)

    assert is_overdue(load, window=dt.timedelta(hours=4))
    assert not is_overdue(load, window=dt.timedelta(hours=4) + A_HAIR)


@pytest.mark.parametrize("windows", [{}, {"mart": dt.timedelta(days=9)}])
def test_without_a_window_of_its_own_an_asset_is_never_overdue(windows):
    ancient = replace(RAW_LOAD, at=PERIOD.start - dt.timedelta(days=900), data_at=PERIOD.start - dt.timedelta(days=901))

    verdict = judge(promise(covering(RAW), covering(MART), freshness=windows), good(ancient))

    assert verdict.readiness is Readiness.READY


WEEK = Period(END - dt.timedelta(days=7), END)


@pytest.mark.parametrize("period", [PERIOD, WEEK, None], ids=["dashboard by day", "by week", "without partitions"])
@pytest.mark.parametrize("covers", [PERIOD, WEEK], ids=["day", "week"])
@pytest.mark.parametrize(("ready_by", "after_end"), [(None, END - END), (READY_BY, LATE - END)])
def test_an_old_partition_keeps_the_age_it_had_when_the_next_was_due(covers, ready_by, after_end, period):
    due_next = END + (covers.end - covers.start) + after_end
    age = due_next - RAW_LOAD.at
    long_after = due_next + dt.timedelta(days=90)
    asked = {"covers": covers, "period": period, "ready_by": ready_by}

    assert not is_overdue(RAW_LOAD, window=age + A_HAIR, as_of=long_after, **asked)
    assert is_overdue(RAW_LOAD, window=age, as_of=long_after, **asked)
    assert is_overdue(RAW_LOAD, window=age, as_of=due_next, **asked)
    assert not is_overdue(RAW_LOAD, window=age, as_of=due_next - A_HAIR, **asked)


@pytest.mark.parametrize("period", [PERIOD, None])
def test_what_covers_no_time_grows_older_for_good(period):
    long_after = LATE + dt.timedelta(days=90)
    age, asked = long_after - RAW_LOAD.at, {"as_of": long_after, "covers": None, "period": period}

    assert is_overdue(RAW_LOAD, window=age, **asked)
    assert not is_overdue(RAW_LOAD, window=age + A_HAIR, **asked)


@pytest.mark.parametrize(
    ("load", "window", "covers", "told"),
    [
        (replace(RAW_LOAD, at=END - A_HAIR), 100, PERIOD, ["2026-01-01 23:59 UTC", "the end", "2026-01-02 00:00 UTC"]),
        (RAW_LOAD, 1, PERIOD, ["1.0 h ago", "overdue from 1.0 h"]),
        (replace(RAW_LOAD, data_at=PERIOD.start), 24, PERIOD, ["2026-01-01 00:00 UTC", "24.0 h before the end of"]),
        (replace(RAW_LOAD, data_at=PERIOD.start), 24, None, ["2026-01-01 00:00 UTC", "32.0 h before now", "24.0 h is"]),
    ],
)
def test_what_is_overdue_says_which_times_make_it_so(load, window, covers, told):
    [(_, reason)] = judged_raw(load, window=dt.timedelta(hours=window), covers=covers)

    assert [words for words in told if words not in reason] == []


def test_a_load_reported_by_hand_is_unverified_unless_the_contract_accepts_it():
    reported = good(replace(RAW_LOAD, run_id=""))

    assert outcomes(judge(promise(), reported)) == [("raw", None, Outcome.UNVERIFIED)]
    assert judge(promise(), reported).readiness is Readiness.BLOCKED
    assert not judge(promise(accept_reported=True), reported).holds


def test_a_newer_attempt_that_broke_spoils_what_is_there():
    verdict = judge(promise(), good(attempt(reason="no such column")))

    assert outcomes(verdict) == [("mart", None, Outcome.ERRORED)]
    assert verdict.findings[0].reason == "no such column"
    assert verdict.readiness is Readiness.BLOCKED


def test_a_step_that_broke_takes_the_checks_of_its_own_run_with_it_and_no_others():
    own = replace(MART_CHECK, status="errored", reason="boom", target_id=None, run_id="run-later")
    other = replace(own, run_id="run-checks")
    alone = [("mart", None, Outcome.ERRORED)]
    both = [*alone, ("mart", "unique", Outcome.ERRORED)]

    assert outcomes(judge(promise(), good(own, attempt(reason="boom")))) == alone
    assert outcomes(judge(promise(), good(other, attempt(reason="boom")))) == both
    assert outcomes(judge(promise(), good(own, attempt(reason="another")))) == both


def test_a_run_that_has_not_delivered_yet_is_pending():
    assert outcomes(judge(promise(), good(attempt(state="running")))) == [("mart", None, Outcome.PENDING)]


def test_an_attempt_of_a_model_that_was_held_or_never_reached_is_no_error_of_its_own():
    assert not judge(promise(), good(attempt(held=True))).holds
    assert not judge(promise(), good(attempt(state="not_started"))).holds


def test_an_attempt_never_reached_is_an_error_where_nothing_else_tells():
    verdict = judge(promise(), good(attempt("raw", None, state="not_started", reason="sync failed")))

    assert outcomes(verdict)[0] == ("raw", None, Outcome.ERRORED)


def test_a_held_attempt_does_not_stand_in_for_a_missing_partition():
    verdict = judge(promise(), evidence(RAW_LOAD, RAW_CHECK, attempt(held=True)))

    assert outcomes(verdict) == [("mart", None, Outcome.MISSING)]


def sections(revenue="block", pipeline="label"):
    return (Section("revenue", "Revenue", ("mart",), revenue), Section("pipeline", "Pipeline", ("deals",), pipeline))


DEALS = Requirement("deals", DAY, "team:crm", sections=("pipeline",), blocks=False)
DEALS_LOAD = Materialization("deals", DAY, 40, EARLY, "run-deals", "event 40")


def test_a_labelled_section_that_is_unmet_makes_the_rest_partial():
    verdict = judge(promise(RAW, MART, DEALS, sections=sections()), good())

    assert verdict.readiness is Readiness.PARTIAL
    assert not verdict.holds
    assert verdict.unmet == ("pipeline",)
    assert outcomes(verdict) == [("deals", None, Outcome.MISSING)]


def test_a_labelled_section_never_excuses_one_that_blocks():
    verdict = judge(promise(RAW, MART, DEALS, sections=sections()), evidence(RAW_LOAD, RAW_CHECK, DEALS_LOAD))

    assert verdict.readiness is Readiness.WAITING


def test_with_every_section_met_it_is_ready():
    verdict = judge(promise(RAW, MART, DEALS, sections=sections()), good(DEALS_LOAD))

    assert (verdict.readiness, verdict.unmet) == (Readiness.READY, ())


def test_a_failure_in_a_labelled_section_is_partial_and_never_shown_as_ready():
    checked = replace(DEALS, checks=("amounts",))
    failed = CheckResult("deals", "amounts", DAY, "failed", EARLY, "run-deals", target_id=40)

    verdict = judge(promise(RAW, MART, checked, sections=sections()), good(DEALS_LOAD, failed))

    assert (verdict.readiness, verdict.unmet) == (Readiness.PARTIAL, ("pipeline",))


def test_a_blocking_asset_below_a_labelled_one_still_holds():
    shared = replace(MART, inputs=(Input("deals", (DAY,)),), sections=("revenue",))
    behind = replace(MART_LOAD, consumed={f"deals {DAY}": "older"})

    verdict = judge(promise(shared, DEALS, sections=sections()), evidence(behind, MART_CHECK))

    assert verdict.holds
    assert set(outcomes(verdict)) == {("deals", None, Outcome.MISSING), ("mart", None, Outcome.OUTDATED)}
    assert judge(promise(shared, DEALS, sections=sections()), evidence()).holds


def test_an_asset_that_reads_its_own_past_does_not_excuse_itself():
    itself = Requirement("totals", DAY, "team:mart", inputs=(Input("totals", ("2025-12-31",)),))

    verdict = judge(promise(itself), evidence())

    assert verdict.holds
    assert outcomes(verdict) == [("totals", None, Outcome.MISSING)]


def test_the_version_changes_with_any_required_version_and_with_nothing_else():
    before = judge(promise(), good()).version
    reloaded = replace(RAW_LOAD, storage_id=11, version="event 11", days={DAY: "a", NEXT: "changed"})
    changed = replace(RAW_LOAD, days={DAY: "changed"})

    assert judge(promise(), good(reloaded, as_of=LATE)).version == before
    assert judge(promise(), good(changed)).version != before
    assert judge(promise(), good(replace(MART_LOAD, version="event 99"))).version != before


def test_what_the_dashboard_consumes_is_told_with_its_versions():
    asked = Promise(DashboardContract("dash", "team:dash"), DAY, PERIOD, (RAW, MART), (Input("mart", (DAY,)),))

    assert judge(asked, good()).consumed == ((f"mart {DAY}", "event 20"),)
    assert judge(asked, evidence(RAW_LOAD)).consumed == ()


def test_what_only_an_unmet_section_shows_is_not_consumed():
    sections = (Section("sales", "Sales", ("mart",)), Section("deals", "Deals", ("deals",), "label"))
    contract = DashboardContract("dash", "team:dash", sections=sections)
    mart = Requirement("mart", DAY, "o", sections=("sales",))
    deals = Requirement("deals", DAY, "o", checks=("complete",), sections=("deals",), blocks=False)
    reads = (Input("mart", (DAY,)), Input("deals", (DAY,)))
    asked = Promise(contract, DAY, None, (mart, deals), reads)
    loads = (replace(MART_LOAD, consumed={}), Materialization("deals", DAY, 30, EARLY, "run-deals", "event 30"))

    verdict = judge(asked, evidence(*loads))

    assert verdict.unmet == ("deals",)
    assert verdict.consumed == ((f"mart {DAY}", "event 20"),)


SOLD, DEALT = {f"mart {DAY}": "event 20"}, {f"deals {DAY}": "event 40"}


def judged_with_receipt(consumed, *facts, partition=DAY, settled=False, at_most_once=True):
    """What comes of a dashboard of two sections, of which a run began to send these versions."""
    reads = (Input("mart", (DAY,)), Input("deals", (DAY,)))
    mart = Requirement("mart", DAY, "o", sections=("revenue",))
    deals = replace(DEALS, checks=("amounts",))
    contract = DashboardContract("dash", "team:dash", sections=sections(), at_most_once=at_most_once)
    receipt = Receipt(partition, consumed, "run-lost", 50, EARLY, settled)
    passed = CheckResult("deals", "amounts", DAY, "passed", EARLY, "run-deals", target_id=40)
    known = evidence(replace(MART_LOAD, consumed={}), DEALS_LOAD, passed, *facts, receipts=(receipt,))
    return judge(Promise(contract, DAY, PERIOD, (mart, deals), reads), known)


AMOUNTS_FAILED = CheckResult("deals", "amounts", DAY, "failed", EARLY, "run-deals", target_id=40)
UNSETTLED = [("dash", None, Outcome.UNAPPROVED)]


def test_what_was_begun_to_be_sent_holds_though_a_section_went_bad_since():
    whole = judged_with_receipt(SOLD | DEALT)
    shrunk = judged_with_receipt(SOLD | DEALT, AMOUNTS_FAILED)

    assert outcomes(whole) == UNSETTLED
    assert (shrunk.consumed, shrunk.unmet) == (tuple(SOLD.items()), ("pipeline",))
    assert outcomes(shrunk)[:1] == UNSETTLED
    assert whole.readiness is shrunk.readiness is Readiness.BLOCKED


def test_what_holds_something_that_was_not_begun_may_be_sent():
    assert judged_with_receipt(SOLD).readiness is Readiness.READY
    assert judged_with_receipt(SOLD | {f"deals {DAY}": "older"}).readiness is Readiness.READY
    assert judged_with_receipt({f"mart {DAY}": "older"} | DEALT, AMOUNTS_FAILED).readiness is Readiness.PARTIAL


@pytest.mark.parametrize("but", [{"partition": NEXT}, {"partition": None}, {"settled": True}, {"at_most_once": False}])
def test_a_receipt_of_another_day_or_settled_or_not_counted_holds_nothing(but):
    assert judged_with_receipt(SOLD | DEALT, **but).readiness is Readiness.READY
