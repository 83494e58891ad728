from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from dashboard_trust.errors import SyncFailedError, WarehouseBusyError
from dashboard_trust.ingestion.airbyte_load import load
from dashboard_trust.ingestion.airbyte_process import running_airbyte
from dashboard_trust.ingestion.airbyte_sync import Patience, sync
from dashboard_trust.ingestion.connections import Stream, Workspace
from dashboard_trust.ingestion.sync_evidence import StreamCount

MINUTE = Patience(timedelta(minutes=1))
TWO = {
    "records": [{"id": 1, "at": "2026-01-01T00:00:00Z"}, {"id": 2, "at": "2026-01-02T00:00:00Z"}],
    "status": "COMPLETE",
}


def test_a_count_that_differs_rolls_every_stream_back(scripted, land, tables, warehouse):
    land(scripted({"payments": TWO, "refunds": TWO}))
    before = tables()
    changed = scripted({"payments": {**TWO, "records": [{"id": 9}]}, "refunds": TWO}, "changed")

    with running_airbyte(Workspace("w", (changed,))) as endpoint:
        report = sync(endpoint.workspace(), "changed", MINUTE)
        three = dataclasses.replace(report.streams["refunds"], counts=(StreamCount(3, 3),))
        claimed = {**report.streams, "refunds": three}
        with pytest.raises(SyncFailedError, match="stream 'refunds': 2 rows were loaded, but 3 were committed"):
            load(warehouse, changed, dataclasses.replace(report, streams=claimed))
        assert tables() == before

        # The files are still there: the true report loads them.
        assert load(warehouse, changed, report)["payments"] == 1


def test_a_value_that_is_not_of_its_type_commits_nothing(scripted, land, tables):
    land(scripted({"refunds": TWO, "payments": TWO}))
    before = tables()
    wrong = {"records": [{"id": "one", "at": "2026-01-01"}], "status": "COMPLETE"}

    with pytest.raises(SyncFailedError, match=r"stream 'payments': .* file \"payments\.jsonl\"") as caught:
        land(scripted({"refunds": {"status": "COMPLETE"}, "payments": wrong}, "wrong"))

    assert tables() == before
    assert "landing_wrong" not in str(caught.value)


def test_a_file_cut_short_commits_nothing(scripted, land, tables, warehouse):
    land(scripted({"payments": TWO}))
    before = tables()
    connection = scripted({"payments": {**TWO, "records": TWO["records"] * 50}}, "cut")

    with running_airbyte(Workspace("w", (connection,))) as endpoint:
        report = sync(endpoint.workspace(), "cut", MINUTE)
        file = next(connection.landing.glob("*/payments.jsonl"))
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(lines[:-1]))
        with pytest.raises(SyncFailedError, match="99 rows were loaded, but 100 were committed"):
            load(warehouse, connection, report)

    assert tables() == before


def test_a_complete_stream_of_no_records_empties_its_table(scripted, land, columns):
    land(scripted({"payments": TWO}))

    assert land(scripted({"payments": {"status": "COMPLETE"}})) == {"payments": 0}
    assert columns("raw.payments") == {"id": "BIGINT", "at": "VARCHAR"}


def test_an_unchanged_resync_changes_nothing_and_a_corrected_refund_its_own_table(demo, land, source, tables):
    land(demo)
    first = tables()
    land(demo)
    assert tables() == first

    text = (source / "refunds.csv").read_text()
    (source / "refunds.csv").write_text(text.replace("09:00:00Z,2.00", "09:00:00Z,2.50"))
    land(demo)

    second = tables()
    assert {name for name in first if first[name] != second[name]} == {"raw.refunds"}


def test_what_is_loaded_is_what_stands_in_the_source(demo, land, warehouse, columns):
    rows_of = land(demo)

    with warehouse.connect("test") as db:
        rows = db.execute("select amount, status from raw.payments order by payment_id").fetchall()
    assert rows == [("10.00", "paid"), ("20.00", "paid")]
    assert rows_of == {"payments": 2, "orders": 1, "refunds": 3, "customers": 1}
    assert set(columns("raw.payments").values()) == {"VARCHAR"}


