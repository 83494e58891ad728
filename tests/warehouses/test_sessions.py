"""What `Session` promises, asked of every engine."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from decimal import Decimal

import pyarrow as pa
import pytest
from sqlglot import exp

from dashboard_trust.errors import DashboardTrustError, WarehouseError, WriteRefusedError
from dashboard_trust.warehouses.column_types import NULLS, compare_columns
from dashboard_trust.warehouses.fingerprints import fingerprint
from dashboard_trust.warehouses.frames import to_arrow
from dashboard_trust.warehouses.session import column, table

MOMENT = dt.datetime(2024, 2, 29, 23, 59, 59, 999999)
EVERY_TYPE = pa.table(
    {
        "flag": pa.array([True, None]),
        "small": pa.array([-(2**15), None], pa.int16()),
        "plain": pa.array([2**31 - 1, None], pa.int32()),
        "big": pa.array([-(2**63), None], pa.int64()),
        "narrow": pa.array([1.5, float("nan")], pa.float32()),
        "wide": pa.array([float("-inf"), 5e-324], pa.float64()),
        "text": pa.array(["ä \n\t'\"\\N 😀", ""]),
        "bytes": pa.array([b"\x00\xff", b""]),
        "day": pa.array([dt.date(1, 1, 1), dt.date(9999, 12, 31)]),
        "time": pa.array([dt.time(23, 59, 59, 999999), None], pa.time64("us")),
        "naive": pa.array([MOMENT, None], pa.timestamp("us")),
        "aware": pa.array([MOMENT.replace(tzinfo=dt.UTC), None], pa.timestamp("us", "UTC")),
        "amount": pa.array([Decimal("-99999999.99"), Decimal("0.00")], pa.decimal128(10, 2)),
        "huge": pa.array([Decimal("9" * 38), None], pa.decimal128(38, 0)),
        "fraction": pa.array([Decimal("0." + "9" * 38), None], pa.decimal128(38, 38)),
    }
)
ODD_NAMES = ["select", "Mixed Case", 'quo"te', "dot.ted", "ünï😀", "new\nline", "%s ?", "$1", "'", "a" * 63, " "]


def put(session, name: str, data: pa.Table) -> None:
    session.create(name, data.schema)
    session.append(name, data)


def test_every_type_comes_back_as_it_went_in(session):
    put(session, "mart.types", EVERY_TYPE)

    assert repr(to_arrow(session.read("mart.types")).to_pylist()) == repr(EVERY_TYPE.to_pylist())
    assert to_arrow(session.read("mart.types")).schema == EVERY_TYPE.schema


def test_a_table_has_the_types_that_were_foretold(session):
    assert session.columns("mart.types") is None

    session.create("mart.types", EVERY_TYPE.schema)

    assert session.columns("mart.types") == session.types(EVERY_TYPE.schema)
    assert list(session.columns("mart.types")) == EVERY_TYPE.column_names
    assert session.read("mart.types").num_rows == 0


def test_only_the_rows_asked_for_are_read(session):
    put(session, "mart.types", EVERY_TYPE)

    assert session.read("mart.types", column("text").eq("")).num_rows == 1
    assert session.read("mart.types", exp.false()).column_names == EVERY_TYPE.column_names


def test_columns_are_matched_by_name_not_by_place(session):
    session.create("mart.orders", pa.schema([("a", pa.string()), ("b", pa.string())]))

    session.append("mart.orders", pa.table({"b": ["of b"], "a": ["of a"]}))

    assert session.read("mart.orders").to_pylist() == [{"a": "of a", "b": "of b"}]


def test_narrower_types_are_written_as_what_the_table_has(session, do):
    do(
        session,
        "CREATE SCHEMA mart",
        "CREATE TABLE mart.wide (a BIGINT, b DOUBLE, c DECIMAL(18, 3), d DECIMAL(20, 1), e TEXT)",
    )
    data = pa.table(
        {
            "a": pa.array([-7], pa.int16()),
            "b": pa.array([1.5], pa.float32()),
            "c": pa.array([Decimal("-1.5")], pa.decimal128(3, 1)),
            "d": pa.array([2**62], pa.int64()),
            "e": pa.nulls(1),
        }
    )

    assert compare_columns("mart.wide", session.columns("mart.wide"), session.types(data.schema)) == []
    session.append("mart.wide", data)

    assert session.query(exp.select("*").from_(table("mart.wide"))) == [
        (-7, 1.5, Decimal("-1.5"), Decimal(2**62), None)
    ]


def test_a_column_of_missing_values_has_no_type_and_makes_no_table(session):
    data = pa.table({"id": [1], "note": pa.nulls(1)})

    assert session.types(data.schema)["note"] == NULLS
    with pytest.raises(WriteRefusedError, match=r"mart\.new does not exist, and cannot be made: note has no value"):
        session.create("mart.new", data.schema)
    assert session.columns("mart.new") is None


def test_missing_values_fit_every_column(session):
    put(session, "mart.types", EVERY_TYPE)

    session.append("mart.types", pa.table({name: pa.nulls(2) for name in EVERY_TYPE.column_names}))

    rows = session.read("mart.types").to_pylist()
    assert rows[2:] == [dict.fromkeys(EVERY_TYPE.column_names)] * 2


def test_odd_names_are_names_like_any_other(session):
    data = pa.table({name: [f"of {name}"] for name in ODD_NAMES})
    for number, name in enumerate(ODD_NAMES):
        quoted = '"{}"."{}"'.format(*[part.replace('"', '""') for part in (f"s {name}"[:63], name)])
        put(session, quoted, data)

        assert session.read(quoted).to_pylist() == data.to_pylist(), name
        assert list(session.columns(quoted)) == ODD_NAMES
        assert fingerprint(session, quoted).rows == 1
        found = session.query(exp.select(column(ODD_NAMES[number])).from_(table(quoted)))
        assert found == [(f"of {name}",)]


def test_names_that_differ_in_case_are_the_names_that_were_given(session, do):
    put(session, "mart.Orders", pa.table({"Id": [1]}))

    assert list(session.columns("mart.Orders")) == ["Id"]
    assert (
        compare_columns("mart.Orders", session.columns("mart.Orders"), {"Id": session.columns("mart.Orders")["Id"]})
        == []
    )
    with pytest.raises(WriteRefusedError, match="Id is missing; id is new"):
        compare_columns("mart.Orders", session.columns("mart.Orders"), {"id": "BIGINT"})


@pytest.mark.parametrize("value", ["'; DROP TABLE mart.orders; --", "\\", "\\'", "%", "{}", "$1", "--", "😀"])
def test_a_value_is_never_part_of_the_statement(session, value):
    put(session, "mart.orders", pa.table({"day": [value, "other"]}))

    assert session.query(exp.select("1").from_(table("mart.orders")).where(column("day").eq(value))) == [(1,)]
    session.query(exp.delete(table("mart.orders"), where=column("day").isin(value)))
    assert session.read("mart.orders").to_pylist() == [{"day": "other"}]


def test_nothing_of_a_transaction_that_raised_stands(session):
    put(session, "mart.orders", pa.table({"id": [1]}))

    def be_interrupted():
        with session.transaction():
            session.query(exp.delete(table("mart.orders")))
            session.append("mart.orders", pa.table({"id": [2]}))
            assert session.read("mart.orders").to_pylist() == [{"id": 2}]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        be_interrupted()

    assert session.read("mart.orders").to_pylist() == [{"id": 1}]


def test_a_transaction_whose_failure_was_swallowed_does_not_end_as_if_it_stood(session):
    """Postgres and DuckDB answer its COMMIT with a rollback that looks like success."""
    put(session, "mart.orders", pa.table({"id": [1]}))
    ended = False

    with suppress(WarehouseError):
        with session.transaction():
            session.append("mart.orders", pa.table({"id": [3]}))
            with suppress(WarehouseError):
                session.query(exp.select(column("nope")).from_(table("mart.orders")))
        ended = True

    assert ended == ({"id": 3} in session.read("mart.orders").to_pylist())


def test_a_transaction_that_ends_is_seen_by_others_and_one_that_does_not_is_not(warehouse):
    with warehouse.session("writer") as session:
        put(session, "mart.orders", pa.table({"id": [1]}))
        with session.transaction():
            session.append("mart.orders", pa.table({"id": [2]}))
        session.query(exp.insert(exp.values([(3,)]), table("mart.orders")))

    with warehouse.session("dies") as session, suppress(ZeroDivisionError), session.transaction():
        session.append("mart.orders", pa.table({"id": [4]}))
        raise ZeroDivisionError

    with warehouse.session("reader") as session:
        assert sorted(row["id"] for row in session.read("mart.orders").to_pylist()) == [1, 2, 3]


def test_a_table_made_in_a_transaction_that_raised_is_not_there(session):
    with suppress(ZeroDivisionError), session.transaction():
        put(session, "mart.orders", pa.table({"id": [1]}))
        raise ZeroDivisionError

    assert session.columns("mart.orders") is None


def test_what_the_engine_refuses_is_said_in_its_own_words(session):
    with pytest.raises(WarehouseError, match="nope"):
        session.query(exp.select("*").from_(table("mart.nope")))
    with pytest.raises(DashboardTrustError, match="nope"):
        session.append("mart.nope", pa.table({"id": [1]}))
    with pytest.raises(DashboardTrustError, match="nope"):
        session.read("mart.nope")


def test_a_statement_without_a_result_has_no_rows(session, do):
    assert do(session, "CREATE SCHEMA raw") == []
    assert session.query(exp.select("1").where(exp.false())) == []


def test_an_address_says_where_and_nothing_else(warehouse):
    scheme, _, rest = warehouse.address.partition("://")

    assert scheme in ("duckdb", "postgresql")
    assert rest
    assert "@" not in rest
