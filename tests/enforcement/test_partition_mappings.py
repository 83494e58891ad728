from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from dashboard_trust.contracts.model import Period
from dashboard_trust.enforcement.partition_mappings import Mappings, period_of
from dashboard_trust.evidence.names import SLICES

DAYS = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-20")
WEEKS = dg.WeeklyPartitionsDefinition("2024-03-03", end_date="2024-03-20")
WEEK = tuple(f"2024-03-{n:02d}" for n in range(3, 10))
YESTERDAY = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)


def asked(above, below, partition, instance, *, mapping=None, metadata=None):
    parent = dg.AssetSpec("parent", partitions_def=above)
    dep = dg.AssetDep("parent", partition_mapping=mapping)
    child = dg.AssetSpec("child", deps=[dep], partitions_def=below, metadata=metadata)
    graph = dg.Definitions([parent, child]).resolve_asset_graph()
    return Mappings(graph, instance).map_input((dg.AssetKey("child"), partition), dg.AssetKey("parent"))


@pytest.mark.parametrize(
    ("above", "below", "partition", "mapping", "expected"),
    [
        (DAYS, DAYS, "2024-03-05", None, ("2024-03-05",)),
        (DAYS, WEEKS, "2024-03-03", None, WEEK),
        (WEEKS, DAYS, "2024-03-05", None, ("2024-03-03",)),
        (DAYS, DAYS, "2024-03-05", YESTERDAY, ("2024-03-04",)),
        (None, DAYS, "2024-03-05", None, (None,)),
        (None, None, None, None, (None,)),
        (dg.StaticPartitionsDefinition(["a", "b"]), None, None, None, ("a", "b")),
        (
            dg.StaticPartitionsDefinition(["a", "b"]),
            dg.StaticPartitionsDefinition(["x", "y"]),
            "x",
            dg.StaticPartitionMapping({"a": "x", "b": "x"}),
            ("a", "b"),
        ),
        (dg.StaticPartitionsDefinition(["a", "b"]), DAYS, "2024-03-05", dg.AllPartitionMapping(), ("a", "b")),
        (DAYS, None, None, dg.SpecificPartitionsPartitionMapping(["2024-03-02"]), ("2024-03-02",)),
    ],
)
def test_the_partitions_read_are_those_of_the_mapping(above, below, partition, mapping, expected, instance):
    assert asked(above, below, partition, instance, mapping=mapping).partitions == expected


def test_an_upstream_partition_that_does_not_exist_is_named_so_that_it_holds(instance):
    later = dg.DailyPartitionsDefinition("2024-03-04", end_date="2024-03-20")

    assert asked(later, DAYS, "2024-03-02", instance).partitions == ("2024-03-02",)


def test_dynamic_partitions_are_read_from_the_instance(instance):
    regions = dg.DynamicPartitionsDefinition(name="regions")
    instance.add_dynamic_partitions("regions", ["north", "south"])

    assert asked(regions, None, None, instance).partitions == ("north", "south")


@pytest.mark.parametrize(
    ("below", "partition", "days"),
    [
        (DAYS, "2024-03-05", ("2024-03-05",)),
        (WEEKS, "2024-03-03", WEEK),
        (
            dg.DailyPartitionsDefinition("2024-03-01", timezone="America/New_York"),
            "2024-03-05",
            ("2024-03-05", "2024-03-06"),
        ),
        (dg.HourlyPartitionsDefinition("2024-03-01-00:00"), "2024-03-05-23:00", ("2024-03-05",)),
    ],
)
def test_a_declared_slice_of_a_table_is_the_days_of_the_period(below, partition, days, instance):
    found = asked(None, below, partition, instance, metadata={SLICES: {"parent": "at"}})

    assert found.days == days


def test_a_slice_declared_of_another_table_narrows_nothing(instance):
    assert asked(None, DAYS, "2024-03-05", instance, metadata={SLICES: {"other": "at"}}).days == ()


def test_the_period_of_a_partition_is_its_window():
    start = dt.datetime(2024, 3, 5, tzinfo=dt.UTC)

    assert period_of(DAYS, "2024-03-05") == Period(start, start + dt.timedelta(days=1))
    assert period_of(dg.StaticPartitionsDefinition(["a"]), "a") is None
    assert period_of(DAYS, None) is None
