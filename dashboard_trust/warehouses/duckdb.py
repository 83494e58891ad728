"""DuckDB: a file with one writing process at a time, and fingerprints of what it holds."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from sqlglot import exp, parse_one

from dashboard_trust.errors import CommitUnknownError, WarehouseBusyError, WarehouseError
from dashboard_trust.warehouses.column_types import NULLS, refuse_unknown
from dashboard_trust.warehouses.session import column as to_column
from dashboard_trust.warehouses.session import create_schema, function
from dashboard_trust.warehouses.session import table as to_table

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

WITHOUT_ZONE = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS")
LOCK_WAIT = timedelta(minutes=1)
LOCK_WAIT_VARIABLE = "DASHBOARD_TRUST_LOCK_SECONDS"


@dataclass(frozen=True, slots=True)
class DuckDBSession:
    """A `Session` on an open DuckDB connection that is in UTC."""

    connection: duckdb.DuckDBPyConnection
    dialect: str = "duckdb"

    @property
    def engine(self) -> str:
        """DuckDB and its minor version: its hash is not promised to be the same in another."""
        version = self.connection.execute("SELECT version()").fetchall()[0][0]
        return "duckdb " + ".".join(version.removeprefix("v").split(".")[:2])

    def query(self, statement: exp.Expr) -> list[tuple[Any, ...]]:
        """See `Session.query`."""
        with _refusals():
            return self.connection.execute(statement.sql(dialect=self.dialect)).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """See `Session.transaction`."""
        import duckdb

        with _refusals():
            self.connection.begin()
        try:
            yield
            # DuckDB answers a commit with a silent rollback where a statement failed and nobody minded.
            with _refusals():
                self.connection.execute("SELECT 1")
        except BaseException:
            with suppress(duckdb.Error):
                self.connection.rollback()
            raise
        try:
            self.connection.commit()
        except duckdb.Error as error:
            # Whether it is in the log is known to whoever opens the file next.
            with suppress(duckdb.Error):
                self.connection.rollback()
            raise CommitUnknownError(f"DuckDB could not commit: {_first_line(error)}.") from error

    def snapshot(self) -> AbstractContextManager[DuckDBSession]:
        """See `Session.snapshot`; nobody else writes to the file while it is open here."""
        return nullcontext(self)

    def columns(self, table: str) -> dict[str, str] | None:
        """See `Session.columns`."""
        name = to_table(table)
        rows = self.connection.execute(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE database_name = current_database()"
            " AND schema_name = ? AND table_name = ? ORDER BY column_index",
            [name.db or "main", name.name],
        ).fetchall()
        return {str(column): str(kind) for column, kind in rows} or None

    def changed_at(self, table: str) -> None:
        """See `Session.changed_at`."""

    def types(self, schema: pa.Schema) -> dict[str, str]:
        """See `Session.types`."""
        with self._registered(schema.empty_table()) as data:
            rows = self.connection.execute(f"DESCRIBE SELECT * FROM {data}").fetchall()  # noqa: S608 - our own name
        return {row[0]: NULLS if row[1] == '"NULL"' else row[1] for row in rows}

    def create(self, table: str, schema: pa.Schema) -> None:
        """See `Session.create`."""
        name = to_table(table)
        refuse_unknown(table, self.types(schema))
        with self._registered(schema.empty_table()) as data, _refusals():
            self.query(create_schema(name.db))
            self.connection.execute(f"CREATE TABLE {name.sql('duckdb')} AS FROM {data}")

    def stage(self, data: pa.Table) -> pa.Table:
        """See `Session.stage`."""
        return data

    def append(self, table: str, data: pa.Table) -> None:
        """See `Session.append`."""
        import duckdb

        with self._registered(data) as rows, _refusals():
            # On every core, with less held back: a table's rows have no order that anybody may count on.
            self.connection.execute("SET preserve_insertion_order = false")
            try:
                self.connection.execute(f"INSERT INTO {to_table(table).sql('duckdb')} BY NAME FROM {rows}")
            finally:
                with suppress(duckdb.Error):  # refused where the insert failed its transaction
                    self.connection.execute("RESET preserve_insertion_order")

    def read(self, table: str, where: exp.Expr | None = None) -> pa.Table:
        """See `Session.read`."""
        query = exp.select("*").from_(to_table(table))
        with _refusals():
            found: pa.Table = self.connection.sql(
                (query.where(where) if where is not None else query).sql(dialect=self.dialect)
            ).to_arrow_table()
        return found

    def day(self, column: str, kind: str) -> exp.Expr:
        """See `Session.day`."""
        name = to_column(column).sql("duckdb")
        if kind == "TIMESTAMP WITH TIME ZONE":
            name = f"TIMEZONE('UTC', {name})"
        elif kind not in WITHOUT_ZONE:
            # In UTC whatever the session's zone; by way of text, since a plain number is no time.
            name = f"TIMEZONE('UTC', TRY_CAST(CAST({name} AS TEXT) AS TIMESTAMPTZ))"
        text = f"CASE WHEN ISFINITE({name}) THEN STRFTIME({name}, '%Y-%m-%d') ELSE '' END"
        return parse_one(text, dialect="duckdb")

    def row_hash(self, columns: Mapping[str, str]) -> exp.Expr:
        """See `Session.row_hash`; 0 and -0 are one number."""
        return function("HASH", *(_told_apart(*item) for item in columns.items()))

    @contextmanager
    def _registered(self, data: pa.Table) -> Iterator[str]:
        import duckdb

        name = "given_rows"
        self.connection.register(name, data)
        try:
            yield name
        finally:
            # In a transaction that a failure ended, even this is refused; the rollback does it.
            with suppress(duckdb.Error):
                self.connection.unregister(name)


@dataclass(frozen=True, slots=True)
class DuckDBWarehouse:
    """One DuckDB file behind an operating system lock that dies with its holder.

    Every open takes the lock, readers too: DuckDB refuses a second process while one writes.
    """

    path: Path

    def __post_init__(self) -> None:
        """Take a path as text too."""
        object.__setattr__(self, "path", Path(self.path))

    @contextmanager
    def lock(self, purpose: str, wait: timedelta | None = None) -> Iterator[None]:
        """Hold the file for ``purpose``; raise `WarehouseBusyError` naming the holder after ``wait``.

        The default wait is a minute (or ``DASHBOARD_TRUST_LOCK_SECONDS``). Holding it twice in one
        thread is allowed.
        """
        lock = FileLock(f"{self.path}.lock", is_singleton=True)
        holder = Path(f"{self.path}.holder")
        try:
            lock.acquire(timeout=(_lock_wait() if wait is None else wait).total_seconds(), poll_interval=0.05)
        except Timeout:
            raise WarehouseBusyError(
                f"{self.path.name} is held by {_read_holder(holder)}. "
                "Wait for it to end, or stop it, and run this again."
            ) from None
        except OSError as error:
            raise WarehouseError(f"{self.path} cannot be opened: {error}.") from error
        try:
            word = {"pid": os.getpid(), "purpose": purpose, "since": datetime.now(UTC).isoformat()}
            with suppress(OSError):  # it only tells others who to wait for
                holder.write_text(json.dumps(word))
            yield
        finally:
            lock.release()

    @contextmanager
    def connect(self, purpose: str, wait: timedelta | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file for reading and writing, in UTC, while holding its lock."""
        deadline = time.monotonic() + (_lock_wait() if wait is None else wait).total_seconds()
        with self.lock(purpose, wait):
            connection = self._open(deadline)
            try:
                connection.execute("SET TimeZone = 'UTC'")
                yield connection
            finally:
                connection.close()

    @property
    def address(self) -> str:
        """The file, as a URI."""
        return f"duckdb://{self.path.absolute()}"

    @contextmanager
    def session(self, purpose: str, wait: timedelta | None = None) -> Iterator[DuckDBSession]:
        """See `Warehouse.session`."""
        with self.connect(purpose, wait) as connection:
            yield DuckDBSession(connection)

    def wait_until_free(self, purpose: str) -> None:
        """Wait until no foreign process holds the file; raise `WarehouseBusyError` naming the one that does."""
        with self.connect(purpose):
            pass

    def _open(self, deadline: float) -> duckdb.DuckDBPyConnection:
        import duckdb

        while True:
            try:
                return duckdb.connect(str(self.path))
            except duckdb.Error as error:
                # A tool that does not know our lock (a shell, a BI tool) may hold the file itself.
                if "Could not set lock" not in str(error):
                    raise WarehouseError(f"{self.path} cannot be opened: {_first_line(error)}.") from error
                if time.monotonic() >= deadline:
                    raise WarehouseBusyError(
                        f"{self.path.name} is held by {_foreign_holder(str(error))}. "
                        "Close it there, and run this again."
                    ) from None
                time.sleep(0.2)


@contextmanager
def _refusals() -> Iterator[None]:
    """Let what DuckDB refuses be said in the package's own family of errors."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise WarehouseError(f"DuckDB refused: {_first_line(error)}") from error


def _told_apart(name: str, kind: str) -> exp.Expr:
    """Return a column, or its text where DuckDB's hash takes values for the same that are not.

    Of nested values it forgets where one ends (``[1], [2, 3]`` and ``[1, 2], [3]``); a month is 30 days to it.
    """
    nested = kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION"))
    return exp.cast(to_column(name), "TEXT") if nested or kind == "INTERVAL" else to_column(name)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


def _lock_wait() -> timedelta:
    seconds = os.environ.get(LOCK_WAIT_VARIABLE)
    return timedelta(seconds=float(seconds)) if seconds else LOCK_WAIT


def _read_holder(holder: Path) -> str:
    try:
        word = json.loads(holder.read_text())
        return f"process {word['pid']} ({word['purpose']}, since {word['since'][:19]}Z)"
    except (OSError, ValueError, KeyError):
        return "another process"


def _foreign_holder(message: str) -> str:
    found = re.search(r"held in (.+?) \(PID (\d+)\)", message)
    return f"process {found[2]} ({found[1]})" if found else "another process"
