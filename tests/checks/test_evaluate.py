"""What must never happen where rules are looked at: a pass of what was not looked at, and a write."""

from __future__ import annotations

import contextlib
import datetime as dt
import math
from decimal import Decimal

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from rule_engines import ERRORED, summary, written
from sqlglot import exp, parse_one

from dashboard_trust.checks.evaluate import check_table
from dashboard_trust.checks.frames import check_frame
from dashboard_trust.checks.known import Known
from dashboard_trust.checks.scopes import Days, Partitions, Whole
from dashboard_trust.contracts import row_rules as r
from dashboard_trust.contracts import table_rules as t
from dashboard_trust.contracts.rules import CHECK_NAME
from dashboard_trust.enforcement.slices import PARTITION_EXPR, partition_slice
from dashboard_trust.errors import ContractError, WarehouseError
from dashboard_trust.warehouses.duckdb import DuckDBSession
from dashboard_trust.warehouses.fingerprints import fingerprint
from dashboard_trust.warehouses.parts import fingerprint_by_day
from dashboard_trust.warehouses.postgres import PostgresSession, PostgresWarehouse
from dashboard_trust.warehouses.session import column

NOW = dt.datetime(2024, 3, 10, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "at": pa.timestamp("us", "UTC"),
        "day": pa.date32(),
        "amount": pa.decimal128(12, 2),
        "ratio": pa.float64(),
        "name": pa.string(),
        "flag": pa.bool_(),
    }
)


def moment(day: int, hour: int = 0) -> dt.datetime:
    return dt.datetime(2024, 3, day, hour, tzinfo=dt.UTC)


def row(n: int, **values) -> dict:
    at = values.get("at", moment(n % 9 + 1, 10))
    known = {"id": n, "at": at, "day": at.date() if at else None, "amount": Decimal(n), "ratio": n / 2, "name": f"n{n}"}
    return {**known, "flag": True, **values}


def orders(*rows: dict) -> dict[str, pa.Table]:
    return {"shop.orders": pa.Table.from_pylist(list(rows), SCHEMA)}


def rules(*asked, **options) -> t.TableRules:
    return t.TableRules("shop/orders", asked, table="shop.orders", **options)


def look(session, data, *asked, scope=None, known=None, **options):
    with written(session, data):
        return check_table(session, rules(*asked, **options), scope, known or Known(NOW))


def outcome_of(report, rule):
    return next(outcome for outcome in report.outcomes if outcome.rule.check == rule.check)


def condition(sql: str, name: str = "condition", **said) -> r.Condition:
    return r.Condition(sql, name=name, **said)


def query(sql: str, **said) -> t.Query:
    return t.Query(sql, **{"min": Decimal(0), "name": "query", **said})


UNASKABLE = {
    "a column that is not there": r.NotNull("no_such"),
    "a column of another case": r.NotNull("ID"),
    "a key column that is not there": r.Unique(("id", "no_such")),
    "an order by no column": r.Monotonic("id", "no_such"),
    "a freshness of no column": t.Freshness("no_such", HOUR),
    "a freshness of numbers": t.Freshness("id", HOUR),
    "a pattern of numbers": r.Pattern("id", "1"),
    "a length of days": r.Length("day", 1),
    "text in a range of numbers": r.Range("id", min="a"),
    "a day in a range of numbers": r.Range("id", min=dt.date(2024, 1, 1)),
    "numbers in a range of text": r.Range("name", min=0, max=Decimal("1000")),
    "days in a range of text": r.Range("name", min=dt.date(2024, 1, 1)),
    "no day in a range of days": r.Range("day", min="2024-02-30"),
    "a moment in a range of days": r.Range("day", min=dt.datetime(2024, 1, 1, 1)),
    "a number in a range of moments": r.Range("at", min=0),
    "a value of another kind": r.AcceptedValues("id", (1, "two")),
    "a number among booleans": r.AcceptedValues("flag", (1,)),
    "a fit of floats": r.Fits("ratio", "decimal(4, 2)"),
    "keys in no table": r.References(("id",), "shop.no_such"),
    "keys of no column": r.References(("id",), "shop.orders", ("no_such",)),
    "a number beside a day": r.References(("id",), "shop.orders", ("day",)),
    "a float beside a text": r.References(("ratio",), "shop.orders", ("name",)),
    "a reconciliation with no table": t.Reconciliation("shop.no_such"),
    "a reconciliation by no column": t.Reconciliation("shop.orders", ("no_such",)),
    "a sum of booleans": t.Reconciliation("shop.orders", ("id",), "flag"),
    "a sum of no column": t.Reconciliation("shop.orders", ("id",), "no_such"),
    "a bad filter": t.Reconciliation("shop.orders", where="no_such > 1"),
    "a filter that is none": t.Reconciliation("shop.orders", where="id; name"),
    "a type that is none": t.Columns({"id": "no such type ("}),
    "a condition on no column": condition("no_such > 1"),
    "a condition that is no SQL": condition("id > > 1"),
    "a condition that is a number": condition("id + 1"),
    "a condition that is a query": condition("SELECT 1"),
    "a condition and another": condition("id > 0; name = 'x'"),
    "a condition with a name": condition("id > 0 AS x"),
    "a sum as a condition": condition("SUM(id) > 0"),
    "no function": condition("no_such_function(id) > 0"),
    "two rows": query("SELECT id FROM {table}"),
    "two columns": query("SELECT 1, 2"),
    "no row": query("SELECT id FROM {table} WHERE id < 0"),
    "no number": query("SELECT MAX(id) FROM {table} WHERE id < 0"),
    "text": query("SELECT MAX(name) FROM {table}"),
    "a number as text": query("SELECT '5'"),
    "a boolean": query("SELECT TRUE"),
    "a day": query("SELECT MAX(day) FROM {table}"),
    "not a number": query("SELECT CAST('NaN' AS DOUBLE PRECISION)"),
    "infinity": query("SELECT CAST('infinity' AS DOUBLE PRECISION)"),
    "a query of no table": query("SELECT COUNT(*) FROM shop.no_such"),
    "a query that is none": query("SELEKT 1"),
    "a query and another": query("SELECT 1; SELECT 2"),
}


