import datetime as dt

import dagster as dg
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from dashboard_trust.enforcement.audited_assets import AUDIT, audited
from dashboard_trust.enforcement.gated_assets import trust, trusted
from dashboard_trust.enforcement.io_manager import NEW_COLUMNS, TrustedIOManager
from dashboard_trust.enforcement.slices import PARTITION_EXPR
from dashboard_trust.errors import InvalidInputError
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse
from dashboard_trust.warehouses.rejected import COLUMNS as REJECTION_COLUMNS

DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-06")
D1, D2, D3 = "2026-01-01", "2026-01-02", "2026-01-03"
UNIQUE_ID = [{"unique": "id"}, {"not_null": "id"}]


@pytest.fixture
def warehouse(tmp_path):
    return DuckDBWarehouse(tmp_path / "warehouse.duckdb")


def conditions(**sql):
    return [{"condition": {"name": name, "sql": text}} for name, text in sql.items()]


class Orders:
    """An asset that returns the rows it is told to."""

    def __init__(self, run, warehouse, *, audit=None, partitions=DAYS, expr="day", accept_new=False, guarded=False):
        self.warehouse, self.run, self.rows, self.make = warehouse, run, {}, pd.DataFrame
        metadata = {PARTITION_EXPR: expr} if partitions is not None else {}
        metadata |= {AUDIT: audit} if audit is not None else {}
        metadata |= {NEW_COLUMNS: "accept"} if accept_new else {}

        @dg.asset(
            key=["shop", "orders"],
            partitions_def=partitions,
            backfill_policy=dg.BackfillPolicy.single_run() if partitions is not None else None,
            io_manager_key="warehouse_io",
            metadata=metadata,
        )
        def orders(context):
            keys = context.partition_keys if partitions is not None else [None]
            return self.make([row for key in keys for row in self.rows[key]])

        assets = [audited(orders) if audit is not None else orders]
        if guarded:
            assets = [dg.AssetSpec("source"), trusted(assets[0], owner="team:x")]
        self.defs = dg.Definitions(assets, resources={"warehouse_io": TrustedIOManager(warehouse)})

    def write(self, rows, day=D1, to=None):
        self.rows = rows if isinstance(rows, dict) else {day: rows}
        return self.run(self.defs, "shop/orders", day=day, to=to)

    def held(self, columns="day, id"):
        with self.warehouse.connect("test") as connection:
            return connection.execute(f"SELECT {columns} FROM shop.orders ORDER BY ALL").fetchall()


@pytest.fixture
def make_orders(run, warehouse):
    return lambda **options: Orders(run, warehouse, **options)


def row(day, id_, **more):
    return {"day": dt.date.fromisoformat(day), "id": id_, **more}


def message(result):
    (event,) = [event for event in result.all_events if event.is_step_failure]
    error = event.step_failure_data.error
    return (error.cause or error).message


def on_record(instance, check):
    """What a check said last of each partition: what is logged from within an IO manager is no result of the run."""
    key = dg.AssetCheckKey(dg.AssetKey(["shop", "orders"]), check)
    history = instance.event_log_storage.get_asset_check_execution_history(key, limit=10)
    return {r.partition: r.status.value for r in reversed(history) if r.status.value != "PLANNED"}


def words(result):
    return {(e.check_name, e.partition): (e.passed, e.description) for e in result.get_asset_check_evaluations()}


def test_a_failed_audit_keeps_the_old_partition_and_the_refused_rows_aside(make_orders):
    orders = make_orders(audit=UNIQUE_ID)
    assert orders.write([row(D1, 1)]).success
    result = orders.write([row(D1, 2), row(D1, 2), row(D1, 3)])

    assert not result.success
    assert orders.held() == [(dt.date(2026, 1, 1), 1)]
    assert "unique_id: 2026-01-01: 2 of 3 rows share their id with another" in message(result)
    table = message(result).split("refused rows are in ")[1].split(" ")[0]
    with orders.warehouse.connect("test") as connection:
        assert connection.execute(f"SELECT id FROM {table} ORDER BY 1").fetchall() == [(2,), (2,), (3,)]
        assert connection.execute("SELECT slice, reason FROM trust.rejections").fetchall()[0][0] == D1


