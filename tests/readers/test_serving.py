from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest
import sqlalchemy as db

from dashboard_trust.evidence.names import SINCE
from dashboard_trust.readers.serving import read_serving

KEY = dg.AssetKey(["dashboards", "sales"])
DAYS = dg.DailyPartitionsDefinition("2026-11-01", end_date="2026-11-10")
NOON = dt.datetime(2026, 11, 4, 12, tzinfo=dt.UTC)


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def publish(instance, partition, **metadata):
    instance.report_runless_asset_event(dg.AssetMaterialization(KEY, partition=partition, metadata=metadata))


def test_nothing_was_ever_published(instance):
    assert read_serving(instance, KEY, DAYS) is None
    assert read_serving(instance, KEY, None) is None


def test_a_partition_that_is_none_of_the_dashboards_is_not_shown(instance):
    publish(instance, "2025-01-01")

    assert read_serving(instance, KEY, DAYS) is None


def test_the_newest_partition_is_shown_also_when_an_older_one_was_published_later(instance):
    publish(instance, "2026-11-03")
    publish(instance, "2026-11-02")

    assert read_serving(instance, KEY, DAYS).partition == read_serving(instance, KEY, None).partition == "2026-11-03"


def test_the_newest_goes_by_the_order_of_the_partitions_not_of_their_names(instance):
    sizes = dg.StaticPartitionsDefinition(["small", "large"])
    publish(instance, "small")
    publish(instance, "large")

    assert read_serving(instance, KEY, sizes).partition == "large"


def test_dynamic_partitions_are_known_from_the_instance(instance):
    instance.add_dynamic_partitions("files", ["a", "b"])
    publish(instance, "a")

    assert read_serving(instance, KEY, dg.DynamicPartitionsDefinition(name="files")).partition == "a"


@pytest.mark.parametrize(
    "said", [NOON.isoformat(), "2026-11-04T13:00:00+01:00", dg.TimestampMetadataValue(NOON.timestamp())]
)
def test_since_is_what_the_publication_says(instance, said):
    publish(instance, "2026-11-03", **{SINCE: said})

    assert read_serving(instance, KEY, DAYS).since == NOON


@pytest.mark.parametrize("metadata", [{}, {SINCE: "soon"}])
def test_since_is_else_when_it_was_materialized(instance, metadata):
    before = dt.datetime.now(dt.UTC)
    publish(instance, None, **metadata)

    assert before <= read_serving(instance, KEY, None).since <= dt.datetime.now(dt.UTC)


def test_the_number_of_queries_does_not_grow_with_the_partitions(instance):
    def queries():
        seen = []
        listener = lambda *arguments: seen.append(arguments[2])  # noqa: E731
        db.event.listen(db.Engine, "before_cursor_execute", listener)
        read_serving(instance, KEY, DAYS)
        db.event.remove(db.Engine, "before_cursor_execute", listener)
        return len(seen)

    publish(instance, "2026-11-01")
    one = queries()
    for day in range(2, 9):
        publish(instance, f"2026-11-0{day}")
    assert 0 < queries() == one