@pytest.mark.parametrize("case", UNASKABLE)
@pytest.mark.parametrize("scope", [Whole(), Days("at")], ids=["whole", "by day"])
def test_a_rule_that_cannot_be_looked_at_is_errored_and_stops_no_other(session, case, scope):
    rule, others = UNASKABLE[case], (r.NotNull("id", name="good"), r.NotNull("name", name="bad"), r.Unique(("id",)))

    report = look(session, orders(row(1), row(2, name=None)), others[0], rule, *others[1:], scope=scope)

    found = outcome_of(report, rule)
    assert found.error
    assert not found.passed
    assert not found.parts
    assert outcome_of(report, others[0]).passed
    assert not outcome_of(report, others[1]).passed
    assert not outcome_of(report, others[1]).error
    assert outcome_of(report, others[2]).passed


def test_an_error_names_the_column_and_the_nearest_one():
    frame = pd.DataFrame({"order_id": [1]})

    report = check_frame(frame, rules(r.NotNull("order_ids")))

    assert "shop.orders has no column 'order_ids'" in outcome_of(report, r.NotNull("order_ids")).error
    assert "order_id" in outcome_of(report, r.NotNull("order_ids")).error


def test_an_error_does_not_cite_what_a_query_gave(session):
    report = look(session, orders(row(1, name="Jane Doe")), query("SELECT MAX(name) FROM {table}"))

    assert "Jane" not in report.outcomes[-1].error


EVERY = (r.NotNull("id"), r.Unique(("id",)), t.Freshness("at", HOUR), query("SELECT 1"), t.Columns({"id": ""}))


@pytest.mark.parametrize("scope", [None, Whole(), Days("at"), Partitions(("a",), lambda *_: {"a": None})])
def test_where_there_is_no_table_everything_is_errored(session, scope):
    report = check_table(session, rules(*EVERY), scope, Known(NOW))

    assert set(summary(report).values()) == {ERRORED}
    assert report.accepted == {}


def test_where_the_time_column_is_gone_only_the_columns_are_looked_at(session):
    report = look(session, orders(row(1)), *EVERY, scope=Days("no_such"))

    assert {name: found == ERRORED for name, found in summary(report).items()} == {
        rule.check: not isinstance(rule, t.Columns) for rule in (t.RowCount(), *EVERY)
    }


def test_where_a_partition_cannot_be_told_everything_is_errored(session):
    days = dg.DailyPartitionsDefinition("2024-03-01")

    def parts_of(session, name, types, told_by):
        return partition_slice(name, days, ["2024-03-01"], {PARTITION_EXPR: "gone"}, types, session.dialect).parts

    report = look(session, orders(row(1)), *EVERY[:-1], scope=Partitions(("2024-03-01",), parts_of))

    assert set(summary(report).values()) == {ERRORED}


def test_what_may_not_be_read_is_errored(postgres_session, postgres_uri):
    execute = lambda sql: postgres_session.query(parse_one(sql, dialect="postgres"))  # noqa: E731
    data = {**orders(row(1)), "shop.secret": pa.table({"id": [1]}), "shop.open": pa.table({"id": [1]})}
    asked = (r.References(("id",), "shop.open"), r.References(("id",), "shop.secret"), r.NotNull("id"))
    with written(postgres_session, data):
        execute("CREATE ROLE clerk LOGIN")
        execute("GRANT USAGE ON SCHEMA shop TO clerk")
        execute("GRANT SELECT ON shop.orders, shop.open TO clerk")
        with PostgresWarehouse(postgres_uri.replace("postgres:@", "clerk:@")).session("looking") as session:
            some = check_table(session, rules(*asked), None, Known(NOW))
            none = check_table(session, t.TableRules("shop/secret", EVERY), None, Known(NOW))
        execute("REVOKE ALL ON SCHEMA shop FROM clerk")
        execute("REVOKE ALL ON shop.orders, shop.open FROM clerk")
        execute("DROP ROLE clerk")

    assert [bool(outcome.error) for outcome in some.outcomes] == [False, False, True, False]
    assert "permission denied" in some.outcomes[2].error
    assert all(outcome.error for outcome in none.outcomes if not isinstance(outcome.rule, t.Columns))


WRITES = [
    "DELETE FROM shop.orders",
    "DELETE FROM shop.orders RETURNING id",
    "WITH gone AS (DELETE FROM shop.orders RETURNING id) SELECT COUNT(*) FROM gone",
    "INSERT INTO shop.orders SELECT * FROM shop.orders",
    "UPDATE shop.orders SET id = 0",
    "DROP TABLE shop.orders",
    "TRUNCATE shop.orders",
    "CREATE TABLE shop.copy AS SELECT 1",
    "SELECT * INTO shop.copy FROM shop.orders",
    "ALTER TABLE shop.orders DROP COLUMN id",
    "SELECT 1; DELETE FROM shop.orders",
    "COPY shop.orders TO '/dev/null'",
    "SET TimeZone = 'Asia/Tokyo'",
    "COMMIT",
    "1 = 1; DROP TABLE shop.orders",
    "id IN (DELETE FROM shop.orders RETURNING id)",
    "1 = 1) FROM shop.orders; DELETE FROM shop.orders; SELECT COUNT(*",
]


@pytest.mark.parametrize("sql", WRITES)
def test_what_writes_is_refused_and_nothing_is_written(session, sql):
    asked = (query(sql), condition(sql), t.Reconciliation("shop.orders", where=sql))
    data = orders(row(1), row(2))
    with written(session, data):
        before = fingerprint(session, "shop.orders")
        report = check_table(session, rules(*asked), None, Known(NOW))
        after = fingerprint(session, "shop.orders")
        copy = session.columns("shop.copy")

    assert [bool(outcome.error) for outcome in report.outcomes] == [False, True, True, True]
    assert after == before
    assert copy is None


def test_what_breaks_while_it_runs_spoils_no_other_rule(session):
    broken = [condition(f"CAST(name AS INT) > {n}", f"broken_{n}") for n in range(3)]
    data = orders(row(1, name="1"), row(2, name="two"), row(3, name="3", at=moment(1)))

    report = look(session, data, broken[0], r.NotNull("id"), broken[1], r.Unique(("id",)), broken[2], scope=Days("at"))

    assert [bool(outcome.error) for outcome in report.outcomes] == [False, True, False, True, False, True]
    assert sum(report.rows.values()) == 3


REFUSED_OF_TWO = {
    "by the engine": "SELECT CAST(MIN(name) AS INTEGER) FROM {table}",
    "by us": "SELECT MAX(amount) FROM {table}",
}


