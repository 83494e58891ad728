"""Postgres, over ADBC: Arrow in and out, and every statement's wait for others bounded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from dashboard_trust.errors import (
    ColumnsRefusedError,
    CommitUnknownError,
    InvalidInputError,
    WarehouseBusyError,
    WarehouseError,
)
from dashboard_trust.warehouses.column_types import refuse_unknown
from dashboard_trust.warehouses.postgres_dialect import day_of
from dashboard_trust.warehouses.postgres_errors import LOCK_TIMEOUT, ROLLED_BACK, address, not_connected, reason
from dashboard_trust.warehouses.postgres_types import is_native, to_postgres_type, to_read, to_written
from dashboard_trust.warehouses.session import column as to_column
from dashboard_trust.warehouses.session import create_table, fill, function, make_table
from dashboard_trust.warehouses.session import table as to_table

if TYPE_CHECKING:
    import pyarrow as pa
    from adbc_driver_postgresql import dbapi

LOCK_WAIT = timedelta(minutes=1)
OLDEST = 140000
NAME_BYTES = 63
START = "dashboard_trust_start"

SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",
    "search_path": "public",
    # A server that lost sight of us lets our locks go within a minute or two.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "3",
}
"""What text, days and names depend on, whatever the server, the database or the role say."""

COLUMNS = """
    SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_catalog.pg_attribute
    WHERE attrelid = (SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
        WHERE n.nspname = schema_name AND c.relname = table_name AND c.relkind IN ('r', 'p', 'v', 'm', 'f'))
    AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
