from __future__ import annotations

import pyarrow as pa
import pytest
from sqlglot import exp

from dashboard_trust.errors import InvalidInputError
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse
from dashboard_trust.warehouses.fingerprints import Fingerprint, Shape, fingerprint
from dashboard_trust.warehouses.parts import fingerprint_by_day
from dashboard_trust.warehouses.session import column

PAYMENTS = [
    ("p1", "2026-01-01T08:00:00Z", "10.00"),
    ("p2", "2026-01-01T23:59:59Z", "20.00"),
    ("p3", "2026-01-02T00:00:00Z", "30.00"),
]
NAMES = ("payment_id", "paid_at", "amount")


@pytest.fixture
def write(session, do):
    do(session, "CREATE SCHEMA raw")

    def write(rows, name="raw.payments"):
        do(session, f"DROP TABLE IF EXISTS {name}")
        schema = pa.schema([(column, pa.string()) for column in NAMES])
        session.create(name, schema)
        session.append(name, pa.Table.from_pylist([dict(zip(NAMES, row, strict=True)) for row in rows], schema))
        return name

    return write


def test_doubled_rows_are_not_the_same(session, write):
    once = fingerprint(session, write(PAYMENTS))
    twice = fingerprint(session, write(PAYMENTS * 2))
    thrice = fingerprint(session, write(PAYMENTS * 3))

    assert len({once.digest, twice.digest, thrice.digest}) == 3
    assert (once.rows, twice.rows) == (3, 6)


def test_a_swapped_pair_of_values_is_not_the_same(session, write):
    before = fingerprint(session, write([("p1", "x", "y"), ("p2", "y", "x")]))

    assert fingerprint(session, write([("p1", "y", "x"), ("p2", "x", "y")])) != before


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("BIGINT", "1", "4294967296"),  # the same to Postgres' own hash, as all where two halves of 32 bits agree
        ("BIGINT", "-1", "4294967295"),
        ("TIMESTAMP", "TIMESTAMP '2000-01-01 00:00:00.000001'", "TIMESTAMP '2000-01-01 01:11:34.967296'"),
        ("DECIMAL(10, 2)", "42.00", "4200"),
        ("TEXT", "''", "NULL"),
        ("TEXT", "'a'", "'a '"),
        ("DOUBLE", "0.1", "0.10000000000000002"),
    ],
)
def test_two_values_are_not_the_same(session, write, do, kind, one, other):
    do(session, f"CREATE TABLE raw.one (v {kind})", f"INSERT INTO raw.one VALUES ({one})")
    do(session, f"CREATE TABLE raw.other (v {kind})", f"INSERT INTO raw.other VALUES ({other})")

    assert fingerprint(session, "raw.one") != fingerprint(session, "raw.other")


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        ("INT[], b INT[]", "[1, 2], [3]", "[1], [2, 3]"),
        ("INT[]", "NULL", "[]"),
        ("INT[]", "[NULL]", "[]"),
        ("INT[][]", "[[1], [2]]", "[[1, 2]]"),
        ("TEXT[]", "['a, b']", "['a', 'b']"),
        ("TEXT[]", "['NULL']", "[NULL]"),
        ("STRUCT(a INT)", "NULL", "{'a': NULL}"),
        ("MAP(TEXT, INT)", "MAP {'a': 1, 'b': 2}", "MAP {'a': 1}"),
        ("INTERVAL", "INTERVAL '1 month'", "INTERVAL '30 days'"),
    ],
)
def test_two_values_that_hold_others_are_not_the_same_to_duckdb(tmp_path, kind, one, other):
    with DuckDBWarehouse(tmp_path / "warehouse.duckdb").session("test") as session:
        for name, value in (("one", one), ("other", other)):
            session.connection.execute(f"CREATE TABLE {name} (v {kind})")
            session.connection.execute(f"INSERT INTO {name} VALUES ({value})")

        assert fingerprint(session, "main.one") != fingerprint(session, "main.other")