def by_id(*ids: int) -> Partitions:
    return Partitions([str(n) for n in ids], lambda *_: {str(n): column("id").eq(n) for n in ids})


@pytest.mark.parametrize("sql", REFUSED_OF_TWO.values(), ids=REFUSED_OF_TWO)
def test_a_query_that_cannot_be_asked_of_one_partition_is_judged_on_the_others(session, sql):
    rule, other = query(sql, max=Decimal(2)), r.Unique(("id",))
    rows = orders(row(1, name="1"), row(2, name="two", amount=None), row(3, name="3"))

    report = look(session, rows, rule, other, scope=by_id(1, 2, 3))

    found = outcome_of(report, rule)
    assert not found.error
    assert not found.passed
    assert set(found.errors) == {"2"}
    assert {part: one.passed for part, one in found.parts.items()} == {"1": True, "2": False, "3": False}
    assert outcome_of(report, other).passed


def test_a_query_that_cannot_be_asked_of_any_partition_is_errored_once(session):
    rule = query("SELEKT 1")

    found = outcome_of(look(session, orders(row(1), row(2)), rule, scope=by_id(1, 2)), rule)

    assert found.error.count("SELEKT") == 1
    assert not found.parts


def test_volumes_are_not_learned_from_a_partition_that_could_not_be_looked_at(session):
    largest = query("SELECT MAX(amount) FROM {table}")

    report = look(session, orders(row(1), row(2, amount=None)), largest, scope=by_id(1, 2))

    assert set(report.accepted) == {"1"}


def test_keys_that_a_collation_takes_for_one_are_one(duckdb_session):
    """Alone or beside another column, and within a day or not."""
    for statement in (
        "CREATE SCHEMA IF NOT EXISTS shop",
        "CREATE TABLE shop.names (at DATE, n INT, name TEXT COLLATE NOCASE)",
        "INSERT INTO shop.names VALUES ('2024-03-01', 1, 'Ann'), ('2024-03-01', 1, 'ANN'), ('2024-03-02', 1, 'Bob')",
    ):
        duckdb_session.query(parse_one(statement, dialect="duckdb"))

    keys = [("name",), ("n", "name")]
    asked = [*(r.Unique(key) for key in keys), *(r.Unique(key, within_day=True, name="_".join(key)) for key in keys)]
    report = check_table(duckdb_session, t.TableRules("shop/names", tuple(asked), time_column="at"), None, Known(NOW))
    duckdb_session.query(parse_one("DROP TABLE shop.names", dialect="duckdb"))

    for rule in asked:
        assert summary(report)[rule.check] == {"2024-03-01": (False, 2), "2024-03-02": (True, 0)}


def test_a_division_by_zero_never_passes(session):
    rule = condition("1 / (id - 1) < 1000")

    assert not outcome_of(look(session, orders(row(1), row(2)), rule, r.NotNull("id")), rule).passed


EVERYTHING = (r.Unique(("id",)), query("SELECT COUNT(*) FROM {table}"), r.References(("id",), "shop.orders"))


def test_every_rule_is_of_the_rows_that_were_scanned_whoever_writes_meanwhile(postgres_session, postgres_uri):
    """On an engine with snapshots: what is refused meanwhile, too, spoils nothing else of it."""

    class Raced(PostgresSession):
        def query(self, statement):
            found = super().query(statement)
            if "HASH_RECORD" in statement.sql():
                with PostgresWarehouse(postgres_uri).session("elsewhere") as other:
                    other.query(parse_one("INSERT INTO shop.orders (id) VALUES (1), (1)"))
            return found

    count = query("SELECT COUNT(*) FROM {table}", name="n")
    asked = (query("SELECT COUNT(*) FROM shop.no_such"), *EVERYTHING[:1], count)
    with written(postgres_session, orders(row(1), row(2))):
        raced = Raced(postgres_session.connection, postgres_session.warehouse, postgres_session.pid)
        report = check_table(raced, rules(*asked), Whole(), Known(NOW))
        now = fingerprint(postgres_session, "shop.orders")

    assert (report.whole.rows, now.rows > 2) == (2, True)
    assert [bool(outcome.error) for outcome in report.outcomes] == [False, True, False, False]
    assert outcome_of(report, asked[1]).passed
    assert outcome_of(report, asked[2]).parts[""].measured == 2


def test_within_a_snapshot_nothing_can_be_written_and_after_it_everything(postgres_session):
    insert = parse_one("INSERT INTO shop.orders (id) VALUES (7)")
    with written(postgres_session, orders(row(1))):
        with postgres_session.snapshot() as snapshot:
            with pytest.raises(WarehouseError, match="read-only"):
                snapshot.query(insert)
            assert snapshot.query(parse_one("SELECT COUNT(*) FROM shop.orders")) == [(1,)]
        postgres_session.query(insert)

        assert fingerprint(postgres_session, "shop.orders").rows == 2


@pytest.mark.parametrize("scope", [Whole(), Days("at")])
@pytest.mark.parametrize("dates", [[None, None], ["before", "before"], ["before", "after"]])
def test_without_snapshots_a_look_at_rows_that_change_meanwhile_is_none(duckdb_session, dates, scope):
    """Neither is one during which the engine's own word of when they changed moves."""
    words, writes = iter(dates), []

    class Unstable(DuckDBSession):
        def snapshot(self):
            return contextlib.nullcontext()

        def changed_at(self, table):
            return next(words)

        def query(self, statement):
            found = super().query(statement)
            if not writes and "HASH" in statement.sql():
                writes.append(self.connection.execute("INSERT INTO shop.orders BY NAME SELECT 9 AS id"))
            return found

    with written(duckdb_session, orders(row(1), row(2))):
        report = check_table(Unstable(duckdb_session.connection), rules(*EVERYTHING), scope, Known(NOW))

    moved = dates != ["before", "before"]
    assert {outcome.rule.check: "changed while" in outcome.error for outcome in report.outcomes} == {
        rule.check: moved for rule in (t.RowCount(), *EVERYTHING)
    }
    assert report.accepted == {} or not moved


def test_without_snapshots_a_look_at_rows_that_stay_is_one(duckdb_session):
    class Unstable(DuckDBSession):
        def snapshot(self):
            return contextlib.nullcontext()

    with written(duckdb_session, orders(row(1), row(2))):
        report = check_table(Unstable(duckdb_session.connection), rules(*EVERYTHING), Days("at"), Known(NOW))

    assert all(outcome.passed for outcome in report.outcomes)


