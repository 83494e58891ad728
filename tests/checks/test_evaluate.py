from collections.abc import Iterator

import duckdb
import pytest

from dashboard_trust.checks.evaluate import run_checks
from dashboard_trust.checks.rules import CheckOutcome, RawTable, Reconciliation

PAYMENTS = RawTable(
    "raw.payments",
    key="payment_id",
    time_column="paid_at",
    types={"amount": "decimal(18, 2)", "paid_at": "timestamp"},
    accepted={"status": ("paid", "failed")},
    reconciles=Reconciliation("raw.orders", "ordered_at", "order_id", "amount", ("status", "paid")),
)
CRM = RawTable("raw.crm", key="opportunity_id", time_column="partition_day", snapshots=True)
CUSTOMERS = RawTable("raw.customers", key="customer_id", min_rows=2)
DAY1, DAY2, DAY3 = "2024-03-01", "2024-03-02", "2024-03-03"


@pytest.fixture
def raw() -> Iterator[duckdb.DuckDBPyConnection]:
    """Three days, two paid orders and a failed payment on each, that agree."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE SCHEMA raw")
        connection.execute(
            "CREATE TABLE raw.payments (payment_id VARCHAR, order_id VARCHAR, paid_at VARCHAR, amount VARCHAR,"
            " status VARCHAR)"
        )
        connection.execute(
            "CREATE TABLE raw.orders (order_id VARCHAR, ordered_at VARCHAR, amount VARCHAR, status VARCHAR)"
        )
        for day in (DAY1, DAY2, DAY3):
            for number, status in (("1", "paid"), ("2", "paid"), ("3", "failed")):
                order, time = f"O{day}-{number}", f"{day}T2{number}:00:00Z"
                connection.execute(
                    "INSERT INTO raw.payments VALUES (?, ?, ?, ?, ?)", [f"P{order}", order, time, "10.00", status]
                )
                if status == "paid":
                    connection.execute("INSERT INTO raw.orders VALUES (?, ?, ?, ?)", [order, time, "10.00", "paid"])
        yield connection


def check(connection: duckdb.DuckDBPyConnection, name: str, table: RawTable = PAYMENTS) -> CheckOutcome:
    return next(outcome for outcome in run_checks(connection, table, DAY3) if outcome.name == name)


def days_passed(outcome: CheckOutcome) -> dict[str, bool]:
    return {day: found.passed for day, found in sorted((outcome.days or {}).items())}


def test_an_order_paid_twice_does_not_reconcile(raw: duckdb.DuckDBPyConnection):
    raw.execute(f"INSERT INTO raw.payments VALUES ('P-again', 'O{DAY2}-1', '{DAY2}T21:05:00Z', '10.00', 'paid')")

    outcome = check(raw, "reconciliation")

    assert not outcome.passed
    assert days_passed(outcome) == {DAY1: True, DAY2: False, DAY3: True}


def test_a_day_without_rows_passes_nothing(raw: duckdb.DuckDBPyConnection):
    raw.execute(f"DELETE FROM raw.payments WHERE paid_at LIKE '{DAY3}%'")

    outcomes = run_checks(raw, PAYMENTS, DAY3)

    assert not [outcome.name for outcome in outcomes if DAY3 in (outcome.days or {})]
    assert not [outcome.name for outcome in outcomes if outcome.days is None]
    freshness = check(raw, "freshness")
    assert not freshness.passed
    assert DAY2 in freshness.reason
    assert DAY3 in freshness.reason


def test_an_empty_table_passes_no_day(raw: duckdb.DuckDBPyConnection):
    raw.execute("DELETE FROM raw.payments")

    outcomes = run_checks(raw, PAYMENTS, DAY3)

    assert not any(outcome.days for outcome in outcomes)
    assert not check(raw, "freshness").passed
    assert not check(raw, "row_count").passed


def test_an_unreadable_time_fails_the_whole_check(raw: duckdb.DuckDBPyConnection):
    raw.execute("INSERT INTO raw.payments VALUES ('P-x', 'O-x', 'yesterday', '10.00', 'failed')")

    outcome = check(raw, "types")

    assert not outcome.passed
    assert outcome.days is None
    assert "1 rows have no readable paid_at" in outcome.reason


@pytest.mark.parametrize("amount", ["abc", "", None, "1,000.00", "nan", "10.005"])
def test_what_is_no_amount_fails_its_day_alone(raw: duckdb.DuckDBPyConnection, amount: str | None):
    raw.execute("UPDATE raw.payments SET amount = ? WHERE payment_id = ?", [amount, f"PO{DAY2}-3"])

    outcome = check(raw, "types")

    assert days_passed(outcome) == {DAY1: True, DAY2: False, DAY3: True}
    assert "amount" in outcome.reason


def test_a_renamed_column_is_named_with_the_nearest_and_other_checks_go_on(raw: duckdb.DuckDBPyConnection):
    raw.execute("ALTER TABLE raw.payments RENAME amount TO amount_eur")

    types, reconciliation = check(raw, "types"), check(raw, "reconciliation")

    assert not types.passed
    assert types.reason == "column 'amount' is missing: did you mean 'amount_eur'?"
    assert types.days is None
    assert reconciliation.errored
    assert not reconciliation.passed
    assert check(raw, "duplicates").passed
    assert check(raw, "accepted_values").passed


def test_a_missing_time_column_passes_nothing(raw: duckdb.DuckDBPyConnection):
    raw.execute("ALTER TABLE raw.payments RENAME paid_at TO payed_at")

    outcomes = run_checks(raw, PAYMENTS, DAY3)

    assert [outcome.name for outcome in outcomes if outcome.passed or outcome.days] == []


def test_a_missing_table_is_errored_throughout(raw: duckdb.DuckDBPyConnection):
    raw.execute("DROP TABLE raw.payments")

    outcomes = run_checks(raw, PAYMENTS, DAY3)

    assert len(outcomes) == len(PAYMENTS.checks)
    assert all(outcome.errored and not outcome.passed for outcome in outcomes)


def test_a_reconciliation_that_cannot_run_is_errored_and_stops_no_other(raw: duckdb.DuckDBPyConnection):
    raw.execute("DROP TABLE raw.orders")

    outcome = check(raw, "reconciliation")

    assert outcome.errored
    assert not outcome.passed
    assert "orders" in outcome.reason
    assert check(raw, "types").passed


def test_a_load_twice_is_duplicates_on_its_day(raw: duckdb.DuckDBPyConnection):
    raw.execute(f"INSERT INTO raw.payments SELECT * FROM raw.payments WHERE paid_at LIKE '{DAY3}%'")

    assert days_passed(check(raw, "duplicates")) == {DAY1: True, DAY2: True, DAY3: False}
    assert not check(raw, "reconciliation").passed


def test_a_key_on_two_days_is_a_duplicate_on_both_but_not_in_snapshots(raw: duckdb.DuckDBPyConnection):
    raw.execute(f"UPDATE raw.payments SET payment_id = 'same' WHERE order_id IN ('O{DAY1}-1', 'O{DAY3}-1')")
    raw.execute(
        f"CREATE TABLE raw.crm AS SELECT 'A' AS opportunity_id, unnest([DATE '{DAY1}', DATE '{DAY2}']) AS partition_day"
    )

    assert days_passed(check(raw, "duplicates")) == {DAY1: False, DAY2: True, DAY3: False}
    assert check(raw, "duplicates", CRM).passed

    raw.execute(f"INSERT INTO raw.crm VALUES ('A', '{DAY2}')")
    assert days_passed(check(raw, "duplicates", CRM)) == {DAY1: True, DAY2: False}


@pytest.mark.parametrize("key", [None, "", "  "])
def test_rows_without_a_key_fail_their_day(raw: duckdb.DuckDBPyConnection, key: str | None):
    raw.execute("UPDATE raw.payments SET payment_id = ? WHERE order_id = ?", [key, f"O{DAY1}-2"])

    assert days_passed(check(raw, "null_keys")) == {DAY1: False, DAY2: True, DAY3: True}


@pytest.mark.parametrize("status", [None, "", "PAID", "refunded"])
def test_a_value_that_was_not_agreed_fails_its_day(raw: duckdb.DuckDBPyConnection, status: str | None):
    raw.execute("UPDATE raw.payments SET status = ? WHERE payment_id = ?", [status, f"PO{DAY1}-3"])

    assert days_passed(check(raw, "accepted_values")) == {DAY1: False, DAY2: True, DAY3: True}


@pytest.mark.parametrize(
    "change",
    [
        f"DELETE FROM raw.payments WHERE order_id = 'O{DAY2}-1'",
        f"DELETE FROM raw.orders WHERE order_id = 'O{DAY2}-1'",
        f"UPDATE raw.payments SET amount = '10.01' WHERE order_id = 'O{DAY2}-1'",
        f"UPDATE raw.payments SET order_id = 'O-other' WHERE order_id = 'O{DAY2}-1'",
        f"UPDATE raw.payments SET order_id = NULL WHERE order_id = 'O{DAY2}-1'",
        f"UPDATE raw.payments SET status = 'failed' WHERE order_id LIKE 'O{DAY2}%'",
    ],
)
def test_what_differs_between_orders_and_payments_fails_its_day(raw: duckdb.DuckDBPyConnection, change: str):
    raw.execute(change)

    outcome = check(raw, "reconciliation")

    assert days_passed(outcome) == {DAY1: True, DAY2: False, DAY3: True}
    assert "raw.orders" in outcome.reason


def test_a_time_belongs_to_its_day_in_utc_whatever_offset_it_has(raw: duckdb.DuckDBPyConnection):
    raw.execute(f"INSERT INTO raw.payments VALUES ('P-x', 'O-x', '{DAY3}T23:30:00-05:00', 'abc', 'failed')")

    assert days_passed(check(raw, "types")) == {DAY1: True, DAY2: True, DAY3: True, "2024-03-04": False}


def test_a_table_without_days_is_judged_as_a_whole(raw: duckdb.DuckDBPyConnection):
    raw.execute("CREATE TABLE raw.customers AS SELECT 'C1' AS customer_id")
    too_few = check(raw, "row_count", CUSTOMERS)
    raw.execute("INSERT INTO raw.customers VALUES ('C2')")

    assert (too_few.passed, too_few.days) == (False, None)
    assert all(outcome.passed and outcome.days is None for outcome in run_checks(raw, CUSTOMERS))


def test_good_rows_pass_everything_on_every_day(raw: duckdb.DuckDBPyConnection):
    for outcome in run_checks(raw, PAYMENTS, DAY3):
        assert (outcome.name, outcome.passed, outcome.errored) == (outcome.name, True, False)
        assert days_passed(outcome) == {DAY1: True, DAY2: True, DAY3: True}


def test_names_and_values_are_quoted(raw: duckdb.DuckDBPyConnection):
    raw.execute("""CREATE TABLE raw."odd "" table" AS SELECT 1 AS "the ""key", 'it''s' AS "a;b" """)
    odd = RawTable('raw."odd "" table"', key='the "key', accepted={"a;b": ("it's",)})

    assert all(outcome.passed for outcome in run_checks(raw, odd))


def test_amounts_of_a_file_read_as_numbers_fit(raw: duckdb.DuckDBPyConnection):
    raw.execute(
        f"CREATE TABLE raw.crm AS SELECT n AS opportunity_id, DATE '{DAY1}' AS partition_day,"
        " CAST(n * 7 + n % 100 / 100.0 AS DOUBLE) AS amount FROM range(1, 200000) t(n)"
    )

    assert check(
        raw, "types", RawTable("raw.crm", "opportunity_id", "partition_day", {"amount": "decimal(18, 2)"})
    ).passed
