"""What the warehouse itself says of a stream's table, on any engine, by the columns Airbyte writes beside the data."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

from sqlglot import exp

from dashboard_trust.contracts.streams import ConnectionContract, StreamContract
from dashboard_trust.ingestion.sync_evidence import TableFacts
from dashboard_trust.warehouses.session import Session, column, fill, function, table

EXTRACTED_AT, META, GENERATION = "_airbyte_extracted_at", "_airbyte_meta", "_airbyte_generation_id"
COUNT = "COALESCE(SUM(CASE WHEN that THEN 1 ELSE 0 END), 0)"


def count_rows(session: Session, connection: ConnectionContract, streams: Iterable[StreamContract]) -> dict[str, int]:
    """Return how many rows the table of each stream has; 0 where there is none."""
    found = {}
    for stream in streams:
        name = find_table(session, connection.table_of(stream))
        found[stream.name] = int(session.query(exp.select("COUNT(*)").from_(table(name)))[0][0]) if name else 0
    return found


def look_at_table(
    session: Session, connection: ConnectionContract, stream: StreamContract, since: dt.datetime, key: Sequence[str]
) -> TableFacts | None:
    """Count what a table holds and what came since a moment (aware), in one scan; None if there is no such table.

    ``key`` are the columns by which it is deduplicated; empty where it is not.
    """
    name = find_table(session, connection.table_of(stream))
    if name is None:
        return None
    types = session.columns(name) or {}
    known = {column_name.lower(): column_name for column_name in types}
    wanted = _measures(session.dialect, types, known, stream, since)
    query = exp.select(exp.Count(this=exp.Star()), *wanted.values()).from_(table(name))
    rows, *numbers = session.query(query)[0]
    found = {label: int(number) for label, number in zip(wanted, numbers, strict=True) if number is not None}
    return TableFacts(
        rows=int(rows),
        columns=types,
        since=found.get("since"),
        changed=found.get("changed"),
        unread=found.get("unread", 0),
        soft_deleted=found.get("soft_deleted"),
        doubled=_count_doubled(session, name, find_columns(types, key)) if key else None,
        generation=found.get("generation"),
    )


def _measures(
    dialect: str, types: Mapping[str, str], known: Mapping[str, str], stream: StreamContract, since: dt.datetime
) -> dict[str, exp.Expr]:
    found: dict[str, exp.Expr] = {}
    if EXTRACTED_AT in known:
        moment = exp.cast(exp.Literal.string(since.astimezone(dt.UTC).isoformat()), "TIMESTAMPTZ")
        seen = column(known[EXTRACTED_AT])
        found["since"] = fill(COUNT, "duckdb", that=exp.GTE(this=seen, expression=moment))
    if META in known:
        text = _text(dialect, known[META], types[known[META]])
        found["changed"] = fill(COUNT, "duckdb", that=fill("said LIKE '%\"changes\":[{%'", "duckdb", said=text))
        silent = "said IS NULL OR NOT said LIKE '%\"changes\":[%'"
        found["unread"] = fill(COUNT, "duckdb", that=fill(silent, "duckdb", said=text))
    if GENERATION in known:
        found["generation"] = exp.Max(this=column(known[GENERATION]))
    if stream.deletes == "soft" and stream.deleted_at.lower() in known:
        marked = column(known[stream.deleted_at.lower()])
        found["soft_deleted"] = fill(COUNT, "duckdb", that=fill("marked IS NOT NULL", "duckdb", marked=marked))
    return found


def _text(dialect: str, name: str, kind: str) -> exp.Expr:
    """Return the JSON of a column as text without spaces."""
    semistructured = dialect == "snowflake" and not kind.upper().startswith(("VARCHAR", "TEXT", "STRING"))
    text = function("TO_JSON", column(name)) if semistructured else exp.cast(column(name), "TEXT")
    return function("REPLACE", text, exp.Literal.string(" "), exp.Literal.string(""))


def _count_doubled(session: Session, name: str, key: Sequence[str]) -> int | None:
    """Return how many rows are more than one for each key; None if the table lacks a column of it."""
    if not set(key) <= (session.columns(name) or {}).keys():
        return None
    keys = [column(part) for part in key]
    groups = exp.select(exp.alias_(exp.Count(this=exp.Star()), "n")).from_(table(name)).group_by(*keys)
    more = exp.select("COALESCE(SUM(n - 1), 0)").from_(groups.having("COUNT(*) > 1").subquery("doubled"))
    return int(session.query(more)[0][0])


def find_table(session: Session, name: str) -> str | None:
    """Return the table as the engine has it: Airbyte writes names in upper case where the engine folds them."""
    return next((one for one in (name, name.upper()) if session.columns(one) is not None), None)


def find_columns(types: Mapping[str, str], wanted: Iterable[str]) -> list[str]:
    """Return these columns as the engine has them; one that it lacks, as it was asked for."""
    known = {name.lower(): name for name in types}
    return [name if name in types else known.get(name.lower(), name) for name in wanted]
