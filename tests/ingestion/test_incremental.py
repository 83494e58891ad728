"""Streams that are synced by a cursor: what comes is added to what is there, and what was there stays."""

from __future__ import annotations

import re

import pytest
from airbyte_shop import Shop

from dashboard_trust.verdicts.verdict import Readiness

pytestmark = pytest.mark.long
THREE, FOUR = ({"id": number, "at": f"2026-01-0{number}T00:00:00Z"} for number in (3, 4))
CHANGED = {"id": 2, "at": "2026-01-05T00:00:00Z"}


def brings(shop: Shop, *records: dict) -> None:
    """Have the next sync bring these records of the payments."""
    shop.script["payments"]["records"] = list(records)


def table(shop: Shop) -> list[int]:
    with shop.warehouse.session("test") as session:
        return [key for (key,) in session.connection.execute("SELECT id FROM raw.payments ORDER BY 1").fetchall()]


@pytest.fixture(params=["append", "append_dedup"])
def mode(request, shop) -> str:
    """A mode in which the first two payments were synced."""
    shop.sync_payments_as(request.param)
    assert shop.sync().success
    return request.param


def test_rows_that_are_taken_from_among_the_older_ones_are_missed_until_somebody_accepts_it(shop, mode):
    # Of a deduplicated stream nobody can tell a new row that came from an old one that was replaced.
    brings(shop, *([THREE] if mode == "append" else []))
    shop.after_load = ["DELETE FROM raw.payments WHERE id = 1"]
    assert not shop.sync().success
    shop.after_load = []
    brings(shop)
    shop.sync()

    (finding,) = shop.verdict().findings
    assert re.search(r"connection 'shop', stream 'payments': 1 row of the \d that were to be in", finding.reason)
    shop.declare(may_shrink=True)
    shop.sync()
    shop.declare(may_shrink=False)
    shop.sync()
    assert shop.verdict().readiness is Readiness.READY


def test_an_increment_that_did_not_arrive_is_missed_and_stays_so_where_nothing_follows(shop, mode):
    brings(shop, THREE)
    shop.after_load = ["DELETE FROM raw.payments WHERE id = 3"]
    shop.sync()

    (finding,) = shop.verdict().findings
    assert "committed 1 record, and the warehouse has" in finding.reason
    shop.after_load = []
    brings(shop)
    shop.sync()
    # Of a deduplicated stream nobody can tell whether its records were new ones.
    assert shop.verdict().holds == (mode == "append")


def test_a_part_of_an_increment_is_missed(shop):
    shop.sync_payments_as("append")
    shop.sync()
    brings(shop, THREE, FOUR)
    shop.after_load = ["DELETE FROM raw.payments WHERE id = 4"]
    shop.sync()

    assert "committed 2 records, and the warehouse has 1 row of it" in shop.verdict().findings[0].reason


def test_a_table_that_was_emptied_is_missed(shop, mode):
    brings(shop)
    shop.after_load = ["DELETE FROM raw.payments"]
    shop.sync()

    assert "its table is empty, of 2 rows" in shop.verdict().findings[0].reason


def test_a_row_that_came_twice_is_found(shop, mode):
    brings(shop, THREE)
    shop.after_load = ["INSERT INTO raw.payments BY NAME SELECT * FROM raw.payments WHERE id = 3"]
    shop.sync()

    assert "committed 1 record, and the warehouse has 2 rows of it" in shop.verdict().findings[0].reason


def test_what_comes_is_added_and_nothing_new_is_no_finding(shop, mode):
    brings(shop, THREE, FOUR)
    assert shop.sync().success
    brings(shop)
    assert shop.sync().success

    assert shop.verdict().readiness is Readiness.READY
    assert table(shop) == [1, 2, 3, 4]


def test_a_row_that_changed_is_there_once_where_it_is_deduplicated(shop):
    shop.sync_payments_as("append_dedup")
    shop.sync()
    brings(shop, CHANGED, THREE)
    assert shop.sync().success

    assert shop.verdict().readiness is Readiness.READY
    assert table(shop) == [1, 2, 3]


def test_syncs_that_nobody_reported_in_between_are_no_finding(shop, mode):
    brings(shop, THREE)
    shop.sync_elsewhere()
    with_three = shop.tick()
    shop.launch(with_three)
    brings(shop)
    shop.sync_elsewhere()
    brings(shop, FOUR)
    shop.sync_elsewhere()

    assert shop.launch(shop.tick()).success
    assert shop.verdict().readiness is Readiness.READY
