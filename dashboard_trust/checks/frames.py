"""Rules on frames in memory: the same statements, on DuckDB, with the same answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlglot import exp

from dashboard_trust.checks.evaluate import check_table
from dashboard_trust.checks.known import Known
from dashboard_trust.checks.outcomes import TableReport
from dashboard_trust.checks.scopes import Scope
from dashboard_trust.contracts.table_rules import TableRules
from dashboard_trust.warehouses.duckdb import DuckDBSession
from dashboard_trust.warehouses.frames import to_arrow
from dashboard_trust.warehouses.session import create_schema, table

if TYPE_CHECKING:
    import pyarrow as pa


def check_frame(
    data: object,
    rules: TableRules,
    scope: Scope | None = None,
    known: Known | None = None,
    others: Mapping[str, object] | None = None,
) -> TableReport:
    """Look at all rules of a frame (pandas, polars, pyarrow), which is not copied.

    Args:
        data: The rows.
        rules: As for a table; their name is not looked up.
        scope: As for `check_table`.
        known: As for `check_table`.
        others: Frames for the tables (``schema.name``) that rules refer to.

    Raises:
        WriteRefusedError: The frame holds what no engine has a type for.
    """
    with _session({rules.name: data, **(others or {})}) as session:
        return check_table(session, rules, scope, known)


@contextmanager
def _session(frames: Mapping[str, object]) -> Iterator[DuckDBSession]:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        session = DuckDBSession(connection)
        for n, (name, data) in enumerate(frames.items()):
            connection.register(f"given_{n}", _typed(to_arrow(data)))
            place = table(name)
            if place.db:
                session.query(create_schema(place.db))
            rows = exp.select("*").from_(exp.to_table(f"given_{n}"))
            session.query(exp.Create(this=place, kind="VIEW", expression=rows))
        yield session


def _typed(data: pa.Table) -> pa.Table:
    """Return data of which a column without any value is text: its library does not say what it would hold."""
    nulls = [n for n, kind in enumerate(data.schema.types) if str(kind) == "null"]
    for n in nulls:
        data = data.set_column(n, data.column_names[n], data.column(n).cast("string"))
    return data
