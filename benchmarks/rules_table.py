"""A table of order lines and one of customers, twenty rules that hold of them, and a way to break each."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
CUSTOMERS = 100_000
STATUSES = ("placed", "paid", "packed", "shipped", "delivered", "returned")
COUNTRIES = ("DE", "AT", "CH", "FR", "IT", "ES", "NL", "BE", "PL", "CZ", "DK", "SE")
EMAIL = "^[a-z0-9.]+@[a-z]+[.][a-z]{2,6}$"
FRESH = dt.timedelta(hours=24)
FIRST = dt.datetime(2024, 12, 31, tzinfo=dt.UTC)
# A year of lines in the order they came in, three to an order, the last of them two hours ago.
MAKE = f"""
    SELECT n + 1 AS id, n // 3 + 1 AS order_id, CAST(n % 3 + 1 AS INTEGER) AS line,
        CAST(hash(n) % {CUSTOMERS} AS BIGINT) + 1 AS customer_id,
        {list(STATUSES)}[CAST(hash(n, 1) % {len(STATUSES)} AS INTEGER) + 1] AS status,
        {list(COUNTRIES)}[CAST(hash(n, 2) % {len(COUNTRIES)} AS INTEGER) + 1] AS country,
        'customer.' || hash(n) % {CUSTOMERS} || '@example.com' AS email,
        CAST(hash(n, 3) % 20 AS INTEGER) + 1 AS quantity,
        CAST((hash(n, 4) % 50000 + 100) * (hash(n, 3) % 20 + 1) / 100 AS DECIMAL(18, 2)) AS amount,
        CAST((hash(n, 4) % 100) * (hash(n, 3) % 20 + 1) / 100 AS DECIMAL(18, 2)) AS discount,
        (hash(n, 5) % 1000003)::DOUBLE / 1000003 AS score,
        TIMESTAMP '2025-12-31 22:00:00' - to_microseconds((({{rows}} - 1) // 3 - n // 3) * (94608000000000 // {{rows}}))
            AS ordered_at,
        ordered_at + to_microseconds(CAST(hash(n, 6) % 3600000000 AS BIGINT)) AS paid_at
    FROM range({{rows}}) AS r(n)
"""
PLANTS = {
    "row_count": "DELETE FROM {lines} WHERE id % 4 > 0",
    "not_null_id": "UPDATE {lines} SET id = NULL WHERE {one}",
    "not_null_customer_id": "UPDATE {lines} SET customer_id = NULL WHERE {one}",
    "not_null_amount": "UPDATE {lines} SET amount = NULL WHERE {one}",
    "not_null_paid_at": "UPDATE {lines} SET paid_at = NULL WHERE {one}",
    "unique_id": "UPDATE {lines} SET id = id + 1 WHERE {one}",
    "unique_order_id_line": "UPDATE {lines} SET line = line % 3 + 1 WHERE {one}",
    "accepted_values_status": "UPDATE {lines} SET status = 'lost' WHERE {one}",
    "accepted_values_country": "UPDATE {lines} SET country = 'XX' WHERE {one}",
    "range_quantity": "UPDATE {lines} SET quantity = 0 WHERE {one}",
    "range_amount": "UPDATE {lines} SET amount = 10100.01 WHERE {one}",
    "range_score": "UPDATE {lines} SET score = -0.001 WHERE {one}",
    "range_ordered_at": "UPDATE {lines} SET ordered_at = TIMESTAMP '2024-12-30 23:59:59' WHERE id = 1",
    "pattern_email": "UPDATE {lines} SET email = 'nobody' WHERE {one}",
    "length_email": "UPDATE {lines} SET email = repeat('a', 65) || email WHERE {one}",
    "references_customer_id_shop_customers": "UPDATE {lines} SET customer_id = 0 WHERE {one}",
    "freshness_paid_at": "DELETE FROM {lines} WHERE paid_at > TIMESTAMP '2025-12-30'",
    "paid_after_order": "UPDATE {lines} SET paid_at = ordered_at - INTERVAL 1 SECOND WHERE {one}",
    "discount_within_amount": "UPDATE {lines} SET discount = amount + 1 WHERE {one}",
    "monotonic_id_ordered_at": "UPDATE {lines} SET id = id + 2000000000 WHERE {one}",
}
"""What breaks each rule, by the name of its check; some of these break others too."""


@dataclass(frozen=True, slots=True)
class Lines:
    """Where a table of order lines is, and how many rows it is to have."""

    path: Path
    rows: int
    schema: str = "shop"

    @property
    def name(self) -> str:
        return f"{self.schema}.lines"


@dataclass(frozen=True, slots=True)
class Found:
    """What was found: the checks that failed, the numbers they were judged by, and the queries it took."""

    failed: frozenset[str]
    numbers: dict[str, Any]
    queries: int
    seconds: float | None = None


def make_tables(lines: Lines, plants: bool = False) -> None:
    """Write both tables, and a schema with a copy for each rule that is then broken."""
    import duckdb

    with duckdb.connect(str(lines.path)) as connection:
        connection.execute("CREATE SCHEMA shop")
        connection.execute(
            f"CREATE TABLE shop.customers AS SELECT n + 1 AS customer_id FROM range({CUSTOMERS}) AS r(n)"
        )
        connection.execute(f"CREATE TABLE shop.lines AS {MAKE.format(rows=lines.rows)}")
        for check, statement in PLANTS.items() if plants else ():
            connection.execute(f"CREATE SCHEMA {check}; CREATE TABLE {check}.lines AS FROM shop.lines")
            connection.execute(statement.format(lines=f"{check}.lines", one=f"id = {lines.rows // 2}"))


def bounds(lines: Lines) -> tuple[int, int]:
    """Return how few and how many rows there may be."""
    return lines.rows // 2, lines.rows * 2


def make_rules(lines: Lines) -> Any:
    """Return the rules as this package has them."""
    from dashboard_trust.contracts import row_rules as row
    from dashboard_trust.contracts.table_rules import Freshness, RowCount, TableRules

    least, most = bounds(lines)
    return TableRules(
        "shop/lines",
        (
            RowCount(min=least, max=most),
            *(row.NotNull(column=name) for name in ("id", "customer_id", "amount", "paid_at")),
            row.Unique(key=("id",)),
            row.Unique(key=("order_id", "line")),
            row.AcceptedValues(column="status", values=STATUSES),
            row.AcceptedValues(column="country", values=COUNTRIES),
            row.Range(column="quantity", min=1, max=100),
            row.Range(column="amount", min=0, max=Decimal("10100")),
            row.Range(column="score", min=0, max=1),
            row.Range(column="ordered_at", min=FIRST, below=NOW),
            row.Pattern(column="email", regex=EMAIL),
            row.Length(column="email", min=6, max=64),
            row.References(key=("customer_id",), table="shop.customers"),
            Freshness(column="paid_at", within=FRESH),
            row.Condition(name="paid_after_order", sql="paid_at >= ordered_at"),
            row.Condition(name="discount_within_amount", sql="discount <= amount"),
            row.Monotonic(column="id", by="ordered_at"),
        ),
        table=lines.name,
    )