def test_a_value_moved_to_the_next_column_is_not_the_same(session, write):
    before = fingerprint(session, write([("p1", "x", None)]))

    assert fingerprint(session, write([("p1", None, "x")])) != before
    assert fingerprint(session, write([("p1x", "", None)])) != before


def test_the_order_of_rows_and_columns_does_not_matter(session, write, do):
    before = fingerprint(session, write(PAYMENTS))
    do(session, "CREATE TABLE raw.turned AS SELECT amount, payment_id, paid_at FROM raw.payments")

    assert fingerprint(session, write(PAYMENTS[::-1])) == before
    assert fingerprint(session, "raw.turned") == before


def test_a_copy_and_an_unchanged_reload_are_equal(session, write, do):
    before = fingerprint(session, write(PAYMENTS))
    days = fingerprint_by_day(session, "raw.payments", "paid_at")
    do(session, "CREATE TABLE raw.copy AS SELECT * FROM raw.payments")

    assert fingerprint(session, "raw.copy") == before
    assert fingerprint(session, write(PAYMENTS)) == before
    assert fingerprint_by_day(session, "raw.payments", "paid_at") == days


def test_a_changed_type_or_name_is_another_fingerprint_even_of_no_rows(session, write, do):
    before = fingerprint(session, write([]))
    do(session, "CREATE TABLE raw.typed (payment_id TEXT, paid_at TEXT, amount DECIMAL(18, 2))")
    do(session, "CREATE TABLE raw.renamed (payment_id TEXT, paid_at TEXT, amount_eur TEXT)")

    assert before.rows == 0
    assert fingerprint(session, "raw.typed") != before
    assert fingerprint(session, "raw.renamed") != before


def test_airbytes_own_columns_do_not_count(session, write, do):
    before = fingerprint(session, write(PAYMENTS))
    do(session, "ALTER TABLE raw.payments ADD COLUMN _airbyte_extracted_at TEXT DEFAULT 'now'")

    assert fingerprint(session, "raw.payments") == before


def test_only_the_named_columns_and_the_chosen_rows_count(session, write, do):
    table, ten = write(PAYMENTS), column("amount").eq("10.00")
    ids = fingerprint(session, table, columns=["payment_id"])
    first = fingerprint(session, table, where=ten)
    do(session, "UPDATE raw.payments SET amount = '99.00' WHERE payment_id = 'p3'")

    assert fingerprint(session, table, columns=["payment_id"]) == ids
    assert fingerprint(session, table, where=ten) == first
    assert fingerprint(session, table, where=exp.false()).rows == 0
    assert first.rows == 1
    assert Fingerprint.parse(str(first)) == first


def test_a_changed_row_changes_its_day_alone_and_an_absent_day_is_absent(session, write, do):
    before = fingerprint_by_day(session, write(PAYMENTS), "paid_at")
    do(session, "UPDATE raw.payments SET amount = '99.00' WHERE payment_id = 'p3'")
    after = fingerprint_by_day(session, "raw.payments", "paid_at")

    assert set(before) == set(after) == {"2026-01-01", "2026-01-02"}
    assert before["2026-01-01"] == after["2026-01-01"]
    assert before["2026-01-01"].rows == 2
    assert before["2026-01-02"] != after["2026-01-02"]


UNREADABLE = ["not a time", "", "infinity", "2026-13-01", "2026-02-30", "now", "tomorrow", "20260101", "2026-01-01Z"]


def test_rows_without_a_readable_time_have_a_key_of_their_own(session, write):
    days = fingerprint_by_day(session, write([*PAYMENTS, *(("p4", time, "1.00") for time in UNREADABLE)]), "paid_at")

    assert {day: found.rows for day, found in days.items()} == {
        "": len(UNREADABLE),
        "2026-01-01": 2,
        "2026-01-02": 1,
    }


