"""Counting a table by day: what is looked at again, and that looking at less finds the same."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import parse_one

from dashboard_trust.errors import InvalidInputError
from dashboard_trust.warehouses.days import DayColumns, DayRecord, count_days
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse
from dashboard_trust.warehouses.fingerprints import fingerprint
from dashboard_trust.warehouses.parts import fingerprint_by_day
from dashboard_trust.warehouses.session import drop_table

NAME = "raw.payments"
TOLD_BY = DayColumns("paid_at", "extracted_at")
NOW = dt.datetime(2026, 2, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
D1, D2, D3 = "2026-01-01", "2026-01-02", "2026-01-03"
SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("paid_at", pa.timestamp("us", "UTC")),
        ("amount", pa.int64()),
        ("extracted_at", pa.timestamp("us", "UTC")),
    ]
)


def hour(number):
    """A time of extraction, so many hours after the first."""
    return dt.datetime(2026, 1, 10, tzinfo=dt.UTC) + dt.timedelta(hours=number)


def at(day):
    return dt.datetime.fromisoformat(f"{day}T12:00:00+00:00") if day else None


class Payments:
    """A table of payments that is changed, and counted by day."""

    def __init__(self, session) -> None:
        self.session, self.record = session, None
        session.create(NAME, SCHEMA)

    def do(self, *statements):
        for statement in statements:
            self.session.query(parse_one(statement, dialect="duckdb"))

    def insert(self, *rows):
        """Insert (id, day, amount, hour of extraction)."""
        columns = zip(*[(id_, at(day), amount, hour(when)) for id_, day, amount, when in rows], strict=True)
        arrays = [pa.array(values, kind) for values, kind in zip(columns, SCHEMA.types, strict=True)]
        self.session.append(NAME, pa.table(arrays, schema=SCHEMA))

    def change(self, id_, day, amount, when):
        self.do(f"DELETE FROM {NAME} WHERE id = {id_}")
        self.insert((id_, day, amount, when))

    def count(self, **options):
        """Count it, going on from the last time."""
        options = {"now": NOW, "compare_all": DAY, "known": self.record, **options}
        found = count_days(self.session, NAME, options.pop("told_by", TOLD_BY), **options)
        self.record = DayRecord.parse(found.record.dump())
        assert self.record == found.record
        return found

    def check(self, found):
        """What was counted is what a scan of everything says."""
        assert found.days == fingerprint_by_day(self.session, NAME, "paid_at")
        assert found.whole == fingerprint(self.session, NAME)
        return found


@pytest.fixture
def payments(session) -> Payments:
    payments = Payments(session)
    payments.insert((1, D1, 10, 0), (2, D1, 20, 0), (3, D2, 30, 1), (4, D3, 40, 2), (5, None, 50, 2))
    return payments


def test_at_first_everything_is_counted_in_one_scan(payments):
    found = payments.check(payments.count())

    assert found.reason == "no earlier count is known"
    assert found.looked_at == {D1, D2, D3, ""}


def test_a_day_changed_late_is_counted_again_and_the_others_are_not(payments):
    before = payments.count()
    payments.change(1, D1, 11, 3)
    found = payments.check(payments.count())

    # With D3 and the rows without a time, extracted in the very last second that was known.
    assert found.looked_at == {D1, D3, ""}
    assert found.reason == ""
    assert {day for day in found.days if found.days[day] != before.days[day]} == {D1}
    assert payments.check(payments.count()).looked_at == {D1}


def test_rows_extracted_in_the_second_that_was_the_last_are_seen(payments):
    payments.count()
    payments.insert((6, D2, 1, 2))

    assert payments.check(payments.count()).looked_at == {D2, D3, ""}


def test_a_row_moved_to_another_day_takes_its_old_day_with_it(payments):
    payments.count()
    payments.change(3, D3, 30, 3)
    found = payments.check(payments.count())

    assert D2 not in found.days
    assert found.reason == "a day lost rows, and which one is not known"


def test_rows_moved_in_a_circle_leave_no_day_as_it_was(payments):
    payments.count()
    payments.change(1, D2, 10, 3)
    payments.change(3, D1, 30, 3)

    assert payments.check(payments.count()).reason == ""


@pytest.mark.parametrize("which", ["id = 1", "id = 3", "id = 4", "id > 3", "id < 9"], ids=str)
def test_deleted_rows_are_missed_nowhere(payments, which):
    payments.count()
    payments.do(f"DELETE FROM {NAME} WHERE {which}")

    assert payments.check(payments.count()).reason


def test_a_deletion_is_not_made_up_for_by_as_many_new_rows(payments):
    payments.count()
    payments.do(f"DELETE FROM {NAME} WHERE id = 1")
    payments.insert((6, D3, 60, 3))

    assert payments.check(payments.count()).reason == "a day lost rows, and which one is not known"


def test_another_column_makes_everything_be_counted(payments):
    payments.count()
    payments.do(f"ALTER TABLE {NAME} ADD COLUMN note TEXT")

    assert payments.check(payments.count()).reason == "its columns or the engine are not what they were"


def test_counting_by_another_column_makes_everything_be_counted(payments):
    payments.count()
    found = payments.count(told_by=DayColumns("extracted_at", "extracted_at"))

    assert found.reason == "its columns or the engine are not what they were"
    assert set(found.days) == {"2026-01-10"}


def test_a_count_goes_on_from_one_by_the_same_time_of_extraction_alone(payments):
    payments.do(f"ALTER TABLE {NAME} ADD COLUMN other TIMESTAMPTZ", f"UPDATE {NAME} SET other = extracted_at")
    before = payments.count()
    found = payments.check(payments.count(told_by=DayColumns("paid_at", "other")))

    assert found.reason == "its columns or the engine are not what they were"
    assert found.record.counted_by == before.record.counted_by


@pytest.mark.parametrize(
    ("passed", "is_due"),
    [(DAY - dt.timedelta(seconds=1), False), (DAY, True), (-dt.timedelta(seconds=1), True)],
    ids=["not yet", "just passed", "a clock put back"],
)
def test_everything_is_compared_once_its_time_has_come(payments, passed, is_due):
    payments.count()
    found = payments.check(payments.count(now=NOW + passed))

    assert (found.reason == "it is time to compare everything") is is_due
    assert (payments.record.compared_at == NOW) is not is_due


def test_a_change_without_a_new_time_of_extraction_is_found_when_everything_is_compared(payments):
    payments.count()
    payments.do(f"UPDATE {NAME} SET amount = 99 WHERE id = 1")
    missed = payments.count()
    found = payments.check(payments.count(now=NOW + DAY))

    assert not missed.reason
    assert found.days[D1] != missed.days[D1]


@pytest.mark.parametrize("when", ["NULL", "TIMESTAMP '2026-02-02 00:00:00'", "'infinity'"], ids=str)
def test_where_a_row_has_no_time_of_extraction_or_a_future_one_everything_is_counted(payments, when):
    payments.count()
    payments.do(f"UPDATE {NAME} SET extracted_at = CAST({when} AS TIMESTAMPTZ) WHERE id = 5")
    reason = "some of its rows have no time of extraction, or one in the future"

    assert payments.check(payments.count()).reason == reason
    payments.do(f"UPDATE {NAME} SET extracted_at = TIMESTAMPTZ '2026-01-20 00:00:00+00' WHERE id = 5")
    assert payments.check(payments.count()).reason == reason
    assert payments.check(payments.count()).reason == ""


def test_a_table_put_back_from_a_copy_is_counted_whole(payments):
    payments.count()
    payments.do(f"DELETE FROM {NAME} WHERE extracted_at > TIMESTAMPTZ '2026-01-10 01:30:00+00'")
    payments.insert((4, D3, 41, 0), (5, D1, 50, 0))

    assert payments.check(payments.count()).reason == "the rows that were extracted last are gone"


def test_an_emptied_table_has_no_days_and_is_counted_whole_when_rows_come(payments):
    payments.count()
    payments.do(f"DELETE FROM {NAME}")
    assert payments.check(payments.count()).days == {}
    payments.insert((1, D1, 10, 0))

    assert payments.check(payments.count()).reason


def test_without_a_time_of_extraction_everything_is_counted_every_time(payments):
    told_by = DayColumns("paid_at")
    payments.count(told_by=told_by)
    payments.do(f"UPDATE {NAME} SET amount = 99 WHERE id = 1")

    assert payments.check(payments.count(told_by=told_by)).reason == "no column says when its rows were extracted"


KINDS = {
    "date": ["DATE '2026-01-01'", "DATE '2026-01-02'", "CAST(NULL AS DATE)"],
    "timestamp": [
        "TIMESTAMP '2026-01-01 23:59:59.999999'",
        "TIMESTAMP '2026-01-02 00:00:00'",
        "CAST(NULL AS TIMESTAMP)",
    ],
    "timestamptz": [
        "TIMESTAMPTZ '2026-01-01 23:59:59.999999+00'",
        "TIMESTAMPTZ '2026-01-02 01:00:00+01'",
        "CAST('infinity' AS TIMESTAMPTZ)",
    ],
    "text": ["'2026-01-01T23:59:59Z'", "'2026-01-01T23:00:00-01:00'", "'soon'"],
}


@pytest.mark.parametrize("extracted", ["timestamp", "timestamptz", "date"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_day_is_the_same_day_whatever_tells_it(session, do, kind, extracted):
    name, told_by = "raw.kinds", DayColumns("time", "extracted_at")
    do(session, "CREATE SCHEMA raw", f"CREATE TABLE {name} (id INT, time {kind}, extracted_at {extracted})")
    for id_, value in enumerate(KINDS[kind]):
        do(session, f"INSERT INTO {name} VALUES ({id_}, {value}, '2026-01-10 00:00:00')")
    found = count_days(session, name, told_by, now=NOW, compare_all=DAY)
    assert {day: one.rows for day, one in found.days.items()} == {D1: 1, D2: 1, "": 1}

    for id_, day in ((0, D1), (1, D2), (2, "")):
        do(session, f"UPDATE {name} SET id = id + 10, extracted_at = '2026-01-{11 + id_} 00:00:00' WHERE id = {id_}")
        found = count_days(session, name, told_by, now=NOW, known=found.record, compare_all=DAY)

        assert found.days == fingerprint_by_day(session, name, "time")
        assert day in found.looked_at
        assert found.reason == ""
    assert found.looked_at == {D2, ""}


def test_a_misspelt_column_is_named_and_one_that_is_no_moment_is_refused(payments):
    with pytest.raises(InvalidInputError, match=r"no column 'payed_at': did you mean 'paid_at'\?"):
        payments.count(told_by=DayColumns("payed_at"))
    with pytest.raises(InvalidInputError, match=r"no column 'extracted': did you mean 'extracted_at'\?"):
        payments.count(told_by=DayColumns("paid_at", "extracted"))
    with pytest.raises(InvalidInputError, match=r"'amount' is .*Name a column of timestamps"):
        payments.count(told_by=DayColumns("paid_at", "amount"))
    with pytest.raises(InvalidInputError, match=r"'raw\.nope' is not in the warehouse"):
        count_days(payments.session, "raw.nope", TOLD_BY, now=NOW)


WHEN = "2026-01-01T00:00:00+00:00"
OF_ANOTHER_FORM = [
    None,
    "x",
    {},
    {"days": []},
    {"counted_by": "x", "reach": None, "compared_at": WHEN, "days": {}},
    {"counted_by": "x", "extracted_by": "", "reach": None, "compared_at": "no", "days": {}},
    {"counted_by": "x", "extracted_by": "", "reach": WHEN, "compared_at": WHEN, "days": {D1: "1"}},
]


@pytest.mark.parametrize("said", OF_ANOTHER_FORM, ids=str)
def test_a_record_of_another_form_is_none(said):
    assert DayRecord.parse(said) is None


DAYS = st.sampled_from([D1, D2, D3, None])
STEPS = st.lists(
    st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(1, 6), DAYS, st.integers(1, 3)),
            st.tuples(st.just("delete"), st.integers(1, 6)),
        ),
        max_size=4,
    ),
    min_size=2,
    max_size=6,
)


@pytest.fixture(scope="module")
def duckdb_session(tmp_path_factory):
    with DuckDBWarehouse(tmp_path_factory.mktemp("days") / "warehouse.duckdb").session("test") as session:
        yield session


@pytest.mark.long
@given(steps=STEPS)
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_looking_at_less_finds_the_same_as_long_as_every_change_is_extracted_anew(duckdb_session, steps):
    duckdb_session.query(drop_table(NAME))
    payments = Payments(duckdb_session)
    for n, step in enumerate(steps):
        for what, id_, *values in step:
            payments.do(f"DELETE FROM {NAME} WHERE id = {id_}")
            if what == "put":
                payments.insert((id_, *values, n))
        payments.check(payments.count())
