"""A slice replaced on Snowflake: staged, and then in one transaction of DML alone."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys

import pyarrow as pa
import pytest

from dashboard_trust.checks.audit import Audit, AuditFailedError
from dashboard_trust.contracts.row_rules import NotNull, Unique
from dashboard_trust.contracts.table_rules import TableRules
from dashboard_trust.errors import WarehouseError, WriteRefusedError
from dashboard_trust.warehouses.fingerprints import fingerprint
from dashboard_trust.warehouses.replace import Slice, draw_ticket
from dashboard_trust.warehouses.session import column
from dashboard_trust.warehouses.snowflake import SnowflakeSession
from dashboard_trust.warehouses.snowflake_loading import SCHEMA

NAME = "raw.orders"


def orders(*rows):
    return pa.table({"day": [day for day, _ in rows], "amount": pa.array([amount for _, amount in rows], pa.int64())})


DAY_A = Slice(NAME, {"a": column("day").eq("a")})
OLD, NEW = orders(("a", 1), ("b", 2)), orders(("a", 10), ("a", 11))


@pytest.fixture
def written(warehouse, write):
    """A table of two days."""
    write(warehouse, NAME, OLD, "a", "b", by="first")
    return warehouse


def test_a_partition_is_replaced_and_the_others_stand(written, write, stands):
    found = write(written, NAME, NEW, "a", by="second")

    assert stands(written, NAME) == [{"day": "a", "amount": 10}, {"day": "a", "amount": 11}, {"day": "b", "amount": 2}]
    assert found.columns == {"day": "TEXT", "amount": "NUMBER(19,0)"}
    assert not found.repeated
    with written.session("looking") as session:
        assert fingerprint(session, NAME, column("day").eq("a")) == found.fingerprints["a"]


def test_a_whole_table_is_replaced(written, write, stands):
    write(written, NAME, NEW)

    assert stands(written, NAME) == NEW.to_pylist()


def test_the_second_of_two_writers_changes_nothing(written, write, stands):
    late = draw_ticket(written, DAY_A, "late", "the late one")
    write(written, NAME, NEW, "a", by="the early one")
    before = stands(written, NAME)

    with pytest.raises(WriteRefusedError, match="was written by the early one while"):
        write(written, NAME, orders(("a", 99)), "a", ticket=late)

    assert stands(written, NAME) == before


def audit(*rules):
    return Audit(TableRules(NAME, rules))


@pytest.mark.parametrize(
    ("data", "audited", "message"),
    [
        (orders(("a", 10), ("a", None)), audit(NotNull("amount")), "not_null_amount: a: 1 of 2 rows have no amount"),
        (orders(("a", 10), ("a", 10)), audit(Unique(("day", "amount"))), "2 of 2 rows share their day, amount"),
        (orders(("a", 10), ("c", 10)), audit(), "1 of 2 rows are not of these partitions"),
        (orders(), audit(), "would have none; nothing was written"),
        (pa.table({"day": ["a"], "amount": ["x"]}), audit(), r"amount is TEXT instead of NUMBER\(19,0\)"),
        (pa.table({"day": ["a"]}), audit(), "amount is missing"),
    ],
)
def test_what_is_refused_leaves_the_old_rows(written, write, stands, data, audited, message):
    with pytest.raises(WriteRefusedError, match=message):
        write(written, NAME, data, "a", by="second", audit=audited)

    assert stands(written, NAME) == OLD.to_pylist()
    write(written, NAME, NEW, "a", by="third")
    assert len(stands(written, NAME)) == 3


def test_no_rows_are_written_where_that_is_meant_and_a_new_column_where_it_is_accepted(written, write, stands):
    write(written, NAME, orders(), "a", accept_empty=True)
    assert stands(written, NAME) == [{"day": "b", "amount": 2}]

    more = pa.table({"day": ["a"], "amount": pa.array([5], pa.int64()), "New One": ["x"]})
    write(written, NAME, more, "a", by="another", accept_new_columns=True)

    assert {row["New One"] for row in stands(written, NAME)} == {"x", None}


def test_nothing_is_left_staged(written, write, do):
    with pytest.raises(AuditFailedError):
        write(written, NAME, orders(("a", None)), "a", by="second", audit=audit(NotNull("amount")))

    with written.session("looking") as session:
        assert do(session, f"SELECT 1 FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = '{SCHEMA}'") == []


@pytest.fixture
def double(warehouse, do):
    """Add a fence for day ``a``; Snowflake does not enforce a primary key, and of two that make one both succeed."""
    with warehouse.session("test") as session:
        do(session, 'CREATE SCHEMA "trust"')
        columns = "table_name TEXT, slice TEXT, token INT, write_id TEXT, written_by TEXT"
        do(session, f'CREATE TABLE "trust"."fences" ({columns})')

    def double(token: int) -> None:
        by = "somebody" if token else ""
        with warehouse.session("test") as session:
            do(session, f"INSERT INTO \"trust\".\"fences\" VALUES ('{NAME}', 'a', {token}, '{by}', '{by}')")

    return double


@pytest.mark.parametrize("tokens", [(0, 0), (3, 0), (0, 3), (3, 3)])
def test_a_doubled_fence_neither_lets_a_second_writer_in_nor_keeps_all_out(warehouse, double, write, stands, tokens):
    for token in tokens:
        double(token)
    late = draw_ticket(warehouse, DAY_A, "late", "the late one")

    write(warehouse, NAME, NEW, "a", by="the early one")
    with pytest.raises(WriteRefusedError, match="was written by the early one"):
        write(warehouse, NAME, orders(("a", 99)), "a", ticket=late)

    assert stands(warehouse, NAME) == NEW.to_pylist()
    write(warehouse, NAME, orders(("a", 12)), "a", by="the next one")
    assert stands(warehouse, NAME) == [{"day": "a", "amount": 12}]


def test_a_fence_doubled_after_a_write_hides_it_from_nobody(warehouse, double, write, stands):
    late = draw_ticket(warehouse, DAY_A, "late", "the late one")
    early = draw_ticket(warehouse, DAY_A, "early", "the early one")
    write(warehouse, NAME, NEW, "a", ticket=early)
    double(0)

    with pytest.raises(WriteRefusedError, match="was written by the early one"):
        write(warehouse, NAME, orders(("a", 99)), "a", ticket=late)
    assert write(warehouse, NAME, NEW, "a", ticket=early).repeated
    assert stands(warehouse, NAME) == NEW.to_pylist()


def test_a_transaction_that_is_not_the_one_begun_commits_nothing(written, write, stands, monkeypatch):
    """Somebody aborted it, and what came after was one of its own."""
    numbers = itertools.count()
    monkeypatch.setattr(SnowflakeSession, "_number", lambda _: str(next(numbers)))

    with pytest.raises(WarehouseError, match="ended the transaction before it was committed"):
        write(written, NAME, NEW, "a", by="second")

    monkeypatch.undo()
    assert stands(written, NAME) == OLD.to_pylist()


KILLED = """
import os, signal, sys
import pyarrow as pa
from dagster_snowflake import SnowflakeResource
from dashboard_trust.warehouses.replace import Slice, draw_ticket, replace_slice
from dashboard_trust.warehouses.snowflake import SnowflakeSession, SnowflakeWarehouse

settings, moment = eval(sys.argv[1]), sys.argv[2]
warehouse = SnowflakeWarehouse(SnowflakeResource(**settings))

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(SnowflakeSession, moment, die)
ticket = draw_ticket(warehouse, Slice("raw.orders"), "killed", "killed")
replace_slice(warehouse, ticket, pa.table({"day": ["x"], "amount": [9]}))
"""


@pytest.mark.parametrize("moment", ["append", "_commit"])
def test_what_a_killed_process_wrote_is_seen_by_nobody(account, database, written, stands, moment):
    settings = {**account.settings, "database": database}
    child = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, repr(settings), moment],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )

    assert child.returncode == -9, child.stderr
    assert stands(written, NAME) == OLD.to_pylist()
