"""What only a real account can show: fakesnow's transactions, locks and missing moments are not Snowflake's."""

from __future__ import annotations

import datetime as dt
import threading
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pytest
from sqlglot import exp

from dashboard_trust.errors import InvalidInputError, WarehouseBusyError, WarehouseError, WriteRefusedError
from dashboard_trust.warehouses.replace import Slice, draw_ticket
from dashboard_trust.warehouses.session import column, table
from dashboard_trust.warehouses.snowflake import SnowflakeWarehouse

pytestmark = pytest.mark.snowflake
NAME = "raw.numbers"
NUMBERS = pa.table({"n": [1, 2, 3]})
WRITERS = 8


@pytest.fixture(params=["real_account"])
def account(request):
    """The one that is real."""
    return request.getfixturevalue(request.param)


def test_of_eight_that_write_an_empty_partition_at_once_one_wins(warehouse, write, stands):
    with warehouse.session("test") as session:
        session.create(NAME, pa.schema([("day", pa.string()), ("by", pa.int64())]))
    what, at_once = Slice(NAME, {"a": column("day").eq("a")}), threading.Barrier(WRITERS)

    def one(number):
        ticket = draw_ticket(warehouse, what, f"write {number}", f"writer {number}")
        at_once.wait()
        try:
            write(warehouse, NAME, pa.table({"day": ["a"] * 3, "by": [number] * 3}), "a", ticket=ticket)
        except (WriteRefusedError, WarehouseBusyError):
            return None
        return number

    with ThreadPoolExecutor(WRITERS) as pool:
        won = [number for number in pool.map(one, range(WRITERS)) if number is not None]

    assert len(won) == 1
    assert stands(warehouse, NAME) == [{"by": won[0], "day": "a"}] * 3


def test_a_transaction_that_somebody_aborted_keeps_nothing(warehouse, stands):
    def write_and_be_aborted():
        with warehouse.session("test") as session:
            session.create(NAME, NUMBERS.schema)
            rows = session.stage(NUMBERS)
            with session.transaction():
                session.append(NAME, rows)
                number = session._number()
                with warehouse.session("another") as other:
                    other.query(exp.select(exp.Anonymous(this="SYSTEM$ABORT_TRANSACTION", expressions=[number])))
                session.append(NAME, rows)

    with pytest.raises(WarehouseError):
        write_and_be_aborted()

    assert stands(warehouse, NAME) == []


def test_who_waits_too_long_for_another_is_told_so(account, database, warehouse):
    impatient = SnowflakeWarehouse(account.resource(database), lock_wait=dt.timedelta(seconds=1))
    more = exp.update(table(NAME), {'"n"': exp.Literal.number(4)})
    with warehouse.session("test") as session:
        session.create(NAME, NUMBERS.schema)
        session.append(NAME, NUMBERS)
        with session.transaction():
            session.query(more)
            with pytest.raises(WarehouseBusyError, match="SHOW LOCKS"), impatient.session("waiting") as other:
                other.query(more)


def test_missing_moments_come_back_as_missing(warehouse):
    kinds = {
        "plain": pa.timestamp("us"),
        "zoned": pa.timestamp("us", "UTC"),
        "day": pa.date32(),
        "time": pa.time64("us"),
    }
    data = pa.table({name: pa.nulls(2, kind) for name, kind in kinds.items()})
    with warehouse.session("test") as session:
        session.create("raw.moments", data.schema)
        session.append("raw.moments", data)

        assert session.read("raw.moments").to_pylist() == data.to_pylist()


def test_a_name_that_two_tables_have_is_refused(warehouse, do):
    with warehouse.session("test") as session:
        do(session, "CREATE SCHEMA marts", 'CREATE SCHEMA "marts"')
        do(session, "CREATE TABLE marts.revenue (n INT)", 'CREATE TABLE "marts"."revenue" ("n" INT)')

        assert session.columns("MARTS.REVENUE") == {"N": "NUMBER(38,0)"}
        with pytest.raises(InvalidInputError, match="rename one"):
            session.columns("marts.revenue")


def test_two_that_make_a_fence_at_once_both_find_it(warehouse, write, stands):
    at_once = threading.Barrier(2)

    def draw(number):
        at_once.wait()
        return draw_ticket(warehouse, Slice(NAME), f"write {number}", f"writer {number}")

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(draw, range(2))
    write(warehouse, NAME, NUMBERS, ticket=first)

    with pytest.raises(WriteRefusedError, match="was written by writer 0"):
        write(warehouse, NAME, NUMBERS, ticket=second)
    write(warehouse, NAME, NUMBERS, by="the next one")
    assert len(stands(warehouse, NAME)) == 3


def test_every_statement_says_what_it_is_for(account, database, do):
    named = SnowflakeWarehouse(account.resource(database), query_tag="team-x")
    with named.session("writing raw.numbers") as session:
        ((tag,),) = do(session, "SELECT DISTINCT QUERY_TAG FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY_BY_SESSION())")

    assert tag == "team-x: writing raw.numbers"
