"""The demo's source data: a small shop's systems of record, the same for a day whenever it is made."""

from __future__ import annotations

import csv
import datetime as dt
import random
import shutil
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path

from dashboard_trust.demo.home import Home
from dashboard_trust.errors import HomeError

DAYS = 14
TIME_COLUMNS = {"payments": "paid_at", "orders": "ordered_at", "refunds": "refunded_at"}
STAGES = ("lead", "qualified", "proposal", "negotiation", "won")
COUNTRIES = ("DE", "FR", "NL", "AT", "SE", "PL")
CUSTOMERS = 60

Rows = list[dict[str, str]]


def prepare(home: Home, as_of: dt.date) -> None:
    """Write ``source/`` and ``landing/`` for the 14 days up to ``as_of``, where there is no ``source/`` yet.

    Written beside and renamed, ``source/`` last: half of it is never taken for the whole.
    """
    if home.source.exists():
        return
    days = [as_of - dt.timedelta(days=n) for n in reversed(range(DAYS))]
    tables: dict[str, Rows] = {"customers": _customers(), "orders": [], "payments": [], "refunds": []}
    for day in days:
        for name, rows in _trade(day).items():
            tables[name] += rows
    try:
        if not home.landing.exists():
            files = {f"crm_opportunities/{day}.csv": _opportunities(day) for day in days}
            _write_folder(home.landing, files)
        _write_folder(home.source, {f"{name}.csv": rows for name, rows in tables.items()})
    except OSError as error:
        raise HomeError(
            f"{home.path} cannot be written to: {error.strerror}. Name another folder with --home."
        ) from None


def first_day(home: Home) -> dt.date | None:
    """Return the first day any system of record speaks of; None where none can be read."""
    return min(_days(home), default=None)


def last_day(home: Home) -> dt.date | None:
    """Return the last day any system of record speaks of; None where none can be read."""
    return max(_days(home), default=None)


def _days(home: Home) -> Iterator[dt.date]:
    for name, column in TIME_COLUMNS.items():
        try:
            with (home.source / f"{name}.csv").open(newline="", encoding="utf-8", errors="replace") as file:
                for row in csv.DictReader(file):
                    day = _day(row.get(column))
                    if day is not None:
                        yield day
        except (OSError, csv.Error):
            continue  # the sync will name what is wrong with it


def _day(text: str | None) -> dt.date | None:
    try:
        moment = dt.datetime.fromisoformat(text or "")
        return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).astimezone(dt.UTC).date()
    except (ValueError, OverflowError):
        return None


def _customers() -> Rows:
    chance = random.Random("customers")  # noqa: S311 - made-up data, the same every time
    return [
        {
            "customer_id": f"C{number:03}",
            "name": f"Customer {number:03}",
            "country": chance.choice(COUNTRIES),
            "created_at": f"2020-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T09:00:00Z",
        }
        for number in range(1, CUSTOMERS + 1)
    ]


def _trade(day: dt.date) -> dict[str, Rows]:
    """A day's orders, with a paid payment for each paid one, and its refunds."""
    chance = random.Random(f"trade {day}")  # noqa: S311
    orders: Rows = []
    payments: Rows = []
    for number in range(1, chance.randint(32, 52) + 1):
        customer = f"C{chance.randint(1, CUSTOMERS):03}"
        amount = str(Decimal(chance.randint(900, 48000)) / 100)
        paid = number <= 12 or chance.random() < 0.85
        moment = _moment(day, chance)
        order, payment = f"O{day:%Y%m%d}-{number:03}", f"P{day:%Y%m%d}-{number:03}"
        common = {"customer_id": customer, "amount": f"{Decimal(amount):.2f}"}
        orders.append({"order_id": order, "ordered_at": moment, "status": "paid" if paid else "cancelled", **common})
        status = "paid" if paid else "failed"
        payments.append({"payment_id": payment, "order_id": order, "paid_at": moment, "status": status, **common})
    settled = [payment for payment in payments if payment["status"] == "paid"]
    return {"orders": orders, "payments": payments, "refunds": _refunds(day, settled, chance)}


def _refunds(day: dt.date, settled: Rows, chance: random.Random) -> Rows:
    rows = []
    for number, payment in enumerate(chance.sample(settled, chance.randint(3, 6)), start=1):
        part = chance.choice((Decimal("1"), Decimal("0.5"), Decimal("0.25")))
        rows.append(
            {
                "refund_id": f"R{day:%Y%m%d}-{number:03}",
                "payment_id": payment["payment_id"],
                "refunded_at": f"{day}T23:{number:02}:00Z",
                "amount": f"{Decimal(payment['amount']) * part:.2f}",
            }
        )
    return rows


def _opportunities(day: dt.date) -> Rows:
    chance = random.Random(f"crm {day}")  # noqa: S311
    return [
        {
            "opportunity_id": f"OPP-{number:04}",
            "account": f"Account {chance.randint(1, 80):02}",
            "stage": STAGES[(number + chance.randint(0, 1)) % len(STAGES)],
            "amount": f"{Decimal(chance.randint(100000, 9000000)) / 100:.2f}",
            "updated_at": _moment(day, chance),
        }
        for number in range(1, chance.randint(14, 20) + 1)
    ]


COLUMNS = {
    "payments": ("payment_id", "order_id", "customer_id", "paid_at", "amount", "status"),
    "orders": ("order_id", "customer_id", "ordered_at", "amount", "status"),
    "refunds": ("refund_id", "payment_id", "refunded_at", "amount"),
    "customers": ("customer_id", "name", "country", "created_at"),
    "crm_opportunities": ("opportunity_id", "account", "stage", "amount", "updated_at"),
}


def _moment(day: dt.date, chance: random.Random) -> str:
    return f"{day}T{chance.randint(0, 22):02}:{chance.randint(0, 59):02}:{chance.randint(0, 59):02}Z"


def _write_folder(folder: Path, files: dict[str, Rows]) -> None:
    building = folder.with_name(f".{folder.name}.building")
    shutil.rmtree(building, ignore_errors=True)
    for name, rows in files.items():
        path = building / name
        path.parent.mkdir(parents=True, exist_ok=True)
        table = path.parent.name if path.parent != building else path.stem
        _write_csv(path, COLUMNS[table], rows)
    building.rename(folder)


def _write_csv(path: Path, columns: Sequence[str], rows: Rows) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
