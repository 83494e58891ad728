"""Snowflake's dialect and its ways, as the package needs them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest
from sqlglot import exp, parse_one

from dashboard_trust.checks.evaluate import check_table
from dashboard_trust.checks.known import Known
from dashboard_trust.contracts.row_rules import (
    AcceptedValues,
    Condition,
    Fits,
    Length,
    Monotonic,
    NotNull,
    Pattern,
    Range,
    References,
    Unique,
)
from dashboard_trust.contracts.table_rules import Freshness, Query, Reconciliation, TableRules
from dashboard_trust.errors import InvalidInputError, WarehouseError, WriteRefusedError
from dashboard_trust.warehouses import snowflake_loading
from dashboard_trust.warehouses.days import DayColumns, DayRecord, count_days
from dashboard_trust.warehouses.fingerprints import fingerprint
from dashboard_trust.warehouses.frames import to_arrow
from dashboard_trust.warehouses.parts import count_parts, fingerprint_by_day
from dashboard_trust.warehouses.session import column, drop_table, table
from dashboard_trust.warehouses.snowflake import SnowflakeWarehouse
from dashboard_trust.warehouses.snowflake_loading import NAMED_AT, SCHEMA, collect_staged

LONG = dt.timedelta(days=1)
NUMBERS = pa.table({"n": [1, 2, 3]})


class _TurnedAwayError(Exception):
    pass


@pytest.mark.parametrize("statement", ["CREATE TABLE raw.other (n BIGINT)", "DROP TABLE raw.numbers"])
def test_nothing_is_committed_by_ddl_in_a_transaction(session, statement):
    session.create("raw.numbers", NUMBERS.schema)
    rows = session.stage(NUMBERS)

    def write_and_alter() -> None:
        with session.transaction():
            session.append("raw.numbers", rows)
            session.query(parse_one(statement, dialect="duckdb"))

    with pytest.raises(WarehouseError, match="Snowflake would commit an open transaction"):
        write_and_alter()

    assert session.columns("raw.other") is None
    assert session.read("raw.numbers").num_rows == 0


def test_nothing_is_loaded_within_a_transaction(session):
    session.create("raw.numbers", NUMBERS.schema)

    with pytest.raises(WarehouseError, match="would commit an open transaction"), session.transaction():
        session.append("raw.numbers", NUMBERS)
    with pytest.raises(WarehouseError, match="before a transaction"), session.transaction():
        session.load("PUT 'file:///tmp/nothing' @raw.nowhere")

    assert session.read("raw.numbers").num_rows == 0


def test_what_was_raised_in_a_transaction_is_rolled_back(session, warehouse):
    session.create("raw.numbers", NUMBERS.schema)
    session.append("raw.numbers", NUMBERS)

    def delete_and_raise() -> None:
        with session.transaction():
            session.query(exp.delete(table("raw.numbers")))
            raise _TurnedAwayError

    with pytest.raises(_TurnedAwayError):
        delete_and_raise()

    with warehouse.session("looking") as other:
        assert other.read("raw.numbers").num_rows == 3


def test_a_statement_outside_of_a_transaction_is_there_for_others_at_once(session, warehouse):
    session.create("raw.numbers", NUMBERS.schema)
    session.append("raw.numbers", NUMBERS)

    with warehouse.session("looking") as other:
        assert other.read("raw.numbers").num_rows == 3


def test_a_refused_statement_leaves_no_transaction_behind(session, warehouse):
    session.create("raw.numbers", NUMBERS.schema)
    with pytest.raises(WarehouseError, match="Snowflake refused"):
        session.query(parse_one("INSERT INTO raw.numbers SELECT nothing FROM raw.numbers", dialect="duckdb"))

    session.append("raw.numbers", NUMBERS)

    with warehouse.session("looking") as other:
        assert other.read("raw.numbers").num_rows == 3


def test_a_secret_is_never_said(account, database):
    secret = "not-to-be-said"
    known = {**account.settings, "password": secret}
    known = {name: value for name, value in known.items() if not name.startswith("private_key")}
    elsewhere = {"host": "localhost", "port": 1, "protocol": "http"}
    extra = {**known.pop("additional_snowflake_connection_args"), **elsewhere}
    resource = account.resource(database, **known, login_timeout=1, additional_snowflake_connection_args=extra)
    warehouse = SnowflakeWarehouse(resource)

    with pytest.raises(WarehouseError, match="cannot be opened") as refused, warehouse.session("test"):
        pass

    assert warehouse.address == f"snowflake://{account.settings['account']}/{database}"
    said = [repr(warehouse), warehouse.address, str(refused.value), repr(refused.value.__context__)]
    assert not [text for text in said if secret in text]


def test_a_key_that_cannot_be_read_is_said(account, database, tmp_path):
    known = {name: value for name, value in account.settings.items() if name not in ("password", "private_key_path")}
    (tmp_path / "key.p8").write_text("no key")
    for path, why in ((tmp_path / "key.p8", "private key"), (tmp_path / "nowhere.p8", "nowhere")):
        resource = type(account.resource(database))(**known, database=database, private_key_path=str(path))

        with pytest.raises(WarehouseError, match=why), SnowflakeWarehouse(resource).session("test"):
            pass


def test_a_resource_without_a_database_is_refused(account):
    with (
        pytest.raises(InvalidInputError, match="name it on the resource"),
        SnowflakeWarehouse(account.resource(None)).session("test"),
    ):
        pass


def test_a_column_that_was_not_loaded_is_never_taken_for_missing_values(session, monkeypatch):
    """COPY leaves a column NULL that it finds in no file, and says nothing."""
    elsewhere = snowflake_loading._write_files

    def write_files(folder, data):
        elsewhere(folder, data.rename_columns(["n", "another"]))

    monkeypatch.setattr(snowflake_loading, "_write_files", write_files)
    session.create("raw.pairs", pa.schema([("n", pa.int64()), ("text", pa.string())]))

    with pytest.raises(WarehouseError, match="did not load what was given: text"):
        session.append("raw.pairs", pa.table({"n": [1, 2], "text": ["a", None]}))

    assert session.read("raw.pairs").num_rows == 0


def test_a_table_whose_columns_changed_meanwhile_is_not_written(session):
    session.create("raw.numbers", NUMBERS.schema)
    rows = session.stage(pa.table({"n": [1], "more": ["a"]}))

    with pytest.raises(WriteRefusedError, match="changed while it was being written"), session.transaction():
        session.append("raw.numbers", rows)


def test_what_is_staged_goes_with_the_session_and_what_was_left_behind_after_a_day(warehouse, do):
    now = dt.datetime.now(dt.UTC)
    hex_ = "0123456789ab"
    old, young = (f"rows_{(now - dt.timedelta(hours=age)).strftime(NAMED_AT)}_{hex_}" for age in (25, 23))
    strange = f"rows_{hex_}"

    with warehouse.session("test") as session:
        staged = session.stage(NUMBERS)
        assert session.columns(staged) == {"n": "NUMBER(19,0)"}
        do(session, *(f'CREATE TABLE "{SCHEMA}"."{name}" ("n" INTEGER)' for name in (old, young, strange)))
        session.stage(NUMBERS)

    with warehouse.session("test") as session:
        there = do(session, f"SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = '{SCHEMA}'")
        assert sorted(there) == sorted([(young,), (strange,)])
        assert collect_staged(session, now) == []
        assert collect_staged(session, now + dt.timedelta(hours=2)) == [f"{SCHEMA}.{young}"]


def test_a_table_that_dbt_made_in_capitals_is_found_by_its_plain_name(session, do):
    do(session, "CREATE SCHEMA marts", "CREATE TABLE marts.revenue (day DATE, amount NUMBER(18, 2))")
    do(session, "INSERT INTO marts.revenue VALUES ('2026-01-01', 1.50)")

    assert session.columns("marts.revenue") == {"DAY": "DATE", "AMOUNT": "NUMBER(18,2)"}
    assert session.read("marts.revenue").to_pylist() == [{"DAY": dt.date(2026, 1, 1), "AMOUNT": Decimal("1.50")}]
    assert fingerprint(session, "marts.revenue") == fingerprint(session, "MARTS.REVENUE")
    session.query(exp.delete(table("marts.revenue")))
    assert do(session, "SELECT COUNT(*) FROM marts.revenue") == [(0,)]


def test_a_table_says_when_it_changed_and_a_view_does_not(session, do):
    do(session, "CREATE SCHEMA marts", "CREATE TABLE marts.revenue (day DATE)", "CREATE TABLE marts.costs (day DATE)")
    do(session, "CREATE VIEW marts.seen AS SELECT * FROM marts.revenue")
    before = [session.changed_at(name) for name in ("marts.revenue", "marts.costs")]
    assert all(before)
    assert session.changed_at("marts.seen") is None
    assert session.changed_at("marts.absent") is None

    assert [session.changed_at(name) for name in ("marts.revenue", "marts.costs")] == before


def test_a_name_in_mixed_case_is_only_that_name(session, do):
    do(session, "CREATE SCHEMA marts", "CREATE TABLE marts.revenue (day DATE)")

    assert session.columns("Marts.Revenue") is None
    assert session.columns('"order items".revenue') is None


def test_tables_of_other_databases_are_refused(session):
    with pytest.raises(InvalidInputError, match="reads one database"):
        session.columns("other.marts.revenue")


EVERYTHING = pa.table(
    {
        "flag": pa.array([True, False, None]),
        "small": pa.array([-32768, 32767, None], pa.int16()),
        "middle": pa.array([-(2**31), 2**31 - 1, None], pa.int32()),
        "large": pa.array([-(2**63), 2**63 - 1, None], pa.int64()),
        "huge": pa.array([Decimal(2**64 - 1), Decimal(0), None], pa.decimal128(20, 0)),
        "amount": pa.array([Decimal("-12345678901234567890.12"), Decimal("0.01"), None], pa.decimal128(38, 2)),
        "ratio": pa.array([0.1, -1e300, None], pa.float64()),
        "text": pa.array(["Ä\u00a0'\\\"\n\t%s;--", "", None]),
        "bytes": pa.array([b"\x00\xff'", b"", None]),
        "day": pa.array([dt.date(1, 1, 1), dt.date(9999, 12, 31), None]),
        "time": pa.array([dt.time(23, 59, 59, 999999), dt.time(0), None], pa.time64("us")),
        'Mixed "Case"': pa.array(["a", "b", None]),
        "select": pa.array(["a", "b", None]),
    }
)
MOMENTS = pa.table(
    {
        "plain": pa.array([dt.datetime(2026, 3, 29, 2, 30, 0, 123456)], pa.timestamp("us")),
        "zoned": pa.array([dt.datetime(1970, 1, 1, 0, 0, 0, 1)], pa.timestamp("us", "UTC")),
    }
)


@pytest.mark.parametrize("data", [EVERYTHING, MOMENTS, EVERYTHING.slice(0, 0)], ids=["values", "moments", "no rows"])
def test_every_value_comes_back_as_it_was_given(session, data):
    session.create("raw.everything", data.schema)
    session.append("raw.everything", data)
    found = session.read("raw.everything")

    assert session.columns("raw.everything") == session.types(data.schema)
    assert found.schema.remove_metadata().equals(data.schema)
    order = [("small", "ascending")] if "small" in data.column_names else [("plain", "ascending")]
    assert found.sort_by(order).to_pylist() == data.sort_by(order).to_pylist()


def test_a_column_without_a_value_is_written_to_a_column_of_any_type(session):
    session.create("raw.everything", EVERYTHING.schema)
    nothing = pa.table({name: pa.nulls(2) for name in EVERYTHING.column_names})

    session.append("raw.everything", nothing)

    assert session.read("raw.everything").to_pylist() == nothing.to_pylist()


def test_narrow_numbers_are_64_bits_wide_where_they_are_read(session):
    data = to_arrow(pa.table({"f": pa.array([0.5], pa.float32())}))
    session.create("raw.narrow", data.schema)
    session.append("raw.narrow", data)

    assert session.read("raw.narrow").schema == pa.schema([("f", pa.float64())])


def test_what_snowflake_has_no_column_for_is_refused(session):
    with pytest.raises(WriteRefusedError, match="'tags' is list"):
        session.types(pa.schema([("tags", pa.list_(pa.string()))]))
    with pytest.raises(WriteRefusedError, match="has no value to tell its type by"):
        session.create("raw.nothing", pa.schema([("nothing", pa.null())]))


def test_a_text_is_a_text_and_no_sql(session, ask):
    ask(session, "CREATE SCHEMA raw")
    ask(session, "CREATE TABLE raw.texts (given TEXT)")
    for text in ("\\' OR 1=1 --", "'; DROP TABLE raw.texts; --", "\\", "%(x)s", "$$", "\n"):
        row = exp.Tuple(expressions=[exp.convert(text)])
        session.query(exp.insert(exp.values([row]), table("raw.texts"), columns=["given"]))

        assert session.query(exp.select("given").from_(table("raw.texts")).where(exp.column("given").eq(text)))
        session.query(exp.delete(table("raw.texts")))


def test_more_rows_than_one_file_takes_are_all_there(session, monkeypatch):
    monkeypatch.setattr(snowflake_loading, "ROWS_PER_FILE", 2)
    session.create("raw.numbers", NUMBERS.schema)

    session.append("raw.numbers", NUMBERS)

    assert sorted(session.read("raw.numbers")["n"].to_pylist()) == [1, 2, 3]


@pytest.fixture
def payments(session):
    """Write payments: their moments as text."""

    def payments(*rows):
        session.query(drop_table("raw.payments"))
        data = pa.table({"id": [row[0] for row in rows], "paid_at": pa.array([row[1] for row in rows], pa.string())})
        session.create("raw.payments", data.schema)
        session.append("raw.payments", data)
        return fingerprint(session, "raw.payments")

    return payments


def test_doubled_swapped_and_moved_values_are_not_the_same(payments):
    once = payments(("p1", "x"), ("p2", "y"))

    assert payments(("p1", "x"), ("p2", "y"), ("p1", "x"), ("p2", "y")).digest != once.digest
    assert payments(("p1", "y"), ("p2", "x")) != once
    assert payments(("p1x", ""), ("p2", "y")) != once
    assert payments(("p1", None), ("p2", "y")) != once
    assert payments(("p2", "y"), ("p1", "x")) == once


def test_a_copy_is_equal_whatever_the_order_of_its_columns(session, payments, ask):
    once = payments(("p1", "x"), ("p2", None))
    ask(session, 'CREATE TABLE raw.turned AS SELECT "paid_at", "id" FROM raw.payments')

    assert fingerprint(session, "raw.turned") == once
    assert once.engine == "snowflake"


UNREADABLE = ["not a time", "", "infinity", "2026-13-01", "2026-02-30", "now", "20260101", "1767225600", None]


@pytest.mark.parametrize("time", UNREADABLE)
def test_a_row_without_a_readable_time_has_a_key_of_its_own(session, payments, time):
    payments(("p1", "2026-01-01"), ("p2", time))

    assert set(fingerprint_by_day(session, "raw.payments", "paid_at")) == {"2026-01-01", ""}


@pytest.mark.parametrize(
    "time",
    [
        "2026-01-02",
        "2026-01-02 23:30",
        "2026-01-02T00:00:00.5Z",
        "2026-01-01T23:30:00-05:00",
        "2026-01-03 01:00:00+0200",
    ],
)
def test_days_of_text_are_utc(session, payments, time):
    payments(("p1", time))

    assert set(fingerprint_by_day(session, "raw.payments", "paid_at")) == {"2026-01-02"}


@pytest.mark.parametrize("kind", ["TIMESTAMP_TZ", "TIMESTAMP_LTZ", "TIMESTAMP_NTZ"])
def test_only_days_with_newly_extracted_rows_are_counted_again(session, do, kind):
    now, told_by = dt.datetime(2026, 2, 1, tzinfo=dt.UTC), DayColumns("at", "extracted")
    do(session, 'CREATE SCHEMA "raw"')
    do(session, f'CREATE TABLE "raw"."pay" ("id" INT, "at" {kind}, "extracted" {kind})')
    insert = """INSERT INTO "raw"."pay" SELECT {}, '2026-01-0{}T23:30:00', '2026-01-1{}T00:00:00'"""
    do(session, *(insert.format(id_, day, when) for id_, day, when in ((1, 1, 0), (2, 2, 1), (3, 3, 2))))
    before = count_days(session, "raw.pay", told_by, now=now)
    do(session, insert.format(4, 1, 3))

    found = count_days(
        session, "raw.pay", told_by, now=now, known=DayRecord.parse(before.record.dump()), compare_all=LONG
    )

    assert (found.looked_at, found.reason) == ({"2026-01-01", "2026-01-03"}, "")
    assert found.days == fingerprint_by_day(session, "raw.pay", "at")
    # No more of the whole: fakesnow adds hashes up as floats, so that sums of days are not the sum of all.
    assert found.whole.rows == 4


def test_days_of_moments_are_utc_and_a_number_is_none(session, do):
    do(session, 'CREATE SCHEMA "raw"')
    do(session, 'CREATE TABLE "raw"."at" ("z" TIMESTAMP_TZ, "l" TIMESTAMP_LTZ, "n" TIMESTAMP_NTZ, "d" DATE, "i" INT)')
    do(
        session,
        """INSERT INTO "raw"."at" SELECT '2026-01-01T23:30:00-05:00', '2026-01-01T23:30:00-05:00',"""
        """ '2026-01-02T23:30:00', '2026-01-02', 20260102""",
    )

    for name in ("z", "l", "n", "d"):
        assert set(fingerprint_by_day(session, "raw.at", name)) == {"2026-01-02"}, name
    assert set(fingerprint_by_day(session, "raw.at", "i")) == {""}


def test_a_moment_is_of_the_partition_of_its_utc_day(session, do):
    """The day that Snowflake casts a moment to is that of its own offset."""
    do(session, 'CREATE SCHEMA "raw"', 'CREATE TABLE "raw"."at" ("z" TIMESTAMP_TZ)')
    do(session, """INSERT INTO "raw"."at" SELECT '2026-01-01T23:30:00-05:00'""")
    days = {}
    for day, after in (("2026-01-01", "2026-01-02"), ("2026-01-02", "2026-01-03")):
        start, end = (exp.cast(exp.convert(f"{d} 00:00:00+00"), "TIMESTAMPTZ") for d in (day, after))
        days[day] = exp.and_(column("z") >= start, column("z") < end)

    assert count_parts(session, "raw.at", days, [exp.Count(this=exp.Star())]) == {"2026-01-02": [1]}


def test_every_rule_is_looked_at(session):
    data = pa.table(
        {
            "a": pa.array([1, 1, None, None], pa.int64()),
            "b": ["x", "x", "y", "y"],
            "f": [0.5, float("nan"), None, 2.5],
            "t": ["1.50", "1.005", "", None],
            "at": [dt.datetime(2026, 1, 1, hour, tzinfo=dt.UTC) for hour in range(4)],
        }
    )
    session.create("raw.ruled", data.schema)
    session.append("raw.ruled", session.stage(data))
    rules = (
        Unique(("a",)),
        Unique(("a", "b")),
        NotNull("f"),
        Range("f", min=0, below=2),
        Pattern("b", "^[x]$"),
        Length("b", min=1, max=1),
        AcceptedValues("b", ("x",)),
        Fits("t", "decimal(5, 2)"),
        Monotonic("a", "at"),
        References(("a",), "raw.ruled"),
        Condition("a = 1", name="one"),
        Query("SELECT COUNT(*) FROM {table}", name="rows", min=Decimal(5)),
        Freshness("at", dt.timedelta(hours=1)),
        Reconciliation("raw.ruled", ("b",), "a", name="same"),
    )
    known = Known(now=dt.datetime(2026, 1, 1, 3, 30, tzinfo=dt.UTC))
    report = check_table(session, TableRules("raw/ruled", rules, "raw.ruled"), None, known)

    assert {found.rule.check: found.error for found in report.outcomes if found.error} == {}
    assert {found.rule.check: found.parts[""].measured for found in report.outcomes if not found.passed} == {
        "unique_a": 2,
        "unique_a_b": 4,
        "not_null_f": 2,
        "range_f": 1,
        "pattern_b": 2,
        "accepted_values_b": 2,
        "fits_t": 2,
        "one": 2,
        "rows": 4,
    }


def test_rules_are_looked_at_by_day(session):
    at = [dt.datetime(2026, 1, day, tzinfo=dt.UTC) for day in (1, 1, 2)]
    data = pa.table({"id": pa.array([1, 2, 2], pa.int64()), "at": at})
    session.create("raw.daily", data.schema)
    session.append("raw.daily", session.stage(data))
    report = check_table(session, TableRules("raw/daily", (Unique(("id",)),), "raw.daily", time_column="at"))
    found = {outcome.rule.check: outcome for outcome in report.outcomes}

    assert {part: one.measured for part, one in found["unique_id"].parts.items()} == {"2026-01-01": 1, "2026-01-02": 1}
