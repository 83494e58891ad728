"""Snowflake, over Dagster's resource: DML alone within a transaction, whatever else before it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sqlglot import exp

from dashboard_trust.errors import (
    ColumnsRefusedError,
    CommitUnknownError,
    InvalidInputError,
    WarehouseBusyError,
    WarehouseError,
)
from dashboard_trust.warehouses.column_types import NULLS, refuse_unknown
from dashboard_trust.warehouses.session import column as to_column
from dashboard_trust.warehouses.session import create_table, function, make_table
from dashboard_trust.warehouses.session import table as to_table
from dashboard_trust.warehouses.snowflake_dialect import DML, day_of, find_place, folds, rewrite
from dashboard_trust.warehouses.snowflake_errors import is_lock_wait, reason

if TYPE_CHECKING:
    import pyarrow as pa
    from dagster_snowflake import SnowflakeResource
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

LOCK_WAIT = dt.timedelta(minutes=1)
QUERY_TAG = "dashboard-trust"
TAG_LENGTH = 2000

SETTINGS = {
    "TIMEZONE": "UTC",
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
    "TIMESTAMP_INPUT_FORMAT": "AUTO",
    "DATE_INPUT_FORMAT": "AUTO",
    # Else what is quoted is in capitals all the same.
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
    # A statement that failed spoils its transaction, whoever catches the error.
    "TRANSACTION_ABORT_ON_ERROR": True,
    # What a process had running when it was killed does not hold its locks for the rest of the day.
    "ABORT_DETACHED_QUERY": True,
}
"""What names, moments and transactions depend on, whatever the account or the user say."""


@dataclass(slots=True)
class SnowflakeSession:
    """A `Session` on an open connection that does not commit by itself, in UTC."""

    connection: SnowflakeConnection
    warehouse: SnowflakeWarehouse
    schema: str = "PUBLIC"
    dialect: str = "snowflake"
    _in_transaction: bool = False
    _is_lost: bool = False
    _places: dict[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    _staged: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def engine(self) -> str:
        """Snowflake alone: its hash is promised to be stable, and its version changes every week."""
        return "snowflake"

    def query(self, statement: exp.Expr) -> list[tuple[Any, ...]]:
        """See `Session.query`; DDL is refused within a transaction, since it would commit it."""
        is_query, is_dml = isinstance(statement, exp.Query), isinstance(statement, DML)
        if self._in_transaction and not (is_query or is_dml):
            raise WarehouseError(f"Snowflake would commit an open transaction for this: {statement.key.upper()}.")
        rows = self._execute(self._sql(statement))
        if is_dml and not self._in_transaction:
            self._execute("COMMIT")
        return rows if is_query else []

    def load(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a PUT or a COPY, and return what it says of each file."""
        if self._in_transaction:
            raise WarehouseError("Files are loaded before a transaction, not within one.")
        rows = self._execute(statement)
        self._execute("COMMIT")
        return rows

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `Session.transaction`."""
        self._execute("BEGIN TRANSACTION")
        self._in_transaction = True
        try:
            number = self._number()
            yield
            # Somebody may have aborted it; what came after that would be a transaction of its own.
            if self._number() != number:
                raise WarehouseError("Snowflake ended the transaction before it was committed: nothing of it was kept.")
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._in_transaction = False
        self._commit()

    def snapshot(self) -> AbstractContextManager[None]:
        """See `Session.snapshot`; each statement reads what is committed by then."""
        return nullcontext()

    def columns(self, table: str) -> dict[str, str] | None:
        """See `Session.columns`."""
        return self._columns(self._named(to_table(table)))

    def changed_at(self, table: str) -> str | None:
        """See `Session.changed_at`; a view has none, since what it reads may change without it."""
        schema, name = self._placed(to_table(table))
        is_one = exp.and_(exp.column("TABLE_SCHEMA").eq(schema), exp.column("TABLE_NAME").eq(name))
        query = exp.select("TABLE_TYPE", "LAST_ALTERED").from_(exp.table_("TABLES", db="INFORMATION_SCHEMA"))
        rows = self._execute(query.where(is_one).sql(self.dialect))
        known = [moment for kind, moment in rows if kind == "BASE TABLE" and moment is not None]
        return known[0].astimezone(dt.UTC).isoformat() if known else None

    def types(self, schema: pa.Schema) -> dict[str, str]:
        """See `Session.types`."""
        from dashboard_trust.warehouses.snowflake_types import to_snowflake_type

        return {field.name: to_snowflake_type(field) for field in schema}

    def create(self, table: str, schema: pa.Schema) -> None:
        """See `Session.create`; the table gets its name as it is written, in no other case."""
        types = self.types(schema)
        refuse_unknown(table, types)
        make_table(self, table, create_table(to_table(table), types, self.dialect))

    def stage(self, data: pa.Table) -> str:
        """See `Session.stage`: into a table of its own, that is dropped with the session."""
        from dashboard_trust.warehouses.snowflake_loading import collect_staged, stage_rows

        # They may be of another role's.
        with suppress(WarehouseError):
            collect_staged(self, dt.datetime.now(dt.UTC))
        name = stage_rows(self, data)
        self._staged[name] = self.types(data.schema)
        return name

    def append(self, table: str, data: pa.Table | str) -> None:
        """See `Session.append`; within a transaction, of what was staged before it."""
        rows = data if isinstance(data, str) else self.stage(data)
        has, given = self.columns(table) or {}, self._staged[rows]
        if set(has) != set(given):
            raise ColumnsRefusedError(f"The columns of {table} changed while it was being written. Run it again.")
        values = [exp.null() if kind == NULLS else to_column(name) for name, kind in given.items()]
        into = [to_column(name).this for name in given]
        self.query(exp.insert(exp.select(*values).from_(to_table(rows)), to_table(table), columns=into))

    def read(self, table: str, where: exp.Expr | None = None) -> pa.Table:
        """See `Session.read`."""
        import pyarrow as pa

        from dashboard_trust.warehouses.snowflake_types import to_read

        types = self.columns(table)
        if types is None:
            raise WarehouseError(f"{table} is not there to be read.")
        query = exp.select(*map(to_column, types)).from_(to_table(table))
        sql = self._sql(query.where(where) if where is not None else query)
        with self._ran(sql) as cursor:
            found = cursor.fetch_arrow_all(force_return_table=True)
        columns = [
            to_read(name, kind, column) for (name, kind), column in zip(types.items(), found.columns, strict=True)
        ]
        return pa.table(columns, names=list(types))

    def day(self, column: str, kind: str) -> exp.Expr:
        """See `Session.day`."""
        return day_of(to_column(column), kind)

    def row_hash(self, columns: Mapping[str, str]) -> exp.Expr:
        """See `Session.row_hash`."""
        return function("HASH", *map(to_column, columns))

    def drop_staged(self) -> None:
        """Drop what this session staged; not where its transaction may be open still, since that would commit it."""
        from dashboard_trust.warehouses.snowflake_loading import drop

        drop(self, self._staged)
        self._staged.clear()

    def _number(self) -> str:
        return str(self._execute("SELECT CURRENT_TRANSACTION()")[0][0])

    def _commit(self) -> None:
        from snowflake.connector import errors

        try:
            self._end("COMMIT")
        except errors.Error as error:
            # Even where Snowflake answered, what was written in the transaction is what tells.
            raise CommitUnknownError(f"Nobody knows whether it was committed. {reason(error)}") from None

    def _roll_back(self) -> None:
        from snowflake.connector import errors

        with suppress(errors.Error):
            self._end("ROLLBACK")

    def _end(self, word: str) -> None:
        # Until it is known to have arrived: DDL would commit what is open still.
        self._is_lost = True
        with self.connection.cursor() as cursor:
            cursor.execute(word)
        self._is_lost = False

    def _execute(self, sql: str) -> list[tuple[Any, ...]]:
        try:
            with self._ran(sql) as cursor:
                return list(cursor.fetchall())
        except (WarehouseError, WarehouseBusyError):
            if not self._in_transaction and not self._is_lost:
                self._roll_back()  # the one that Snowflake began for it
            raise

    @contextmanager
    def _ran(self, sql: str) -> Iterator[SnowflakeCursor]:
        if self._is_lost:
            raise WarehouseError("The connection was lost, and with it the transaction. Run it again.")
        with self._refusals(), self.connection.cursor() as cursor:
            cursor.execute(sql)
            yield cursor

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        """Let what Snowflake refuses be said in the package's own family of errors."""
        from snowflake.connector import errors

        try:
            yield
        except errors.Error as error:
            if is_lock_wait(error):
                seconds = f"{self.warehouse.lock_wait.total_seconds():g} s"
                raise WarehouseBusyError(
                    f"Somebody else holds what is to be written, for longer than {seconds}: {reason(error)} "
                    "SHOW LOCKS says who; run this again when it has ended."
                ) from None
            raise WarehouseError(reason(error)) from None

    def _sql(self, statement: exp.Expr) -> str:
        return rewrite(statement, self._placed).sql(dialect=self.dialect)

    def _named(self, name: exp.Table) -> tuple[str, str]:
        if name.catalog:
            raise InvalidInputError(f"{name.sql()}: a session reads one database. Name the table as schema.name.")
        return name.db or self.schema, name.name

    def _placed(self, node: exp.Table) -> tuple[str, str]:
        """Return the schema and the name under which a table is there, or as which it is to be made."""
        named = self._named(node)
        if named not in self._places and folds(named):
            self._columns(named)
        return self._places.get(named, named)

    def _columns(self, named: tuple[str, str]) -> dict[str, str] | None:
        from dashboard_trust.warehouses.snowflake_types import column_type

        spellings = {named, tuple(part.upper() for part in named)} if folds(named) else {named}
        is_one = exp.or_(
            *(
                exp.and_(exp.column("TABLE_SCHEMA").eq(schema), exp.column("TABLE_NAME").eq(name))
                for schema, name in sorted(spellings)
            )
        )
        query = exp.select("*").from_(exp.table_("COLUMNS", db="INFORMATION_SCHEMA")).where(is_one)
        with self._ran(query.order_by("ORDINAL_POSITION").sql(self.dialect)) as cursor:
            keys = [str(one.name).upper() for one in cursor.description]
            rows = [dict(zip(keys, row, strict=True)) for row in cursor.fetchall()]
        place = find_place(named, {(str(row["TABLE_SCHEMA"]), str(row["TABLE_NAME"])) for row in rows})
        if place is None:
            return None
        self._places[named] = place
        own = [row for row in rows if (row["TABLE_SCHEMA"], row["TABLE_NAME"]) == place]
        return {str(row["COLUMN_NAME"]): column_type(row) for row in own}


