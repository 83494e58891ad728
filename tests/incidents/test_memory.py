from __future__ import annotations

import datetime as dt
import logging

import dagster as dg
import pytest

from dashboard_trust.incidents.memory import KEY, MOST, read_told, write_told
from dashboard_trust.incidents.notices import Told

SEVEN = dt.datetime(2026, 11, 4, 7, tzinfo=dt.UTC)


def told(partition, seen=SEVEN):
    return Told("dashboards/sales", partition, "team:pay", frozenset({"raw/pay", "raw/fees"}), True, seen)


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


@pytest.mark.parametrize("stored", ["{", "[5]", "5", '[{"dashboard": "a"}]', '[{"seen": "2026-11-04"}]', "null", '"x"'])
def test_what_cannot_be_read_counts_as_never_told(instance, stored, caplog):
    instance.daemon_cursor_storage.set_cursor_values({KEY: stored})

    with caplog.at_level(logging.WARNING):
        assert read_told(instance) == []
    assert "it may be told again" in caplog.text


def test_what_was_told_outlives_the_process(tmp_path):
    both = [told("2026-11-03"), told(None)]
    for step in (lambda i: write_told(i, both), lambda i: None):
        with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
            step(instance)
            assert sorted(read_told(instance), key=str) == sorted(both, key=str)


def test_only_so_much_is_kept_and_it_is_the_newest(instance):
    many = [told(str(n), SEVEN + dt.timedelta(minutes=n)) for n in range(MOST + 5)]
    write_told(instance, many)

    kept = read_told(instance)
    assert len(kept) == MOST
    assert {one.partition for one in many[:5]}.isdisjoint(one.partition for one in kept)
