"""How many rows a partition may have: learned from what was accepted, and from nothing else."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from statistics import median
from zoneinfo import ZoneInfo

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard_trust.checks.volume import TOO_LITTLE, Volumes, judge_days, judge_empty, judge_volumes
from dashboard_trust.contracts.table_rules import RowCount, VolumeAnomaly
from dashboard_trust.enforcement.partition_mappings import period_of
from dashboard_trust.errors import ContractError

MONDAY = dt.datetime(2024, 1, 1)
ANOMALY, BOUNDED = VolumeAnomaly(), RowCount(of_median=(0.5, 2.0))
WEEK = {0: 100, 1: 110, 2: 105, 3: 95, 4: 120, 5: 10, 6: 12}


def start_of(n: int) -> dt.datetime:
    return MONDAY + dt.timedelta(days=n)


def volumes_of(rows: list[int], bad: set[int] = frozenset(), **options) -> Volumes:
    names = [start_of(n).date().isoformat() for n in range(len(rows))]
    return Volumes(
        dict(zip(names, rows, strict=True)),
        {name: start_of(n) for n, name in enumerate(names)},
        {name for n, name in enumerate(names) if n not in bad},
        **options,
    )


def judged(rule, volumes: Volumes):
    found, accepted = judge_volumes([rule], volumes)
    return list(found[rule.check].values()), accepted


def seasonal(weeks: int, factor: float = 1.0) -> list[int]:
    return [int(WEEK[n % 7] * factor) + n % 3 for n in range(weeks * 7)]


def test_a_weekend_is_no_anomaly_beside_weekends():
    found, accepted = judged(replace(ANOMALY, too_little="pass"), volumes_of(seasonal(10)))

    assert all(outcome.passed for outcome in found)
    assert len(accepted) == 70


def test_a_weekday_with_the_volume_of_a_weekend_is_an_anomaly():
    rows = seasonal(10)
    rows[63] = rows[62]  # a Monday as small as the Sunday before it

    found, accepted = judged(replace(ANOMALY, too_little="pass"), volumes_of(rows))

    assert [n for n, outcome in enumerate(found) if not outcome.passed] == [63]
    assert start_of(63).date().isoformat() not in accepted
    assert "such days" in found[63].reason


def test_the_first_weekend_has_too_little_history_and_that_is_said():
    held, _ = judged(ANOMALY, volumes_of(seasonal(1)))
    passed, _ = judged(replace(ANOMALY, too_little="pass"), volumes_of(seasonal(1)))

    assert not held[5].passed
    assert held[5].reason == f"{TOO_LITTLE}: 0 of 4 accepted partitions in 8 weeks; it holds as too_little says"
    assert passed[5].passed
    assert TOO_LITTLE in passed[5].reason


@pytest.mark.parametrize(("rule", "least"), [(ANOMALY, 4), (BOUNDED, 14)])
def test_too_little_history_holds_unless_it_is_declared_to_pass(rule, least):
    flat = volumes_of([100] * 28)
    held, accepted = judged(rule, flat)
    passed, _ = judged(replace(rule, too_little="pass"), flat)

    assert [outcome.passed for outcome in held] == [False] * least + [True] * (28 - least)
    assert all(outcome.passed for outcome in passed)
    assert all(TOO_LITTLE in outcome.reason for outcome in passed[:least])
    # What only lacked history is learned from, or there would never be any.
    assert len(accepted) == 28


@given(
    st.lists(st.integers(0, 10_000), min_size=1, max_size=60),
    st.sets(st.integers(0, 59)),
    st.integers(0, 10_000),
    st.sampled_from([ANOMALY, BOUNDED, replace(ANOMALY, too_little="pass"), VolumeAnomaly(least=2, weeks=2)]),
)
def test_what_was_not_accepted_changes_nothing(rows, bad, other, rule):
    """Whatever a day holds that is wrong for another reason, every other day is judged the same."""
    bad &= set(range(len(rows)))
    changed = [other if n in bad else count for n, count in enumerate(rows)]

    found, accepted = judged(rule, volumes_of(rows, bad))
    again, accepted_again = judged(rule, volumes_of(changed, bad))

    assert [o for n, o in enumerate(found) if n not in bad] == [o for n, o in enumerate(again) if n not in bad]
    assert accepted == accepted_again
    assert not {start_of(n).date().isoformat() for n in bad} & accepted.keys()


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60), st.sampled_from([ANOMALY, BOUNDED]))
def test_no_day_is_judged_by_one_that_comes_after_it(rows, rule):
    whole, _ = judged(rule, volumes_of(rows))

    for n in range(0, len(rows), 7):
        assert judged(rule, volumes_of(rows[: n + 1]))[0] == whole[: n + 1]


@given(st.lists(st.integers(0, 1000), min_size=8, max_size=60), st.integers(1, 59), st.sampled_from([ANOMALY, BOUNDED]))
def test_days_one_after_the_other_are_judged_as_all_at_once(rows, cut, rule):
    """What a look leaves as accepted is the history of the next one."""
    cut %= len(rows)
    whole, accepted = judged(rule, volumes_of(rows))
    _, known = judged(rule, volumes_of(rows[:cut])) if cut else ([], {})
    rest = volumes_of(rows)
    later = replace(
        rest,
        rows=dict(list(rest.rows.items())[cut:]),
        history={dt.datetime.fromisoformat(day): count for day, count in known.items()},
    )

    found, accepted_later = judged(rule, later)

    assert found == whole[cut:]
    assert {**known, **accepted_later} == accepted


@given(st.lists(st.integers(1, 1000), min_size=4, max_size=8), st.integers(0, 3000), st.floats(0.5, 6))
def test_an_anomaly_is_as_far_from_the_median_as_is_declared(weeks, rows, sensitivity):
    history = {MONDAY - dt.timedelta(weeks=n + 1): count for n, count in enumerate(weeks)}
    rule = VolumeAnomaly(sensitivity=sensitivity)
    middle = median(weeks)
    spread = max(1.4826 * median(abs(count - middle) for count in weeks), 0.05 * middle, 1.0)

    [found], _ = judged(rule, replace(volumes_of([rows]), history=history))

    assert found.passed == (middle - sensitivity * spread <= rows <= middle + sensitivity * spread)


def test_a_new_level_is_held_until_a_person_accepts_it():
    rows = [100] * 56 + [300] * 63
    shifted = volumes_of(rows)

    found, accepted = judged(ANOMALY, shifted)
    assert not any(outcome.passed for outcome in found[56:])
    assert not any(start_of(n).date().isoformat() in accepted for n in range(56, 119))

    waived = {start_of(n).date().isoformat() for n in range(56, 91)}
    found, accepted = judged(ANOMALY, replace(shifted, waived=waived))

    assert not any(outcome.passed for outcome in found[56:84]), "a waiver is not a pass"
    assert waived <= accepted.keys()
    assert all(outcome.passed for outcome in found[98:]), "five weeks of it have been accepted, of eight"


def test_who_accepts_a_volume_accepts_nothing_else():
    shop = volumes_of([100] * 8, {7})

    assert "2024-01-08" not in judged(ANOMALY, shop)[1]
    assert "2024-01-08" not in judged(ANOMALY, replace(shop, waived={"2024-01-08"}))[1]


@pytest.mark.parametrize(("rows", "passes"), [(0, True), (3, True), (4, False)])
def test_beside_weeks_without_a_row_a_few_are_no_anomaly_and_many_are(rows, passes):
    history = {MONDAY - dt.timedelta(weeks=n): 0 for n in range(1, 9)}

    [found], _ = judged(ANOMALY, replace(volumes_of([rows]), history=history))

    assert found.passed is passes


def test_of_a_median_of_nothing_only_nothing_is_a_share():
    history = {MONDAY - dt.timedelta(weeks=n): 0 for n in range(1, 5)}
    rule = RowCount(min=0, of_median=(0.5, 2.0))

    assert [judged(rule, replace(volumes_of([n]), history=history))[0][0].passed for n in (0, 1)] == [True, False]


@pytest.mark.parametrize(("rows", "passes"), [(49, False), (50, True), (200, True), (201, False)])
def test_shares_of_the_median_are_themselves_within(rows, passes):
    history = {MONDAY - dt.timedelta(weeks=n): 100 for n in range(1, 5)}

    [found], _ = judged(BOUNDED, replace(volumes_of([rows]), history=history))

    assert found.passed is passes


def test_other_weekdays_and_older_weeks_are_not_in_the_median():
    history = {MONDAY - dt.timedelta(weeks=n): 100 for n in range(1, 5)}
    others = {MONDAY - dt.timedelta(days=n): 10_000 for n in range(1, 60) if n % 7}
    older = {MONDAY - dt.timedelta(weeks=n): 10_000 for n in range(5, 50)}

    alone, _ = judged(BOUNDED, replace(volumes_of([100]), history=history))
    among, _ = judged(BOUNDED, replace(volumes_of([100]), history={**history, **others, **older}))

    assert alone == among
    assert alone[0].passed


@pytest.mark.parametrize("last", ["2024-04-14", "2024-11-10"])
def test_weeks_across_a_change_of_the_clock_are_weeks(last):
    """Partitions begin in their own time: the day of a week ago too, though that is 167 or 169 hours ago."""
    days = dg.DailyPartitionsDefinition("2024-01-01", timezone="Europe/Berlin")
    start = period_of(days, last).start
    known = [(dt.date.fromisoformat(last) - dt.timedelta(weeks=n)).isoformat() for n in range(1, 9)]
    starts = [period_of(days, key).start for key in known]
    history = {each.replace(tzinfo=None): 100 for each in starts}

    found, _ = judge_volumes(
        [ANOMALY, BOUNDED], Volumes({last: 300}, {last: start.replace(tzinfo=None)}, {last}, history)
    )

    assert len({each.astimezone(ZoneInfo("UTC")).hour for each in starts}) == 2
    assert "8 such days" in found["volume_anomaly"][last].reason
    assert "4 such days" in found["row_count"][last].reason


@pytest.mark.parametrize("day", [dt.datetime.min, dt.datetime(1, 1, 8), dt.datetime(9999, 12, 31)])
def test_the_first_and_the_last_days_there_are_have_too_little_history(day):
    found, _ = judge_volumes([ANOMALY, BOUNDED], Volumes({"edge": 5}, {"edge": day}, {"edge"}))

    assert all(TOO_LITTLE in parts["edge"].reason for parts in found.values())


def test_a_part_that_is_not_of_time_has_no_history():
    found, accepted = judge_volumes([ANOMALY, BOUNDED], Volumes({"de": 5, "fr": 500}, {}, {"de", "fr"}))

    assert not any(outcome.passed for parts in found.values() for outcome in parts.values())
    assert accepted == {"de": 5, "fr": 500}


@pytest.mark.parametrize(
    ("rule", "rows", "passes"),
    [
        (RowCount(), 0, False),
        (RowCount(), 1, True),
        (RowCount(min=0), 0, True),
        (RowCount(min=2, max=3), 1, False),
        (RowCount(min=2, max=3), 2, True),
        (RowCount(min=2, max=3), 3, True),
        (RowCount(min=2, max=3), 4, False),
        (RowCount(max=0), 0, False),
    ],
)
def test_a_row_count_is_bounded_by_what_it_says_and_by_one(rule, rows, passes):
    [found], _ = judged(rule, volumes_of([rows]))

    assert found.passed is passes
    assert found.measured == rows


def test_no_rows_are_judged_without_a_history():
    assert not judge_empty(RowCount(of_median=(0.5, 2), too_little="pass")).passed
    assert judge_empty(RowCount(min=0, of_median=(0.5, 2))).passed


@pytest.mark.parametrize(
    "said",
    [
        {"sensitivity": 0},
        {"sensitivity": float("nan")},
        {"sensitivity": float("inf")},
        {"least": 1},
        {"least": 15, "weeks": 2},
        {"too_little": "maybe"},
        {"weeks": 0},
    ],
)
def test_what_nothing_can_be_learned_by_is_refused(said):
    with pytest.raises(ContractError):
        VolumeAnomaly(**said)


@pytest.mark.parametrize("too_little", ["hold", "pass"])
@pytest.mark.parametrize("rule", [VolumeAnomaly(least=2, weeks=2), RowCount(of_median=(0.5, 2.0), weeks=2)])
def test_a_new_level_is_not_accepted_by_outlasting_the_old_one(rule, too_little):
    """Weeks that wait for somebody are no history, and no lack of it either."""
    rule = replace(rule, too_little=too_little)
    found, accepted = judged(rule, volumes_of([100] * 28 + [300] * 70))

    assert not any(outcome.passed for outcome in found[28:])
    assert not any(start_of(n).date().isoformat() in accepted for n in range(28, 98))

    # The same, one day after the other, as partitions are looked at.
    refused = {start_of(n) for n in range(70, 84)}
    [alone], accepted = judged(
        rule, Volumes({"2024-03-25": 300}, {"2024-03-25": start_of(84)}, {"2024-03-25"}, refused=refused)
    )
    assert not alone.passed
    assert TOO_LITTLE not in alone.reason
    assert accepted == {}


def test_a_day_without_rows_is_not_in_the_way_of_later_ones():
    rows = [100] * 28
    rows[7] = 0

    found, _ = judged(replace(BOUNDED, too_little="pass"), volumes_of(rows))

    assert [n for n, outcome in enumerate(found) if not outcome.passed] == [7]


def overall(rule, volumes: Volumes):
    return judge_days(rule, judge_volumes([rule], volumes)[0][rule.check], volumes)


@pytest.mark.parametrize("rule", [ANOMALY, BOUNDED])
def test_a_new_table_is_held_by_too_little_history_and_an_old_one_by_that_of_its_beginning_is_not(rule):
    assert not overall(rule, volumes_of(seasonal(1))).passed
    assert overall(replace(rule, too_little="pass"), volumes_of(seasonal(1))).passed
    assert overall(rule, volumes_of(seasonal(10))).passed


def test_history_that_is_missing_after_there_was_enough_holds_the_table():
    rule, rows = BOUNDED, seasonal(12)
    bad = set(range(28, 63))  # five weeks that are wrong for another reason

    found = overall(rule, volumes_of(rows, bad))

    assert not found.passed
    assert TOO_LITTLE in found.reason


def test_a_running_day_is_no_anomaly_and_has_not_passed_and_is_not_learned_from():
    rows = [*seasonal(10), 1]
    today = start_of(70).date().isoformat()
    volumes = replace(volumes_of(rows), running={today})

    found, accepted = judge_volumes([ANOMALY, BOUNDED], volumes)

    assert not any(today in parts for parts in found.values())
    assert today not in accepted
    assert overall(ANOMALY, volumes).passed
    assert overall(ANOMALY, volumes).reason == f"not yet over: {today}"
    assert not overall(ANOMALY, volumes_of(rows)).passed
