"""What a write was refused with, on every engine."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
from sqlglot import parse_one

from dashboard_trust.warehouses.rejected import collect_rejected, keep_rejected
from dashboard_trust.warehouses.replace import Slice, draw_ticket
from dashboard_trust.warehouses.session import drop_table

NOW, DAY = dt.datetime(2026, 1, 1, tzinfo=dt.UTC), dt.timedelta(days=1)
ROWS = pa.table({"id": [1, 2]})


def keep(warehouse) -> str:
    ticket = draw_ticket(warehouse, Slice("shop.orders"), "write1", "run 1")
    return keep_rejected(warehouse, ticket, ROWS, "id: 2 of 2 rows are wrong", now=NOW, keep=DAY)


def test_what_a_process_left_that_ended_while_it_kept_them_is_collected(warehouse):
    kept_in = keep(warehouse)
    with warehouse.session("test") as session:
        session.query(drop_table(kept_in))  # it is on record before it is there

        assert collect_rejected(session, NOW + 2 * DAY) == [kept_in]
        assert collect_rejected(session, NOW + 2 * DAY) == []


def test_what_an_earlier_try_of_the_same_write_kept_gives_way(warehouse):
    with warehouse.session("test") as session:
        session.query(parse_one("CREATE SCHEMA trust_rejected"))
        session.query(parse_one("CREATE TABLE trust_rejected.rows_write1 (other INT)"))

    kept_in = [keep(warehouse), keep(warehouse)]

    with warehouse.session("test") as session:
        assert session.read(kept_in[0]).to_pydict() == ROWS.to_pydict()
        assert collect_rejected(session, NOW + 2 * DAY) == kept_in[:1]


def test_they_are_kept_for_their_time_and_no_longer(warehouse):
    kept_in = keep(warehouse)

    with warehouse.session("test") as session:
        assert collect_rejected(session, NOW + DAY - dt.timedelta(seconds=1)) == []
        assert session.read(kept_in).to_pydict() == ROWS.to_pydict()
        assert collect_rejected(session, NOW + DAY) == [kept_in]
        assert session.columns(kept_in) is None
        assert collect_rejected(session, NOW + DAY) == []