# Whoever waits for a row waits for a transaction, and that one holds a lock on the row's table too.
HOLDERS = """
    SELECT a.pid, a.application_name, a.usename::text, n.nspname || '.' || c.relname FROM pg_catalog.pg_locks l
    JOIN pg_catalog.pg_class c ON c.oid = l.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
    WHERE l.granted AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
    AND n.nspname || '.' || c.relname IN names AND l.pid NOT IN (ours, pg_backend_pid())
    ORDER BY l.mode = 'AccessShareLock', a.xact_start NULLS LAST, a.pid LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class PostgresSession:
    """A `Session` on an open ADBC connection; outside `transaction` each statement commits by itself."""

    connection: dbapi.Connection
    warehouse: PostgresWarehouse
    pid: int
    dialect: str = "postgres"
    reads_only: bool = False

    @property
    def engine(self) -> str:
        """Postgres alone: what the hash stands on is also what its hash partitions do, and is kept across versions."""
        return "postgres"

    def query(self, statement: exp.Expr) -> list[tuple[Any, ...]]:
        """See `Session.query`."""
        found = self._run(statement)
        if found is None:
            return []
        numeric = [i for i, kind in enumerate(found.schema.types) if getattr(kind, "type_name", "") == "numeric"]
        try:
            columns = [column.to_pylist() for column in found.columns]
        except (OverflowError, ValueError) as error:
            raise WarehouseError(f"Postgres returned what Python has no value for: {error}") from None
        for i in numeric:
            columns[i] = [None if value is None else Decimal(value) for value in columns[i]]
        return list(zip(*columns, strict=True))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `Session.transaction`."""
        # Whoever waited for our fence has to see what its holder committed, whatever the server's default is.
        self._execute("BEGIN ISOLATION LEVEL READ COMMITTED")
        try:
            yield
            # The server answers COMMIT with a silent ROLLBACK where a statement failed and nobody minded.
            self._execute("SELECT 1")
        except BaseException:
            with suppress(WarehouseError):
                self._execute("ROLLBACK")
            raise
        self._commit()

    @contextmanager
    def snapshot(self) -> Iterator[PostgresSession]:
        """See `Session.snapshot`."""
        self._execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            self._execute(f"SAVEPOINT {START}")
            yield replace(self, reads_only=True)
        finally:
            with suppress(WarehouseError):
                self._execute("ROLLBACK")

    def columns(self, table: str) -> dict[str, str] | None:
        """See `Session.columns`."""
        name = _name(table)
        query = fill(COLUMNS, self.dialect, schema_name=exp.convert(name.db), table_name=exp.convert(name.name))
        return {str(column): str(kind) for column, kind in self.query(query)} or None

    def changed_at(self, table: str) -> None:
        """See `Session.changed_at`."""

    def types(self, schema: pa.Schema) -> dict[str, str]:
        """See `Session.types`."""
        refuse_long_names(schema.names)
        return {field.name: to_postgres_type(field) for field in schema}

    def create(self, table: str, schema: pa.Schema) -> None:
        """See `Session.create`."""
        name, types = _name(table), self.types(schema)
        refuse_unknown(table, types)
        make_table(self, name.sql("duckdb"), create_table(name, types, self.dialect))

    def stage(self, data: pa.Table) -> pa.Table:
        """See `Session.stage`."""
        return data

    def append(self, table: str, data: pa.Table) -> None:
        """See `Session.append`."""
        import pyarrow as pa

        name, has = _name(table), self.columns(table) or {}
        if set(has) != set(data.column_names):
            raise ColumnsRefusedError(f"The columns of {table} changed while it was being written. Run it again.")
        columns = {}
        for column in data.column_names:
            # The bytes go in as they are: a column of another type would take them for other values.
            written = to_written(data.column(column), has[column])
            if written is None:
                raise ColumnsRefusedError(f"{table}: {column} is {has[column]}, which this data does not fit.")
            columns[column] = written
        with self._refusals([name]), self.connection.cursor() as cursor:
            cursor.adbc_ingest(name.name, pa.table(columns), mode="append", db_schema_name=name.db)

    def read(self, table: str, where: exp.Expr | None = None) -> pa.Table:
        """See `Session.read`."""
        import pyarrow as pa

        types = self.columns(table) or {}
        wanted = [
            to_column(column) if is_native(kind) else exp.cast(to_column(column), "TEXT").as_(column, quoted=True)
            for column, kind in types.items()
        ]
        query = exp.select(*wanted).from_(_name(table))
        found = self._run(query.where(where) if where is not None else query)
        if found is None:
            raise WarehouseError(f"{table} is not there to be read.")
        return pa.table({column: to_read(column, kind, found.column(column)) for column, kind in types.items()})

    def day(self, column: str, kind: str) -> exp.Expr:
        """See `Session.day`."""
        return day_of(to_column(column), kind)

    def row_hash(self, columns: Mapping[str, str]) -> exp.Expr:
        """See `Session.row_hash`."""
        # Over the bytes of the row as a whole. A record's own hash adds up those of its columns, so that values
        # could move between rows unseen; and it takes 1 and 2^32 for the same number, and many a time for another.
        sent = function("RECORD_SEND", function("ROW", *map(to_column, columns)))
        return function("HASH_RECORD_EXTENDED", function("ROW", sent), exp.convert(0))

    def _commit(self) -> None:
        from adbc_driver_postgresql import dbapi

        try:
            with self.connection.cursor() as cursor:
                cursor.execute("COMMIT")
        except dbapi.Error as error:
            # Whatever is left of the transaction must not outlive us: it holds locks.
            with suppress(WarehouseError):
                self._execute("ROLLBACK")
            if (error.sqlstate or "").startswith(ROLLED_BACK):
                raise WarehouseError(f"Postgres refused: {reason(error)}") from None
            raise CommitUnknownError(f"Postgres did not answer whether it committed: {reason(error)}.") from None

    def _run(self, statement: exp.Expr) -> pa.Table | None:
        return self._execute(statement.sql(dialect=self.dialect), list(statement.find_all(exp.Table)))

    def _execute(self, sql: str, tables: Sequence[exp.Table] = ()) -> pa.Table | None:
        if "\0" in sql:
            raise InvalidInputError("Postgres has no text with a zero byte in it; take it out.")
        try:
            with self._refusals(tables), self.connection.cursor() as cursor:
                cursor.execute(sql)
                return cursor.fetch_arrow_table() if cursor.description else None
        except WarehouseError:
            if self.reads_only:  # nothing is lost by going back, and all that comes next is let be read
                with suppress(WarehouseError):
                    replace(self, reads_only=False)._execute(f"ROLLBACK TO SAVEPOINT {START}")
            raise

    @contextmanager
    def _refusals(self, tables: Sequence[exp.Table]) -> Iterator[None]:
        """Let what Postgres refuses be said in the package's own family of errors."""
        from adbc_driver_postgresql import dbapi

        try:
            yield
        except dbapi.Error as error:
            if error.sqlstate == LOCK_TIMEOUT:
                raise WarehouseBusyError(self.warehouse.describe_wait(tables, self.pid)) from None
            raise WarehouseError(f"Postgres refused: {reason(error)}") from None


