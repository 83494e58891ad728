import csv
import datetime as dt
import json
import shutil
import subprocess
import sys
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from dashboard_trust.demo.dbt import build, manifest_path, project_folder
from dashboard_trust.demo.home import Home
from dashboard_trust.demo.source import prepare
from dashboard_trust.errors import DashboardTrustError, WarehouseBusyError

AS_OF = dt.date(2024, 3, 14)
FIRST = AS_OF - dt.timedelta(days=13)
MIDDLE = dt.date(2024, 3, 7)
REVENUE = ("stg_payments", "stg_orders", "stg_refunds", "revenue_daily")
PIPELINE = ("stg_crm_opportunities", "pipeline_daily")


def load(home: Home) -> None:
    with home.warehouse.connect("load for a test") as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS raw")
        for name in ("payments", "orders", "refunds", "customers"):
            connection.execute(
                f"CREATE OR REPLACE TABLE raw.{name} AS SELECT * FROM read_csv(?, all_varchar = true)",
                [str(home.source / f"{name}.csv")],
            )
        connection.execute(
            "CREATE OR REPLACE TABLE raw.crm_opportunities AS"
            " SELECT * EXCLUDE filename, CAST(parse_filename(filename, true) AS DATE) AS partition_day"
            " FROM read_csv(?, all_varchar = true, filename = true)",
            [str(home.landing / "crm_opportunities" / "*.csv")],
        )


def query(home: Home, sql: str) -> list[tuple]:
    with home.warehouse.connect("read for a test") as connection:
        return connection.execute(sql).fetchall()


def contents(home: Home) -> dict[str, list[tuple]]:
    tables = ("staging.payments", "staging.orders", "staging.refunds", "marts.revenue_daily")
    return {table: sorted(query(home, f"SELECT * FROM {table}"), key=repr) for table in tables}