def test_what_an_audit_found_are_asset_checks_bound_to_what_was_written(make_orders, instance):
    orders = make_orders(audit=UNIQUE_ID)
    result = orders.write([row(D1, 1)])

    assert words(result) == {(name, D1): (True, None) for name in ("not_null_id", "unique_id")}
    newest = instance.get_latest_materialization_event(dg.AssetKey(["shop", "orders"]))
    targets = {e.target_materialization_data.run_id for e in result.get_asset_check_evaluations()}
    assert targets == {newest.run_id}


def test_a_refused_write_says_which_condition_and_of_which_day_in_the_checks(make_orders, instance):
    orders = make_orders(audit=UNIQUE_ID)
    result = orders.write({D1: [row(D1, 1)], D2: [row(D2, 7), row(D2, 7)]}, D1, D2)

    assert not result.success
    assert orders.warehouse.connect
    assert on_record(instance, "unique_id") == {D1: "SUCCEEDED", D2: "FAILED"}


def test_of_a_range_nothing_is_written_where_one_day_is_refused(make_orders):
    orders = make_orders(audit=UNIQUE_ID)
    orders.write({D1: [row(D1, 1)], D2: [row(D2, 2)]}, D1, D2)
    orders.write({D1: [row(D1, 10)], D2: [row(D2, 20), row(D2, 20)]}, D1, D2)

    assert [id_ for _, id_ in orders.held()] == [1, 2]


def test_a_partition_is_replaced_and_written_twice_is_the_same(make_orders):
    orders = make_orders()
    orders.write({D1: [row(D1, 1)], D2: [row(D2, 2)]}, D1, D2)
    for _ in range(2):
        assert orders.write([row(D2, 5), row(D2, 6)], D2).success

    assert [id_ for _, id_ in orders.held()] == [1, 5, 6]


def test_rows_of_another_day_are_refused(make_orders):
    orders = make_orders()
    result = orders.write([row(D1, 1), row(D2, 2)])

    assert "1 of 2 rows are not of these partitions" in message(result)
    assert orders.held() == []


def test_no_rows_where_there_were_some_are_refused_unless_that_is_said(make_orders):
    orders = make_orders()
    orders.write([row(D1, 1)])
    empty = pd.DataFrame([row(D1, 1)]).iloc[:0]
    orders.make = lambda rows: empty
    result = orders.write([])

    assert "has 1 rows and would have none" in message(result)
    assert orders.held() == [(dt.date(2026, 1, 1), 1)]

    meant = make_orders(audit=[{"row_count": {"min": 0}}])
    meant.make = lambda rows: empty
    assert meant.write([]).success
    assert meant.held() == []


def test_no_rows_where_there_were_none_are_no_rows(make_orders):
    orders = make_orders()
    orders.write([row(D2, 1)], D2)
    orders.make = lambda rows: pd.DataFrame([row(D1, 1)]).iloc[:0]

    assert orders.write([]).success
    assert orders.held() == [(dt.date(2026, 1, 2), 1)]


def test_a_run_without_a_partition_writes_nothing(make_orders):
    orders = make_orders()
    orders.write([row(D1, 1)])
    orders.write([row(D2, 2)], D2)

    @dg.asset(key=["shop", "orders"], partitions_def=DAYS, io_manager_key="io", metadata={PARTITION_EXPR: "day"})
    def whole():
        return pd.DataFrame([row(D3, 3)])

    result = orders.run(dg.Definitions([whole], resources={"io": TrustedIOManager(orders.warehouse)}), "shop/orders")

    assert "is partitioned, and this run has no partition; nothing was written" in message(result)
    assert [id_ for _, id_ in orders.held()] == [1, 2]


def test_no_rows_replace_those_of_their_own_window_whatever_types_they_have(make_orders):
    berlin = dg.DailyPartitionsDefinition("2026-01-01", timezone="Europe/Berlin")
    orders = make_orders(partitions=berlin, expr="at", audit=[{"row_count": {"min": 0}}])
    late = dt.datetime(2026, 1, 2, 23, 30, tzinfo=dt.UTC)
    early = late - dt.timedelta(days=1)
    orders.write({D2: [{"at": early, "id": 2}], D3: [{"at": late, "id": 3}]}, D2, D3)
    orders.make = lambda rows: pd.DataFrame(columns=["at", "id"])

    assert orders.write([], D2).success
    assert orders.held("id") == [(3,)]


