"""DataFrames into the warehouse, a partition at a time, each write in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg
from sqlglot import exp

from dashboard_trust.errors import DashboardTrustError
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

PARTITION_COLUMN = "dashboard_trust/partition_column"
"""On an asset's definition: the column that holds each row's partition key."""


class TrustedIOManager(dg.IOManager):
    """Writes the frame an asset returns to ``schema.table``, its key's last two parts.

    The partitions of the run are replaced in one transaction: a killed write leaves the old rows,
    and a retry writes the same ones. Rows of another partition and other columns than the table's
    are refused.
    """

    def __init__(self, warehouse: Callable[[], DuckDBWarehouse]) -> None:
        self._warehouse = warehouse

    def handle_output(self, context: dg.OutputContext, obj: pd.DataFrame) -> None:
        """Replace the run's partitions by the rows of the frame."""
        schema, table = context.asset_key.path[-2:]
        column = _partition_column(context.definition_metadata, context.has_asset_partitions)
        keys = list(context.asset_partition_keys) if context.has_asset_partitions else []
        if column and not set(obj[column].astype(str)) <= set(keys):
            raise DashboardTrustError(f"{schema}.{table}: the frame has rows outside the partitions {', '.join(keys)}.")
        with self._warehouse().connect(f"write {schema}.{table}") as connection:
            _replace(connection, exp.table_(table, db=schema, quoted=True), obj, column, keys)
        context.add_output_metadata({"dagster/row_count": len(obj), "dagster/table_name": f"{schema}.{table}"})

    def load_input(self, context: dg.InputContext) -> pd.DataFrame:
        """Return the rows of the partitions the step reads."""
        schema, table = context.asset_key.path[-2:]
        upstream = context.upstream_output
        metadata = upstream.definition_metadata if upstream else {}
        column = _partition_column(metadata, context.has_asset_partitions)
        query = exp.select("*").from_(exp.table_(table, db=schema, quoted=True))
        if column:
            query = query.where(_is_in(column, list(context.asset_partition_keys)))
        with self._warehouse().connect(f"read {schema}.{table}") as connection:
            return connection.execute(query.sql("duckdb")).df()


def _replace(
    connection: duckdb.DuckDBPyConnection,
    table: exp.Table,
    frame: pd.DataFrame,
    column: str | None,
    keys: Sequence[str],
) -> None:
    target = table.sql("duckdb")
    connection.execute(f"CREATE SCHEMA IF NOT EXISTS {exp.to_identifier(table.db, quoted=True).sql('duckdb')}")
    connection.execute("BEGIN")
    try:
        connection.register("written_frame", frame)
        connection.execute(f"CREATE TABLE IF NOT EXISTS {target} AS SELECT * FROM written_frame LIMIT 0")  # noqa: S608
        _compare_columns(connection, target, frame)
        delete = exp.delete(table, where=_is_in(column, keys) if column else None)
        connection.execute(delete.sql("duckdb"))
        connection.execute(f"INSERT INTO {target} BY NAME SELECT * FROM written_frame")  # noqa: S608
        connection.execute("COMMIT")
    except Exception:
        connection.execute("ROLLBACK")
        raise


def _compare_columns(connection: duckdb.DuckDBPyConnection, target: str, frame: pd.DataFrame) -> None:
    """Refuse missing columns too: an insert by name would fill them with NULLs."""
    has = {row[0] for row in connection.execute(f"DESCRIBE {target}").fetchall()}
    given = set(map(str, frame.columns))
    if has != given:
        missing, extra = sorted(has - given), sorted(given - has)
        raise DashboardTrustError(
            f"{target} and the frame differ in columns: missing {missing or 'none'}, unknown {extra or 'none'}."
        )


def _partition_column(metadata: Mapping[str, Any] | None, partitioned: bool) -> str | None:
    column = (metadata or {}).get(PARTITION_COLUMN)
    if partitioned and not column:
        raise DashboardTrustError(f"A partitioned asset needs the metadata {PARTITION_COLUMN!r}: its partition column.")
    return str(column) if partitioned else None


def _is_in(column: str, keys: Sequence[str]) -> exp.Expression:
    text = exp.cast(exp.column(column, quoted=True), "VARCHAR")
    return text.isin(*keys) if keys else exp.false()
