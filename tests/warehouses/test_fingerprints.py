from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from dashboard_trust.errors import InvalidInputError
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse
from dashboard_trust.warehouses.fingerprints import Fingerprint, _Shape, fingerprint, fingerprint_by_day

PAYMENTS = [
    ("p1", "2026-01-01T08:00:00Z", "10.00"),
    ("p2", "2026-01-01T23:59:59Z", "20.00"),
    ("p3", "2026-01-02T00:00:00Z", "30.00"),
]


@pytest.fixture
def db(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with DuckDBWarehouse(tmp_path / "warehouse.duckdb").connect("test") as connection:
        connection.execute("create schema raw")
        yield connection


def write(db: duckdb.DuckDBPyConnection, rows: list[tuple[str, ...]], name: str = "payments") -> str:
    db.execute(f"create or replace table raw.{name} (payment_id varchar, paid_at varchar, amount varchar)")
    for row in rows:
        db.execute(f"insert into raw.{name} values (?, ?, ?)", list(row))
    return f"raw.{name}"


def test_doubled_rows_are_not_the_same(db):
    once = fingerprint(db, write(db, PAYMENTS))
    twice = fingerprint(db, write(db, PAYMENTS * 2))
    thrice = fingerprint(db, write(db, PAYMENTS * 3))

    assert len({once.digest, twice.digest, thrice.digest}) == 3
    assert (once.rows, twice.rows) == (3, 6)


def test_a_swapped_pair_of_values_is_not_the_same(db):
    before = fingerprint(db, write(db, [("p1", "x", "y"), ("p2", "y", "x")]))

    assert fingerprint(db, write(db, [("p1", "y", "x"), ("p2", "x", "y")])) != before


def test_null_is_not_empty_text(db):
    before = fingerprint(db, write(db, [("p1", "x", "")]))
    db.execute("update raw.payments set amount = null")

    assert fingerprint(db, "raw.payments") != before


def test_the_order_of_rows_and_columns_does_not_matter(db):
    before = fingerprint(db, write(db, PAYMENTS))
    db.execute("create table raw.turned as select amount, payment_id, paid_at from raw.payments")

    assert fingerprint(db, write(db, PAYMENTS[::-1])) == before
    assert fingerprint(db, "raw.turned") == before


def test_a_copy_and_an_unchanged_reload_are_equal(db):
    before = fingerprint(db, write(db, PAYMENTS))
    days = fingerprint_by_day(db, "raw.payments", "paid_at")
    db.execute("create table raw.copy as from raw.payments")

    assert fingerprint(db, "raw.copy") == before
    assert fingerprint(db, write(db, PAYMENTS)) == before
    assert fingerprint_by_day(db, "raw.payments", "paid_at") == days


def test_a_changed_type_or_name_is_another_fingerprint_even_of_no_rows(db):
    before = fingerprint(db, write(db, []))
    db.execute("create table raw.typed (payment_id varchar, paid_at varchar, amount decimal(18, 2))")
    db.execute("create table raw.renamed (payment_id varchar, paid_at varchar, amount_eur varchar)")

    assert before.rows == 0
    assert fingerprint(db, "raw.typed") != before
    assert fingerprint(db, "raw.renamed") != before


def test_airbytes_own_columns_do_not_count(db):
    before = fingerprint(db, write(db, PAYMENTS))
    db.execute("alter table raw.payments add column _airbyte_extracted_at varchar default 'now'")

    assert fingerprint(db, "raw.payments") == before


def test_only_the_named_columns_and_the_chosen_rows_count(db):
    table = write(db, PAYMENTS)
    ids = fingerprint(db, table, columns=["payment_id"])
    first = fingerprint(db, table, where="amount = '10.00'")
    db.execute("update raw.payments set amount = '99.00' where payment_id = 'p3'")

    assert fingerprint(db, table, columns=["payment_id"]) == ids
    assert fingerprint(db, table, where="amount = '10.00'") == first
    assert first.rows == 1
    assert str(first) == f"1:{first.digest}"


def test_a_changed_row_changes_its_day_alone_and_an_absent_day_is_absent(db):
    before = fingerprint_by_day(db, write(db, PAYMENTS), "paid_at")
    db.execute("update raw.payments set amount = '99.00' where payment_id = 'p3'")
    after = fingerprint_by_day(db, "raw.payments", "paid_at")

    assert set(before) == set(after) == {"2026-01-01", "2026-01-02"}
    assert before["2026-01-01"] == after["2026-01-01"]
    assert before["2026-01-01"].rows == 2
    assert before["2026-01-02"] != after["2026-01-02"]


@pytest.mark.parametrize("time", ["not a time", "", "infinity", "2026-13-01"])
def test_a_row_without_a_readable_time_has_a_key_of_its_own(db, time):
    days = fingerprint_by_day(db, write(db, [*PAYMENTS, ("p4", time, "1.00")]), "paid_at")

    assert days[""].rows == 1
    assert days["2026-01-01"].rows == 2


def test_a_null_time_and_a_plain_number_are_no_time(db):
    write(db, [("p4", "x", "1.00")])
    db.execute("update raw.payments set paid_at = null")
    db.execute("create table raw.numbers as select 20260101 as paid_at")

    assert set(fingerprint_by_day(db, "raw.payments", "paid_at")) == {""}
    assert set(fingerprint_by_day(db, "raw.numbers", "paid_at")) == {""}


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_days_are_utc_whatever_the_offset_type_and_session(db, zone):
    write(db, [("p1", "2026-01-01T23:30:00-05:00", "1.00")])
    db.execute("create table raw.typed as select paid_at::timestamptz as paid_at from raw.payments")
    db.execute("create table raw.naive as select timestamp '2026-01-02 23:30:00' as paid_at")
    db.execute("create table raw.dates as select date '2026-01-02' as paid_at")
    db.execute(f"set TimeZone = '{zone}'")

    for table in ("payments", "typed", "naive", "dates"):
        assert set(fingerprint_by_day(db, f"raw.{table}", "paid_at")) == {"2026-01-02"}, table


def test_odd_names_are_quoted(db):
    db.execute('create table raw."order items" ("select" varchar, "a""b" varchar)')
    db.execute("""insert into raw."order items" values ('2026-01-01', 'x')""")

    assert fingerprint(db, 'raw."order items"').rows == 1
    assert fingerprint_by_day(db, 'raw."order items"', "select") == {"2026-01-01": fingerprint(db, 'raw."order items"')}


def test_an_unknown_table_or_column_is_named(db):
    write(db, PAYMENTS)

    with pytest.raises(InvalidInputError, match=r"'raw\.nope' is not in the warehouse"):
        fingerprint(db, "raw.nope")
    with pytest.raises(InvalidInputError, match="no column 'paid': did you mean 'paid_at'"):
        fingerprint_by_day(db, "raw.payments", "paid")
    with pytest.raises(InvalidInputError, match="no column to fingerprint"):
        fingerprint(db, "raw.payments", columns=[])


def test_a_digest_is_of_its_engine_and_stays_what_it_was():
    types = {"payment_id": "VARCHAR"}
    kept = _Shape(types, "duckdb 2.0").fingerprint(1, 5)

    assert kept == Fingerprint(1, "ac2a97c01a52de24")
    assert _Shape(types, "duckdb 2.1").fingerprint(1, 5) != kept