def statuses(tests: dict, name: str, word: str = "") -> dict[str, str]:
    """The words of the one test whose id has this in it, by day."""
    (found,) = [days for test, days in tests.items() if f".{name}" in test]
    return {day: outcome.status for day, outcome in found.items() if not word or outcome.status == word}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose project is parsed and whose raw tables are loaded."""
    home = Home(tmp_path_factory.mktemp("dbt") / "home")
    home.create()
    prepare(home, AS_OF)
    load(home)
    manifest_path(home)
    return home


@pytest.fixture
def home(prepared: Home) -> Home:
    """The same home with fresh tables: parsing is what takes the time."""
    with prepared.warehouse.connect("a fresh start for a test") as connection:
        for schema in ("staging", "marts"):
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    load(prepared)
    return prepared


def test_an_id_on_two_days_passes_neither(home: Home):
    """Over the range it is not unique; day by day it is: that is no reason to believe it."""
    ids = query(home, "SELECT min(payment_id) FROM raw.payments WHERE paid_at LIKE '2024-03-07%'")
    with home.warehouse.connect("test") as connection:
        connection.execute(
            "UPDATE raw.payments SET payment_id = ? WHERE payment_id ="
            " (SELECT min(payment_id) FROM raw.payments WHERE paid_at LIKE '2024-03-08%')",
            [ids[0][0]],
        )

    built = build(home, ("stg_payments",), MIDDLE, MIDDLE + dt.timedelta(days=1))

    assert not statuses(built.tests, "unique_stg_payments_payment_id", "pass")


def test_text_in_an_amount_fails_its_day_alone_and_is_no_number_in_a_mart(home: Home):
    with home.warehouse.connect("test") as connection:
        connection.execute(
            "UPDATE raw.payments SET amount = 'twelve' WHERE payment_id ="
            " (SELECT min(payment_id) FROM raw.payments WHERE paid_at LIKE '2024-03-07%' AND status = 'paid')"
        )

    bad = build(home, REVENUE, MIDDLE - dt.timedelta(days=1), MIDDLE)
    unknown = query(
        home, "SELECT gross_revenue, net_revenue FROM marts.revenue_daily WHERE report_date = DATE '2024-03-07'"
    )
    good = build(home, REVENUE, MIDDLE + dt.timedelta(days=1), AS_OF)

    assert statuses(bad.tests, "not_null_stg_payments_amount") == {"2024-03-06": "pass", "2024-03-07": "fail"}
    assert statuses(bad.tests, "not_null_revenue_daily_gross_revenue") == {"2024-03-06": "pass", "2024-03-07": "fail"}
    assert unknown == [(None, None)]
    assert set(good.built) == set(REVENUE)
    assert not good.errors
    assert {status for test in good.tests.values() for status in (o.status for o in test.values())} == {"pass"}


def test_a_model_that_cannot_be_built_is_an_error_and_not_built(home: Home):
    with home.warehouse.connect("test") as connection:
        connection.execute("ALTER TABLE raw.payments RENAME amount TO amount_eur")

    built = build(home, REVENUE, MIDDLE, MIDDLE)

    assert not {"stg_payments", "revenue_daily"} & set(built.built)
    assert any("stg_payments" in error and "amount" in error for error in built.errors)
    assert not [
        day
        for test, days in built.tests.items()
        if "revenue_daily" in test
        for day in days.values()
        if day.status == "pass"
    ]


def test_a_held_warehouse_is_no_green_build(home: Home, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DASHBOARD_TRUST_LOCK_SECONDS", "0.3")
    script = "import duckdb, sys, time; held = duckdb.connect(sys.argv[1]); print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script, str(home.warehouse.path)], stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            child.stdout.readline()
            with pytest.raises(WarehouseBusyError, match=str(child.pid)):
                build(home, REVENUE, MIDDLE, MIDDLE)
        finally:
            child.kill()

    assert build(home, REVENUE, MIDDLE, MIDDLE).built


def test_an_unknown_model_is_no_empty_success(home: Home):
    with pytest.raises(DashboardTrustError):
        build(home, ("revenue_weekly",), MIDDLE, MIDDLE)


def test_a_range_built_again_is_the_same(home: Home):
    build(home, REVENUE, FIRST, AS_OF)
    before = contents(home)

    build(home, REVENUE, MIDDLE, MIDDLE + dt.timedelta(days=3))
    build(home, REVENUE, FIRST, AS_OF)

    assert contents(home) == before


def test_a_day_that_became_empty_leaves_no_rows(home: Home):
    build(home, REVENUE, FIRST, AS_OF)
    before = contents(home)
    with home.warehouse.connect("test") as connection:
        for table, column in (("payments", "paid_at"), ("orders", "ordered_at"), ("refunds", "refunded_at")):
            connection.execute(f"DELETE FROM raw.{table} WHERE {column} LIKE '2024-03-07%'")

    build(home, REVENUE, MIDDLE, MIDDLE)

    assert query(home, "SELECT count(*) FROM staging.payments WHERE day = DATE '2024-03-07'") == [(0,)]
    assert query(
        home, "SELECT * EXCLUDE report_date FROM marts.revenue_daily WHERE report_date = DATE '2024-03-07'"
    ) == [(Decimal("0.00"), Decimal("0.00"), Decimal("0.00"), 0)]
    others = [row for row in before["marts.revenue_daily"] if row[0] != MIDDLE]
    assert [row for row in contents(home)["marts.revenue_daily"] if row[0] != MIDDLE] == others


def test_every_day_of_the_mart_is_what_the_source_files_say(home: Home):
    cents = lambda text: int(Decimal(text) * 100)  # noqa: E731
    expected: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for name, column, place in (("payments", "paid_at", 0), ("refunds", "refunded_at", 1), ("orders", "ordered_at", 2)):
        with (home.source / f"{name}.csv").open(newline="") as file:
            for row in csv.DictReader(file):
                if row.get("status", "paid") == "paid":
                    expected[row[column][:10]][place] += 1 if name == "orders" else cents(row["amount"])

    built = build(home, REVENUE, FIRST, AS_OF)

    assert {outcome.status for days in built.tests.values() for outcome in days.values()} == {"pass"}
    assert all(len(days) == 14 for days in built.tests.values())
    mart = query(home, "SELECT * FROM marts.revenue_daily ORDER BY report_date")
    assert [(str(day), gross, refunds, net, orders) for day, gross, refunds, net, orders in mart] == [
        (day, Decimal(gross) / 100, Decimal(refunds) / 100, Decimal(gross - refunds) / 100, orders)
        for day, (gross, refunds, orders) in sorted(expected.items())
    ]
    assert len(mart) == 14


def test_the_pipeline_is_the_days_file(home: Home):
    with (home.landing / "crm_opportunities" / f"{MIDDLE}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    built = build(home, PIPELINE, FIRST, AS_OF)

    assert {outcome.status for days in built.tests.values() for outcome in days.values()} == {"pass"}
    mart = query(
        home, f"SELECT stage, opportunities, amount FROM marts.pipeline_daily WHERE report_date = DATE '{MIDDLE}'"
    )
    stages = {row["stage"] for row in rows}
    assert {stage: (number, amount) for stage, number, amount in mart} == {
        stage: (
            sum(row["stage"] == stage for row in rows),
            sum(Decimal(row["amount"]) for row in rows if row["stage"] == stage),
        )
        for stage in stages
    }


def test_nothing_dbt_keeps_names_where_the_home_stands(home: Home):
    build(home, REVENUE, MIDDLE, MIDDLE)

    kept = [path for path in home.dbt.rglob("*") if path.is_file()]

    assert manifest_path(home) in kept
    for place in (home.path, project_folder(), Path.home() / ""):
        assert not [path for path in kept if f"{place}/".encode() in path.read_bytes()]


def test_dbt_writes_nothing_into_the_project_folder(home: Home):
    files = {path: path.stat().st_mtime_ns for path in project_folder().rglob("*")}

    build(home, REVENUE, MIDDLE, MIDDLE)

    assert {path: path.stat().st_mtime_ns for path in project_folder().rglob("*")} == files


def test_a_copied_home_goes_on_working(home: Home, tmp_path: Path):
    build(home, REVENUE, FIRST, AS_OF)
    copy = Home(tmp_path / "copy")
    shutil.copytree(home.path, copy.path)

    build(copy, REVENUE, MIDDLE, MIDDLE)

    assert contents(copy) == contents(home)


def test_the_kept_manifest_is_found_without_dbt(home: Home):
    script = (
        "import sys; from pathlib import Path; from dashboard_trust.demo.dbt import manifest_path;"
        "from dashboard_trust.demo.home import Home;"
        "print(manifest_path(Home(Path(sys.argv[1])))); assert not [m for m in sys.modules if m.split('.')[0] == 'dbt']"
    )

    result = subprocess.run([sys.executable, "-c", script, str(home.path)], check=True, capture_output=True, text=True)

    assert Path(result.stdout.strip()) == manifest_path(home)


@pytest.mark.long
def test_two_homes_build_at_once(prepared: Home, tmp_path: Path):
    script = (
        "import sys, datetime as dt; from pathlib import Path; from dashboard_trust.demo.dbt import build;"
        "from dashboard_trust.demo.home import Home;"
        "day = dt.date.fromisoformat(sys.argv[2]); built = build(Home(Path(sys.argv[1])), sys.argv[3:], day, day);"
        "assert not built.errors; print(len(built.built))"
    )
    homes = [Home(tmp_path / name) for name in ("one", "two")]
    for home in homes:
        home.create()
        prepare(home, AS_OF)
        load(home)
    children = [
        subprocess.Popen([sys.executable, "-c", script, str(home.path), str(MIDDLE), *REVENUE], stdout=subprocess.PIPE)
        for home in homes
    ]

    assert [child.communicate(timeout=120)[0].split()[-1] for child in children] == [b"4", b"4"]
    for home in homes:
        assert query(home, "SELECT count(*) FROM marts.revenue_daily") == [(1,)]


def test_the_exposure_names_its_marts_and_no_mart_is_built_from_customers(home: Home):
    manifest = json.loads(manifest_path(home).read_text())
    exposure = manifest["exposures"]["exposure.daily_revenue.daily_revenue"]
    assert sorted(exposure["depends_on"]["nodes"]) == [
        "model.daily_revenue.pipeline_daily",
        "model.daily_revenue.revenue_daily",
    ]
    assert exposure["owner"]["email"]

    above, todo = set(), list(exposure["depends_on"]["nodes"])
    while todo:
        node = todo.pop()
        above.add(node)
        todo += manifest["parent_map"][node]
    assert not [node for node in above if "customers" in node]
