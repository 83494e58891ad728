"""Rules of a table as asset checks, in real runs: what holds, what is errored, and what each result is about."""

from __future__ import annotations

import datetime as dt
import time
import zoneinfo
from decimal import Decimal

import dagster as dg
import pyarrow as pa
import pytest

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.contracts.row_rules import Condition, NotNull, Range, Unique
from dashboard_trust.contracts.table_rules import (
    Columns,
    Freshness,
    Query,
    Reconciliation,
    RowCount,
    TableRules,
    VolumeAnomaly,
)
from dashboard_trust.enforcement import known_tables
from dashboard_trust.enforcement.audited_assets import AUDIT, audited
from dashboard_trust.enforcement.fingerprinted_assets import fingerprinted
from dashboard_trust.enforcement.gated_assets import gates, trust, trusted_dashboard
from dashboard_trust.enforcement.io_manager import TrustedIOManager
from dashboard_trust.enforcement.table_checks import table_checks
from dashboard_trust.enforcement.words import accept_schema, waive
from dashboard_trust.errors import ContractError, InvalidInputError
from dashboard_trust.evidence.names import SLICES
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-03-31")
D1, D2, D3 = "2026-01-01", "2026-01-02", "2026-01-03"
ORDERS = dg.AssetKey(["shop", "orders"])
SOON = dt.timedelta(hours=1)


@pytest.fixture
def warehouse(tmp_path):
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb")


class Shop:
    """A table of orders that is loaded as it is told, its checks, and a dashboard that stands on it."""

    def __init__(self, run, instance, warehouse, rules, *, partitions=DAYS, prints=False, **about):
        self.run, self.instance, self.warehouse = run, instance, warehouse
        self.rows, self.columns = {}, "day DATE, id INT, amount INT"

        @dg.asset(
            key=["shop", "orders"],
            partitions_def=partitions,
            backfill_policy=dg.BackfillPolicy.single_run() if partitions is not None else None,
            metadata={"partition_expr": "day"},
        )
        def orders(context) -> None:
            keys = context.partition_keys if partitions is not None else list(self.rows)
            self.load(keys)

        assets = fingerprinted(orders, lambda: warehouse) if prints else orders
        table = TableRules("shop/orders", tuple(rules), **about)
        contract = DashboardContract("dash", "team:dash", tables=(table,))
        dash = trusted_dashboard(contract, lambda *_: None, deps=["shop/orders"], partitions_def=partitions)
        self.defs = trust(dg.Definitions([assets, dash]), warehouse=lambda: warehouse)

    def load(self, days):
        with self.warehouse.connect("test") as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS shop")
            connection.execute(f"CREATE TABLE IF NOT EXISTS shop.orders ({self.columns})")
            for day in days:
                at = day and f"{day[:10]} {day[11:]}".strip()
                connection.execute("DELETE FROM shop.orders WHERE day = ?", [at])
                for row in self.rows[day]:
                    connection.execute(f"INSERT INTO shop.orders VALUES (?, {', '.join('?' * len(row))})", [at, *row])

    def write(self, rows, *, checks=True):
        """Load some days in one run, with their checks or without."""
        self.rows, days = rows, sorted(day for day in rows if day)
        partitioned = self.defs.resolve_asset_graph().get(ORDERS).partitions_def is not None
        day, to = (days[0], days[-1] if len(days) > 1 else None) if partitioned else (None, None)
        return self.run(self.defs, "shop/orders", day=day, to=to) if checks else self._only({ORDERS}, set(), day)

    def check(self, day=None):
        """Look again, without a load."""
        keys = self.defs.resolve_asset_graph().asset_check_keys
        return self._only(set(), {key for key in keys if key.asset_key == ORDERS}, day)

    def _only(self, assets, checks, day):
        job = self.defs.resolve_implicit_global_asset_job_def()
        subset = job.get_subset(asset_selection=assets, asset_check_selection=checks)
        return subset.execute_in_process(instance=self.instance, partition_key=day, raise_on_error=False)

    def findings(self, day=None):
        gate = gates(self.defs)[dg.AssetKey("dash")]
        verdict = gate.judge(self.instance, [day], dt.datetime.now(dt.UTC))[day]
        return {finding.check: finding for finding in verdict.findings if finding.asset == "shop/orders"}


