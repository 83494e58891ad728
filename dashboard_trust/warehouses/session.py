"""What every engine can do: the one interface between the package and a warehouse.

Statements are built with sqlglot, so that names are quoted and values are literals on every engine.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from sqlglot import exp, parse_one

from dashboard_trust.errors import WarehouseError

if TYPE_CHECKING:
    import pyarrow as pa


class Session(Protocol):
    """An open connection, in one transaction at most. Moments are in UTC."""

    @property
    def dialect(self) -> str:
        """The engine, by the name sqlglot has for its SQL: ``duckdb``, ``postgres``, ``snowflake``."""

    @property
    def engine(self) -> str:
        """The engine and as much of its version as its row hashes depend on: ``duckdb 2.0``."""

    def query(self, statement: exp.Expr) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows; none where it has no result.

        Raises:
            WarehouseError: The engine refused it, in its own words.
        """

    def transaction(self) -> AbstractContextManager[None]:
        """Begin; commit at the end of the block, roll back where it raises.

        Raises:
            CommitUnknownError: The connection was lost while committing: nobody knows whether it did.
        """

    def snapshot(self) -> AbstractContextManager[Session | None]:
        """Return a session to read by: all of it is of one state until the block ends; None where no engine has that.

        What is refused within the block spoils nothing else there.
        """

    def columns(self, table: str) -> dict[str, str] | None:
        """Return the engine's own column types by name, in the table's order; None if there is no such table."""

    def changed_at(self, table: str) -> str | None:
        """Return when the engine says that a table last changed; None where it keeps no such word."""

    def types(self, schema: pa.Schema) -> dict[str, str]:
        """Return the column types by name that a table made for data of this schema would have."""

    def create(self, table: str, schema: pa.Schema) -> None:
        """Create an empty table for data of this schema, and its database schema if missing."""

    def stage(self, data: pa.Table) -> pa.Table | str:
        """Bring rows, before a transaction, to where `append` can take them from within it; nobody else sees them.

        Where an engine writes in transactions, that is nothing to do; else it is the name of a table.
        """

    def append(self, table: str, data: pa.Table | str) -> None:
        """Insert rows by column name, within the open transaction (where that needs it, of what `stage` returned).

        The caller has compared the columns: what a table has and the data lacks would be NULL.
        """

    def read(self, table: str, where: exp.Expr | None = None) -> pa.Table:
        """Return the rows of a table for which ``where`` holds."""

    def day(self, column: str, kind: str) -> exp.Expr:
        """Return the UTC day of a column of this type as text: ``YYYY-MM-DD``, or nothing where no time can be read."""

    def row_hash(self, columns: Mapping[str, str]) -> exp.Expr:
        """Return the hash of a row over these columns (types by name): a number, equal for equal rows."""


class CountedSession:
    """A session that counts what it is asked, as ``queries``."""

    def __init__(self, session: Session) -> None:
        self.session, self.queries = session, 0

    def __getattr__(self, name: str) -> Any:
        """Return what the session itself has."""
        return getattr(self.session, name)

    def query(self, statement: exp.Expr) -> list[tuple[Any, ...]]:
        """See `Session.query`."""
        self.queries += 1
        return self.session.query(statement)


class Warehouse(Protocol):
    """Where tables are."""

    @property
    def address(self) -> str:
        """The warehouse as a URI without secrets."""

    def session(self, purpose: str) -> AbstractContextManager[Session]:
        """Open it for reading and writing; ``purpose`` is what others are told who wait for it.

        Raises:
            WarehouseBusyError: Somebody else holds it for longer than we wait.
            WarehouseError: It cannot be opened.
        """


def table(name: str) -> exp.Table:
    """Return ``schema.name`` as an expression, its parts quoted; a part may be written in double quotes."""
    found = exp.to_table(name, dialect="duckdb")
    for part in found.parts:
        part.set("quoted", True)
    return found


def column(name: str) -> exp.Column:
    """Return a column, quoted."""
    return exp.column(name, quoted=True)


def quote_columns(expression: exp.Expr, names: Collection[str]) -> exp.Expr:
    """Return an expression that somebody wrote, with these columns quoted: some engines fold what is not."""

    def quote(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Column) and isinstance(node.this, exp.Identifier) and node.name in names:
            node.this.set("quoted", True)
        return node

    return expression.transform(quote)


def create_schema(name: str) -> exp.Create:
    """Return the statement that makes a database schema where it is missing."""
    return exp.Create(this=exp.table_("", db=name, quoted=True), kind="SCHEMA", exists=True)


def create_table(name: exp.Table, types: Mapping[str, str], dialect: str) -> exp.Create:
    """Return the statement that makes a table with these columns (the engine's types by name) where it is missing."""
    columns = [
        exp.ColumnDef(this=column(c).this, kind=exp.DataType.build(kind, dialect=dialect)) for c, kind in types.items()
    ]
    return exp.Create(this=exp.Schema(this=name, expressions=columns), kind="TABLE", exists=True)


def make_table(session: Session, name: str, create: exp.Expr) -> None:
    """Create a table, and its database schema if missing; where another is at the same, both have it.

    Raises:
        WarehouseError: It is still not there; why, in the engine's own words.
    """
    refusals = []
    # A schema may be refused though it is there, and the table in it need not be.
    for statement in (create_schema(table(name).db), create):
        try:
            session.query(statement)
        except WarehouseError as error:
            refusals.append(error)
    if refusals and session.columns(name) is None:
        raise refusals[0]


def drop_table(name: str) -> exp.Expr:
    """Return the statement that drops a table where there is one."""
    return parse_one(f"DROP TABLE IF EXISTS {table(name).sql('duckdb')}", dialect="duckdb")


def function(name: str, *arguments: exp.Expr) -> exp.Expr:
    """Return a call of one of the engine's own functions."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def fill(sql: str, dialect: str, **values: exp.Expr) -> exp.Expr:
    """Return SQL of an engine with each of these put in for the column of that name."""

    def put_in(node: exp.Expr) -> exp.Expr:
        given = values.get(node.name.lower()) if isinstance(node, exp.Column) else None
        return node if given is None else given.copy()

    return _parsed(sql, dialect).transform(put_in)


@cache
def _parsed(sql: str, dialect: str) -> exp.Expr:
    return parse_one(sql, dialect=dialect)


def either(conditions: Sequence[exp.Expr]) -> exp.Expr:
    """Return the condition that one of these holds; of none, none does."""
    return exp.or_(*conditions) if conditions else exp.false()
