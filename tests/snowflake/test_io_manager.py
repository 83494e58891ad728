"""What an asset returns, written to Snowflake by the IO manager."""

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from dashboard_trust.enforcement.audited_assets import AUDIT, audited
from dashboard_trust.enforcement.io_manager import TrustedIOManager
from dashboard_trust.enforcement.slices import PARTITION_EXPR

DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-04")
FIRST, SECOND = "2026-01-01", "2026-01-02"
RULES = [{"unique": "id"}, {"condition": {"name": "positive", "sql": "amount > 0"}}]


@pytest.fixture
def write(run, warehouse):
    """Materialize an asset of a day, or of two, that returns rows of ``at, id, amount``."""

    def write(rows, day=FIRST, to=None, expr="at"):
        @dg.asset(
            key=["shop", "orders"],
            partitions_def=DAYS,
            backfill_policy=dg.BackfillPolicy.single_run(),
            io_manager_key="io",
            metadata={PARTITION_EXPR: expr, AUDIT: RULES},
        )
        def orders(context):
            frame = pd.DataFrame(rows, columns=["at", "id", "amount"])
            return frame.assign(at=pd.to_datetime(frame["at"], utc=True))

        @dg.asset(
            partitions_def=DAYS, ins={"orders": dg.AssetIn(dg.AssetKey(["shop", "orders"]))}, io_manager_key="mem"
        )
        def copy(orders: pa.Table):
            return orders.num_rows

        resources = {"io": TrustedIOManager(warehouse), "mem": dg.mem_io_manager}
        defs = dg.Definitions([audited(orders), copy], resources=resources)
        return run(defs, "shop/orders", *([] if to else ["copy"]), day=day, to=to)

    return write


def message(result):
    (event,) = [event for event in result.all_events if event.is_step_failure]
    error = event.step_failure_data.error
    return (error.cause or error).message


def test_a_refused_partition_stands_as_it_did_and_its_rows_are_kept_aside(write, stands, warehouse, do):
    assert write([(FIRST, 1, 5)]).success

    refused = write([(FIRST, 1, 5), (FIRST, 1, -5)])

    assert not refused.success
    for reason in ("2 of 2 rows share their id with another", "1 of 2 rows do not satisfy it"):
        assert reason in message(refused)
    assert [row["id"] for row in stands(warehouse, "shop.orders")] == [1]
    with warehouse.session("looking") as session:
        ((kept_in, because),) = do(session, 'SELECT kept_in, reason FROM "trust"."rejections"')
    assert kept_in in message(refused)
    assert "unique_id" in because
    assert sorted(row["amount"] for row in stands(warehouse, kept_in)) == [-5, 5]


@pytest.mark.parametrize("expr", ["at", "at + INTERVAL '0 hour'"], ids=["column", "expression"])
def test_two_days_are_written_at_once_and_one_of_them_again(write, stands, warehouse, expr):
    both = write([(f"{FIRST}T00:00:00Z", 1, 5), (f"{SECOND}T23:59:59Z", 2, 5)], FIRST, SECOND, expr=expr)
    again = write([(SECOND, 3, 5)], SECOND, expr=expr)

    assert both.success
    assert again.success
    assert again.output_for_node("copy") == 1
    assert [row["id"] for row in stands(warehouse, "shop.orders")] == [1, 3]
    (event,) = again.asset_materializations_for_node("shop__orders")
    assert event.metadata["dagster/row_count"].value == 1
    assert event.metadata["dagster/uri"].value.startswith(f"{warehouse.address}#")
    columns = {column.name: column.type for column in event.metadata["dagster/column_schema"].value.columns}
    assert columns == {"at": "TIMESTAMP_TZ", "id": "NUMBER(19,0)", "amount": "NUMBER(19,0)"}
