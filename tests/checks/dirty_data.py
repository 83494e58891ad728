"""A clean shop, and how it goes wrong: each a planted error with everything that has to be found of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pyarrow as pa
from rule_engines import ERRORED

from dashboard_trust.contracts import row_rules as r
from dashboard_trust.contracts import table_rules as t

UTC = dt.UTC
FIRST, DAYS = dt.date(2024, 2, 5), 35
BAD, NEXT = "2024-03-06", "2024-03-07"
NOW = dt.datetime(2024, 3, 11, tzinfo=UTC)
ANY = ...
"""A measure that is no count: whatever it is."""

SCHEMA = pa.schema(
    {
        "order_id": pa.string(),
        "customer_id": pa.int64(),
        "ordered_at": pa.timestamp("us", "UTC"),
        "updated_at": pa.timestamp("us"),
        "amount": pa.decimal128(12, 2),
        "amount_text": pa.string(),
        "rate": pa.float64(),
        "status": pa.string(),
        "country": pa.string(),
        "email": pa.string(),
        "note": pa.string(),
        "shipped_on": pa.string(),
        "sequence": pa.int64(),
    }
)
PAYMENTS = pa.schema([SCHEMA.field(name) for name in ("order_id", "ordered_at", "amount")])
CUSTOMERS = pa.schema({"customer_id": pa.int64()})
TYPES = {
    **dict.fromkeys(SCHEMA.names, "text"),
    **dict.fromkeys(("customer_id", "sequence"), "bigint"),
    "ordered_at": "timestamptz",
    "updated_at": "timestamp",
    "amount": "decimal(12, 2)",
    "rate": "double precision",
}
RULES = t.TableRules(
    "shop/orders",
    (
        t.RowCount(min=1, of_median=(0.6, 1.8), too_little="pass"),
        t.VolumeAnomaly(sensitivity=4.0, too_little="pass"),
        t.Freshness("ordered_at", dt.timedelta(hours=6)),
        t.Columns(TYPES, added="refused", ordered=True),
        r.NotNull("order_id", blank=True),
        r.NotNull("amount"),
        r.NotNull("customer_id"),
        r.NotNull("rate"),
        r.Unique(("order_id",)),
        r.Unique(("country", "sequence")),
        r.AcceptedValues("status", ("paid", "cancelled", "shipped")),
        r.AcceptedValues("country", ("DE", "FR", "AT")),
        r.Range("amount", above=0, max=1000),
        r.Range("rate", min=0.5, max=2),
        r.Pattern("email", r"^[^@\s]+@[a-z0-9.]+\.[a-z]{2,}$"),
        r.Pattern("note", "^[^\u00c3\u00c2\ufffd]*$", name="note_encoding"),
        r.Length("country", 2, 2),
        r.Length("note", max=40),
        r.Fits("amount_text", "decimal(12, 2)"),
        r.Fits("shipped_on", "date"),
        r.Monotonic("sequence", "ordered_at"),
        r.References(("customer_id",), "shop.customers"),
        r.Condition("updated_at >= CAST(ordered_at AS TIMESTAMP)", name="updated_after"),
        t.Query(
            "WITH c AS (SELECT COUNT(*) AS n FROM {table} WHERE status = 'cancelled') "
            "SELECT CAST((SELECT n FROM c) AS DOUBLE PRECISION) / NULLIF(COUNT(*), 0) FROM {table}",
            max=Decimal("0.3"),
            name="cancelled",
        ),
        t.Reconciliation("shop.payments", ("order_id",), "amount", name="payments"),
    ),
    table="shop.orders",
    time_column="ordered_at",
)


@dataclass
class Shop:
    """Its tables, to be spoiled."""

    orders: list[dict[str, Any]]
    payments: list[dict[str, Any]]
    customers: list[dict[str, Any]]
    schema: pa.Schema = SCHEMA
    gone: set[str] = field(default_factory=set)

    @property
    def tables(self) -> dict[str, pa.Table]:
        """Them, the orders first."""
        every = {
            "shop.orders": pa.Table.from_pylist(self.orders, self.schema),
            "shop.payments": pa.Table.from_pylist(self.payments, PAYMENTS),
            "shop.customers": pa.Table.from_pylist(self.customers, CUSTOMERS),
        }
        return {name: data for name, data in every.items() if name not in self.gone}

    def on(self, day: str = BAD) -> list[dict[str, Any]]:
        """The orders of a day, in the order of time."""
        return [row for row in self.orders if row["ordered_at"] and row["ordered_at"].date().isoformat() == day]

    def change(self, rows: int | None = None, **values: Any) -> int:
        """Change values of some rows of the bad day (functions: of what they were); return how many."""
        changed = self.on()[3:][:rows] if rows is not None else self.on()
        for row in changed:
            row.update({name: value(row[name]) if callable(value) else value for name, value in values.items()})
        return len(changed)

    def drop(self, rows: list[dict[str, Any]]) -> int:
        """Lose these orders."""
        self.orders = [row for row in self.orders if not any(row is one for one in rows)]
        return len(rows)


def open_shop() -> Shop:
    """Five weeks of orders: thirty on a weekday, twelve on a Saturday or Sunday, each with its payment."""
    orders = []
    for n in range(DAYS):
        day = FIRST + dt.timedelta(days=n)
        count = (30 if day.weekday() < 5 else 12) + n % 3
        for i in range(count):
            at = dt.datetime.combine(day, dt.time(8), UTC) + dt.timedelta(hours=12) * i / (count - 1)
            orders.append(_order(len(orders), at))
    payments = [{name: row[name] for name in PAYMENTS.names} for row in orders]
    return Shop(orders, payments, [{"customer_id": n} for n in range(200)])


def _order(n: int, at: dt.datetime) -> dict[str, Any]:
    amount = Decimal(1000 + n * 37 % 9000) / 100
    return {
        "order_id": f"O-{n:06}",
        "customer_id": n % 150,
        "ordered_at": at,
        "updated_at": at.replace(tzinfo=None) + dt.timedelta(minutes=5),
        "amount": amount,
        "amount_text": f"{amount:.2f}",
        "rate": 1.0 + n % 10 / 20,
        "status": ("paid", "shipped", "paid", "shipped", "cancelled")[n % 5],
        "country": ("DE", "FR", "AT")[n % 3],
        "email": f"person.{n}@example.com",
        "note": (None, "", "M\u00fcnchen \U0001f600", "gift")[n % 4],
        "shipped_on": (at.date() + dt.timedelta(days=2)).isoformat(),
        "sequence": n * 10,
    }


Found = dict[str, Any]
"""By check: the parts that fail with what is measured, or that it is errored. Nothing else may be reported."""

ERRORS: dict[str, Callable[[Shop], Found]] = {}


def planted(spoil: Callable[[Shop], Found]) -> Callable[[Shop], Found]:
    ERRORS[spoil.__name__] = spoil
    return spoil


@planted
def load_doubled(shop: Shop) -> Found:
    again = [dict(row) for row in shop.on()]
    shop.orders += again
    n = len(again)
    return {
        "row_count": {BAD: 2 * n},
        "volume_anomaly": {BAD: 2 * n},
        "unique_order_id": {BAD: 2 * n},
        "unique_country_sequence": {BAD: 2 * n},
        "payments": {BAD: n},
    }


@planted
def load_partial(shop: Shop) -> Found:
    lost = shop.drop([row for row in shop.on() if row["ordered_at"].hour >= 13])
    n = len(shop.on())
    return {
        "row_count": {BAD: n},
        "volume_anomaly": {BAD: n},
        "freshness_ordered_at": {BAD: ANY},
        "payments": {BAD: lost},
    }


@planted
def every_third_row_lost(shop: Shop) -> Found:
    lost = shop.drop(shop.on()[1::3])
    return {"volume_anomaly": {BAD: len(shop.on())}, "payments": {BAD: lost}}


@planted
def day_missing(shop: Shop) -> Found:
    return {"payments": {BAD: shop.drop(shop.on())}}


@planted
def day_loaded_into_the_next(shop: Shop) -> Found:
    n = shop.change(ordered_at=_later(24), updated_at=_later(24), note="moved")
    mixed = sorted(shop.on(NEXT), key=lambda row: (row["ordered_at"], row["sequence"]))
    back = sum(after["sequence"] < before["sequence"] for before, after in pairwise(mixed))
    return {
        "row_count": {NEXT: len(mixed)},
        "volume_anomaly": {NEXT: len(mixed)},
        "monotonic_sequence_ordered_at": {NEXT: back},
        "payments": {BAD: n, NEXT: n},
    }


@planted
def time_zone_shifted(shop: Shop) -> Found:
    shop.change(ordered_at=_later(8), updated_at=_later(8))
    moved, left = len(shop.on(NEXT)), len(shop.on())
    late = sum(row["ordered_at"].hour < 8 for row in shop.on(NEXT))
    return {
        "volume_anomaly": {BAD: left, NEXT: moved},
        "payments": {BAD: late, NEXT: late},
    }


@planted
def rows_of_no_time(shop: Shop) -> Found:
    n = shop.change(2, ordered_at=None)
    return {
        "row_count": {"": n},
        "freshness_ordered_at": {"": None},
        "updated_after": {"": n},
        "payments": {BAD: n, "": None},
    }


@planted
def moment_of_the_epoch(shop: Shop) -> Found:
    shop.change(1, ordered_at=dt.datetime(1970, 1, 1, tzinfo=UTC))
    return {"freshness_ordered_at": {"1970-01-01": 24.0}, "payments": {BAD: 1, "1970-01-01": None}}


@planted
def moment_of_the_future(shop: Shop) -> Found:
    future = dt.datetime(2030, 1, 1, 12)
    shop.change(1, ordered_at=future.replace(tzinfo=UTC), updated_at=future)
    return {"freshness_ordered_at": {"2030-01-01": None}, "payments": {BAD: 1, "2030-01-01": None}}


@planted
def empty_text_for_null(shop: Shop) -> Found:
    n = shop.change(3, order_id="")
    return {"not_null_order_id": {BAD: n}, "unique_order_id": {BAD: n}, "payments": {BAD: n + 1}}


@planted
def blanks_for_null(shop: Shop) -> Found:
    shop.change(1, order_id=" \u00a0\t")
    return {"not_null_order_id": {BAD: 1}, "payments": {BAD: 2}}


@planted
def key_is_null(shop: Shop) -> Found:
    shop.change(2, order_id=None)
    return {"not_null_order_id": {BAD: 2}, "payments": {BAD: 3}}


@planted
def amount_is_null(shop: Shop) -> Found:
    n = shop.change(5, amount=None)
    return {"not_null_amount": {BAD: n}, "payments": {BAD: n}}


@planted
def customer_is_null(shop: Shop) -> Found:
    return {"not_null_customer_id": {BAD: shop.change(4, customer_id=None)}}


@planted
def rate_is_nan(shop: Shop) -> Found:
    return {"not_null_rate": {BAD: shop.change(2, rate=float("nan"))}}


@planted
def rate_is_infinite(shop: Shop) -> Found:
    return {"range_rate": {BAD: shop.change(1, rate=float("inf"))}}


@planted
def columns_swapped(shop: Shop) -> Found:
    rows = shop.on()[:4]
    for row in rows:
        row["status"], row["country"] = row["country"], row["status"]
    n = len(rows)
    return {"accepted_values_status": {BAD: n}, "accepted_values_country": {BAD: n}, "length_country": {BAD: n}}


@planted
def text_truncated(shop: Shop) -> Found:
    return {"pattern_email": {BAD: shop.change(email=lambda email: email[:12])}}


@planted
def text_too_long(shop: Shop) -> Found:
    return {"length_note": {BAD: shop.change(2, note="\U0001f600" * 41)}}


@planted
def text_as_long_as_it_may_be(shop: Shop) -> Found:
    shop.change(2, note="\U0001f600" * 40)
    return {}


@planted
def encoding_garbled(shop: Shop) -> Found:
    rows = [row for row in shop.on() if row["note"] and "\u00fc" in row["note"]]
    for row in rows:
        row["note"] = row["note"].encode().decode("latin-1")
    return {"note_encoding": {BAD: len(rows)}}


@planted
def cents_for_euros(shop: Shop) -> Found:
    n = shop.change(amount=lambda amount: amount * 100)
    return {"range_amount": {BAD: sum(row["amount"] > 1000 for row in shop.on())}, "payments": {BAD: n}}


@planted
def amounts_negative(shop: Shop) -> Found:
    n = shop.change(2, amount=lambda amount: -amount)
    return {"range_amount": {BAD: n}, "payments": {BAD: n}}


@planted
def amounts_zero(shop: Shop) -> Found:
    n = shop.change(amount=Decimal("0.00"))
    return {"range_amount": {BAD: n}, "payments": {BAD: n}}


@planted
def amounts_rounded(shop: Shop) -> Found:
    before = [row["amount"] for row in shop.on()]
    shop.change(amount=lambda amount: amount.quantize(Decimal(1)))
    return {"payments": {BAD: sum(a != row["amount"] for a, row in zip(before, shop.on(), strict=True))}}


@planted
def one_cent_off(shop: Shop) -> Found:
    shop.change(1, amount=lambda amount: amount + Decimal("0.01"))
    return {"payments": {BAD: 1}}


@planted
def amounts_swapped_between_orders(shop: Shop) -> Found:
    one, other = shop.on()[:2]
    one["amount"], other["amount"] = other["amount"], one["amount"]
    return {"payments": {BAD: 2}}


@planted
def third_digit_after_the_point(shop: Shop) -> Found:
    return {"fits_amount_text": {BAD: shop.change(3, amount_text="1.005")}}


@planted
def comma_for_a_point(shop: Shop) -> Found:
    return {"fits_amount_text": {BAD: shop.change(amount_text=lambda text: text.replace(".", ","))}}


@planted
def zeros_after_the_point(shop: Shop) -> Found:
    shop.change(amount_text=lambda text: f" +00{text}000 ")
    return {}


@planted
def nan_as_text(shop: Shop) -> Found:
    return {"fits_amount_text": {BAD: shop.change(1, amount_text="NaN")}}


@planted
def day_that_is_none(shop: Shop) -> Found:
    return {"fits_shipped_on": {BAD: shop.change(2, shipped_on="2023-02-29")}}


@planted
def day_written_otherwise(shop: Shop) -> Found:
    return {"fits_shipped_on": {BAD: shop.change(shipped_on="08/03/2024")}}


@planted
def status_spelled_otherwise(shop: Shop) -> Found:
    n = sum(row["status"] == "paid" for row in shop.on())
    shop.change(status=lambda status: status.replace("paid", "Paid"))
    return {"accepted_values_status": {BAD: n}}


@planted
def status_with_a_space(shop: Shop) -> Found:
    return {"accepted_values_status": {BAD: shop.change(2, status="paid ")}}


@planted
def country_with_what_nobody_sees(shop: Shop) -> Found:
    n = shop.change(2, country="DE\u200b")
    return {"accepted_values_country": {BAD: n}, "length_country": {BAD: n}}


@planted
def customers_unknown(shop: Shop) -> Found:
    return {"references_customer_id_shop_customers": {BAD: shop.change(3, customer_id=999_999)}}


@planted
def customers_lost(shop: Shop) -> Found:
    shop.customers = [row for row in shop.customers if row["customer_id"] != 7]
    lost: dict[str, int] = {}
    for row in shop.orders:
        if row["customer_id"] == 7:
            day = row["ordered_at"].date().isoformat()
            lost[day] = lost.get(day, 0) + 1
    return {"references_customer_id_shop_customers": lost}


@planted
def customers_gone(shop: Shop) -> Found:
    shop.gone = {"shop.customers"}
    return {"references_customer_id_shop_customers": ERRORED}


@planted
def payments_gone(shop: Shop) -> Found:
    shop.gone = {"shop.payments"}
    return {"payments": ERRORED}


@planted
def payments_doubled(shop: Shop) -> Found:
    again = [row for row in shop.payments if row["ordered_at"].date().isoformat() == BAD]
    shop.payments += again
    return {"payments": {BAD: len(again)}}


@planted
def sequence_going_back(shop: Shop) -> Found:
    one, other = shop.on()[5:7]
    one["sequence"], other["sequence"] = other["sequence"], one["sequence"]
    return {"monotonic_sequence_ordered_at": {BAD: 1}}


@planted
def sequence_overflown(shop: Shop) -> Found:
    shop.change(1, sequence=-(2**63))
    return {"monotonic_sequence_ordered_at": {BAD: 1}}


@planted
def key_again_on_another_day(shop: Shop) -> Found:
    first, last = shop.on()[0], shop.on(NEXT)[-1]
    last["order_id"] = first["order_id"]
    return {"unique_order_id": {BAD: 1, NEXT: 1}, "payments": {NEXT: 2}}


@planted
def composite_key_again(shop: Shop) -> Found:
    one, other = shop.on()[:2]
    other["sequence"], other["country"] = one["sequence"], one["country"]
    return {"unique_country_sequence": {BAD: 2}}


@planted
def key_of_another_case(shop: Shop) -> Found:
    one, other = shop.on()[:2]
    other["order_id"] = one["order_id"].lower()
    return {"payments": {BAD: 2}}


@planted
def updated_before_it_was_ordered(shop: Shop) -> Found:
    return {"updated_after": {BAD: shop.change(3, updated_at=dt.datetime(2024, 1, 1))}}


@planted
def nearly_all_cancelled(shop: Shop) -> Found:
    for row in shop.orders:
        row["status"] = "cancelled"
    return {"cancelled": {"": 1.0}}


@planted
def rows_of_a_robot(shop: Shop) -> Found:
    known = shop.on()[10]
    for n in range(200):
        sequence = None if n else known["sequence"]
        robot = {"customer_id": 1, "country": None, "sequence": sequence}
        shop.orders.append({**_order(5000 + n, known["ordered_at"]), **robot})
    return {"row_count": {BAD: len(shop.on())}, "volume_anomaly": {BAD: len(shop.on())}, "payments": {BAD: 200}}


@planted
def table_empty(shop: Shop) -> Found:
    shop.orders = []
    return {"row_count": {"": 0}, "freshness_ordered_at": {"": None}, "cancelled": ERRORED, "payments": {"": ANY}}


@planted
def column_dropped(shop: Shop) -> Found:
    shop.schema = pa.schema([each for each in SCHEMA if each.name != "note"])
    return {"columns": {"": None}, "note_encoding": ERRORED, "length_note": ERRORED}


@planted
def column_renamed(shop: Shop) -> Found:
    shop.schema = pa.schema([each.with_name("Rate") if each.name == "rate" else each for each in SCHEMA])
    for row in shop.orders:
        row["Rate"] = row["rate"]
    return {"columns": {"": None}, "not_null_rate": ERRORED, "range_rate": ERRORED}


@planted
def column_of_another_type(shop: Shop) -> Found:
    shop.schema = pa.schema([each.with_type(pa.string()) if each.name == "amount" else each for each in SCHEMA])
    for row in shop.orders:
        row["amount"] = str(row["amount"])
    return {"columns": {"": None}, "range_amount": ERRORED}


@planted
def column_of_fewer_digits(shop: Shop) -> Found:
    fewer = pa.decimal128(10, 2)
    shop.schema = pa.schema([each.with_type(fewer) if each.name == "amount" else each for each in SCHEMA])
    return {"columns": {"": None}}


@planted
def column_more(shop: Shop) -> Found:
    shop.schema = SCHEMA.append(pa.field("extra", pa.string()))
    return {"columns": {"": None}}


@planted
def columns_in_another_order(shop: Shop) -> Found:
    shop.schema = pa.schema([*list(SCHEMA)[1:], SCHEMA.field(0)])
    return {"columns": {"": None}}


@planted
def time_column_gone(shop: Shop) -> Found:
    shop.schema = pa.schema([each for each in SCHEMA if each.name != "ordered_at"])
    return {"columns": {"": None}, **{rule.check: ERRORED for rule in RULES.rules if rule.check != "columns"}}


def _later(hours: int) -> Callable[[dt.datetime], dt.datetime]:
    return lambda moment: moment + dt.timedelta(hours=hours)
