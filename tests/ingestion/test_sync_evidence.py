"""The judgement of one stream of one sync, on facts alone: what must never be believed comes first."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard_trust.contracts.streams import StreamContract
from dashboard_trust.ingestion.sync_evidence import (
    APPENDS,
    KNOWN_MODES,
    StreamConfiguration,
    StreamCount,
    StreamFacts,
    StreamReport,
    TableFacts,
    judge_stream,
)

DECLARED = StreamContract("payments")
ALL = StreamConfiguration(True, "full_refresh", "overwrite", "", ("id",), {"id": "integer"})
REPORT = StreamReport("payments", ALL, (StreamCount(5, 5, 100),), "COMPLETE")
TABLE = TableFacts(5, {"id": "BIGINT"}, since=5, changed=0, doubled=0)
GOOD = StreamFacts("shop", 7, "succeeded", REPORT, TABLE, rows_before=4)


def changed(facts=GOOD, *, mode=None, counts=None, status="COMPLETE", table=None, **about):
    report = replace(facts.report, status=status, counts=facts.report.counts if counts is None else counts)
    if mode:
        report = replace(report, configuration=replace(report.configuration, destination_sync_mode=mode))
    held = facts.table if table is None else replace(facts.table, **table)
    return replace(facts, report=report, table=held, **about)


def counts(*numbers):
    return tuple(StreamCount(emitted, committed) for emitted, committed in numbers)


FAILED = {
    "a job that failed": (changed(job_status="failed"), "job 7 ended failed"),
    "an incomplete job": (changed(job_status="incomplete"), "job 7 ended incomplete"),
    "an incomplete stream": (changed(status="INCOMPLETE"), "its last status is INCOMPLETE"),
    "a stream that still runs": (changed(status="RUNNING"), "its last status is RUNNING"),
    "fewer committed": (changed(counts=counts((5, 3))), "emitted 5 records and committed 3: 2 are missing"),
    "more committed": (changed(counts=counts((3, 5))), "emitted 3 records and committed 5: too many"),
    "rejected": (changed(counts=(StreamCount(5, 5, 0, 2),)), "the destination rejected 2 records of job 7"),
    "a row lost": (changed(table={"rows": 4}), "committed 5 records, and the warehouse has 4 rows of it"),
    "a row too many": (changed(table={"rows": 6}), "committed 5 records, and the warehouse has 6 rows of it"),
    "an appended row lost": (changed(mode="append", table={"rows": 90, "since": 4}), "has 4 rows of it"),
    "more than deduplicated": (changed(mode="append_dedup", table={"rows": 90, "since": 6}), "has 6 rows of it"),
    "none deduplicated": (changed(mode="append_dedup", table={"rows": 90, "since": 0}), "the warehouse has none of it"),
    "doubled keys": (changed(mode="append_dedup", table={"doubled": 2}), "2 rows share a primary key"),
    "all rows gone": (
        changed(counts=counts((0, 0)), table={"rows": 0, "since": 0}),
        "job 7 brought no rows, and replaced 4 rows",
    ),
    "a table that was emptied": (
        changed(mode="append", counts=counts((0, 0)), table={"rows": 0, "since": 0}),
        "its table is empty, of 4 rows",
    ),
    "an older row lost": (
        changed(mode="append", table={"rows": 8, "since": 5}),
        "1 row of the 4 that were to be in its table before are gone",
    ),
    "an older row lost, and nothing new": (
        changed(mode="append_dedup", counts=counts((0, 0)), table={"rows": 3, "since": 0}),
        "1 row of the 4 that were to be in its table before are gone",
    ),
    "a dead attempt": (
        changed(counts=counts((9, 0), (5, 5))),
        "emitted 9 records, and all of them together committed 5",
    ),
    "changed on the way": (changed(table={"changed": 1}), "(_airbyte_meta.changes): 1 row, and 0 may be"),
    "no table": (replace(GOOD, table=None), "is not in the warehouse"),
    "not selected": (
        replace(GOOD, report=replace(REPORT, configuration=replace(ALL, selected=False))),
        "it is not selected in Airbyte",
    ),
}
UNVERIFIED = {
    "no status": (changed(status=None), "no status of it for job 7"),
    "no attempts": (changed(counts=()), "no statistics of it for job 7"),
    "an attempt without statistics": (changed(counts=(None,)), "no statistics of it for job 7"),
    "an unknown mode": (changed(mode="soft_delete"), "destination sync mode 'soft_delete' leaves is not known"),
    "another job": (changed(newer_job=8), "job 8 began before the rows of job 7 were counted"),
    "no times": (changed(mode="append", table={"since": None}), "has no _airbyte_extracted_at"),
    "no list of changes": (changed(table={"changed": None}), "no list of changes in _airbyte_meta"),
    "rows without a list": (changed(table={"unread": 3}), "3 rows have no list of changes"),
    "no keys": (changed(mode="append_dedup", table={"doubled": None}), "lacks the columns of its primary key"),
    "nobody looked before": (
        changed(counts=counts((0, 0)), table={"rows": 0, "since": 0}, rows_before=None),
        "nobody knows whether there were any before",
    ),
}


@pytest.mark.parametrize(("facts", "missing"), FAILED.values(), ids=FAILED)
def test_what_is_wrong_fails_and_names_connection_stream_and_what_is_missing(facts, missing):
    outcome = judge_stream(facts, DECLARED)

    assert outcome.word == "failed"
    assert any(reason.startswith("connection 'shop', stream 'payments': ") for reason in outcome.reasons)
    assert missing in outcome.reason


@pytest.mark.parametrize(("facts", "missing"), UNVERIFIED.values(), ids=UNVERIFIED)
def test_what_is_not_known_is_unverified_and_holds(facts, missing):
    outcome = judge_stream(facts, DECLARED)

    assert outcome.word == "unverified"
    assert outcome.holds
    assert outcome.reason.startswith("unverified: connection 'shop', stream 'payments': ")
    assert missing in outcome.reason


@pytest.mark.parametrize("facts", [facts for facts, _ in FAILED.values()], ids=FAILED)
def test_what_is_wrong_stays_wrong_where_something_is_not_known_too(facts):
    assert judge_stream(replace(facts, newer_job=8), DECLARED).word == "failed"


GOOD_ONES = {
    "complete": GOOD,
    "incremental without news": changed(mode="append", counts=counts((0, 0)), table={"since": 0}),
    "deduplicated without news": changed(mode="append_dedup", counts=counts((0, 0)), table={"since": 0}),
    "deduplicated": changed(mode="append_dedup", table={"rows": 50, "since": 3}),
    "empty as before": changed(counts=counts((0, 0)), table={"rows": 0, "since": 0}, rows_before=0),
    "two attempts, the last alone": changed(counts=counts((3, 0), (5, 5))),
    "two attempts, appended": changed(mode="append", counts=counts((9, 2), (3, 3)), table={"since": 5}),
}


@pytest.mark.parametrize("facts", GOOD_ONES.values(), ids=GOOD_ONES)
def test_what_is_all_there_is_complete_unless_an_attempt_lost_something(facts):
    outcome = judge_stream(facts, DECLARED)

    lost = facts.report.counts[0].emitted > sum(count.committed for count in facts.report.counts)
    assert outcome.word == ("failed" if lost else "complete")
    assert bool(outcome.warnings) == (len(facts.report.counts) > 1)


def test_more_than_one_attempt_is_said():
    assert judge_stream(changed(counts=counts((3, 0), (5, 5))), DECLARED).warnings == (
        "connection 'shop', stream 'payments': job 7 took 2 attempts",
    )


def test_what_is_declared_to_be_odd_is_no_finding():
    empty = changed(counts=counts((0, 0)), table={"rows": 0, "since": 0})
    assert not judge_stream(empty, replace(DECLARED, may_be_empty=True)).holds
    assert not judge_stream(changed(table={"changed": 2}), replace(DECLARED, changed_records=2)).holds
    assert not judge_stream(changed(table={"changed": None}), replace(DECLARED, changed_records=None)).holds
    gone = changed(mode="append_dedup", table={"rows": 3, "since": 0})
    assert not judge_stream(gone, replace(DECLARED, deletes="hard")).holds
    fewer = changed(mode="append_dedup", table={"rows": 3, "since": 3})
    assert not judge_stream(fewer, replace(DECLARED, may_shrink=True)).holds


def test_rows_may_go_where_change_data_capture_takes_them_out_unless_it_is_declared_not_to():
    captured = changed(mode="append_dedup", table={"rows": 3, "since": 3, "columns": {"_AB_CDC_DELETED_AT": "TEXT"}})

    assert not judge_stream(captured, DECLARED).holds
    assert judge_stream(captured, replace(DECLARED, deletes="soft")).word == "failed"
    none = replace(captured, table=replace(captured.table, since=0))
    assert "the warehouse has none of it" in judge_stream(none, DECLARED).reason


NUMBERS = st.integers(0, 4)


@given(
    st.sampled_from(KNOWN_MODES), st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=3), NUMBERS, NUMBERS,
    st.none() | NUMBERS,
)  # fmt: skip
def test_nothing_is_believed_of_which_the_warehouse_has_more_or_lost_all(mode, numbers, rows, since, before):
    facts = changed(mode=mode, counts=counts(*numbers), table={"rows": rows, "since": since}, rows_before=before)
    if judge_stream(facts, DECLARED).holds:
        return
    (emitted, committed), total = numbers[-1], sum(committed for _, committed in numbers)
    there = rows if mode.startswith("overwrite") else since
    assert emitted == committed
    assert there <= total
    assert there > 0 or total == 0
    if mode in ("overwrite", "append"):
        assert there in (total, committed)
    if mode == "append":
        assert rows - since >= (before or 0) or not rows
    if mode == "append_dedup":
        assert rows >= (before or 0)
    if mode.startswith("overwrite") and not rows:
        assert before == 0


TABLES = st.builds(
    TableFacts, rows=NUMBERS, since=NUMBERS, changed=st.integers(0, 1), unread=st.integers(0, 1),
    doubled=st.integers(0, 1),
)  # fmt: skip


@given(
    st.sampled_from(KNOWN_MODES), st.tuples(NUMBERS, NUMBERS), TABLES, NUMBERS, st.sampled_from(["COMPLETE", "RUNNING"])
)
def test_missing_evidence_is_never_good_news(mode, numbers, table, before, status):
    full = replace(changed(mode=mode, counts=counts(numbers), status=status, rows_before=before), table=table)
    lacking = [
        replace(full, table=None),
        replace(full, table=replace(table, since=None)),
        replace(full, table=replace(table, changed=None)),
        replace(full, table=replace(table, doubled=None)),
        replace(full, report=replace(full.report, counts=())),
        replace(full, report=replace(full.report, counts=(None,))),
        replace(full, report=replace(full.report, status=None)),
    ]

    if judge_stream(full, DECLARED).holds:
        assert all(judge_stream(less, DECLARED).holds for less in lacking)
    assert judge_stream(lacking[-1], DECLARED).holds


@given(st.sampled_from(KNOWN_MODES), st.tuples(NUMBERS, NUMBERS), TABLES)
def test_a_first_look_has_nothing_to_compare_with_and_believes_no_empty_table(mode, numbers, table):
    first = replace(changed(mode=mode, counts=counts(numbers), rows_before=None), table=table)

    assert judge_stream(first, DECLARED).holds == (table.rows == 0 or judge_stream(_after(first, 0), DECLARED).holds)
    # What is believed then is compared from there on.
    if not judge_stream(first, DECLARED).holds and mode in APPENDS:
        assert judge_stream(_after(first, table.rows + 1), DECLARED).word == "failed"


def _after(facts, before):
    return replace(facts, rows_before=before)
