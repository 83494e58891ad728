"""The columns a table has, where whether it is there at all is part of the question."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def read_columns(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str] | None:
    """Return the column types of ``schema.name`` by column name; None if there is no such table."""
    schema, name = table.split(".")
    rows = connection.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database()"
        " AND schema_name = ? AND table_name = ? ORDER BY column_index",
        [schema, name],
    ).fetchall()
    return {str(column): str(kind) for column, kind in rows} or None