def test_a_refusal_is_raised_where_it_ends_a_transaction(session):
    with written(session, orders(row(1))):
        with pytest.raises(WarehouseError), session.transaction():
            check_table(session, rules(condition("no_such > 1")), None, Known(NOW), stop_at_refusal=True)
        with session.transaction():  # what is said without asking the engine is errored, here too
            report = check_table(session, rules(r.NotNull("no_such")), None, Known(NOW), stop_at_refusal=True)

    assert report.outcomes[1].error


ROWWISE = (
    r.NotNull("id"),
    r.Unique(("id",)),
    r.Range("id", min=0),
    r.Monotonic("id", "at"),
    r.References(("id",), "shop.orders"),
)


@pytest.mark.parametrize("scope", [Whole(), Days("at"), Partitions(("a",), lambda *_: {"a": column("name").eq("a")})])
def test_a_table_without_a_row_fails_though_every_row_is_well(session, scope):
    fresh, usual = t.Freshness("at", HOUR), t.VolumeAnomaly()

    report = look(session, orders(), *ROWWISE, fresh, usual, scope=scope)

    failed = {outcome.rule.check for outcome in report.outcomes if not outcome.passed}
    assert failed == {"row_count", fresh.check, usual.check}
    assert not any(outcome.error for outcome in report.outcomes)


def test_no_rows_pass_only_where_that_is_said(session):
    report = look(session, orders(), t.RowCount(min=0), *ROWWISE, scope=Days("at"))

    assert all(outcome.passed for outcome in report.outcomes)


def test_rows_of_no_day_are_of_no_day(session):
    fresh = t.Freshness("at", dt.timedelta(days=1))
    data = orders(row(1), row(2, at=None, name=None), row(3, at=None, id=1))

    report = look(session, data, t.RowCount(min=0), fresh, r.NotNull("name"), r.Unique(("id",)), scope=Days("at"))

    assert summary(report) == {
        "row_count": {"2024-03-02": (True, 1), "": (False, 2)},
        fresh.check: {"2024-03-02": (True, 14.0), "": (False, None)},
        "not_null_name": {"2024-03-02": (True, 0), "": (False, 1)},
        "unique_id": {"2024-03-02": (False, 1), "": (False, 1)},
    }
    assert report.accepted == {}


def test_versions_and_checks_tell_the_same_days_of_text(session):
    texts = ["2026-01-05 10:00", "2026-1-6 10:00", "20260107", "2026-01-09 10:00:00+05:30:15", "2026-02-30", None]
    data = {"shop.orders": pa.table({"at": texts})}
    with written(session, data):
        prints = fingerprint_by_day(session, "shop.orders", "at")
        report = check_table(session, rules(), Days("at"), Known(NOW))

    assert {day: found.rows for day, found in prints.items()} == report.rows == {"2026-01-05": 1, "": 5}
    assert prints == report.fingerprints


def test_by_day_a_key_is_unique_in_the_table_or_within_its_day(session):
    whole, within = r.Unique(("id",)), r.Unique(("id",), within_day=True, name="within")
    data = orders(row(1, at=moment(1)), row(1, at=moment(2)), row(2, at=moment(2)), row(2, at=moment(2, 5)))

    found = summary(look(session, data, whole, within, scope=Days("at")))

    assert found["unique_id"] == {"2024-03-01": (False, 1), "2024-03-02": (False, 3)}
    assert found["within"] == {"2024-03-01": (True, 0), "2024-03-02": (False, 2)}


def test_the_edges_of_the_calendar_are_days_like_others(session):
    first, last = dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC)
    fresh = t.Freshness("at", dt.timedelta(days=1))

    report = look(session, orders(row(1, at=first), row(2, at=last)), fresh, t.VolumeAnomaly(), scope=Days("at"))

    assert set(report.rows) == {"0001-01-01", "9999-12-31"}
    assert summary(report)[fresh.check]["9999-12-31"] == (False, None)
    assert not any(outcome.error for outcome in report.outcomes)


@pytest.mark.parametrize(
    ("allowance", "bad", "rows", "passes"),
    [
        ({}, 0, 4, True),
        ({}, 1, 100, False),
        ({"allowed_rows": 1}, 1, 1, True),
        ({"allowed_rows": 1}, 2, 100, False),
        ({"allowed_percent": 25.0}, 1, 4, True),
        ({"allowed_percent": 25.0}, 2, 7, False),
        ({"allowed_percent": 0.1}, 1, 1000, True),
        ({"allowed_percent": 0.1}, 1, 999, False),
        ({"allowed_percent": Decimal("0.1")}, 1, 1000, True),
        ({"allowed_percent": 0}, 1, 1000, False),
        ({"allowed_percent": 50}, 0, 0, True),
    ],
)
def test_as_many_as_are_allowed_are_allowed(allowance, bad, rows, passes):
    frame = pa.table({"id": pa.array([None] * bad + list(range(rows - bad)), pa.int64())})

    found = outcome_of(check_frame(frame, rules(r.NotNull("id", **allowance))), r.NotNull("id"))

    assert found.passed is passes
    assert found.parts.get("", found).passed is passes


@pytest.mark.parametrize(("percent", "told"), [(5, "5 % may"), (math.nextafter(5, 0), "less than 5 % may")])
def test_a_share_that_is_just_not_allowed_is_told_as_that(percent, told):
    rule = r.NotNull("id", allowed_percent=percent)
    frame = pa.table({"id": pa.array([None] * 6 + list(range(94)), pa.int64())})

    assert outcome_of(check_frame(frame, rules(rule)), rule).reason == f"6 of 100 rows have no id; {told}"


def test_missing_values_are_minded_by_not_null_alone(session):
    data = orders(row(1), row(2, ratio=None, name=None, amount=None, at=None), row(3, ratio=math.nan))
    asked = (
        r.NotNull("ratio"),
        r.Range("ratio", min=0, max=1),
        r.AcceptedValues("ratio", (0.5,)),
        r.Unique(("ratio",)),
        r.Monotonic("ratio", "at"),
        r.References(("ratio",), "shop.orders"),
        r.Pattern("name", "n"),
        r.Length("name", 1),
        r.Fits("name", "integer", allowed_rows=2),
        condition("ratio < 1"),
    )

    found = summary(look(session, data, *asked))

    assert {check: parts[""][1] for check, parts in found.items()} == {
        "row_count": 3,
        "not_null_ratio": 2,
        "range_ratio": 0,
        "accepted_values_ratio": 0,
        "unique_ratio": 0,
        "monotonic_ratio_at": 0,
        asked[5].check: 0,
        "pattern_name": 0,
        "length_name": 0,
        "fits_name": 2,
        "condition": 2,  # NULL is not true, and NaN is larger than every number
    }