@dataclass(frozen=True, slots=True)
class PostgresWarehouse:
    """A Postgres database (14 or newer), by libpq's URI or connection string; its password may be in there.

    Waits ``lock_wait`` for what others hold. Connect to the server itself, or to a pool that keeps a
    session: the settings are the session's.
    """

    uri: str = field(repr=False)
    lock_wait: timedelta = LOCK_WAIT

    @property
    def address(self) -> str:
        """See `Warehouse.address`."""
        return address(self.uri)

    @contextmanager
    def session(self, purpose: str) -> Iterator[PostgresSession]:
        """See `Warehouse.session`."""
        connection = self._connect()
        try:
            session = PostgresSession(connection, self, 0)
            milliseconds = max(1, int(self.lock_wait.total_seconds() * 1000))
            own = {"application_name": _application(purpose), "lock_timeout": str(milliseconds)}
            settings = [
                function("SET_CONFIG", exp.convert(key), exp.convert(value), exp.false())
                for key, value in {**SETTINGS, **own}.items()
            ]
            version = function("CURRENT_SETTING", exp.convert("server_version_num"))
            *_, pid, number = session.query(exp.select(*settings, function("PG_BACKEND_PID"), version))[0]
            if int(number) < OLDEST:
                raise WarehouseError(f"{self.address} is Postgres {int(number) // 10000}; it has to be 14 or newer.")
            yield PostgresSession(connection, self, int(pid))
        finally:
            # What cannot be closed is lost already, and has been said.
            with suppress(Exception):
                connection.close()

    def describe_wait(self, tables: Sequence[exp.Table], pid: int) -> str:
        """Say for whom the process ``pid`` waited too long, as far as another connection can see it now."""
        names = [f"{table.db or 'public'}.{table.name}" for table in tables]
        rows: list[tuple[Any, ...]] = []
        with suppress(WarehouseError), self.session("looking who holds a lock") as session:
            texts = exp.Tuple(expressions=[exp.convert(name) for name in names])
            rows = session.query(fill(HOLDERS, session.dialect, ours=exp.convert(pid), names=texts)) if names else []
        holder, name = "another process", " and ".join(names)
        if rows:
            holder = f"process {rows[0][0]} ({rows[0][1] or 'without a name'}, user {rows[0][2]})"
            name = rows[0][3]
        return (
            f"{name} is held by {holder}, for longer than {self.lock_wait.total_seconds():g} s. "
            "Wait for it to end, or stop it, and run this again."
        )

    def _connect(self) -> dbapi.Connection:
        from adbc_driver_postgresql import dbapi

        try:
            return dbapi.connect(self.uri, autocommit=True)
        except dbapi.Error as error:
            why = not_connected(error)
        # Not while the driver's own error is being handled: what it says may have the password in it.
        raise WarehouseError(f"{self.address} cannot be opened: {why}.")


def _name(table: str) -> exp.Table:
    name = to_table(table)
    if not name.db:
        name.set("db", exp.to_identifier("public", quoted=True))
    if name.catalog:
        raise InvalidInputError(f"{table}: a Postgres session reads one database. Name the table as schema.name.")
    refuse_long_names([name.db, name.name])
    return name


def refuse_long_names(names: Sequence[str]) -> None:
    """Refuse what Postgres would cut without a word.

    Raises:
        InvalidInputError: A name has more than 63 bytes.
    """
    for name in names:
        if len(name.encode()) > NAME_BYTES:
            raise InvalidInputError(f"{name!r} has {len(name.encode())} bytes; Postgres keeps {NAME_BYTES} of a name.")


def _application(purpose: str) -> str:
    """What others see in pg_stat_activity, which has room for so many plain characters."""
    text = purpose.encode("ascii", "replace").decode()
    return text if len(text) <= NAME_BYTES else text[: NAME_BYTES - 3] + "..."