def test_a_renamed_column_lands_under_its_new_name(demo, land, source, columns):
    for stream, old, new in [("refunds", "refunded_at", "made_at"), ("payments", "amount", "amount_eur")]:
        text = (source / f"{stream}.csv").read_text()
        (source / f"{stream}.csv").write_text(text.replace(old, new))

    land(demo)

    assert list(columns("raw.refunds")) == ["refund_id", "payment_id", "made_at", "amount"]
    assert "amount_eur" in columns("raw.payments")


def test_a_missing_source_file_is_named(demo, land, source):
    (source / "refunds.csv").unlink()

    with pytest.raises(SyncFailedError, match=r"'demo' failed: .*refunds\.csv: No such file or directory"):
        land(demo)


def test_a_ragged_source_file_is_named_with_its_line(demo, land, source, tables):
    land(demo)
    before = tables()
    (source / "refunds.csv").write_text((source / "refunds.csv").read_text() + "r4,p2\n")

    with pytest.raises(SyncFailedError, match=r"stream 'refunds' said INCOMPLETE: refunds\.csv line 5: 2 values"):
        land(demo)
    assert tables() == before


def test_only_selected_columns_land_and_a_lost_one_is_absent(scripted, land, columns):
    connection = scripted({"payments": TWO})
    stream = Stream("payments", {}, columns=("at", "amount"))

    assert land(dataclasses.replace(connection, streams=(stream,))) == {"payments": 2}
    assert columns("raw.payments") == {"at": "VARCHAR"}


def test_a_field_that_is_not_in_the_catalog_lands_too(scripted, land, columns):
    record = {"id": 1, "at": "2026-01-01", "extra": {"deep": [1]}}

    land(scripted({"payments": {"records": [record], "status": "COMPLETE"}}))

    assert columns("raw.payments") == {"id": "BIGINT", "at": "VARCHAR", "extra": "VARCHAR"}


def test_odd_names_are_loaded(scripted, land, warehouse):
    name = 'it\'s a "stream"/é'
    columns = {'a "b"': "string", "it's": "number", "at": "string"}
    record = {'a "b"': "x", "it's": 1.5, "at": "2026-01-01"}
    connection = scripted({name: {"columns": columns, "records": [record], "status": "COMPLETE"}})

    assert land(dataclasses.replace(connection, prefix="crm ")) == {name: 1}

    with warehouse.connect("test") as db:
        quoted = "crm " + name.replace('"', '""')
        described = db.execute(f'DESCRIBE raw."{quoted}"').fetchall()
    assert [line[:2] for line in described] == [('a "b"', "VARCHAR"), ("it's", "DOUBLE"), ("at", "VARCHAR")]


def test_what_was_loaded_is_removed_and_not_loaded_twice(scripted, warehouse):
    connection = scripted({"payments": TWO})
    with running_airbyte(Workspace("w", (connection,))) as endpoint:
        report = sync(endpoint.workspace(), "scripted", MINUTE)
        assert [path.name for path in connection.landing.glob("*/*.jsonl")] == ["payments.jsonl"]
        load(warehouse, connection, report)

        assert [path.name for path in connection.landing.iterdir()] == [".lock"]
        with pytest.raises(SyncFailedError, match="has nothing landed in 'landing_scripted'"):
            load(warehouse, connection, report)


def test_a_busy_warehouse_loses_nothing(scripted, warehouse, monkeypatch):
    connection = scripted({"payments": TWO})
    other = dataclasses.replace(warehouse)
    with running_airbyte(Workspace("w", (connection,))) as endpoint:
        report = sync(endpoint.workspace(), "scripted", MINUTE)
        monkeypatch.setattr("dashboard_trust.warehouses.duckdb.LOCK_WAIT", timedelta(seconds=0.2))
        with hold_elsewhere(other.path), pytest.raises(WarehouseBusyError):
            load(warehouse, connection, report)

        assert load(warehouse, connection, report)["payments"] == 2


def hold_elsewhere(path):
    from filelock import FileLock

    return FileLock(f"{path}.lock", is_singleton=False)