@pytest.mark.parametrize("first", [0.0, -0.0, None, math.nan])
def test_keys_in_part_missing_are_keys(session, first):
    """NULL and NaN are the same missing value in a key, and 0 and -0 the same number."""
    second = -0.0 if first is not None and first == 0 else None
    data = orders(
        row(1, ratio=first, name="a"),
        row(2, ratio=second, name="a"),
        row(3, ratio=1.0, name=None),
        row(4, ratio=None, name=None),
        row(5, ratio=math.nan, name=None),
    )

    assert summary(look(session, data, r.Unique(("ratio", "name"))))["unique_ratio_name"] == {"": (False, 2)}


def test_numbers_without_a_width_are_equal_whatever_their_zeros(postgres_session):
    postgres_session.query(parse_one("CREATE SCHEMA IF NOT EXISTS shop", dialect="postgres"))
    postgres_session.query(parse_one("CREATE TABLE shop.loose (n NUMERIC, k TEXT)", dialect="postgres"))
    postgres_session.query(
        parse_one(
            "INSERT INTO shop.loose VALUES (1.0, 'a'), (1.00, 'a'), ('NaN', 'b'), (NULL, 'b')", dialect="postgres"
        )
    )

    asked = (r.Unique(("n", "k")), r.NotNull("n"), r.Range("n", max=1), r.AcceptedValues("n", (1,)))
    report = check_table(postgres_session, t.TableRules("shop/loose", asked), None, Known(NOW))
    postgres_session.query(parse_one("DROP TABLE shop.loose", dialect="postgres"))

    assert [outcome.parts[""].measured for outcome in report.outcomes] == [4, 4, 2, 0, 0]


def test_a_table_of_thousands_of_days_is_one_scan(session):
    first = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    data = orders(*(row(n, at=first + dt.timedelta(days=n)) for n in range(4000)))
    asked = (*ROWWISE[:1], r.Range("id", max=3998), t.Freshness("at", dt.timedelta(days=2)), t.VolumeAnomaly())

    report = look(session, data, *asked, scope=Days("at"))

    assert len(report.rows) == 4000
    assert report.queries == 1
    assert [part for part, one in report.outcomes[2].parts.items() if not one.passed] == ["2010-12-13"]


def test_what_can_be_counted_in_one_scan_is(session):
    scanned = (
        r.NotNull("id"),
        r.AcceptedValues("flag", (True,)),
        r.Range("amount", min=0),
        r.Pattern("name", "^n"),
        r.Length("name", 1),
        r.Fits("name", "integer", allowed_rows=9),
        condition("id > 0"),
        t.Freshness("at", dt.timedelta(days=30)),
        t.Columns({"id": ""}),
        t.RowCount(min=1, of_median=(0.5, 2), too_little="pass"),
        t.VolumeAnomaly(too_little="pass"),
    )
    more = {r.Unique(("id",)): 1, r.Monotonic("id", "at"): 1, query("SELECT 1"): 1}
    data = orders(*map(row, range(1, 6)))

    with written(session, data):
        alone = check_table(session, rules(*scanned), None, Known(NOW))
        asked = {rule: check_table(session, rules(*scanned, rule), None, Known(NOW)).queries - 1 for rule in more}

    assert all(outcome.passed for outcome in alone.outcomes)
    assert alone.queries == 1
    assert asked == more


def test_fingerprints_are_those_of_the_tables(session):
    data = orders(*map(row, range(20)), row(21, at=None))
    with written(session, data):
        whole = check_table(session, rules(r.NotNull("id")), Whole(), Known(NOW)).fingerprints
        by_day = check_table(session, rules(r.NotNull("id")), Days("at"), Known(NOW)).fingerprints
        fives = column("id").eq(5)
        five = Partitions(("5", "none"), lambda *_: {"5": fives, "none": column("id").eq(-5)})
        parts = check_table(session, rules(r.NotNull("id")), five, Known(NOW)).fingerprints

        assert whole == {"": fingerprint(session, "shop.orders")}
        assert by_day == fingerprint_by_day(session, "shop.orders", "at")
        assert parts == {
            "5": fingerprint(session, "shop.orders", fives),
            "none": fingerprint(session, "shop.orders", column("id").eq(-5)),
        }


PARTITIONED = {
    "days of a moment": (dg.DailyPartitionsDefinition("2024-03-01", end_offset=1), "at"),
    "days of a date": (dg.DailyPartitionsDefinition("2024-03-01", end_offset=1), "day"),
    "days of Tokyo": (dg.DailyPartitionsDefinition("2024-03-01", timezone="Asia/Tokyo"), "at"),
    "weeks": (dg.WeeklyPartitionsDefinition("2024-02-25"), "at"),
    "hours": (dg.HourlyPartitionsDefinition("2024-03-01-08:00"), "at"),
    "names": (dg.StaticPartitionsDefinition([*(f"n{n}" for n in range(5)), "none"]), "name"),
    "numbers": (dg.StaticPartitionsDefinition([str(n) for n in range(5)]), "id"),
}


