"""The load of what a sync landed: all streams in one transaction, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlglot import exp

from dashboard_trust.errors import SyncFailedError
from dashboard_trust.ingestion.airbyte_landing import LandedStream, read_landed, remove_landed
from dashboard_trust.ingestion.connections import Connection, Stream
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

if TYPE_CHECKING:
    import duckdb

    from dashboard_trust.ingestion.airbyte_report import SyncReport


def load(warehouse: DuckDBWarehouse, connection: Connection, report: SyncReport) -> dict[str, int]:
    """Replace the tables of every stream by what the sync landed, in one transaction; return the rows of each.

    Call it while the server that synced still runs. A stream without records leaves an empty table.

    Raises:
        SyncFailedError: A stream is not there, cannot be read as its columns' types, or its rows
            are not as many as were committed. The tables are what they were.
    """
    landed = read_landed(connection.landing, report.job_id)
    # Whatever is raised before the commit, the transaction ends with its connection: rolled back.
    with warehouse.connect(f"load of {connection.name}") as db:
        db.execute("BEGIN")
        db.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(connection.schema)}")
        rows = {}
        for stream in connection.streams:
            table = exp.table_(connection.prefix + stream.name, db=connection.schema, quoted=True)
            committed = _committed(connection, stream, landed, report)
            rows[stream.name] = _replace(db, connection, table.sql(dialect="duckdb"), landed[stream.name])
            if rows[stream.name] != committed:
                why = f"{rows[stream.name]} rows were loaded, but {committed} were committed"
                raise _failed(connection, stream.name, why)
        db.execute("COMMIT")
    remove_landed(connection.landing, report.job_id)
    return rows


def _committed(connection: Connection, stream: Stream, landed: Mapping[str, LandedStream], report: SyncReport) -> int:
    if stream.name not in landed or stream.name not in report.streams:
        raise _failed(connection, stream.name, "the sync did not bring it")
    return report.streams[stream.name].committed


def _replace(db: duckdb.DuckDBPyConnection, connection: Connection, table: str, landed: LandedStream) -> int:
    import duckdb

    columns = ", ".join(f"{_text(name)}: {_text(kind)}" for name, kind in landed.columns.items())
    # The columns are given, so that nothing is guessed and no rows are a table all the same.
    reader = f"read_json(?, columns = {{{columns}}}, format = 'newline_delimited')"
    try:
        created = db.execute(f"CREATE OR REPLACE TABLE {table} AS FROM {reader}", [str(landed.file)])
        return int(created.fetchall()[0][0])
    except duckdb.Error as error:
        why = str(error).split("\n")[0].replace(str(landed.file), landed.file.name)
        raise _failed(connection, landed.name, why) from error


def _failed(connection: Connection, stream: str, why: str) -> SyncFailedError:
    return SyncFailedError(
        f"Load of connection {connection.name!r} failed: stream {stream!r}: {why}. "
        "Nothing of it was committed: correct the cause, and sync again."
    )


def _quoted(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql(dialect="duckdb")


def _text(value: str) -> str:
    return exp.Literal.string(value).sql(dialect="duckdb")
