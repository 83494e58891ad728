"""The rules of the demo's raw tables."""

from __future__ import annotations

from dashboard_trust.checks.rules import RawTable, Reconciliation

AMOUNT = "decimal(18, 2)"

TABLES = {
    "payments": RawTable(
        "raw.payments",
        key="payment_id",
        time_column="paid_at",
        types={"amount": AMOUNT, "paid_at": "timestamp"},
        accepted={"status": ("paid", "failed")},
        reconciles=Reconciliation("raw.orders", "ordered_at", "order_id", "amount", ("status", "paid")),
    ),
    "orders": RawTable(
        "raw.orders",
        key="order_id",
        time_column="ordered_at",
        types={"amount": AMOUNT, "ordered_at": "timestamp"},
        accepted={"status": ("paid", "cancelled")},
    ),
    "refunds": RawTable(
        "raw.refunds",
        key="refund_id",
        time_column="refunded_at",
        types={"amount": AMOUNT, "refunded_at": "timestamp"},
    ),
    "customers": RawTable("raw.customers", key="customer_id", types={"created_at": "timestamp"}),
    "crm_opportunities": RawTable(
        "raw.crm_opportunities",
        key="opportunity_id",
        time_column="partition_day",
        types={"amount": AMOUNT, "updated_at": "timestamp"},
        snapshots=True,
        accepted={"stage": ("lead", "qualified", "proposal", "negotiation", "won", "lost")},
    ),
}