@pytest.mark.parametrize("way", PARTITIONED)
def test_several_partitions_in_one_go_are_what_each_is_alone(session, way):
    definition, told = PARTITIONED[way]
    keys = definition.get_partition_keys(current_time=dt.datetime(2024, 3, 9))[:6]

    def scope(names):
        def parts_of(session, name, types, told_by):
            metadata = {PARTITION_EXPR: told_by or told}
            return partition_slice(name, definition, names, metadata, types, session.dialect).parts

        windows = isinstance(definition, dg.TimeWindowPartitionsDefinition)
        periods = {key: definition.time_window_for_partition_key(key) for key in names} if windows else {}
        return Partitions(names, parts_of, {key: (each.start, each.end) for key, each in periods.items()})

    asked = (
        *ROWWISE,
        r.Unique(("name",)),
        t.Freshness("at", dt.timedelta(hours=18)),
        query("SELECT COUNT(*) FROM {table}", min=Decimal(2)),
        t.Reconciliation("shop.others", ("id",), "amount"),
        t.Columns({"id": ""}),
    )
    data = [row(n % 11, at=moment(n % 6 + 1, n % 24), name=f"n{n % 4}") for n in range(40)]
    tables = {**orders(*data, row(50, at=None, day=None)), "shop.others": orders(*data[::2])["shop.orders"]}
    with written(session, tables):
        together = check_table(session, rules(*asked), scope(keys), Known(NOW))
        alone = {key: check_table(session, rules(*asked), scope([key]), Known(NOW)) for key in keys}

    assert together.fingerprints == {key: report.fingerprints[key] for key, report in alone.items()}
    for outcome in together.outcomes[:-1]:
        each = {key: outcome_of(report, outcome.rule) for key, report in alone.items()}
        assert not outcome.error
        assert set(outcome.errors) == {key for key, one in each.items() if one.error}
        assert {k: v for k, v in outcome.parts.items() if k in keys and not v.errored} == {
            key: one.parts[key] for key, one in each.items() if key in one.parts
        }


@pytest.mark.parametrize(
    ("bounds", "wanted"),
    [
        ({"above": Decimal(2)}, "more than 2"),
        ({"below": Decimal("2.0")}, "less than 2.0"),
        ({"min": Decimal(3)}, "at least 3"),
        ({"max": Decimal(1)}, "at most 1"),
        ({"above": Decimal(2), "below": Decimal("1E+3")}, "more than 2 and less than 1000"),
        ({"min": Decimal(0), "below": Decimal(2)}, "at least 0 and less than 2"),
        ({"min": Decimal(0), "max": Decimal(0)}, "0"),
        ({"above": Decimal(1), "below": Decimal(3)}, ""),
        ({"min": Decimal(2), "max": Decimal(2)}, ""),
    ],
)
def test_what_a_query_may_say_is_told_plainly_and_a_bound_of_its_own_kind_is_kept(session, bounds, wanted):
    rule = t.Query("SELECT COUNT(*) FROM {table}", name="query", unit="rows", **bounds)

    outcome = outcome_of(look(session, orders(row(1), row(2)), rule), rule)
    assert outcome.reason == (f"2 rows, {wanted} expected" if wanted else "")
    assert outcome.passed == (not wanted)


@pytest.mark.parametrize("name", ["or ders", "Orders", 'or"ders', "b\u00fccher", "select", "or.ders", "o'rders"])
def test_a_table_and_its_columns_may_have_any_name(session, name):
    told = t.TableRules(
        f"shop/{name}",
        (
            r.NotNull(name),
            r.Unique((name, "at")),
            r.Range(name, min=2),
            r.Monotonic(name, "at"),
            r.References((name,), f'shop."{name.replace(chr(34), chr(34) * 2)}"'),
            t.Freshness("at", dt.timedelta(days=30)),
            query("SELECT COUNT(*) FROM {table}"),
        ),
        time_column="at",
    )
    data = pa.table({name: [1, 2, None], "at": [moment(1), moment(1), moment(2)]})
    with written(session, {told.name: data}):
        report = check_table(session, told, None, Known(NOW))

    assert all(CHECK_NAME.fullmatch(outcome.rule.check) for outcome in report.outcomes)
    assert not any(outcome.error for outcome in report.outcomes), [outcome.error for outcome in report.outcomes]
    wrong = [outcome.rule.kind for outcome in report.outcomes if not outcome.passed]
    assert wrong == ["not_null", "range"]
    assert {o.rule.kind for o in check_frame(data, told, known=Known(NOW)).outcomes if o.error} == set()


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date", "text"])
def test_freshness_is_not_fooled_by_the_future(session, kind):
    types = {"timestamptz": SCHEMA.field("at").type, "timestamp": pa.timestamp("us"), "date": pa.date32()}
    values = [dt.datetime(2024, 3, 1), dt.datetime(2024, 3, 11), dt.datetime(9999, 12, 31)]
    data = pa.array(values, pa.timestamp("us")).cast(types.get(kind, pa.timestamp("us")))
    data = pa.array([f"{value:%Y-%m-%dT%H:%M:%SZ}" for value in values]) if kind == "text" else data

    report = look(session, {"shop.orders": pa.table({"at": data})}, t.Freshness("at", dt.timedelta(days=5)))

    assert summary(report)["freshness_at"] == {"": (False, 228.0)}


def test_what_came_a_moment_ago_is_not_from_the_future(session):
    now = NOW + dt.timedelta(microseconds=500)
    data = orders(row(1, at=NOW + dt.timedelta(microseconds=400)))
    with written(session, data):
        report = check_table(session, rules(t.Freshness("at", HOUR)), None, Known(now))

    assert report.outcomes[1].passed


@pytest.mark.parametrize(("hours", "passes"), [(24, False), (25, True)])
def test_an_age_equal_to_the_limit_is_too_old(session, hours, passes):
    rule = t.Freshness("at", dt.timedelta(hours=hours))

    assert outcome_of(look(session, orders(row(1, at=moment(9, 12))), rule), rule).passed is passes


def test_a_query_with_tables_of_its_own_reads_the_rows_of_its_part(session):
    counted = "WITH RECURSIVE given AS (SELECT id FROM {table}) SELECT COUNT(*) FROM given"
    scope = Partitions(("n1", "n2"), lambda *_: {key: column("name").eq(key) for key in ("n1", "n2")})

    report = look(session, orders(row(1), row(1), row(2), row(3)), query(counted, max=Decimal(1)), scope=scope)

    assert summary(report)["query"] == {"n1": (False, 2), "n2": (True, 1)}


def test_a_hole_among_the_days_is_a_difference_and_what_only_one_side_has_is_errored(session):
    data = [row(n, at=moment(n, 10)) for n in range(1, 7)]
    others = orders(*data[:1], *data[2:4], data[5])["shop.orders"]
    tables = {**orders(data[1], data[2], data[4]), "shop.others": others}
    rule = t.Reconciliation("shop.others", ("id",), name="same")

    found = outcome_of(look(session, tables, rule, scope=Days("at")), rule)

    assert {part: (one.passed, one.errored) for part, one in found.parts.items()} == {
        "2024-03-01": (False, True),
        "2024-03-02": (False, True),
        "2024-03-03": (True, False),
        "2024-03-04": (False, False),
        "2024-03-05": (False, True),
        "2024-03-06": (False, True),
    }
    assert not found.passed
    assert found.parts["2024-03-02"].reason == "not compared: shop.others has no rows of it to compare with"


