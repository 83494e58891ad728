"""What must never happen: a day is shown although something upstream of it is not right."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

HOLDER = "import duckdb, sys, time; held = duckdb.connect(sys.argv[1]); print('held', flush=True); time.sleep(600)"


@dataclass(frozen=True)
class Failure:
    """Something wrong with the source, and the finding that must name it."""

    spoil: Callable
    readiness: str
    asset: str
    check: str | None
    words: str


def of_the_day(demo, column="paid_at"):
    return lambda row: row[column].startswith(str(demo.day))


def paid_payments_missing(demo):
    demo.write(
        "payments", [row for row in demo.rows("payments") if not (of_the_day(demo)(row) and row["status"] == "paid")]
    )


def all_payments_missing(demo):
    demo.write("payments", [row for row in demo.rows("payments") if not of_the_day(demo)(row)])


def half_of_the_payments_missing(demo):
    day = list(filter(of_the_day(demo), demo.rows("payments")))
    demo.write("payments", [row for row in demo.rows("payments") if row not in day[::2]])


def rows_loaded_twice(demo):
    demo.write("payments", [*demo.rows("payments"), *filter(of_the_day(demo), demo.rows("payments"))])


def column_renamed(demo):
    path = demo.home.source / "payments.csv"
    path.write_text(path.read_text().replace("amount", "total", 1))


def time_column_renamed(demo):
    path = demo.home.source / "payments.csv"
    path.write_text(path.read_text().replace("paid_at", "settled_at", 1))


def text_in_an_amount(demo):
    rows = demo.rows("payments")
    next(filter(of_the_day(demo), rows))["amount"] = "12.50 EUR"
    demo.write("payments", rows)


def order_below_nothing(demo):
    rows = demo.rows("orders")
    next(filter(of_the_day(demo, "ordered_at"), rows))["amount"] = "-5.00"
    demo.write("orders", rows)


def header_only(demo):
    path = demo.home.source / "payments.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")


def key_missing(demo):
    rows = demo.rows("refunds")
    next(filter(of_the_day(demo, "refunded_at"), rows))["refund_id"] = ""
    demo.write("refunds", rows)


def source_file_missing(demo):
    (demo.home.source / "refunds.csv").unlink()


def ragged_row(demo):
    path = demo.home.source / "payments.csv"
    path.write_text(path.read_text() + "P1,O1\n")


FAILURES = [
    Failure(paid_payments_missing, "BLOCKED", "raw/payments", "reconciliation", "raw.payments has 0 for 0.00"),
    Failure(all_payments_missing, "DELAYED", "raw/payments", None, "holds no rows for 2025-03-14"),
    Failure(half_of_the_payments_missing, "BLOCKED", "raw/payments", "reconciliation", "keys differ"),
    Failure(rows_loaded_twice, "BLOCKED", "raw/payments", "unique_payment_id", "share their payment_id with another"),
    Failure(column_renamed, "BLOCKED", "raw/payments", "stream_configuration", "not in the table: amount"),
    Failure(time_column_renamed, "BLOCKED", "raw/payments", "stream_configuration", "not in the table: paid_at"),
    Failure(text_in_an_amount, "BLOCKED", "raw/payments", "fits_amount", "rows have no decimal(18, 2) in amount"),
    # A rule of the shop's own data contract.
    Failure(order_below_nothing, "BLOCKED", "raw/orders", "pattern_amount", "rows have amount that is not like"),
    Failure(header_only, "DELAYED", "raw/payments", None, "it is empty"),
    Failure(key_missing, "BLOCKED", "raw/refunds", "not_null_refund_id", "have no refund_id"),  # a check that fails
    Failure(source_file_missing, "BLOCKED", "raw/refunds", None, "refunds.csv: No such file"),
    Failure(ragged_row, "BLOCKED", "raw/payments", None, "2 values, but the header has 6 columns"),
]


@pytest.fixture
def keep_source(demo):
    """Put the source right again."""
    kept = demo.home.path.with_name("kept-source")
    shutil.copytree(demo.home.source, kept)

    def repair():
        shutil.rmtree(demo.home.source)
        shutil.copytree(kept, demo.home.source)

    yield repair
    shutil.rmtree(kept)


IN_SHORT = ("rows_loaded_twice", "all_payments_missing")
"""Those that `make test` runs; CI runs all."""


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(one, id=(name := one.spoil.__name__), marks=() if name in IN_SHORT else pytest.mark.long)
        for one in FAILURES
    ],
)
def test_it_holds_names_the_cause_changes_nothing_and_ends_with_the_repair(demo, failure, keep_source):
    before = demo.publication()
    failure.spoil(demo)

    result = demo.run()

    assert (str(result.verdict.readiness), result.published) == (failure.readiness, False)
    causes = [finding for finding in result.verdict.causes if failure.words in finding.reason]
    assert (failure.asset, failure.check) in [(finding.asset, finding.check) for finding in causes]
    assert failure.words in demo.words_when_launched_alone()
    assert demo.publication() == before
    word = (demo.home.site / "readiness.js").read_text()
    assert failure.readiness in word
    assert failure.asset in word

    keep_source()
    repaired = demo.run()

    assert (str(repaired.verdict.readiness), repaired.published) == ("READY", True)
    demo.assert_shows(demo.day)


def test_a_failed_sync_leaves_every_raw_table_as_it_was(demo):
    tables = ("raw.payments", "raw.orders", "raw.refunds", "raw.customers")
    demo.correct_refund(demo.day)
    before = {table: demo.table(table) for table in tables}
    ragged_row(demo)

    assert not demo.launch("raw/payments", "raw/orders", "raw/refunds", "raw/customers", day=None).success

    assert {table: demo.table(table) for table in tables} == before


@pytest.mark.long
def test_checks_that_looked_at_an_older_load_hold(demo):
    before = demo.publication()
    demo.correct_refund(demo.day)

    assert demo.launch("raw/payments", "raw/orders", "raw/refunds", "raw/customers", day=None, checks=False).success

    words = demo.words_when_launched_alone()
    assert "raw/refunds 2025-03-14 fits_amount not_run looked at another load than the newest one" in words
    assert demo.publication() == before
    assert demo.run().published
    demo.assert_shows(demo.day)


@pytest.mark.long
@pytest.mark.parametrize("spoil", [half_of_the_payments_missing, source_file_missing])
def test_dagsters_own_command_holds_the_dashboard_launched_alone(demo, spoil):
    before = demo.publication()
    spoil(demo)
    assert not demo.run().published

    asked = ("--select", "dashboards/daily_revenue", "--partition", str(demo.day))
    launched = subprocess.run(
        [sys.executable, "-m", "dagster", "asset", "materialize", *asked, "-m", "dashboard_trust.demo.definitions"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert launched.returncode != 0
    assert "upstream_ready" in launched.stdout + launched.stderr
    assert demo.publication() == before


@pytest.fixture
def holder(demo):
    """Another process that holds the warehouse, as a BI tool would."""
    command = [sys.executable, "-c", HOLDER, str(demo.home.warehouse.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


@pytest.mark.long
def test_a_warehouse_held_by_another_process_is_our_failure_and_names_it(demo, holder, monkeypatch):
    before = {path: path.read_bytes() for path in demo.home.site.rglob("index.html")}
    demo.correct_refund(demo.day)
    monkeypatch.setenv("DASHBOARD_TRUST_LOCK_SECONDS", "1")

    ended = demo.command("demo")

    assert ended.returncode == 1
    assert f"warehouse.duckdb is held by process {holder.pid}" in ended.stderr
    holder.kill()
    holder.wait()
    assert f"held by process {holder.pid}" in demo.words_when_launched_alone()
    assert {path: path.read_bytes() for path in demo.home.site.rglob("index.html")} == before
    assert demo.run().published
    demo.assert_shows(demo.day)
