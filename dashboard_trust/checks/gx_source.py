"""Rows looked at where they are: Great Expectations' own Postgres and Snowflake data sources.

Snowflake's needs ``snowflake-sqlalchemy``, and has not been run on an account.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from sqlglot import exp

from dashboard_trust.checks.expectations import ExpectationResult, open_context, validate
from dashboard_trust.checks.suite_rows import Look
from dashboard_trust.checks.suites import Expectation, Suite
from dashboard_trust.contracts.table_names import SAY_WHICH
from dashboard_trust.errors import InvalidInputError, WarehouseError
from dashboard_trust.warehouses import snowflake_dialect
from dashboard_trust.warehouses.fingerprints import Fingerprint
from dashboard_trust.warehouses.parts import Parts, fingerprint_parts
from dashboard_trust.warehouses.session import Warehouse, function
from dashboard_trust.warehouses.session import table as to_table

if TYPE_CHECKING:
    from great_expectations.data_context.data_context.abstract_data_context import AbstractDataContext
    from great_expectations.datasource.fluent.sql_datasource import SQLDatasource

# Moments are compared in UTC, whatever the server or the role say.
CONNECT = {
    "postgres": {"options": "-c TimeZone=UTC -c application_name=dashboard-trust"},
    "snowflake": {"session_parameters": {"TIMEZONE": "UTC", "QUERY_TAG": "dashboard-trust"}},
}
# What drivers say of the network and the server; of a connection string that they cannot read they cite parts.
KNOWN = re.compile(
    r"connection to server [^\n]*|could not translate host name [^\n]*|\d{6} \(\w+\): [^\n]*|No module named '\w+'"
)
COLUMNS = exp.select("table_schema", "table_name", "column_name", "data_type").from_("information_schema.columns")
GUARD = "the rows that are there"
"""As no asset check can be named."""


@dataclass(frozen=True, slots=True)
class GXSource:
    """A database that Great Expectations has a data source for, so that a suite is asked where the rows are.

    Args:
        kind: Which of its data sources.
        connection: Returns how to reach it, when that is needed: an SQLAlchemy URL, or for Snowflake the fields of
            ``add_snowflake`` (``account``, ``user``, ``private_key``, ...) as a mapping, with ``database``, ``schema``,
            ``warehouse`` and ``role``.
        warehouse: Returns the same database as a warehouse. Where loads leave fingerprints it is needed: by it the rows
            that a suite is asked of are known to be those of the load.
    """

    kind: Literal["postgres", "snowflake"]
    connection: Callable[[], str | Mapping[str, Any]]
    warehouse: Callable[[], Warehouse] | None = None

    def __post_init__(self) -> None:
        if self.kind not in CONNECT:
            raise InvalidInputError(f"A GXSource is of the kind 'postgres' or 'snowflake', not {self.kind!r}.")


@dataclass(frozen=True, slots=True)
class QueryRows:
    """A table that is asked by queries, each of one partition."""

    datasource: SQLDatasource
    place: tuple[str, str]
    types: Mapping[str, str]
    dialect: str
    table: str = ""
    warehouse: Callable[[], Warehouse] | None = None

    def look(self, where: exp.Expr | None, suite: Suite, samples: int) -> Look:
        """See `SuiteRows.look`; where it sees other rows than the engine does, nothing is known."""
        rows = exp.select("*").from_(exp.table_(self.place[1], db=self.place[0], quoted=True))
        rows = rows.where(where) if where is not None else rows
        counted = _query(self.datasource, self._sql(exp.select("COUNT(*)").from_(rows.subquery("counted"))))[0][0]
        guard = Expectation(GUARD, "expect_table_row_count_to_equal", {"value": int(counted)})
        asset = self.datasource.add_query_asset("rows", query=self._sql(rows))
        try:
            batch = asset.add_batch_definition_whole_table("rows").get_batch()
            results = validate(batch, replace(suite, expectations=(guard, *suite.expectations)), samples)
        finally:
            self.datasource.delete_asset("rows")
        if results.pop(GUARD).outcome != "passed":
            moved = ExpectationResult("errored", f"other rows were looked at than the {counted} that are there")
            results = dict.fromkeys(results, moved)
        return Look(int(counted), results)

    def fingerprints(self, parts: Parts) -> Mapping[str, Fingerprint]:
        """See `SuiteRows.fingerprints`; raise `InvalidInputError` where nothing says how to take them."""
        if self.warehouse is None:
            raise InvalidInputError(
                f"The load of {self.table} left a fingerprint, and nothing tells whether these are its rows: give the "
                "GXSource the same database as `warehouse`."
            )
        with self.warehouse().session(f"fingerprints of {self.table}") as session:
            return fingerprint_parts(session, self.table, parts)

    def _sql(self, query: exp.Expr) -> str:
        if self.dialect == "snowflake":
            query = snowflake_dialect.rewrite(query, lambda _: self.place)
        return query.transform(_spell_out).sql(self.dialect)


@contextmanager
def open_query_rows(source: GXSource, table: str) -> Iterator[QueryRows]:
    """Open a table of a database.

    Raises:
        InvalidInputError: There is no such table.
        WarehouseError: The database cannot be reached; no secret is in the message.
    """
    connection = source.connection()
    with open_context({"CONNECTION": connection} if isinstance(connection, str) else None) as context:
        datasource = _connect(context, source.kind, connection)
        try:
            place, types = _find_columns(datasource, source.kind, table)
            yield QueryRows(datasource, place, types, source.kind, table, source.warehouse)
        finally:
            datasource.get_engine().dispose()


def _connect(context: AbstractDataContext, kind: str, connection: str | Mapping[str, Any]) -> SQLDatasource:
    options: dict[str, Any] = {"name": "rows", "kwargs": {"connect_args": CONNECT[kind]}}
    if kind == "snowflake" and importlib.util.find_spec("snowflake.sqlalchemy") is None:
        raise WarehouseError("Great Expectations reaches Snowflake by snowflake-sqlalchemy: install it.")
    try:
        if kind == "postgres":
            # By way of a variable: it refuses URLs of sockets, and cites what it refuses.
            return context.data_sources.add_postgres(connection_string="${CONNECTION}", **options)
        said: dict[str, Any] = {"connection_string": connection} if isinstance(connection, str) else dict(connection)
        return context.data_sources.add_snowflake(**said, **options)
    except Exception as error:  # noqa: BLE001 - of a driver's own kind, and it may cite the password
        known = [found[0] for one in _causes(error) if (found := KNOWN.search(str(one).replace("\\n", "\n")))]
        reason = known[0] if known else f"its connection cannot be understood ({type(error).__name__})"
    raise WarehouseError(f"Great Expectations cannot reach {kind}: {reason}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _find_columns(datasource: SQLDatasource, kind: str, table: str) -> tuple[tuple[str, str], dict[str, str]]:
    """Return under which schema and name a table is there, and its column types by name."""
    name = to_table(table)
    named = (name.db or "public", name.name)
    # As a Snowflake warehouse reads a name: one that nobody quoted is in capitals.
    folded = tuple(part.upper() for part in named) if kind == "snowflake" and snowflake_dialect.folds(named) else named
    is_one = exp.or_(
        *(
            exp.and_(exp.column("table_schema").eq(schema), exp.column("table_name").eq(called))
            for schema, called in sorted({named, folded})
        )
    )
    rows = _query(datasource, COLUMNS.where(is_one).order_by("ordinal_position").sql(kind))
    place = snowflake_dialect.find_place(named, {(str(schema), str(called)) for schema, called, *_ in rows})
    if place is None:
        raise InvalidInputError(f"There is no table {table} to look at: {SAY_WHICH}.")
    return place, {str(column): str(of) for schema, called, column, of in rows if (schema, called) == place}


def _query(datasource: SQLDatasource, sql: str) -> list[Any]:
    from sqlalchemy.exc import DBAPIError

    try:
        with datasource.get_engine().connect() as connection:
            return list(connection.exec_driver_sql(sql).all())
    except DBAPIError as error:
        refusal = type(error.orig).__name__
    raise WarehouseError(f"The database refused a statement ({refusal}): {sql}")


def _spell_out(node: exp.Expr) -> exp.Expr:
    """Return text without the characters that SQLAlchemy takes for its own: ``:name`` would be a parameter, NULL."""
    if not isinstance(node, exp.Literal) or not node.is_string or not re.search(r"(?<!\w):|[%\\]", node.name):
        return node
    parts = [
        function("CHR", exp.convert(ord(part))) if part in ":%\\" else exp.convert(part)
        for part in re.split(r"([:%\\])", node.name)
        if part
    ]
    whole: exp.Expr = parts[0]
    for part in parts[1:]:
        whole = exp.DPipe(this=whole, expression=part)
    return exp.paren(whole) if len(parts) > 1 else whole