@dataclass(frozen=True, slots=True)
class SnowflakeWarehouse:
    """A database of Snowflake's, by Dagster's resource, which says who we are, and with what.

    Waits ``lock_wait`` for what others hold. Every statement carries ``query_tag`` and what it is for.
    """

    resource: SnowflakeResource = field(repr=False)
    lock_wait: dt.timedelta = LOCK_WAIT
    query_tag: str = QUERY_TAG

    @property
    def address(self) -> str:
        """See `Warehouse.address`."""
        given = self.resource.process_config_and_initialize()
        return f"snowflake://{quote(str(given.account or ''))}/{quote(str(given.database or ''))}"

    @contextmanager
    def session(self, purpose: str) -> Iterator[SnowflakeSession]:
        """See `Warehouse.session`."""
        resource = self._configured(purpose)
        connection = self._connect(resource)
        try:
            session = SnowflakeSession(connection, self, resource.schema_ or "PUBLIC")
            try:
                yield session
            finally:
                # What cannot be dropped now is collected by a later write.
                with suppress(WarehouseError, WarehouseBusyError):
                    session.drop_staged()
        finally:
            # Not by the resource's own way out: it commits, and leaves the connection open where something was raised.
            with suppress(Exception):
                connection.close()

    def _connect(self, resource: SnowflakeResource) -> SnowflakeConnection:
        from snowflake.connector import errors

        try:
            found: SnowflakeConnection = resource.get_connection().__enter__()
        except errors.Error as error:
            why = str(error.raw_msg or error)
        except (OSError, ValueError) as error:
            why = str(error)
        else:
            return found
        # Not while the driver's own error is being handled: it holds what we connect with.
        raise WarehouseError(f"{self.address} cannot be opened: {why}")

    def _configured(self, purpose: str) -> SnowflakeResource:
        """Return the resource with the session's own settings, its environment variables read."""
        given = self.resource.process_config_and_initialize()
        if not given.database:
            raise InvalidInputError("A Snowflake warehouse is one database: name it on the resource.")
        known = {"schema" if name == "schema_" else name: getattr(given, name) for name in type(given).model_fields}
        extra = dict(given.additional_snowflake_connection_args or {})
        tag = f"{self.query_tag}: {purpose}"[:TAG_LENGTH]
        wait = max(1, int(self.lock_wait.total_seconds()))
        own = {**SETTINGS, "LOCK_TIMEOUT": wait, "QUERY_TAG": tag}
        extra["session_parameters"] = {**extra.get("session_parameters", {}), **own}
        extra["arrow_number_to_decimal"] = True
        known.update(autocommit=False, timezone="UTC", connector=None, additional_snowflake_connection_args=extra)
        configured: SnowflakeResource = type(given)(**{name: v for name, v in known.items() if v is not None})
        return configured
