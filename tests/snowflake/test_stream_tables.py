"""What Snowflake says of the table of an Airbyte stream, whose names it folds."""

from __future__ import annotations

import datetime as dt

from dashboard_trust.contracts.streams import ConnectionContract, FullList, StreamContract
from dashboard_trust.ingestion.deleted_keys import compare_keys
from dashboard_trust.ingestion.stream_tables import count_rows, look_at_table

STREAM = StreamContract("payments", deletes="soft", primary_key=("id",))
SHOP = ConnectionContract("c", "shop", (STREAM,), schema="raw")
AT = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def test_a_table_that_airbyte_wrote_is_counted(session):
    said = ["[]", "[]", '[{"field": "x", "change": "NULLED"}]']
    moments = ["2026-03-01 11:59:59", "2026-03-01 12:00:00", "2026-03-01 12:00:01"]
    rows = " UNION ALL ".join(
        f"SELECT {number} AS ID, '{at} +0000'::TIMESTAMP_TZ AS _AIRBYTE_EXTRACTED_AT,"
        f""" PARSE_JSON('{{"sync_id": 1, "changes": {changes}}}') AS _AIRBYTE_META, 3 AS _AIRBYTE_GENERATION_ID"""
        for number, (at, changes) in enumerate(zip(moments, said, strict=True))
    )
    with session.connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA IF NOT EXISTS RAW")
        cursor.execute(f"CREATE TABLE RAW.PAYMENTS AS {rows}")
        cursor.execute("CREATE TABLE RAW.IDS AS SELECT 0 AS ID UNION ALL SELECT 2 AS ID")

    found = look_at_table(session, SHOP, STREAM, AT, ["id"])
    assert (found.rows, found.since, found.changed, found.unread) == (3, 2, 1, 0)
    assert (found.doubled, found.generation) == (0, 3)
    assert count_rows(session, SHOP, [STREAM]) == {"payments": 3}
    assert compare_keys(session, SHOP, STREAM, FullList("raw.ids", sample_failures=5), AT).sample == ("1",)
