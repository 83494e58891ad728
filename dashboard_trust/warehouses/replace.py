"""Replacing a slice of a table: written, audited and let be seen in one transaction, once.

A fence row for each partition says who wrote it last. Whoever begins remembers its token; of writers at
work together, the first to commit moves it on, and the others find that they came second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sqlglot import exp

from dashboard_trust.errors import (
    CommitUnknownError,
    WarehouseBusyError,
    WarehouseError,
    WriteRacedError,
    WriteRefusedError,
)
from dashboard_trust.warehouses.column_types import compare_columns
from dashboard_trust.warehouses.fences import FENCES, Place, hold_fences, make_fences, move_fences, read_fences
from dashboard_trust.warehouses.fingerprints import Fingerprint
from dashboard_trust.warehouses.parts import WHOLE, any_of, count_parts, fingerprint_parts
from dashboard_trust.warehouses.session import Session, Warehouse, table

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of a table (``schema.name``): those of each partition, by its key; without ``parts``, all."""

    table: str
    parts: Mapping[str, exp.Expr] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The partitions, in one order for every writer."""
        return sorted(self.parts) or [WHOLE]

    @property
    def places(self) -> list[Place]:
        """What its fences stand at."""
        return [(self.table, name) for name in self.names]

    @property
    def where(self) -> exp.Expr | None:
        """The condition that a row is one of these; None: every row is."""
        return any_of(list(self.parts.values())) if self.parts else None

    def __str__(self) -> str:
        return f"{self.table} ({', '.join(self.names)})" if self.parts else self.table


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right to write a slice, drawn when a write begins.

    ``write_id`` is the same for every attempt of one write; ``by`` is what a later writer is told.
    """

    slice: Slice
    write_id: str
    by: str
    tokens: Mapping[str, int]


class Audit(Protocol):
    """Looks at what was written before anybody else can."""

    def examine(self, session: Session, what: Slice) -> Mapping[str, Fingerprint]:
        """Return the fingerprints of what was written, by partition; raise `WriteRefusedError` to withdraw it."""


@dataclass(frozen=True, slots=True)
class Written:
    """What stands in a slice after a write: a fingerprint by partition, and the table's column types.

    ``repeated`` if an earlier attempt of the same write had been committed.
    """

    fingerprints: Mapping[str, Fingerprint]
    columns: Mapping[str, str]
    repeated: bool = False


class NoAudit:
    """The audit that finds no fault with anything."""

    def examine(self, session: Session, what: Slice) -> Mapping[str, Fingerprint]:
        """See `Audit.examine`."""
        return fingerprint_parts(session, what.table, what.parts or {WHOLE: None})


def draw_ticket(warehouse: Warehouse, what: Slice, write_id: str, by: str) -> Ticket:
    """Remember who wrote a slice last, before its new rows are made."""
    with warehouse.session(f"beginning to write {what}") as session:
        make_fences(session, what.places)
        fences = read_fences(session, what.places)
        return Ticket(what, write_id, by, {part: fence.token for (_, part), fence in fences.items()})


def replace_slice(  # noqa: PLR0913  # what is accepted is said by name
    warehouse: Warehouse,
    ticket: Ticket,
    data: pa.Table,
    audit: Audit | None = None,
    *,
    accept_new_columns: bool = False,
    accept_empty: bool = False,
) -> Written:
    """Replace the rows of a slice by ``data``; a repetition of a write that was committed changes nothing.

    A partition that had rows and would have none is refused, unless ``accept_empty``: no data is seldom meant.

    Raises:
        WriteRefusedError: The data does not fit, the audit refused it, or another write came first.
        WarehouseError: The warehouse refused; the old rows stand.
    """
    what, audit = ticket.slice, audit or NoAudit()
    try:
        with warehouse.session(f"writing {what}") as session:
            _prepare_table(session, what, data.schema, accept_new_columns)
            rows = session.stage(data)
            with session.transaction():
                hold_fences(session, what.places)
                if _is_ours(session, ticket):
                    return _measure(session, what, NoAudit(), repeated=True)
                _take_fences(session, ticket)
                before = {} if accept_empty else _count_rows(session, what)
                session.query(exp.delete(table(what.table), where=what.where))
                session.append(what.table, rows)
                written = _measure(session, what, audit)
                _refuse_strangers(what, written, len(data))
                _refuse_emptied(what, written, before)
                return written
    except CommitUnknownError as error:
        return _look_up(warehouse, ticket, error)