def test_an_input_that_is_mapped_to_no_partition_is_no_rows(make_orders, run):
    orders = make_orders()
    orders.write([row(D2, 2)], D2)
    seen = []
    day_before = dg.TimeWindowPartitionMapping(-1, -1, allow_nonexistent_upstream_partitions=True)

    @dg.asset(
        partitions_def=DAYS,
        ins={"orders": dg.AssetIn(["shop", "orders"], partition_mapping=day_before, input_manager_key="warehouse_io")},
    )
    def report(orders: pd.DataFrame):
        seen.append(len(orders))

    assert run(dg.Definitions.merge(orders.defs, dg.Definitions([report])), "report", day=D1).success
    assert seen == [0]


def test_no_rows_of_unknown_types_make_no_table(make_orders):
    orders = make_orders()
    orders.make = lambda rows: pd.DataFrame([row(D1, 1)]).iloc[:0]

    assert "day" in message(orders.write([]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: {**r, "note": "x"}, "note is new"),
        (lambda r: {"day": r["day"]}, "id is missing"),
        (lambda r: {**r, "id": "seven"}, "id is VARCHAR instead of BIGINT"),
    ],
)
def test_other_columns_are_refused_by_name(make_orders, change, said):
    orders = make_orders()
    orders.write([row(D1, 1)])

    assert said in message(orders.write([change(row(D1, 2))]))
    assert orders.held() == [(dt.date(2026, 1, 1), 1)]


def test_a_new_column_is_added_where_that_is_accepted(make_orders):
    orders = make_orders(accept_new=True)
    orders.write({D1: [row(D1, 1)]})
    assert orders.write([row(D2, 2, note="x")], D2).success

    assert orders.held("id, note") == [(1, None), (2, "x")]


@pytest.mark.parametrize(
    "make", [pd.DataFrame, pl.DataFrame, pa.Table.from_pylist], ids=["pandas", "polars", "pyarrow"]
)
def test_any_frame_is_written_and_described(make_orders, instance, make):
    orders = make_orders()
    orders.make = make
    assert orders.write([row(D1, 1), row(D1, 2)]).success

    said = instance.get_latest_materialization_event(dg.AssetKey(["shop", "orders"])).asset_materialization.metadata
    assert said["dagster/row_count"].value == 2
    assert [(c.name, c.type) for c in said["dagster/column_schema"].value.columns] == [
        ("day", "DATE"),
        ("id", "BIGINT"),
    ]
    assert said["dagster/table_name"].value == '"shop"."orders"'
    assert said["dagster/uri"].value.startswith("duckdb:///")
    assert said["bytes"].value > 0
    assert said["dashboard_trust/fingerprint"].value.startswith("2:")


def test_each_partition_of_a_range_is_described_by_itself(make_orders, instance):
    orders = make_orders()
    orders.write({D1: [row(D1, 1)], D2: [row(D2, 2), row(D2, 3)]}, D1, D2)
    records = instance.fetch_materializations(dg.AssetKey(["shop", "orders"]), limit=5).records

    rows = {r.partition_key: r.asset_materialization.metadata["dagster/row_count"].value for r in records}
    prints = {r.asset_materialization.metadata["dashboard_trust/fingerprint"].value for r in records}
    assert rows == {D1: 1, D2: 2}
    assert len(prints) == 2


@pytest.mark.parametrize(
    ("partitions", "expr", "key", "rows"),
    [
        (dg.StaticPartitionsDefinition(["eu", "us"]), "region", "eu", [{"region": "eu", "id": 1}]),
        (None, None, None, [{"id": 1}]),
        (
            dg.HourlyPartitionsDefinition("2026-01-01-00:00"),
            "at",
            "2026-01-01-05:00",
            [{"at": dt.datetime(2026, 1, 1, 5, 59), "id": 1}],
        ),
        (
            dg.DailyPartitionsDefinition("2026-01-01", timezone="Europe/Berlin"),
            "at",
            "2026-01-02",
            [{"at": dt.datetime(2026, 1, 1, 23, 30, tzinfo=dt.UTC), "id": 1}],
        ),
        (
            dg.MultiPartitionsDefinition({"day": DAYS, "region": dg.StaticPartitionsDefinition(["eu", "us"])}),
            {"day": "day", "region": "region"},
            "2026-01-01|eu",
            [{"day": dt.date(2026, 1, 1), "region": "eu", "id": 1}],
        ),
        (DAYS, "CAST(at AS TIMESTAMP)", D1, [{"at": "2026-01-01 10:00:00", "id": 1}]),
        (DAYS, "day", D1, [{"day": D1, "id": 1}]),
        (
            dg.DailyPartitionsDefinition("2026-01-01", timezone="America/New_York"),
            '"soldOn"',
            "2026-01-02",
            [{"soldOn": dt.date(2026, 1, 2), "id": 1}],
        ),
    ],
    ids=["static", "whole", "hourly", "zone", "multi", "expression", "text", "quoted"],
)
def test_a_partition_of_any_kind_is_the_rows_its_column_says(make_orders, partitions, expr, key, rows):
    orders = make_orders(partitions=partitions, expr=expr)
    for _ in range(2):
        result = orders.write({key: rows}, key)
        assert result.success, message(result)

    assert len(orders.held("*")) == 1


