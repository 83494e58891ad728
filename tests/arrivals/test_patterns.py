"""What a path says, and which paths a partition has."""

from __future__ import annotations

import dagster as dg
import pytest

from dashboard_trust.arrivals.partitions import NotYetError, Partitioning, UnexpectedNameError
from dashboard_trust.arrivals.patterns import PathPattern
from dashboard_trust.errors import InvalidInputError

DAILY = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-02-01")
WEEKLY = dg.WeeklyPartitionsDefinition("2026-01-04", end_date="2026-03-01")
HOURLY = dg.HourlyPartitionsDefinition("2026-03-29-00:00", timezone="Europe/Berlin", end_date="2026-03-30-00:00")


@pytest.mark.parametrize(
    ("pattern", "path", "fields"),
    [
        ("{day:%Y-%m-%d}.csv", "2026-01-02.csv", {"day": "2026-01-02"}),
        ("{day:%Y-%m-%d}.csv", "2026-1-2.csv", None),
        ("{day:%Y-%m-%d}.csv", "2026-01-02.csv.gz", None),
        ("{day:%Y-%m-%d}.csv", "x/2026-01-02.csv", None),
        ("{day:%Y/%m/%d}/{region}.csv", "2026/01/02/eu.csv", {"day": "2026/01/02", "region": "eu"}),
        ("a.b/{region}.csv", "aXb/eu.csv", None),
        ("{region}/*-{day:%Y%m%d}.csv", "eu/any thing-20260102.csv", {"region": "eu", "day": "20260102"}),
        ("{region}.csv", "e/u.csv", None),
        ("{region}.csv", "zürich.csv", {"region": "zürich"}),
    ],
)
def test_a_path_is_read_in_one_way_or_not_at_all(pattern, path, fields):
    assert PathPattern(pattern).read(path) == fields


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("", "is no path"),
        ("/x/{day}.csv", "is no path"),
        ("../{day}.csv", "is no path"),
        ("{day}/{day}.csv", "twice"),
        ("{}.csv", "is no field"),
        ("{day:%Y-%Q}.csv", "%Q in {day} is not known"),
        ("{day:d}.csv", "is no date"),
        ("{day", "cannot be read"),
    ],
)
def test_a_pattern_that_cannot_be_read_back_is_refused(pattern, said):
    with pytest.raises(InvalidInputError, match=said):
        PathPattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "partitions"),
    [
        ("orders.csv", DAILY),
        ("{day}.csv", DAILY),
        ("{a:%Y}-{b:%m}.csv", DAILY),
        ("{day:%Y-%m-%d}.csv", dg.StaticPartitionsDefinition(["eu"])),
        ("{a}/{b}.csv", dg.StaticPartitionsDefinition(["eu"])),
    ],
)
def test_a_pattern_that_does_not_say_the_partition_is_refused(pattern, partitions):
    with pytest.raises(InvalidInputError, match="does not say the partition"):
        Partitioning.tell(PathPattern(pattern), partitions)


def test_a_date_says_the_partition_it_lies_in():
    week = Partitioning.tell(PathPattern("{day:%Y-%m-%d}.csv"), WEEKLY)

    assert week.key({"day": "2026-01-10"}).text == "2026-01-04"
    assert week.key({"day": "2026-01-11"}).text == "2026-01-11"


def test_a_local_hour_that_the_clocks_leave_out_says_the_one_after_it():
    hours = Partitioning.tell(PathPattern("{at:%Y-%m-%dT%H}.csv"), HOURLY)

    assert hours.key({"at": "2026-03-29T01"}).text == "2026-03-29-01:00"
    assert hours.key({"at": "2026-03-29T02"}).text == "2026-03-29-03:00"


@pytest.mark.parametrize("day", ["2026-02-30", "2025-12-31", "2026-02-01", "0000-01-01", "9999-12-31"])
def test_a_date_outside_the_partitions_is_unexpected(day):
    with pytest.raises(UnexpectedNameError):
        Partitioning.tell(PathPattern("{day:%Y-%m-%d}.csv"), DAILY).key({"day": day})


def test_a_day_to_come_is_waited_for():
    endless = dg.DailyPartitionsDefinition("2026-01-01")
    with pytest.raises(NotYetError):
        Partitioning.tell(PathPattern("{day:%Y-%m-%d}.csv"), endless).key({"day": "2999-01-01"})


def test_all_files_of_a_partition_are_of_one_group_and_no_others():
    group = Partitioning.tell(PathPattern("{day:%Y-%m-%d}.csv"), WEEKLY).grouping()

    groups = [group({"day": f"2026-01-{day:02d}"}) for day in range(4, 18)]

    assert [len({*groups[:7]}), len({*groups[7:]}), len({*groups})] == [1, 1, 2]


@pytest.mark.parametrize(
    ("pattern", "partitions", "key", "start"),
    [
        ("a/{day:%Y-%m-%d}.csv", DAILY, "2026-01-02", "a/2026-01-02.csv"),
        ("a/{day:%Y-%m-%d}-{piece}.csv", DAILY, "2026-01-02", "a/2026-01-02-"),
        ("a/{day:%Y-%m-%d}.csv", WEEKLY, "2026-01-04", "a/2026-01-"),
        ("a/{day:%Y-%m-%d}.csv", WEEKLY, "2026-01-25", "a/2026-01-"),
        ("a/{day:%Y-%d-%m}.csv", WEEKLY, "2026-01-11", "a/"),
        ("a/{day:%d.%m.%Y}.csv", WEEKLY, "2026-01-11", "a/"),
        ("{region}/x.csv", dg.StaticPartitionsDefinition(["eu"]), "eu", "eu/x.csv"),
        ("x/*/{region}.csv", dg.StaticPartitionsDefinition(["eu"]), "eu", "x/"),
    ],
)
def test_no_more_is_listed_than_the_paths_of_a_partition_have_in_common(pattern, partitions, key, start):
    told = Partitioning.tell(PathPattern(pattern), partitions)

    assert told.pattern.start(*told.known_fields(key)) == start