@pytest.fixture
def shop(run, instance, warehouse):
    return lambda *rules, **options: Shop(run, instance, warehouse, rules, **options)


def outcomes(findings):
    return {check: str(finding.outcome) for check, finding in findings.items()}


def test_a_bad_day_holds_and_the_others_of_its_run_do_not(shop, run):
    orders = shop(Unique(("id",)), Range("amount", min=0))
    orders.write({D1: [(1, 5)], D2: [(2, 5), (2, 5)], D3: [(2, -1)]})

    assert outcomes(orders.findings(D1)) == {}
    assert outcomes(orders.findings(D2)) == {"unique_id": "failed"}
    assert outcomes(orders.findings(D3)) == {"range_amount": "failed"}
    assert run(orders.defs, "dash", day=D1).success
    assert not run(orders.defs, "dash", day=D2).success


def test_a_rule_that_cannot_be_looked_at_is_errored_and_stops_no_other(shop):
    orders = shop(NotNull("nope"), Condition("amount / 0 > 'x'", name="odd"), Unique(("id",)))
    result = orders.write({D1: [(1, 5), (1, 5)]})

    assert not result.success
    assert outcomes(orders.findings(D1)) == {"not_null_nope": "errored", "odd": "errored", "unique_id": "failed"}
    assert orders.findings(D1)["not_null_nope"].reason.startswith("shop.orders has no column 'nope'")


def test_an_errored_rule_tells_its_own_cause_and_no_other_ones(shop):
    orders = shop(
        NotNull("nope"),
        Query("SELECT MAX(amount) FROM {table}", max=Decimal(10), name="largest"),
        Query("SELECT MIN(id) FROM shop.gone", max=Decimal(10), name="smallest"),
    )
    result = orders.write({D1: [(1, None)], D2: [(2, 5)], D3: [(3, None)]})
    failure = next(event.step_failure_data for event in result.all_events if event.is_step_failure)
    gone = orders.findings(D2)

    assert {check: found.reason.split(":")[0] for check, found in orders.findings(D1).items()} == {
        "not_null_nope": "shop.orders has no column 'nope'",
        "largest": "query 'largest' is to give one number, and gave NULL",
        "smallest": "DuckDB refused",
    }
    assert outcomes(gone) == {"not_null_nope": "errored", "smallest": "errored"}
    assert "gone does not exist" in gone["smallest"].reason
    assert "nope" not in gone["smallest"].reason
    told = failure.error.to_string()
    assert all(word in told for word in ("'nope'", f"largest ({D1})", f"largest ({D3})", "smallest"))


def test_a_partition_that_moved_is_the_cause_of_all_its_checks_and_of_no_other_ones(shop, warehouse):
    largest = Query("SELECT MAX(amount) FROM {table}", max=Decimal(10), name="largest")
    orders = shop(Unique(("id",)), largest, prints=True)
    orders.write({D1: [(1, 5)], D2: [(2, 5)]})
    with warehouse.connect("test") as connection:
        connection.execute("INSERT INTO shop.orders VALUES (?, 1, NULL), (?, 2, 5)", [D1, D1])
    orders.check(D1)

    reasons = {found.reason for found in orders.findings(D1).values()}
    assert len(reasons) == 1
    assert "rows that its newest load did not leave there" in reasons.pop()
    assert orders.findings(D2) == {}