BERLIN = dg.HourlyPartitionsDefinition("2026-10-20-00:00", timezone="Europe/Berlin")


@pytest.mark.parametrize(
    ("partitions", "key", "at"),
    [
        (dg.HourlyPartitionsDefinition("2026-01-01-00:00"), "2026-01-01-05:00", dt.date(2026, 1, 1)),
        (BERLIN, "2026-10-25-02:00", dt.datetime(2026, 10, 25, 2, 30)),
        (BERLIN, "2026-10-25-02:00+0100", dt.datetime(2026, 10, 25, 2, 30)),
    ],
    ids=["hours of a day", "the hour that comes twice", "its second time"],
)
def test_a_column_that_cannot_tell_a_partition_from_its_neighbours_is_refused(make_orders, partitions, key, at):
    result = make_orders(partitions=partitions, expr="at").write({key: [{"at": at, "id": 1}]}, key)

    assert f"cannot tell {key} from its neighbours" in message(result)


def test_a_column_of_moments_tells_the_hour_that_comes_twice_from_its_second_time(make_orders):
    orders = make_orders(partitions=BERLIN, expr="at")
    hours = {"2026-10-25-02:00": 0, "2026-10-25-02:00+0100": 1, "2026-10-25-03:00": 2}
    for key, hour in hours.items():
        at = dt.datetime(2026, 10, 25, hour, 30, tzinfo=dt.UTC)
        result = orders.write({key: [{"at": at, "id": hour}]}, key)
        assert result.success, message(result)

    assert orders.held("id") == [(0,), (1,), (2,)]
    assert not orders.write({"2026-10-25-02:00": [{"at": at, "id": 9}]}, "2026-10-25-02:00").success


def test_a_partitioned_asset_says_which_column_tells_its_partitions(make_orders):
    assert "name the column of its partitions as 'partition_expr'" in message(
        make_orders(expr=None).write([row(D1, 1)])
    )
    assert "has no column 'dya'" in message(make_orders(expr="dya").write([row(D1, 1)]))


def test_an_input_is_loaded_as_its_annotation_says_and_of_its_partitions_alone(make_orders, run, warehouse):
    orders, seen = make_orders(), {}
    orders.write({D1: [row(D1, 1)], D2: [row(D2, 2)]}, D1, D2)

    @dg.asset(partitions_def=DAYS, ins={"orders": dg.AssetIn(key=["shop", "orders"])})
    def as_pandas(orders: pd.DataFrame) -> None:
        seen["pandas"] = orders.id.tolist()

    @dg.asset(partitions_def=DAYS, ins={"orders": dg.AssetIn(key=["shop", "orders"])})
    def as_polars(orders: pl.DataFrame) -> None:
        seen["polars"] = orders["id"].to_list()

    @dg.asset(partitions_def=DAYS, ins={"orders": dg.AssetIn(key=["shop", "orders"])})
    def as_arrow(orders: pa.Table) -> None:
        seen["arrow"] = orders["id"].to_pylist()

    defs = dg.Definitions.merge(orders.defs, dg.Definitions([as_pandas, as_polars, as_arrow]))

    assert run(defs, "as_pandas", "as_polars", "as_arrow", day=D2).success
    assert seen == {"pandas": [2], "polars": [2], "arrow": [2]}