def _look_up(warehouse: Warehouse, ticket: Ticket, unknown: CommitUnknownError) -> Written:
    """After a commit without an answer: the fence was moved in the same transaction, so it tells."""
    try:
        with warehouse.session(f"looking whether {ticket.slice} was written") as session, session.transaction():
            # A commit that is still on its way holds them: this waits until it has arrived, or cannot any more.
            hold_fences(session, ticket.slice.places)
            if _is_ours(session, ticket):
                return _measure(session, ticket.slice, NoAudit(), repeated=True)
    except WarehouseBusyError as error:
        raise CommitUnknownError(
            f"{ticket.slice}: nobody knows yet whether it was written. {unknown} {error}"
        ) from None
    raise WarehouseError(f"{ticket.slice}: nothing was committed, the old rows stand. {unknown} Run it again.")


def _measure(session: Session, what: Slice, audit: Audit, *, repeated: bool = False) -> Written:
    return Written(audit.examine(session, what), session.columns(what.table) or {}, repeated)


def _count_rows(session: Session, what: Slice) -> dict[str, int]:
    counted = count_parts(session, what.table, what.parts or {WHOLE: None}, [exp.Count(this=exp.Star())])
    return {name: int(rows) for name, (rows,) in counted.items()}


def _refuse_emptied(what: Slice, written: Written, before: Mapping[str, int]) -> None:
    emptied = [name for name, found in written.fingerprints.items() if not found.rows and before.get(name)]
    if emptied:
        named = Slice(what.table, {name: what.parts[name] for name in emptied if name in what.parts})
        raise WriteRefusedError(
            f"{named} has {before[emptied[0]]} rows and would have none; nothing was written. "
            "Say `row_count: {min: 0}` in its audit if that is meant."
        )


def _prepare_table(session: Session, what: Slice, schema: pa.Schema, accept_new_columns: bool) -> None:
    """Make the table fit the data, before the transaction: on some engines DDL would commit it."""
    has = session.columns(what.table)
    if has is None:
        session.create(what.table, schema)
        has = session.columns(what.table) or {}  # another writer may have made it just then, with other columns
    given = session.types(schema)
    for name in compare_columns(what.table, has, given, accept_new=accept_new_columns):
        kind = exp.DataType.build(given[name], dialect=session.dialect)
        action = exp.ColumnDef(this=exp.to_identifier(name, quoted=True), kind=kind, exists=True)
        session.query(exp.Alter(this=table(what.table), kind="TABLE", actions=[action]))


def _refuse_strangers(what: Slice, written: Written, rows: int) -> None:
    """Rows outside the slice would be doubled by the next write, and nobody would look at them."""
    inside = sum(fingerprint.rows for fingerprint in written.fingerprints.values())
    if inside != rows:
        raise WriteRefusedError(
            f"{what}: {rows - inside} of {rows} rows are not of these partitions; nothing was written."
        )


def _take_fences(session: Session, ticket: Ticket) -> None:
    """Move the fences on, unless somebody did since the ticket was drawn."""
    what = ticket.slice
    found = read_fences(session, what.places)
    others = {part: fence for (_, part), fence in sorted(found.items()) if fence.token != ticket.tokens.get(part)}
    if others:
        raise WriteRacedError(
            f"{what.table} ({', '.join(others)}) was written by {next(iter(others.values())).by} while this "
            "write was being made; nothing of this one was kept. Run it again if its data is the newer."
        )
    if len(found) != len(what.places):
        raise WarehouseError(f"{what}: {FENCES} lost its rows; nothing was written. Run it again.")
    move_fences(session, what.places, ticket.by, write_id=ticket.write_id)


def _is_ours(session: Session, ticket: Ticket) -> bool:
    found = {place: fence.write_id for place, fence in read_fences(session, ticket.slice.places).items()}
    return found == dict.fromkeys(ticket.slice.places, ticket.write_id)
