"""Keys without text, which DuckDB sorts instead of telling them apart: none that is there twice gets by."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from dashboard_trust.checks.frames import check_frame
from dashboard_trust.contracts.row_rules import Monotonic, Unique
from dashboard_trust.contracts.table_rules import TableRules

DAYS = [dt.datetime(2026, 1, 1), dt.datetime(2026, 1, 2), dt.datetime(2026, 1, 3)]
NAN = float("nan")


def look(rule, time_column="", **columns):
    report = check_frame(pa.table(columns), TableRules("raw/rows", (rule,), time_column=time_column))
    outcome = report.outcomes[-1]
    assert not outcome.error
    return {part: int(found.measured) for part, found in outcome.parts.items()}


@pytest.mark.parametrize(
    "keys",
    [
        {"a": [7, 1, 7]},
        {"a": [0.0, 1.0, -0.0]},
        {"a": [True, False, True]},
        {"a": [DAYS[1], DAYS[0], DAYS[1]]},
        {"a": [1, 1, 1], "b": [2, 3, 2]},
        {"a": [1, 2, 1], "b": [None, None, None]},
        {"a": [1, 2, 1], "b": [NAN, 0.0, None]},
    ],
)
def test_a_key_that_is_there_twice_is_found(keys):
    columns = {name: pa.array(values, from_pandas=False) for name, values in keys.items()}

    assert look(Unique(key=tuple(keys)), **columns) == {"": 2}


@pytest.mark.parametrize(
    "keys",
    [{"a": [1, 2, None, None]}, {"a": [1, 1, 2, 2], "b": [1, 2, 1, None]}, {"a": [None, None], "b": [NAN, None]}],
)
def test_keys_of_which_nothing_is_there_share_nothing(keys):
    columns = {name: pa.array(values, from_pandas=False) for name, values in keys.items()}
    columns["a"] = columns["a"].cast(pa.int64())

    assert look(Unique(key=tuple(keys)), **columns) == {"": 0}


def test_a_key_on_two_days_is_twice_in_the_table_and_once_in_each_day():
    rows = {"at": DAYS, "a": [5, 6, 5]}

    assert look(Unique(key=("a",)), "at", **rows) == {"2026-01-01": 1, "2026-01-02": 0, "2026-01-03": 1}
    assert set(look(Unique(key=("a",), within_day=True), "at", **rows).values()) == {0}


def test_a_key_twice_in_one_day_is_found_within_it():
    rows = {"at": [DAYS[0], DAYS[1], DAYS[1]], "a": [5, 5, 5]}

    assert look(Unique(key=("a",), within_day=True), "at", **rows) == {"2026-01-01": 0, "2026-01-02": 2}


def test_what_falls_is_found_in_a_table_of_one_part_and_from_day_to_day_it_may():
    rows = {"at": DAYS, "a": [3, 2, 1]}

    assert look(Monotonic(column="a", by="at"), **rows) == {"": 2}
    assert set(look(Monotonic(column="a", by="at"), "at", **rows).values()) == {0}