def test_a_query_that_cannot_be_asked_of_one_day_is_errored_there_and_judged_on_the_others(shop, run):
    orders = shop(Query("SELECT MAX(amount) FROM {table}", max=Decimal(10), name="largest"))
    result = orders.write({D1: [(1, 5)], D2: [(2, None)], D3: [(3, 50)]})

    assert not result.success
    assert {e.partition: e.passed for e in result.get_asset_check_evaluations() if e.check_name == "largest"} == {
        D1: True,
        D3: False,
    }
    assert outcomes(orders.findings(D1)) == {}
    assert outcomes(orders.findings(D2)) == {"largest": "errored"}
    assert outcomes(orders.findings(D3)) == {"largest": "failed"}
    assert orders.findings(D2)["largest"].reason == "query 'largest' is to give one number, and gave NULL"
    assert run(orders.defs, "dash", day=D1).success
    assert not run(orders.defs, "dash", day=D2).success


def test_a_table_that_is_not_there_holds_every_check(shop, warehouse):
    orders = shop(NotNull("id"))
    orders.write({D1: [(1, 5)]})
    with warehouse.connect("test") as connection:
        connection.execute("DROP TABLE shop.orders")
    orders.check(D1)

    assert set(outcomes(orders.findings(D1)).values()) == {"errored"}


def test_a_partition_without_rows_fails_though_no_rule_says_so(shop):
    orders = shop(NotNull("id"))
    orders.write({D1: []})

    assert outcomes(orders.findings(D1)) == {"row_count": "failed"}


def test_a_warning_is_said_and_holds_nothing(shop, run):
    orders = shop(Range("amount", min=0, severity="warn"))
    orders.write({D1: [(1, -5)]})

    assert outcomes(orders.findings(D1)) == {"range_amount": "warned"}
    assert run(orders.defs, "dash", day=D1).success


def test_checks_count_for_the_load_they_looked_at(shop):
    orders = shop(NotNull("id"))
    orders.write({D1: [(1, 5)]})
    orders.write({D1: [(1, 5), (2, 5)]}, checks=False)

    assert outcomes(orders.findings(D1)) == {"not_null_id": "not_run", "row_count": "not_run"}
    assert orders.check(D1).success
    assert orders.findings(D1) == {}


def test_rows_that_the_load_did_not_leave_fail_its_checks(shop, warehouse):
    orders = shop(NotNull("id"), prints=True)
    orders.write({D1: [(1, 5)]})
    assert orders.findings(D1) == {}
    with warehouse.connect("test") as connection:
        connection.execute("INSERT INTO shop.orders VALUES ('2026-01-01', 2, 2)")
    orders.check(D1)

    assert "2 rows that its newest load did not leave there" in orders.findings(D1)["not_null_id"].reason


def test_a_table_without_partitions_is_judged_by_day(shop):
    orders = shop(Unique(("id",)), Range("amount", min=0), partitions=None, time_column="day")
    orders.write({D1: [(1, 5)], D2: [(2, -5)]})
    result = orders.check()
    said = {e.check_name: e for e in result.get_asset_check_evaluations()}
    days = said["range_amount"].metadata["dashboard_trust/days"].value
    assert (days[D1][0], days[D2]) == (True, [False, "1 of 1 rows have amount under 0"])
    assert said["unique_id"].passed


def by_day_and_whole(shop, rule, rows):
    """Return who is held by a rule of a table by day: a consumer of the whole, and one of each of these days."""
    orders = shop(rule, partitions=None, time_column="day")
    orders.write(rows)
    (said,) = [e for e in orders.check().get_asset_check_evaluations() if e.check_name == rule.check]
    days = said.metadata["dashboard_trust/days"].value
    return rule.check in orders.findings(), {day: days.get(day, [None])[0] for day in rows}


def test_a_table_by_day_that_is_late_holds_who_reads_all_of_it_and_not_its_days(shop):
    held, days = by_day_and_whole(shop, Freshness("day", dt.timedelta(hours=30)), {D1: [(1, 5)], D2: [(2, 5)]})

    assert held
    assert days == {D1: True, D2: True}


