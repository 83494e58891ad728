"""What a sensor remembers between two ticks, and what it forgets."""

from __future__ import annotations

import datetime as dt

import pytest

from dashboard_trust.arrivals.memory import PARTS, TURN, Memory, add_to, new_sums

NOW = dt.datetime(2026, 1, 5, 8, tzinfo=dt.UTC)


def remember() -> Memory:
    """A memory in which each part has a file."""
    sums = new_sums()
    for part in range(PARTS):
        add_to(sums, part, f"{part}.csv", "1")
    return Memory("orders", NOW, sums)


def test_all_is_looked_at_once_a_day_and_never_at_once():
    memory, whole = remember(), remember().sums
    forgotten = []
    for tick in range(1, 2 * PARTS + 1):  # two a turn
        memory = Memory.parse(memory.dump(), "orders", NOW + tick * TURN / 2)
        changed = memory.changed(whole)
        assert len(changed) <= 1
        forgotten += changed
        memory = Memory(memory.source, memory.since, whole[:], next=memory.next, turn=memory.turn)

    assert sorted(forgotten) == [*range(PARTS)]


def test_after_a_day_without_a_tick_all_is_looked_at():
    memory = Memory.parse(remember().dump(), "orders", NOW + dt.timedelta(days=2))

    assert len(memory.changed(remember().sums)) == PARTS
    assert memory.since == NOW + dt.timedelta(days=2)


def test_a_clock_that_is_put_back_forgets_nothing():
    memory = Memory.parse(remember().dump(), "orders", NOW - dt.timedelta(days=2))

    assert memory.changed(remember().sums) == []


@pytest.mark.parametrize(
    "cursor",
    [
        None, "", "null", "[]", "5", "no json", "{}", '{"source": "orders"}',
        remember().dump().replace("+00:00", ""), remember().dump().replace('"turn": 0', '"turn": "x"'),
        remember().dump().replace("orders", "returns"),
    ],
)  # fmt: skip
def test_a_cursor_that_is_none_remembers_nothing(cursor):
    memory = Memory.parse(cursor, "orders", NOW)

    assert memory == Memory("orders", NOW)
    assert len(memory.changed(remember().sums)) == PARTS
