"""Tables of two engines beside each other: DuckDB and a real Postgres."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pyarrow as pa
import pytest

from dashboard_trust.checks.evaluate import check_table
from dashboard_trust.checks.known import Known
from dashboard_trust.checks.scopes import Days
from dashboard_trust.contracts.table_rules import Reconciliation, TableRules
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse
from dashboard_trust.warehouses.postgres import PostgresWarehouse
from dashboard_trust.warehouses.session import drop_table

DAY, NEXT = dt.date(2026, 1, 1), dt.date(2026, 1, 2)


def rows(*given):
    columns = ("day", "id", "amount")
    return pa.table(
        {name: [row[n] for row in given] for n, name in enumerate(columns)},
        schema=pa.schema([("day", pa.date32()), ("id", pa.int64()), ("amount", pa.decimal128(18, 2))]),
    )


def row(day, number, amount):
    return (day, number, Decimal(amount) if amount is not None else None)


@pytest.fixture
def duckdb_warehouse(tmp_path):
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb")


@pytest.fixture
def postgres_warehouse(postgres_uri):
    warehouse = PostgresWarehouse(postgres_uri)
    with warehouse.session("test") as session:
        session.query(drop_table("shop.orders"))
    return warehouse


@pytest.fixture
def compare(duckdb_warehouse, postgres_warehouse):
    """Put rows on both sides, and compare them."""

    def compare(here, there, scope=None, **options):
        for warehouse, data in ((duckdb_warehouse, here), (postgres_warehouse, there)):
            with warehouse.session("test") as session:
                session.create("shop.orders", data.schema)
                with session.transaction():
                    session.append("shop.orders", session.stage(data))
        said = {"table": "shop.orders", "warehouse": "billing", "key": ("id",), **options}
        rule = Reconciliation(amount="amount", name="same", **said)
        known = Known(elsewhere={"billing": lambda: postgres_warehouse})
        with duckdb_warehouse.session("test") as session:
            report = check_table(session, TableRules("shop/orders", (rule,)), scope, known)
        return report.outcomes[1]

    return compare


MANY = [row(DAY, n, f"{n}.10") for n in range(2000)]


def test_the_same_rows_in_another_order_are_the_same(compare):
    assert compare(rows(*MANY), rows(*reversed(MANY))).passed


@pytest.mark.parametrize(
    ("there", "keys"),
    [
        (MANY[1:], 1),
        ([*MANY, MANY[7]], 1),
        ([row(DAY, 3000, "1"), *MANY[1:]], 2),
        ([row(DAY, 0, "0.11"), *MANY[1:]], 1),
        ([row(DAY, 0, None), *MANY[1:]], 1),
        ([row(DAY, None, "1"), *MANY], 1),
        (MANY[:0], 2000),
    ],
    ids=["missing", "doubled", "another", "amount", "no amount", "no key", "empty"],
)
def test_keys_that_differ_are_counted(compare, there, keys):
    found = compare(rows(*MANY), rows(*there))

    assert found.parts[""].measured == keys
    assert "shop.orders has 2000 for 1999200.00, shop.orders has" in found.reason
    assert f"; {keys} {'key differs' if keys == 1 else 'keys differ'}" in found.reason


def test_what_lies_within_the_tolerance_is_the_same(compare):
    assert compare(rows(row(DAY, 1, "1.00")), rows(row(DAY, 1, "1.01")), tolerance=Decimal("0.01")).passed


def test_what_lies_beyond_the_tolerance_is_not(compare):
    assert not compare(rows(row(DAY, 1, "1.00")), rows(row(DAY, 1, "1.02")), tolerance=Decimal("0.01")).passed


def test_without_a_key_the_sums_are_compared(compare):
    assert compare(
        rows(row(DAY, 1, "1"), row(DAY, 2, "2")), rows(row(DAY, 3, "2.5"), row(DAY, 4, "0.5")), key=()
    ).passed


def test_without_a_key_other_sums_differ(compare):
    found = compare(rows(row(DAY, 1, "1")), rows(row(DAY, 1, "2")), key=())

    assert "shop.orders has 1 for 1.00, shop.orders has 1 for 2.00; they differ" in found.reason


def test_days_are_compared_by_themselves_and_one_that_is_not_there_is_errored(compare):
    here = rows(row(DAY, 1, "1"), row(NEXT, 2, "2"), row(dt.date(2026, 1, 3), 3, "3"))
    found = compare(here, rows(row(DAY, 1, "1"), row(NEXT, 2, "2.01")), Days("day"))

    assert {part: outcome.passed for part, outcome in found.parts.items()} == {
        "2026-01-01": True,
        "2026-01-02": False,
        "2026-01-03": False,
    }
    assert set(found.errors) == {"2026-01-03"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"warehouse": "biling"}, "no warehouse is named 'biling': did you mean 'billing'?"),
        ({"table": "shop.order"}, "there is no table 'shop.order' in 'billing'"),
        ({"other_amount": "amout"}, "has no column 'amout': did you mean 'amount'?"),
    ],
)
def test_what_cannot_be_compared_is_errored(compare, options, words):
    assert words in compare(rows(*MANY[:1]), rows(*MANY[:1]), **options).error