def test_a_table_by_day_that_was_compared_in_part_holds_who_reads_all_of_it(shop, warehouse):
    with warehouse.connect("test") as connection:
        connection.execute("CREATE SCHEMA shop")
        connection.execute("CREATE TABLE shop.payments (day DATE, id INT, amount INT)")
        connection.execute(f"INSERT INTO shop.payments VALUES ('{D1}', 1, 5), ('{D2}', 2, 5)")
    rule = Reconciliation("shop.payments", ("id",), name="payments")

    held, days = by_day_and_whole(shop, rule, {D1: [(1, 5)], D2: [(2, 5)], D3: [(3, 5)]})

    assert held
    assert days == {D1: True, D2: True, D3: None}


@pytest.mark.parametrize("rule", [VolumeAnomaly(), RowCount(of_median=(0.5, 2))])
def test_a_running_day_and_an_old_beginning_hold_nobody_who_reads_the_whole(shop, rule):
    today = dt.datetime.now(dt.UTC).date()
    known = [(today - dt.timedelta(days=n)).isoformat() for n in range(70, 0, -1)]

    held, days = by_day_and_whole(shop, rule, {**{day: [(1, 5), (2, 5)] for day in known}, str(today): [(1, 5)]})

    assert not held
    assert (days[known[0]], days[known[-1]], days[str(today)]) == (False, True, None)


def test_a_day_that_cannot_be_compared_any_more_does_not_keep_its_pass_in_a_run_of_several(shop, run, warehouse):
    orders = shop(Reconciliation("shop.payments", ("id",), name="payments"))
    with warehouse.connect("test") as connection:
        connection.execute("CREATE SCHEMA shop")
        connection.execute("CREATE TABLE shop.payments (day DATE, id INT, amount INT)")
        connection.execute(f"INSERT INTO shop.payments VALUES ('{D1}', 1, 5), ('{D2}', 2, 5)")
    orders.write({D1: [(1, 5)], D2: [(2, 5)]})
    assert orders.findings(D1) == {}
    with warehouse.connect("test") as connection:
        connection.execute(f"DELETE FROM shop.payments WHERE day = '{D1}'")

    run(orders.defs, "shop/orders", day=D1, to=D2)

    assert outcomes(orders.findings(D1)) == {"payments": "errored"}
    assert orders.findings(D2) == {}


def test_each_failure_finds_its_own_owner(shop):
    owners = {"volume": "team:source", "errored": "team:platform"}
    orders = shop(
        RowCount(min=2), Range("amount", min=0, owner="team:sales"), NotNull("nope"), Unique(("id",)), owners=owners
    )
    orders.write({D1: [(1, -5)]})

    found = {check: finding.owner for check, finding in orders.findings(D1).items()}
    assert found == {"row_count": "team:source", "range_amount": "team:sales", "not_null_nope": "team:platform"}
    orders.write({D1: [(1, 5), (1, 5)]})
    assert orders.findings(D1)["unique_id"].owner == "team:dash"


def test_volumes_are_learned_from_days_that_may_be_believed_alone(shop):
    orders = shop(VolumeAnomaly(sensitivity=3, least=2, too_little="pass"), NotNull("amount"))
    few, many = [(n, 1) for n in range(10)], [(n, 1) for n in range(100)]
    bad = [*many[1:], (500, None)]
    weeks = [(dt.date(2026, 1, 1) + dt.timedelta(weeks=n)).isoformat() for n in range(6)]
    for day, rows in zip(weeks, [few, few, bad, bad, few], strict=False):
        orders.write({day: rows})
    orders.write({weeks[5]: many})

    assert outcomes(orders.findings(weeks[2])) == {"not_null_amount": "failed", "volume_anomaly": "failed"}
    assert orders.findings(weeks[4]) == {}
    assert "7 to 13 expected by 3 such days" in orders.findings(weeks[5])["volume_anomaly"].reason


