import csv
import datetime as dt
import re
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from dashboard_trust.demo.home import Home
from dashboard_trust.demo.source import first_day, last_day, prepare
from dashboard_trust.errors import HomeError

AS_OF = dt.date(2024, 3, 14)
DAYS = [(AS_OF - dt.timedelta(days=n)).isoformat() for n in range(14)]
COLUMNS = {
    "payments": "payment_id,order_id,customer_id,paid_at,amount,status",
    "orders": "order_id,customer_id,ordered_at,amount,status",
    "refunds": "refund_id,payment_id,refunded_at,amount",
    "customers": "customer_id,name,country,created_at",
}


def rows_of(home: Home, name: str) -> list[dict[str, str]]:
    with (home.source / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def by_day(rows: list[dict[str, str]], column: str) -> dict[str, list[dict[str, str]]]:
    days = defaultdict(list)
    for row in rows:
        days[row[column][:10]].append(row)
    return days


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.create()
    prepare(home, AS_OF)
    return home


def test_nothing_is_ever_written_over(home: Home):
    (home.source / "refunds.csv").write_text("corrected by hand\n")
    (home.source / "orders.csv").unlink()
    (home.landing / "crm_opportunities" / f"{AS_OF}.csv").unlink()
    before = files_of(home.path)

    prepare(home, AS_OF + dt.timedelta(days=1))

    assert files_of(home.path) == before


def test_what_a_killed_preparation_left_is_neither_taken_nor_in_the_way(tmp_path: Path):
    home = Home(tmp_path)
    half = home.path / ".source.building"
    half.mkdir()
    (half / "payments.csv").write_text("half")
    (half / "left_over.csv").write_text("half")

    prepare(home, AS_OF)

    assert sorted(path.name for path in home.source.iterdir()) == [f"{name}.csv" for name in sorted(COLUMNS)]
    assert len(rows_of(home, "payments")) > 14
    assert not half.exists()


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")

    with pytest.raises(HomeError, match=r"cannot be written to: .*--home"):
        prepare(Home(tmp_path / "file"), AS_OF)


def test_a_days_paid_orders_and_paid_payments_agree_exactly(home: Home):
    paid = {
        name: {
            day: sorted((row["order_id"], row["amount"]) for row in rows if row["status"] == "paid")
            for day, rows in by_day(rows_of(home, name), column).items()
        }
        for name, column in (("orders", "ordered_at"), ("payments", "paid_at"))
    }

    assert sorted(paid["orders"]) == sorted(DAYS)
    assert paid["orders"] == paid["payments"]
    assert all(paid["orders"].values())


def test_every_day_has_three_refunds_of_payments_that_were_paid_before(home: Home):
    payments = {row["payment_id"]: row for row in rows_of(home, "payments")}
    refunds = rows_of(home, "refunds")

    assert all(len(by_day(refunds, "refunded_at")[day]) >= 3 for day in DAYS)
    for refund in refunds:
        payment = payments[refund["payment_id"]]
        assert payment["status"] == "paid"
        assert payment["paid_at"] <= refund["refunded_at"]
        assert Decimal(0) < Decimal(refund["amount"]) <= Decimal(payment["amount"])


def test_columns_keys_amounts_and_times_are_as_promised(home: Home):
    for name, header in COLUMNS.items():
        rows = rows_of(home, name)
        key = header.split(",")[0]
        assert ",".join(rows[0]) == header
        assert len({row[key] for row in rows}) == len(rows)
        assert all(re.fullmatch(r"\d+\.\d\d", row["amount"]) for row in rows if "amount" in row)
        times = [row[column] for row in rows for column in row if column.endswith("_at")]
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", time) for time in times)


def test_every_day_has_failed_payments_too_somewhere_and_a_crm_file(home: Home):
    assert {row["status"] for row in rows_of(home, "payments")} == {"paid", "failed"}
    files = sorted(path.stem for path in (home.landing / "crm_opportunities").iterdir())
    assert files == sorted(DAYS)


def test_a_day_looks_the_same_whatever_day_the_data_ends(home: Home, tmp_path: Path):
    later = Home(tmp_path / "later")
    later.create()
    prepare(later, AS_OF + dt.timedelta(days=5))

    for name, column in (("payments", "paid_at"), ("orders", "ordered_at"), ("refunds", "refunded_at")):
        ours, theirs = by_day(rows_of(home, name), column), by_day(rows_of(later, name), column)
        assert ours[AS_OF.isoformat()] == theirs[AS_OF.isoformat()]
    file = Path("crm_opportunities") / f"{AS_OF}.csv"
    assert (home.landing / file).read_bytes() == (later.landing / file).read_bytes()


def test_first_and_last_day_come_from_the_source_whatever_else_is_in_it(home: Home):
    assert (first_day(home), last_day(home)) == (dt.date(2024, 3, 1), AS_OF)

    with (home.source / "orders.csv").open("ab") as file:
        file.write(b'O-x,C001,yesterday,1.00,paid\nO-y\n\xff\xfe,\n"open quote')
    (home.source / "refunds.csv").unlink()
    payments = (home.source / "payments.csv").read_text()
    (home.source / "payments.csv").write_text(payments.replace("paid_at", "payed_at", 1))

    assert (first_day(home), last_day(home)) == (dt.date(2024, 3, 1), AS_OF)


def test_a_time_at_the_edge_of_the_calendar_is_only_a_bad_row(home: Home):
    with (home.source / "orders.csv").open("a") as file:
        file.write("O-x,C001,0001-01-01T00:00:00+14:00,1.00,paid\n")

    assert last_day(home) == AS_OF


def test_a_source_that_cannot_be_read_has_no_days(tmp_path: Path):
    assert first_day(Home(tmp_path)) is None
    assert last_day(Home(tmp_path)) is None