def test_a_table_that_lost_its_newest_days_is_not_reconciled(session):
    data = [row(n, at=moment(n, 10)) for n in range(1, 4)]
    tables = {**orders(data[0]), "shop.others": orders(*data)["shop.orders"]}
    rule = t.Reconciliation("shop.others", ("id",), name="same")

    found = outcome_of(look(session, tables, rule, scope=Days("at")), rule)

    assert not found.passed
    assert "2024-03-03: not compared: shop.orders has no rows of it, and shop.others has" in found.reason


@pytest.mark.parametrize(("hour", "is_over"), [(0, True), (-1, False)])
def test_a_day_that_goes_on_may_have_come_to_one_side_first(session, hour, is_over):
    data = [row(n, at=moment(n, 10)) for n in range(1, 3)]
    tables = {**orders(data[0]), "shop.others": orders(*data)["shop.orders"]}
    rule = t.Reconciliation("shop.others", ("id",), name="same")
    known = Known(now=moment(3) + dt.timedelta(hours=hour))

    found = outcome_of(look(session, tables, rule, scope=Days("at"), known=known), rule)

    assert ("2024-03-02" in found.parts) == is_over
    assert found.passed != is_over


def test_days_that_do_not_count_on_the_other_side_are_not_missed(session):
    data = [row(n, at=moment(n, 10)) for n in range(1, 4)]
    tables = {**orders(data[0]), "shop.others": orders(*data)["shop.orders"]}
    rule = t.Reconciliation("shop.others", ("id",), name="same", other_where="id < 2")

    assert outcome_of(look(session, tables, rule, scope=Days("at")), rule).passed


def test_a_partition_that_cannot_be_compared_is_errored_among_others(session):
    tables = {**orders(row(1), row(2)), "shop.others": orders(row(2))["shop.orders"]}
    rule = t.Reconciliation("shop.others", ("id",), name="same")

    found = outcome_of(look(session, tables, rule, scope=by_id(1, 2)), rule)

    assert set(found.errors) == {"1"}
    assert found.parts["2"].passed


@pytest.mark.parametrize("scope", [Whole(), Days("at")])
def test_an_empty_table_is_reconciled_though_no_rows_are_allowed(session, scope):
    tables = {**orders(), "shop.others": orders(row(1), row(2))["shop.orders"]}
    rule = t.Reconciliation("shop.others", ("id",), name="same")

    found = summary(look(session, tables, t.RowCount(min=0), rule, scope=scope))

    assert found == {"row_count": {"": (True, 0)}, "same": {"": (False, 2)}}


@pytest.mark.parametrize(("hours", "passes"), [(200, False), (500, True)])
def test_a_table_by_day_is_as_fresh_as_its_newest_value_and_each_day_by_its_own_end(session, hours, passes):
    fresh = t.Freshness("at", dt.timedelta(hours=hours))

    found = outcome_of(look(session, orders(row(1, at=moment(1, 10))), fresh, scope=Days("at")), fresh)

    assert found.passed is passes
    assert found.parts["2024-03-01"].passed
    assert ("218.0 hours before now" in found.reason) is not passes


def test_a_table_by_day_is_fresh_though_an_old_day_ended_early(session):
    fresh = t.Freshness("at", dt.timedelta(hours=6))

    found = outcome_of(
        look(session, orders(row(1, at=moment(1)), row(2, at=moment(10, 11))), fresh, scope=Days("at")), fresh
    )

    assert found.passed
    assert {part: one.passed for part, one in found.parts.items()} == {"2024-03-01": False, "2024-03-10": True}


def test_a_day_that_is_not_over_has_no_volume_and_what_it_may_never_have_is_said(session):
    usual, bounded = t.VolumeAnomaly(too_little="pass"), t.RowCount(of_median=(0.5, 2), too_little="pass")
    tight = t.RowCount(max=0, of_median=(0.5, 2), too_little="pass", name="tight")

    report = look(session, orders(row(1, at=moment(10, 1))), usual, bounded, tight, scope=Days("at"))

    assert (outcome_of(report, usual).parts, outcome_of(report, bounded).parts) == ({}, {})
    assert outcome_of(report, usual).passed
    assert not outcome_of(report, tight).passed
    assert report.accepted == {}


@pytest.mark.parametrize(("tolerance", "passes"), [("0.0009", False), ("0.001", True)])
def test_a_difference_equal_to_the_tolerance_is_tolerated(session, tolerance, passes):
    others = pa.table({"id": [1], "amount": ["1.001"]})
    rule = t.Reconciliation("shop.others", ("id",), "amount", tolerance=Decimal(tolerance), name="same")

    report = look(session, {**orders(row(1)), "shop.others": others}, rule)

    assert outcome_of(report, rule).passed is passes


def test_sums_of_floats_keep_every_digit(session):
    """One digit in the sixteenth place is a difference, and the order of the rows is none."""
    schema = pa.schema({"id": pa.int64(), "ratio": pa.float64()})
    values = [1234567890.123456, 0.1, 0.2, -7e12]
    here = pa.table({"id": [1] * 4, "ratio": values}, schema)
    there = pa.table({"id": [1] * 4, "ratio": values[::-1]}, schema)
    off = pa.table({"id": [1] * 4, "ratio": [1234567890.123457, *values[1:]]}, schema)
    rule = t.Reconciliation("shop.others", ("id",), "ratio", name="same")

    assert outcome_of(look(session, {"shop.orders": here, "shop.others": there}, rule), rule).passed
    assert not outcome_of(look(session, {"shop.orders": here, "shop.others": off}, rule), rule).passed


def test_an_amount_that_is_no_number_is_a_difference_and_stops_nothing(session):
    here = pa.table({"id": [1, 2], "amount": ["1.00", "1e400"]})
    there = pa.table({"id": [1, 2], "amount": ["1", "2"]})
    rule = t.Reconciliation("shop.others", ("id",), "amount", name="same")

    assert summary(look(session, {"shop.orders": here, "shop.others": there}, rule))["same"] == {"": (False, 1)}


def test_keys_of_which_one_is_text_are_compared_as_text(session):
    others = pa.table({"id": ["1", "02"]})
    asked = (r.References(("id",), "shop.others"), t.Reconciliation("shop.others", ("id",), name="same"))

    found = summary(look(session, {**orders(row(1), row(2)), "shop.others": others}, *asked))

    assert [parts[""][1] for parts in found.values()] == [2, 1, 2]