def test_a_volume_that_a_person_accepted_is_learned(shop, instance):
    orders = shop(VolumeAnomaly(sensitivity=3, least=2, too_little="pass"))
    weeks = [(dt.date(2026, 1, 1) + dt.timedelta(weeks=n)).isoformat() for n in range(5)]
    few, many = [(n, 1) for n in range(10)], [(n, 1) for n in range(30)]
    for day, rows in zip(weeks, [few, few, many, many], strict=False):
        orders.write({day: rows})
        if rows is many:
            finding = orders.findings(day)["volume_anomaly"]
            waive(instance, finding, "ann", "we grew", dt.datetime.now(dt.UTC) + SOON)
    orders.write({weeks[4]: many})

    assert orders.findings(weeks[4]) == {}


def test_a_new_level_is_not_accepted_by_outlasting_the_old_one(shop):
    orders = shop(VolumeAnomaly(sensitivity=3, weeks=4, least=2, too_little="pass"))
    weeks = [(dt.date(2026, 1, 1) + dt.timedelta(weeks=n)).isoformat() for n in range(8)]
    for n, day in enumerate(weeks):
        orders.write({day: [(one, 1) for one in range(10 if n < 2 else 30)]})

    assert {day: outcomes(orders.findings(day)) for day in weeks[:2]} == {day: {} for day in weeks[:2]}
    assert {day: outcomes(orders.findings(day)) for day in weeks[2:]} == {
        day: {"volume_anomaly": "failed"} for day in weeks[2:]
    }