def test_a_null_or_infinite_time_and_a_plain_number_are_no_time(session, write, do):
    write([("p4", None, "1.00")])
    do(session, "CREATE TABLE raw.numbers AS SELECT 20260101 AS paid_at")
    for name in ("timestamp", "timestamptz", "date"):
        do(session, f'CREATE TABLE raw."{name}" (paid_at {name})')
        do(session, f"""INSERT INTO raw."{name}" VALUES (NULL), (CAST('infinity' AS {name}))""")

    for name in ("payments", "numbers", "timestamp", "timestamptz", "date"):
        assert set(fingerprint_by_day(session, f'raw."{name}"', "paid_at")) == {""}, name


ZONES = ["UTC", "America/New_York", "Asia/Tokyo"]
TYPED = {
    "payments": "paid_at",
    "typed": "CAST(paid_at AS TIMESTAMPTZ)",
    "naive": "TIMESTAMP '2026-01-02 23:30:00'",
    "dates": "DATE '2026-01-02'",
}


@pytest.mark.parametrize("zone", ZONES)
def test_days_are_utc_whatever_the_offset_type_and_session(session, write, do, zone):
    write([("p1", "2026-01-01T23:30:00-05:00", "1.00")])
    for name, value in list(TYPED.items())[1:]:
        do(session, f"CREATE TABLE raw.{name} AS SELECT {value} AS paid_at FROM raw.payments")
    if session.dialect == "duckdb":
        session.connection.execute(f"SET TimeZone = '{zone}'")

    for table in TYPED:
        assert set(fingerprint_by_day(session, f"raw.{table}", "paid_at")) == {"2026-01-02"}, table


def test_text_without_an_offset_is_in_utc(session, write):
    write([("p1", "2026-01-02 23:30", "1.00"), ("p2", "2026-01-02T23:30:00.5", "1.00"), ("p3", "2026-01-02", "1.00")])

    assert set(fingerprint_by_day(session, "raw.payments", "paid_at")) == {"2026-01-02"}


def test_odd_names_are_quoted(session, write, do):
    do(session, 'CREATE TABLE raw."order items" ("select" TEXT, "a""b" TEXT)')
    do(session, """INSERT INTO raw."order items" VALUES ('2026-01-01', 'x')""")

    whole = fingerprint(session, 'raw."order items"')
    assert whole.rows == 1
    assert fingerprint_by_day(session, 'raw."order items"', "select") == {"2026-01-01": whole}


def test_an_unknown_table_or_column_is_named(session, write):
    write(PAYMENTS)

    with pytest.raises(InvalidInputError, match=r"'raw\.nope' is not in the warehouse"):
        fingerprint(session, "raw.nope")
    with pytest.raises(InvalidInputError, match="no column 'paid': did you mean 'paid_at'"):
        fingerprint_by_day(session, "raw.payments", "paid")
    with pytest.raises(InvalidInputError, match="no column to fingerprint"):
        fingerprint(session, "raw.payments", columns=[])


def test_a_digest_is_of_its_engine_and_stays_what_it_was():
    types = {"payment_id": "VARCHAR"}
    kept = Shape(types, "duckdb 2.0").fingerprint(1, 5)

    assert kept == Fingerprint(1, "b0ee4ec739b517c4", "duckdb 2.0")
    assert Shape(types, "duckdb 2.1").fingerprint(1, 5) != kept


def test_a_row_hashes_to_what_it_always_did(session, do):
    """What is stored with yesterday's materialization is compared with what is counted today."""
    do(
        session,
        "CREATE SCHEMA kept",
        "CREATE TABLE kept.row (i BIGINT, t TEXT, d DATE, z TIMESTAMPTZ, n DECIMAL(9, 2))",
    )
    do(session, "INSERT INTO kept.row VALUES (1, 'ä', DATE '2026-01-01', '2026-01-01 00:00:00+00', 1.50)")
    known = {"duckdb": "de96bcbbae7e1c5a", "postgres": "1936fdaa9cef43a0"}

    assert fingerprint(session, "kept.row").digest == known[session.dialect]