LARGEST = 2**53 - 1


@pytest.mark.parametrize(
    ("here", "there", "orphans", "differ"),
    [
        ([1, 2, LARGEST], [1.0, 2.0, float(LARGEST)], 0, 0),  # ids that pandas made floats
        ([-1, 0], [-1.0, -0.0], 0, 0),
        ([LARGEST + 2], [float(LARGEST + 1)], 1, 2),
        ([LARGEST + 1], [float(LARGEST + 1)], 1, 2),  # more than one number may have become this float
        ([2**63 - 1], [float(2**63)], 1, 2),
        ([1], [1.5], 1, 2),
        ([None], [1.5], 0, 2),
        ([None], [math.inf], 0, 2),
        ([None], [math.nan], 0, 0),
        ([None], [None], 0, 0),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_whole_numbers_and_floats_are_compared_exactly(engines, here, there, orphans, differ, turned):
    numbers, floats = pa.table({"id": pa.array(here, pa.int64())}), pa.table({"id": pa.array(there, pa.float64())})
    tables = (floats, numbers) if turned else (numbers, floats)
    asked = (r.References(("id",), "shop.others", name="known"), t.Reconciliation("shop.others", ("id",), name="same"))

    found = engines.look(dict(zip(("shop.orders", "shop.others"), tables, strict=True)), rules(*asked), Whole())

    lost = sum(value is not None and not math.isnan(value) for value in there) if differ else 0
    for report in found.values():
        assert summary(report)["same"][""] == (differ == 0, differ)
        assert summary(report)["known"][""][1] == (lost if turned else orphans)


def test_keys_of_which_a_part_is_a_float_are_compared_exactly(session):
    here = pa.table({"a": ["x", "x"], "b": [1, 2**53 + 1]})
    there = pa.table({"a": ["x", "x"], "b": [1.0, 2.0**53]})
    asked = (r.References(("a", "b"), "shop.others"), t.Reconciliation("shop.others", ("a", "b"), name="same"))

    found = summary(look(session, {"shop.orders": here, "shop.others": there}, *asked))

    assert [parts[""][1] for parts in found.values()] == [2, 1, 2]


def test_a_column_with_a_type_of_names_is_looked_at_as_text(session):
    execute = lambda sql: session.query(parse_one(sql, dialect=session.dialect))  # noqa: E731
    execute("CREATE SCHEMA IF NOT EXISTS shop")
    session.query(exp.Command(this="CREATE", expression="TYPE shop.status AS ENUM ('paid', 'failed', ' ')"))
    execute("CREATE TABLE shop.orders (status shop.status, id UUID)")
    execute("INSERT INTO shop.orders VALUES ('paid', '6f9619ff-8b86-d011-b42d-00cf4fc964ff'), ('failed', NULL)")
    execute("INSERT INTO shop.orders VALUES (' ', '6f9619ff-8b86-d011-b42d-00cf4fc964ff'), (NULL, NULL)")
    asked = (
        r.AcceptedValues("status", ("paid", "no name of it")),
        r.Pattern("status", "^(paid| )$"),
        r.Length("status", max=4),
        r.NotNull("status", blank=True),
        r.Pattern("id", "^[0-9a-f-]+$"),
        r.Length("id", max=35),
    )
    try:
        found = summary(check_table(session, rules(*asked), None, Known(NOW)))
    finally:
        execute("DROP TABLE shop.orders")
        session.query(exp.Command(this="DROP", expression="TYPE shop.status"))

    assert [found[rule.check] for rule in asked] == [
        {"": (False, 2)},
        {"": (False, 1)},
        {"": (False, 1)},
        {"": (False, 2)},
        {"": (True, 0)},
        {"": (False, 2)},
    ]


def test_keys_that_may_differ_need_a_key():
    with pytest.raises(ContractError, match="needs a key"):
        t.Reconciliation("shop.others", allowed_keys=1)


@pytest.mark.parametrize("make", [pd.DataFrame, pl.DataFrame, pa.table])
def test_a_frame_of_every_library_is_looked_at(make):
    data = make({"id": [1, 1, None], "ratio": [0.5, 2.0, None]})

    found = summary(check_frame(data, rules(r.Unique(("id",)), r.Range("ratio", max=1), r.NotNull("id"))))

    assert {check: parts[""][1] for check, parts in found.items()} == {
        "row_count": 3,
        "unique_id": 2,
        "range_ratio": 1,
        "not_null_id": 1,
    }


def test_a_column_of_a_frame_without_any_value_breaks_only_not_null():
    frame = pd.DataFrame({"id": [1, 2], "note": [None, None]})
    asked = (r.NotNull("note"), r.Length("note", 1), r.AcceptedValues("note", ("a",)), r.Unique(("note",)))

    found = summary(check_frame(frame, rules(*asked)))

    assert [parts[""] for parts in found.values()] == [(True, 2), (False, 2), (True, 0), (True, 0), (True, 0)]


@pytest.mark.parametrize(
    ("column_name", "wanted", "passes"),
    [
        ("amount", "decimal", True),
        ("amount", "numeric(12,2)", True),
        ("amount", "decimal(12, 3)", False),
        ("id", "int8", True),
        ("id", "integer", False),
        ("name", "varchar", True),
        ("name", "char(3)", True),
        ("ratio", "double precision", True),
        ("ratio", "real", False),
        ("at", "timestamp with time zone", True),
        ("at", "timestamp", False),
        ("day", "date", True),
        ("flag", "bool", True),
    ],
)
def test_a_type_is_the_same_under_whatever_name(session, column_name, wanted, passes):
    rule = t.Columns({column_name: wanted})

    assert outcome_of(look(session, orders(row(1)), rule), rule).passed is passes


def test_a_missing_amount_is_no_amount_of_zero(session):
    schema = pa.schema({"id": pa.int64(), "amount": pa.decimal128(12, 2)})
    here = pa.table({"id": [1, 2], "amount": [Decimal(0), Decimal(1)]}, schema)
    there = pa.table({"id": [1, 2], "amount": [None, Decimal(1)]}, schema)
    rule = t.Reconciliation("shop.others", ("id",), "amount", tolerance=Decimal(1), name="same")

    assert summary(look(session, {"shop.orders": here, "shop.others": there}, rule))["same"] == {"": (False, 1)}