def test_of_a_table_by_hour_the_same_hours_of_the_week_are_learned_from_and_few_others(shop, warehouse, monkeypatch):
    """Eight weeks have 1,344 hours; to look at each of them for one would be slow, and tell no more."""
    hours = dg.HourlyPartitionsDefinition("2026-01-01-00:00", end_date="2026-03-31-00:00")
    asked, judge = [], known_tables.judge
    monkeypatch.setattr(known_tables, "judge", lambda promise, known: asked.append(promise) or judge(promise, known))
    orders = shop(VolumeAnomaly(least=2, too_little="pass"), partitions=hours)
    orders.columns = "day TIMESTAMP, id INT"
    for week in range(3):
        at = dt.datetime(2026, 3, 1, 5) + dt.timedelta(weeks=week)
        orders.write({f"{at:%Y-%m-%d-%H:%M}": [(n,) for n in range(10)]})
        # The hour after is another one, and has its own usual volume.
        orders.write({f"{at + dt.timedelta(hours=1):%Y-%m-%d-%H:%M}": [(n,) for n in range(99)]})
    asked.clear()
    orders.write({"2026-03-22-05:00": [(n,) for n in range(99)]})

    assert len(asked) == 1 + 8 + 56
    assert "expected by 3 such days" in orders.findings("2026-03-22-05:00")["volume_anomaly"].reason


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Tokyo"])
def process_zone(request, monkeypatch):
    """This process is in one of these zones."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def test_a_table_is_as_fresh_in_whatever_zone_the_process_runs(shop, process_zone):
    columns = {"plain": "TIMESTAMP", "tz": "TIMESTAMPTZ", "word": "TEXT"}
    long = [Freshness(name, dt.timedelta(hours=4)) for name in columns]
    short = [Freshness(name, dt.timedelta(hours=2), name=f"{name}_2") for name in columns]
    orders = shop(*long, *short, partitions=None)
    orders.columns = "day DATE, " + ", ".join(f"{name} {kind}" for name, kind in columns.items())
    now = dt.datetime.now(dt.UTC)
    at, later = ((now + dt.timedelta(hours=n)).replace(tzinfo=None) for n in (-3, 1))
    result = orders.write({D1: [(moment, f"{moment}+00", f"{moment}") for moment in (at, later)]})

    said = {e.check_name: e for e in result.get_asset_check_evaluations()}
    assert [said[rule.check].passed for rule in long] == [True, True, True]
    for rule in short:
        assert "3.0 hours before now; less than 2 hours expected" in said[rule.check].description


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize(("kind", "hours"), [("DATE", 24), ("TIMESTAMP", 6), ("TIMESTAMPTZ", 6)])
@pytest.mark.parametrize("by", ["rules", "audit"])
def test_what_tells_local_partitions_is_as_old_as_it_is_in_their_zone(shop, run, warehouse, zone, kind, hours, by):
    days = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-03-31", timezone=zone)
    at = dt.datetime(2026, 1, 1, 0 if kind == "DATE" else 18)
    at = at.replace(tzinfo=zoneinfo.ZoneInfo(zone)) if kind == "TIMESTAMPTZ" else at
    fresh = [Freshness("day", dt.timedelta(hours=n), name=f"in_{n}") for n in (hours, hours + 1)]
    if by == "rules":
        orders = shop(*fresh, partitions=days)
        orders.columns, orders.load = f"day {kind}, id INT", lambda _: None
        with warehouse.connect("test") as connection:
            connection.execute(f"CREATE SCHEMA shop; CREATE TABLE shop.orders ({orders.columns})")
            connection.execute("INSERT INTO shop.orders VALUES (?, 1)", [at])
        result = orders.write({D1: []})
    else:
        audit = [
            {"freshness": {"column": "day", "within_hours": n, "name": f"in_{n}", "severity": "warn"}}
            for n in (hours, hours + 1)
        ]
        metadata = {"partition_expr": "day", AUDIT: audit}

        @dg.asset(key=["shop", "orders"], partitions_def=days, metadata=metadata, io_manager_key="io")
        def orders() -> pa.Table:
            return pa.table({"day": pa.array([at.date() if kind == "DATE" else at]), "id": [1]})

        defs = dg.Definitions([audited(orders)], resources={"io": TrustedIOManager(warehouse)})
        result = run(defs, "shop/orders", day=D1)

    said = {e.check_name: e.passed for e in result.get_asset_check_evaluations() if "in_" in e.check_name}
    assert said == {f"in_{hours}": False, f"in_{hours + 1}": True}


def test_too_little_history_holds_where_that_is_declared(shop):
    orders = shop(VolumeAnomaly(too_little="hold"))
    orders.write({D1: [(1, 1)]})

    assert "too little history: 0 of 4" in orders.findings(D1)["volume_anomaly"].reason


def test_a_schema_is_accepted_by_a_word_that_ends_with_the_next_change(shop, instance, warehouse):
    orders = shop(Columns({"day": "DATE", "id": "INT", "amount": "INT", "currency": "TEXT"}))
    orders.write({D1: [(1, 5)]})
    finding = orders.findings(D1)["columns"]
    assert "column 'currency' is missing" in finding.reason

    accept_schema(instance, finding, "ann", "dropped by the shop")
    assert orders.check(D1).success
    assert orders.findings(D1) == {}
    with warehouse.connect("test") as connection:
        connection.execute("ALTER TABLE shop.orders DROP COLUMN amount")
    orders.check(D1)
    assert "column 'amount' is missing" in orders.findings(D1)["columns"].reason


def test_only_a_finding_about_columns_accepts_a_schema(shop, instance):
    orders = shop(RowCount(min=5))
    orders.write({D1: [(1, 5)]})

    with pytest.raises(InvalidInputError, match="is not about the columns of a table"):
        accept_schema(instance, orders.findings(D1)["row_count"], "ann", "fine")


def test_a_column_more_is_reported_and_holds_nothing(shop):
    orders = shop(Columns({"day": "DATE", "id": "INT"}))
    orders.write({D1: [(1, 5)]})

    (said,) = [e for e in orders.check(D1).get_asset_check_evaluations() if e.check_name == "columns"]
    assert (said.passed, said.description) == (True, "column 'amount' (INTEGER) is new")
    assert orders.findings(D1) == {}


def test_two_tables_that_differ_hold_the_day_they_differ_on(shop, warehouse):
    orders = shop(Reconciliation("shop.payments", ("id",), "amount", name="payments"))
    with warehouse.connect("test") as connection:
        connection.execute("CREATE SCHEMA shop")
        connection.execute("CREATE TABLE shop.payments (day DATE, id INT, amount INT)")
        connection.execute(f"INSERT INTO shop.payments VALUES ('{D1}', 1, 5), ('{D2}', 2, 5), ('{D2}', 3, 5)")
    orders.write({D1: [(1, 5)], D2: [(2, 5), (3, 6)], D3: [(4, 4)]})

    assert orders.findings(D1) == {}
    assert "1 key differs" in orders.findings(D2)["payments"].reason
    # What is missing over there is found there; here it is not known.
    assert set(outcomes(orders.findings(D3))) == {"payments"}
    assert "failed" not in outcomes(orders.findings(D3)).values()


@pytest.mark.parametrize(
    ("tables", "warehouse_given", "message"),
    [
        ([TableRules("shop/orders", ())], False, "which `warehouse` they are in"),
        ([TableRules("shop/ordres", ())], True, "no such asset: did you mean 'shop/orders'"),
        ([TableRules("shop/orders", (Condition("a >", name="x"),))], True, "'x' is not SQL: a >"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused_when_definitions_load(tables, warehouse_given, message, warehouse):
    contract = DashboardContract("dash", "team:x", tables=tuple(tables))
    dash = trusted_dashboard(contract, lambda *_: None, deps=["shop/orders"])
    defs = dg.Definitions([dg.AssetSpec(["shop", "orders"]), dash])

    with pytest.raises(ContractError, match=message):
        trust(defs, warehouse=(lambda: warehouse) if warehouse_given else None)


def test_days_of_a_partitioned_table_are_its_partitions(warehouse):
    spec = dg.AssetSpec(["shop", "orders"], partitions_def=DAYS)

    with pytest.raises(InvalidInputError, match="leave time_column out"):
        table_checks(spec, TableRules("shop/orders", (), time_column="day"), lambda: warehouse)
    with pytest.raises(InvalidInputError, match="not of shop/orders"):
        table_checks(spec, TableRules("shop/others", ()), lambda: warehouse)


def test_days_are_told_by_one_column(warehouse):
    spec = dg.AssetSpec(["shop", "orders"], metadata={"dashboard_trust/time_column": "created"})

    with pytest.raises(InvalidInputError, match="has versions by the days of 'created'"):
        table_checks(spec, TableRules("shop/orders", (), time_column="paid"), lambda: warehouse)

    reader = dg.AssetSpec(
        "mart", deps=[["shop", "orders"]], metadata={"dashboard_trust/slices": {"shop/orders": "paid"}}
    )
    contract = DashboardContract("dash", "team:x", tables=(TableRules("shop/orders", (), time_column="created"),))
    dash = trusted_dashboard(contract, lambda *_: None, deps=["mart"])
    with pytest.raises(ContractError, match="tell both by one column"):
        trust(dg.Definitions([dg.AssetSpec(["shop", "orders"]), reader, dash]), warehouse=lambda: warehouse)


@pytest.mark.parametrize(
    "partitions", [None, dg.StaticPartitionsDefinition(["a"]), dg.MonthlyPartitionsDefinition("2026-01-01")]
)
def test_what_has_no_weekdays_is_not_judged_by_them(warehouse, partitions):
    spec = dg.AssetSpec(["shop", "orders"], partitions_def=partitions)

    with pytest.raises(InvalidInputError, match="is judged by the same weekday before"):
        table_checks(spec, TableRules("shop/orders", (VolumeAnomaly(),)), lambda: warehouse)


def test_a_table_by_day_that_moved_since_its_load_is_not_what_the_load_left(shop, warehouse):
    orders = shop(NotNull("id"), partitions=None, time_column="day", prints=True)
    orders.write({D1: [(1, 5)], D2: [(2, 5)]})
    assert orders.check().success
    with warehouse.connect("test") as connection:
        connection.execute("UPDATE shop.orders SET amount = 6 WHERE id = 2")

    result = orders.check()

    assert not result.success
    assert not list(result.get_asset_check_evaluations())
    assert any("did not leave there" in str(event.event_specific_data) for event in result.all_events)


def test_rows_of_no_day_are_no_other_rows_than_the_load_left(shop):
    orders = shop(NotNull("id"), partitions=None, time_column="day", prints=True)
    orders.write({D1: [(1, 5)], None: [(2, 5)]})

    said = {e.check_name: e.description for e in orders.check().get_asset_check_evaluations()}
    assert said == {"row_count": "1 rows have no readable day", "not_null_id": None}


def test_an_old_table_by_day_fails_its_freshness_and_stops_nobody_who_reads_older_days(shop):
    orders = shop(Freshness("day", within=dt.timedelta(hours=24)), partitions=None, time_column="day")

    result = orders.write({D1: [(1, 5)]})

    fresh = next(e for e in result.get_asset_check_evaluations() if e.check_name == "freshness_day")
    assert (fresh.passed, fresh.severity, fresh.blocking) == (False, dg.AssetCheckSeverity.ERROR, False)
    assert orders.findings()["freshness_day"].outcome.value == "failed"


def test_checks_of_assets_with_alike_names_live_side_by_side(warehouse):
    keys = [["a", "b__c"], ["a__b", "c"], ["raw", "pay-ments"], ["raw", "pay_ments"]]
    specs = [dg.AssetSpec(key) for key in keys]
    checks = [table_checks(s, TableRules(s.key.to_user_string(), ()), lambda: warehouse) for s in specs]

    assert len(dg.Definitions(specs, asset_checks=checks).resolve_asset_graph().asset_check_keys) == 4


def test_a_rule_cannot_speak_as_a_gate():
    with pytest.raises(ContractError, match="the check that every gate speaks by"):
        Condition("a > 0", name="upstream_ready")


def test_checks_of_partitions_want_a_partition(shop):
    orders = shop(NotNull("id"))

    result = orders.check()

    assert any("Launch its checks for a partition" in str(event.event_specific_data) for event in result.all_events)


def test_what_is_waived_of_a_week_is_waived_of_no_other_week(run, instance, warehouse):
    """The load of a table without partitions has one version: only its days tell the findings of two weeks apart."""
    with warehouse.connect("test") as connection:
        connection.execute("CREATE SCHEMA shop")
        connection.execute(
            "CREATE TABLE shop.orders AS SELECT DATE '2026-01-04' + n::INT AS day, -1 AS amount FROM range(14) AS t(n)"
        )

    @dg.asset(key=["shop", "orders"])
    def orders() -> None: ...

    table = TableRules("shop/orders", (Range("amount", min=0),), time_column="day")
    weeks = dg.WeeklyPartitionsDefinition("2026-01-04", end_date="2026-01-18")
    options = {"partitions_def": weeks, "deps": [ORDERS], "metadata": {SLICES: {"shop/orders": "day"}}}
    dash = trusted_dashboard(DashboardContract("dash", "team:x", tables=(table,)), lambda *_: None, **options)
    defs = trust(dg.Definitions([orders, dash]), warehouse=lambda: warehouse)
    run(defs, "shop/orders")
    gate = gates(defs)[dg.AssetKey("dash")]

    def names():
        verdicts = gate.judge(instance, ["2026-01-04", "2026-01-11"], dt.datetime.now(dt.UTC)).values()
        return [[f.name for f in verdict.causes if f.outcome.holds] for verdict in verdicts]

    first, second = (f"shop/orders@2026-01-{a}..2026-01-{b}:range_amount" for a, b in (("04", "10"), ("11", "17")))
    assert names() == [[first], [second]]
    (finding,) = gate.judge(instance, ["2026-01-04"], dt.datetime.now(dt.UTC))["2026-01-04"].causes
    waive(instance, finding, "ann", "a test shop", dt.datetime.now(dt.UTC) + SOON)

    assert names() == [[], [second]]