def test_a_condition_is_counted_of_every_row_and_null_is_not_true(make_orders):
    audit = [
        {"condition": {"name": "positive", "sql": "id > 0"}},
        {"accepted_values": {"column": "status", "values": ["paid"]}},
        {"row_count": {"max": 3}},
    ]
    orders = make_orders(audit=audit)

    assert orders.write([row(D1, 1, status="paid"), row(D1, 2, status=None)]).success
    refused = message(orders.write([row(D1, 1, status="lost"), row(D1, -1, status=None)]))
    assert "positive: 2026-01-01: 1 of 2 rows do not satisfy it" in refused
    assert "accepted_values_status: 2026-01-01: 1 of 2 rows have another status" in refused
    assert "row_count: 2026-01-01: 4 rows, at most 3 expected" in message(
        orders.write([row(D1, n, status="paid") for n in range(1, 5)])
    )


def test_a_value_that_is_missing_everywhere_is_refused_in_the_checks_and_kept_aside(make_orders, warehouse, instance):
    orders = make_orders(audit=[{"not_null": "paid"}])
    orders.write([row(D1, 1, paid=1.0)])
    result = orders.write([row(D1, 1, paid=None), row(D1, 2, paid=None)])

    assert on_record(instance, "not_null_paid") == {D1: "FAILED"}
    assert "The refused rows are in trust_rejected.rows_" in message(result)
    with warehouse.connect("test") as connection:
        (kept_in,) = connection.execute("SELECT kept_in FROM trust.rejections").fetchone()
        assert connection.execute(f"SELECT id, paid FROM {kept_in}").fetchall() == [(1, None), (2, None)]


def test_refused_rows_that_cannot_be_kept_do_not_hide_why_they_were_refused(make_orders, warehouse, instance):
    orders = make_orders(audit=UNIQUE_ID)
    with warehouse.connect("test") as connection:
        connection.execute("CREATE SCHEMA trust")
        columns = ", ".join(f"{name} TEXT" for name in REJECTION_COLUMNS)
        connection.execute(f"CREATE TABLE trust.rejections ({columns}, CHECK (write_id = 'no more'))")
    result = orders.write([row(D1, 2), row(D1, 2)])

    assert on_record(instance, "unique_id") == {D1: "FAILED"}
    assert "share their id with another" in message(result)
    assert "The refused rows could not be kept" in message(result)


def test_what_is_no_number_is_a_missing_value(make_orders):
    orders = make_orders(audit=[{"not_null": "amount"}])
    orders.make = lambda rows: pl.DataFrame({"day": [dt.date(2026, 1, 1)] * 2, "amount": [1.0, float("nan")]})

    assert "not_null_amount: 2026-01-01: 1 of 2 rows have no amount" in message(orders.write([]))


@pytest.mark.parametrize("returns", ["another IO manager", "no frame"])
def test_an_audit_that_nobody_made_fails(make_orders, run, returns):
    @dg.asset(metadata={AUDIT: [{"row_count": {"min": 5}}]})
    def orders():
        return dg.MaterializeResult() if returns == "no frame" else pd.DataFrame({"id": [1]})

    io = dg.InMemoryIOManager() if hasattr(dg, "InMemoryIOManager") else dg.mem_io_manager
    result = run(dg.Definitions([audited(orders)], resources={"io_manager": io}), "orders")

    assert "orders declares an audit, and nothing audited what was written" in message(result)


def test_a_condition_is_in_the_engines_own_words(make_orders):
    orders = make_orders(audit=conditions(first="tags[1] = 'x'", halved="id // 2 = 0"))
    orders.make = lambda rows: pl.DataFrame({"day": [dt.date(2026, 1, 1)], "id": [1], "tags": [["x", "y"]]})
    assert orders.write([]).success

    orders.make = lambda rows: pl.DataFrame({"day": [dt.date(2026, 1, 1)], "id": [1], "tags": [["y", "x"]]})
    assert "first: 2026-01-01: 1 of 1 rows do not satisfy it" in message(orders.write([]))


def test_a_condition_that_the_engine_has_no_words_for_is_refused(make_orders):
    refused = make_orders(audit=conditions(spelt="id = E'\\x' AND id ~~* 'a'")).write([row(D1, 1)])

    assert not refused.success


def test_an_audit_that_cannot_be_run_refuses(make_orders):
    assert "has no column 'nope'" in message(make_orders(audit=[{"not_null": "nope"}]).write([row(D1, 1)]))


