"""What an engine says of the table of an Airbyte stream, and which of its keys are gone at the source."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from dashboard_trust.contracts.streams import ConnectionContract, FullList, StreamContract
from dashboard_trust.ingestion.deleted_keys import KeyComparison, compare_keys, describe_comparison, is_due
from dashboard_trust.ingestion.stream_tables import count_rows, look_at_table

STREAM = StreamContract("payments", deletes="soft", primary_key=("id",))
SHOP = ConnectionContract("c", "shop", (STREAM, StreamContract("refunds")), schema="raw", prefix="crm_")
AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
CLEAN, CHANGED = '{"changes": []}', '{"sync_id": 4, "changes": [{"field": "x", "change": "NULLED"}]}'
OLD = '{"errors": []}'
FULL = FullList("raw.ids", every=dt.timedelta(hours=24))


@pytest.fixture
def payments(session, do):
    """Five rows: two of an earlier sync, three of this one, of which one is changed, one marked, one a double."""
    columns = "id INT, x INT, _ab_cdc_deleted_at TIMESTAMPTZ, _airbyte_extracted_at TIMESTAMPTZ"
    before, now = "'2026-03-01 11:59:59+00'", "'2026-03-01 14:00:00+02'"
    do(
        session,
        "CREATE SCHEMA raw",
        f"CREATE TABLE raw.crm_payments ({columns}, _airbyte_meta JSON, _airbyte_generation_id BIGINT)",
        f"INSERT INTO raw.crm_payments VALUES (1, 1, NULL, {before}, '{CLEAN}', 1), (2, 1, NULL, {before}, '{OLD}', 1),"
        f" (3, NULL, NULL, {now}, '{CHANGED}', 2), (4, 1, {now}, {now}, '{CLEAN}', 2),"
        f" (4, 2, NULL, {now}, '{CLEAN}', 2)",
    )


def test_a_table_is_counted_by_the_columns_that_airbyte_writes(session, payments):
    found = look_at_table(session, SHOP, STREAM, AT, ["id"])

    assert (found.rows, found.since, found.changed, found.unread) == (5, 3, 1, 1)
    assert (found.soft_deleted, found.doubled, found.generation) == (1, 1, 2)
    assert list(found.columns)[:2] == ["id", "x"]
    assert count_rows(session, SHOP, SHOP.streams) == {"payments": 5, "refunds": 0}


def test_what_a_table_cannot_tell_is_not_made_up(session, do):
    do(session, "CREATE SCHEMA raw", "CREATE TABLE raw.crm_payments (x INT)")
    found = look_at_table(session, SHOP, STREAM, AT, ["id"])

    assert found.rows == 0
    assert found.since is found.changed is found.soft_deleted is found.doubled is found.generation is None
    assert look_at_table(session, SHOP, SHOP.streams[1], AT, []) is None


def test_an_empty_table_has_nothing_changed_and_nothing_of_this_sync(session, payments, do):
    do(session, "DELETE FROM raw.crm_payments")
    found = look_at_table(session, SHOP, STREAM, AT, ["id"])

    assert (found.rows, found.since, found.changed, found.unread, found.doubled) == (0, 0, 0, 0, 0)


def test_keys_that_vanished_at_the_source_are_found(session, payments, do):
    do(session, "CREATE TABLE raw.ids (id INT)", "INSERT INTO raw.ids VALUES (1), (4), (99)")
    silent, one, all_ = (
        compare_keys(session, SHOP, STREAM, dataclasses.replace(FULL, sample_failures=n), AT) for n in (0, 1, 5)
    )

    assert (silent.vanished, silent.sample, silent.problem) == (2, (), "")
    said = [describe_comparison(found, "shop", "payments", FULL) for found in (silent, one, all_)]
    assert "connection 'shop', stream 'payments': 2 rows were deleted at the source, compared with" in said[0]
    assert "deleted at the source (2; ...), compared" in said[1]
    assert "deleted at the source (2; 3), compared" in said[2]


def test_what_is_marked_as_deleted_and_what_came_after_the_list_is_not_missed(session, payments, do):
    do(
        session,
        "CREATE TABLE raw.ids (key INT, _airbyte_extracted_at TIMESTAMPTZ)",
        "INSERT INTO raw.ids VALUES (1, '2026-03-01 11:59:59+00')",
    )
    full = FullList("raw.ids", columns=("key",), sample_failures=5)

    assert compare_keys(session, SHOP, STREAM, full, AT).sample == ("2",)
    later = compare_keys(session, SHOP, STREAM, full, AT + dt.timedelta(days=3))
    assert "is of 2026-03-01 11:59 UTC" in later.problem
    assert not later.passed


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        ((), "its full list raw.ids is not there"),
        (("CREATE TABLE raw.ids (id INT)",), "its full list raw.ids has no rows"),
        (("CREATE TABLE raw.ids (other INT)", "INSERT INTO raw.ids VALUES (1)"), "could not be compared with raw.ids"),
    ],
    ids=["none", "empty", "other columns"],
)
def test_a_list_that_proves_nothing_is_no_good_news(session, payments, do, statements, problem):
    for statement in statements:
        do(session, statement)
    found = compare_keys(session, SHOP, STREAM, FULL, AT)

    assert problem in found.problem
    assert not found.passed
    assert describe_comparison(found, "shop", "payments", FULL).startswith("unverified: connection 'shop', stream")


def test_keys_are_compared_when_it_is_time_and_always_after_a_finding():
    good, hour = KeyComparison(AT), dt.timedelta(hours=1)

    assert is_due(None, FULL, AT)
    assert not is_due(good, FULL, AT + 23 * hour)
    assert is_due(good, FULL, AT + 24 * hour)
    assert is_due(KeyComparison(AT, vanished=1), FULL, AT + hour)
    assert is_due(KeyComparison(AT, problem="no list"), FULL, AT + hour)
    assert KeyComparison.parse(KeyComparison(AT, 2, ("1", "2")).dump()) == KeyComparison(AT, 2, ("1", "2"))
    assert KeyComparison.parse({"at": "yesterday"}) is KeyComparison.parse(None) is None
