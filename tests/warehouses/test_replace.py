"""A slice is replaced once, whole, or not at all: asked of every engine."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest
from sqlglot import exp

from dashboard_trust.errors import DashboardTrustError, WriteRefusedError
from dashboard_trust.warehouses.fingerprints import fingerprint
from dashboard_trust.warehouses.replace import NoAudit, Slice, draw_ticket, replace_slice
from dashboard_trust.warehouses.session import column

D1, D2, D3 = "2024-03-01", "2024-03-02", "2024-03-03"
ORDERS = "mart.orders"


def of(day: str, *values: str) -> pa.Table:
    return pa.table({"day": pa.array([day] * len(values), pa.string()), "value": pa.array(values, pa.string())})


def slice_of(*days: str, name: str = ORDERS) -> Slice:
    return Slice(name, {day: column("day").eq(day) for day in days})


class Refusing(NoAudit):
    """An audit that finds fault with whatever was written."""

    def examine(self, session, what):
        raise WriteRefusedError("too few")


class Paused(NoAudit):
    """An audit that holds a write open until it is told to go on."""

    def __init__(self):
        self.reached, self.go_on = threading.Event(), threading.Event()

    def examine(self, session, what):
        self.reached.set()
        assert self.go_on.wait(60)
        return super().examine(session, what)


@pytest.fixture
def loaded(warehouse, write):
    """A table of two days."""
    write(warehouse, ORDERS, pa.concat_tables([of(D1, "a", "b"), of(D2, "c")]), D1, D2, by="the first load")
    return warehouse


def values(stands, warehouse, day=None):
    return [row["value"] for row in stands(warehouse, ORDERS) if day in (None, row["day"])]


def test_the_rows_of_the_day_alone_are_replaced(loaded, write, stands):
    written = write(loaded, ORDERS, of(D1, "x"), D1)

    assert values(stands, loaded, D1) == ["x"]
    assert values(stands, loaded, D2) == ["c"]
    assert [fingerprint.rows for fingerprint in written.fingerprints.values()] == [1]
    assert not written.repeated


def test_a_table_without_partitions_is_replaced_whole(loaded, write, stands):
    written = write(loaded, "mart.whole", of(D1, "a", "b"))
    again = write(loaded, "mart.whole", of(D2, "c"), by="another")

    assert stands(loaded, "mart.whole") == of(D2, "c").to_pylist()
    assert written.fingerprints.keys() == again.fingerprints.keys() == {""}


def test_what_is_said_to_be_written_is_what_stands(loaded, write):
    written = write(loaded, ORDERS, pa.concat_tables([of(D2, "x"), of(D3, "y", "z")]), D2, D3)

    with loaded.session("look") as session:
        for day, found in written.fingerprints.items():
            assert found == fingerprint(session, ORDERS, column("day").eq(day))
        assert written.columns == session.columns(ORDERS)


def test_the_same_rows_written_again_have_the_same_fingerprint(loaded, write):
    one = write(loaded, ORDERS, of(D1, "x", "y"), D1, by="one")
    other = write(loaded, ORDERS, of(D1, "y", "x"), D1, by="other")

    assert one.fingerprints == other.fingerprints
    assert not other.repeated


def test_a_write_that_was_committed_changes_nothing_when_it_is_repeated(loaded, stands):
    ticket = draw_ticket(loaded, slice_of(D1), "w1", "us")
    once = replace_slice(loaded, ticket, of(D1, "x"))

    again = replace_slice(loaded, ticket, of(D1, "never"), Refusing())
    drawn_again = replace_slice(loaded, draw_ticket(loaded, slice_of(D1), "w1", "us"), of(D1, "never"))

    assert again.repeated
    assert drawn_again.repeated
    assert again.fingerprints == once.fingerprints
    assert values(stands, loaded, D1) == ["x"]


def test_an_attempt_that_overtakes_its_own_first_one_waits_and_changes_nothing(loaded, stands):
    """The first attempt was given up, and yet it is alive and about to commit."""
    pause = Paused()
    first_ticket = draw_ticket(loaded, slice_of(D1), "w1", "us")
    second_ticket = draw_ticket(loaded, slice_of(D1), "w1", "us")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(replace_slice, loaded, first_ticket, of(D1, "first"), pause)
        assert pause.reached.wait(60)
        second = pool.submit(replace_slice, loaded, second_ticket, of(D1, "second"))
        pause.go_on.set()

        assert not first.result().repeated
        assert second.result().repeated
    assert values(stands, loaded, D1) == ["first"]


def test_a_second_writer_is_refused_and_told_who_was_first(loaded, stands):
    early = draw_ticket(loaded, slice_of(D1), "w1", "run early")
    late = draw_ticket(loaded, slice_of(D1, D2), "w2", "run late")
    replace_slice(loaded, late, pa.concat_tables([of(D1, "late"), of(D2, "late")]))

    with pytest.raises(WriteRefusedError, match=rf"mart\.orders \({D1}\) was written by run late while this write was"):
        replace_slice(loaded, early, of(D1, "early"))

    assert values(stands, loaded) == ["late", "late"]


def test_a_writer_of_another_day_is_not_in_the_way(loaded, stands):
    early = draw_ticket(loaded, slice_of(D1), "w1", "run early")
    replace_slice(loaded, draw_ticket(loaded, slice_of(D2), "w2", "run late"), of(D2, "late"))

    replace_slice(loaded, early, of(D1, "early"))

    assert values(stands, loaded) == ["early", "late"]


def test_of_a_write_of_two_days_nothing_stands_if_one_day_was_overtaken(loaded, stands):
    both = draw_ticket(loaded, slice_of(D1, D2), "w1", "run of both")
    replace_slice(loaded, draw_ticket(loaded, slice_of(D2), "w2", "run of one"), of(D2, "one"))

    with pytest.raises(WriteRefusedError, match=rf"\({D2}\) was written by run of one"):
        replace_slice(loaded, both, pa.concat_tables([of(D1, "both"), of(D2, "both")]))

    assert values(stands, loaded) == ["a", "b", "one"]


@pytest.mark.parametrize("name", [ORDERS, "mart.never_made"])
def test_of_eight_writers_at_once_one_wins_and_seven_are_told_who(loaded, stands, name):
    barrier = threading.Barrier(8)

    def race(by: str) -> str | DashboardTrustError:
        ticket = draw_ticket(loaded, slice_of(D1, name=name), by, f"writer {by}")
        barrier.wait(60)
        try:
            replace_slice(loaded, ticket, of(D1, *[by] * 500))
        except DashboardTrustError as error:
            return error
        return by

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(race, "abcdefgh"))

    winners = [result for result in results if isinstance(result, str)]
    assert len(winners) == 1
    for error in results:
        if isinstance(error, Exception):
            assert isinstance(error, WriteRefusedError), error
            assert f"was written by writer {winners[0]} " in str(error)
    assert Counter(row["value"] for row in stands(loaded, name) if row["day"] == D1) == {winners[0]: 500}


def test_of_eight_processes_at_once_one_wins_and_seven_are_told_who(postgres, postgres_warehouse, stands):
    script = Path(__file__).with_name("racing_writers.py")
    run = subprocess.run(
        [sys.executable, script, postgres.uri()], capture_output=True, text=True, timeout=120, check=True
    )
    results = dict(line.split(": ", 1) for line in run.stdout.splitlines())

    (winner,) = (by for by, result in results.items() if result == "written")
    losers = [result for by, result in results.items() if by != winner]
    told = f"WriteRacedError: mart.orders (2024-03-01) was written by {winner} while this write was being made"
    assert len(losers) == 7
    assert all(result.startswith(told) for result in losers), losers
    assert Counter(row["by"] for row in stands(postgres_warehouse, ORDERS)) == {winner: 1000}


def test_writers_of_different_days_all_win(loaded, stands):
    days = [f"2024-04-0{n}" for n in range(1, 9)]
    barrier = threading.Barrier(8)

    def race(day: str) -> None:
        ticket = draw_ticket(loaded, slice_of(day), day, day)
        barrier.wait(60)
        replace_slice(loaded, ticket, of(day, *"xyz"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(race, days))

    assert {day: len(values(stands, loaded, day)) for day in days} == dict.fromkeys(days, 3)
    assert values(stands, loaded, D1) == ["a", "b"]


def test_two_writers_of_the_same_days_never_wait_for_each_other(loaded, stands):
    for attempt in range(5):
        barrier = threading.Barrier(2)

        def race(days: tuple[str, ...], by: str = f"{attempt}", barrier=barrier) -> bool:
            ticket = draw_ticket(loaded, slice_of(*days), f"{by} {days}", f"{by} {days}")
            barrier.wait(60)
            try:
                replace_slice(loaded, ticket, pa.concat_tables([of(day, *days) for day in days]))
            except WriteRefusedError:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            won = list(pool.map(race, [(D1, D2, D3), (D3, D2, D1)]))

        assert sum(won) == 1
        assert len(values(stands, loaded)) == 9


def test_no_rows_never_replace_rows_unless_that_is_meant(loaded, write, stands):
    with pytest.raises(WriteRefusedError, match=rf"mart\.orders \({D1}\) has 2 rows and would have none"):
        write(loaded, ORDERS, of(D1), D1)
    assert values(stands, loaded, D1) == ["a", "b"]

    written = write(loaded, ORDERS, of(D1), D1, by="who means it", accept_empty=True)

    assert written.fingerprints[D1].rows == 0
    assert values(stands, loaded) == ["c"]


def test_no_rows_where_none_were_are_a_version_like_any_other(loaded, write, stands):
    written = write(loaded, ORDERS, of(D3), D3)
    made = write(loaded, "mart.empty", of(D3), D3)

    assert written.fingerprints[D3].rows == made.fingerprints[D3].rows == 0
    assert stands(loaded, "mart.empty") == []
    with loaded.session("look") as session:
        assert list(session.columns("mart.empty")) == ["day", "value"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (pa.table({"day": [D1]}), "value is missing"),
        (pa.table({"day": [D1], "value": ["x"], "more": [1]}), "more is new"),
        (pa.table({"day": [D1], "value": [1.5]}), "value is DOUBLE"),
        (pa.table({"day": [D1], "Value": ["x"]}), "value is missing; Value is new"),
        (pa.table({"day": [D1], "value": ["x"], "more": pa.nulls(1)}), "more is new"),
    ],
)
def test_data_that_does_not_fit_is_refused_by_the_column(loaded, write, stands, data, what):
    with pytest.raises(WriteRefusedError, match=f"(?i)does not have the columns of mart.orders: {what}"):
        write(loaded, ORDERS, data, D1)

    assert values(stands, loaded, D1) == ["a", "b"]
    assert stands(loaded, ORDERS)[0].keys() == {"day", "value"}


def test_a_new_column_is_added_where_that_is_accepted(loaded, write, stands):
    data = pa.table({"more": pa.array([1], pa.int64()), "value": ["x"], "day": [D1]})

    written = write(loaded, ORDERS, data, D1, accept_new_columns=True)

    assert {row["value"]: row["more"] for row in stands(loaded, ORDERS)} == {"x": 1, "c": None}
    assert list(written.columns) == ["day", "value", "more"]
    with pytest.raises(WriteRefusedError, match="other is new, and without a value it has no type"):
        write(loaded, ORDERS, data.append_column("other", pa.nulls(1)), D1, by="more", accept_new_columns=True)


def test_the_order_of_columns_does_not_matter(loaded, write, stands):
    write(loaded, ORDERS, pa.table({"value": ["x"], "day": [D1]}), D1)

    assert values(stands, loaded, D1) == ["x"]


@pytest.mark.parametrize(
    "stranger", [of(D2, "stranger"), of("", "stranger"), pa.table({"day": pa.nulls(1, pa.string()), "value": ["s"]})]
)
def test_rows_of_another_day_are_refused(loaded, write, stands, stranger):
    with pytest.raises(WriteRefusedError, match=rf"mart\.orders \({D1}\): 1 of 3 rows are not of these partitions"):
        write(loaded, ORDERS, pa.concat_tables([of(D1, "x", "y"), stranger]), D1)

    assert values(stands, loaded) == ["a", "b", "c"]


def test_a_refused_audit_leaves_the_old_rows_and_the_way_free(loaded, write, stands):
    waiting = draw_ticket(loaded, slice_of(D1), "w0", "who waits")

    with pytest.raises(WriteRefusedError, match="too few"):
        write(loaded, ORDERS, of(D1, "bad"), D1, audit=Refusing())

    assert values(stands, loaded) == ["a", "b", "c"]
    replace_slice(loaded, waiting, of(D1, "good"))
    assert values(stands, loaded, D1) == ["good"]


def test_a_refused_first_write_leaves_no_row(warehouse, write, stands):
    with pytest.raises(WriteRefusedError, match="too few"):
        write(warehouse, ORDERS, of(D1, "bad"), D1, audit=Refusing())

    assert stands(warehouse, ORDERS) == []


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ('mart."Order Items"', "it's"),
        ('mart."select"', 'quo"te'),
        ('mart."ünï😀"', "ünï😀"),
        ('mart."dot.ted"', "back\\slash"),
        ('"Ma rt"."quo""te"', "Über Case|%"),
    ],
)
def test_odd_names_are_written_like_any_other(warehouse, write, stands, name, day):
    odd = pa.table({"day": [day], "Select": [1], "from": ["x"], "ünï": [None]}).set_column(3, "ünï", pa.array(["é"]))
    write(warehouse, name, odd, day)

    again = write(warehouse, name, odd, day, by="again")

    assert stands(warehouse, name) == odd.to_pylist()
    assert again.fingerprints[day].rows == 1


def test_a_condition_of_any_kind_is_kept(loaded, write, stands):
    what = Slice(ORDERS, {"early": exp.and_(column("day") >= D1, column("day") < D2)})

    replace_slice(loaded, draw_ticket(loaded, what, "w", "us"), of(D1, "x"))

    assert values(stands, loaded) == ["x", "c"]