def test_an_audit_that_cannot_be_asked_of_one_day_refuses_the_range_for_that_day(make_orders, instance):
    largest = {"name": "largest", "sql": "SELECT MAX(amount) FROM {table}", "max": 10}
    orders = make_orders(audit=[{"query": largest}])
    result = orders.write({D1: [row(D1, 1, amount=5.0)], D2: [row(D2, 2, amount=None)]}, D1, D2)

    assert "largest: 2026-01-02: query 'largest' is to give one number, and gave NULL" in message(result)
    assert on_record(instance, "largest") == {D1: "SUCCEEDED", D2: "FAILED"}
    assert orders.held() == []


@pytest.mark.parametrize("audit", [[{"uniqe": "id"}], [{"condition": {"name": "broken", "sql": "id >"}}]])
def test_an_audit_that_cannot_be_meant_is_refused_when_definitions_load(make_orders, audit):
    with pytest.raises(InvalidInputError):
        make_orders(audit=audit)


def test_an_asset_without_an_audit_has_none_to_show():
    with pytest.raises(InvalidInputError, match="declares no audit"):
        audited(dg.asset(lambda: 1, name="plain"))


def test_an_audited_asset_can_be_guarded_and_its_refusal_holds_what_is_built_from_it(make_orders, run, instance):
    from dashboard_trust.contracts.model import DashboardContract
    from dashboard_trust.enforcement.gated_assets import gates, trusted_dashboard

    orders = make_orders(audit=UNIQUE_ID)
    dash = trusted_dashboard(
        DashboardContract("dash", "team:dash"), lambda *_: None, deps=["shop/orders"], partitions_def=DAYS
    )
    orders.defs = trust(dg.Definitions.merge(orders.defs, dg.Definitions([dash])))
    assert orders.write([row(D1, 1)]).success
    assert run(orders.defs, "dash", day=D1).success

    orders.write([row(D1, 2), row(D1, 2)])
    verdict = gates(orders.defs)[dg.AssetKey("dash")].judge(instance, [D1], dt.datetime.now(dt.UTC))[D1]

    assert not run(orders.defs, "dash", day=D1).success
    assert verdict.readiness == "BLOCKED"
    assert any("unique_id" in finding.reason or finding.check == "unique_id" for finding in verdict.findings)


def test_refused_rows_are_dropped_when_their_time_is_over(make_orders, warehouse):
    orders = make_orders(audit=UNIQUE_ID)
    orders.write([row(D1, 2), row(D1, 2)])
    with warehouse.connect("test") as connection:
        connection.execute("UPDATE trust.rejections SET keep_until = '2020-01-01T00:00:00+00:00'")
    orders.write([row(D1, 1)])
    with warehouse.connect("test") as connection:
        left = connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'trust_rejected'"
        ).fetchall()

    assert left == [(0,)]


def test_what_an_audit_says_of_the_table_it_says_of_each_partition(make_orders, run, instance):
    from dashboard_trust.contracts.model import DashboardContract
    from dashboard_trust.enforcement.gated_assets import gates, trusted_dashboard

    orders = make_orders(audit=[{"columns": {"types": {"day": "DATE", "id": "BIGINT"}}}])
    dash = trusted_dashboard(
        DashboardContract("dash", "team:dash"), lambda *_: None, deps=["shop/orders"], partitions_def=DAYS
    )
    orders.defs = trust(dg.Definitions.merge(orders.defs, dg.Definitions([dash])))
    orders.write([row(D1, 1)])
    orders.write([row(D2, 2)], D2)

    verdicts = gates(orders.defs)[dg.AssetKey("dash")].judge(instance, [D1, D2], dt.datetime.now(dt.UTC))
    assert {day: str(verdict.readiness) for day, verdict in verdicts.items()} == {D1: "READY", D2: "READY"}


def test_an_audit_knows_when_a_partition_ended(make_orders):
    fresh = [{"freshness": {"column": "at", "within_hours": 24}}]
    orders = make_orders(audit=fresh)

    assert orders.write([row(D1, 1, at=dt.datetime(2026, 1, 1, 20))]).success


def test_an_audit_does_not_judge_by_the_volumes_before(make_orders):
    with pytest.raises(InvalidInputError, match="make it a rule of its table"):
        make_orders(audit=[{"volume_anomaly": {}}])
