"""What published tables held before: the rows each publication replaced, so that it can be taken back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sqlglot import exp

from dashboard_trust.warehouses.session import Session, column, drop_table, make_table, table

SCHEMA = "trust_history"
REPLACED_BY = "_replaced_by"
"""The column that names the publication by which a row was replaced."""
NAME_BYTES = 63
"""What every engine keeps of a name."""


def history_of(target: str) -> str:
    """Return the table that keeps what ``target`` held."""
    found = table(target)
    name = f"{found.db}__{found.name}"
    if len(name.encode()) > NAME_BYTES or "__" in f"{found.db}_" or "__" in f"_{found.name}":
        # Cut, or parted elsewhere, it might be another table's.
        digest = hashlib.sha256(repr((found.db, found.name)).encode()).hexdigest()[:12]
        name = f"{name.encode()[:40].decode(errors='ignore')}_{digest}"
    return exp.table_(name, db=SCHEMA, quoted=True).sql("duckdb")


def prepare_history(session: Session, target: str) -> None:
    """Make the table that keeps what ``target`` holds; one of other columns can restore nothing, and goes."""
    if fits(session, target):
        return
    history, columns = history_of(target), session.columns(target) or {}
    session.query(drop_table(history))
    replaced_by = exp.cast(exp.convert(0), "BIGINT").as_(REPLACED_BY, quoted=True)
    nothing = exp.select(*map(column, columns), replaced_by).from_(table(target)).where(exp.false())
    make_table(session, history, exp.Create(this=table(history), kind="TABLE", expression=nothing))


def fits(session: Session, target: str) -> bool:
    """Whether what is kept of ``target`` could stand there again."""
    kept = session.columns(history_of(target)) or {}
    return {name: kind for name, kind in kept.items() if name != REPLACED_BY} == session.columns(target)


def keep_rows(session: Session, target: str, columns: Sequence[str], where: exp.Expr | None, number: int) -> None:
    """Keep the rows that publication ``number`` is about to replace."""
    rows = exp.select(*map(column, columns), exp.convert(number)).from_(table(target))
    rows = rows.where(where) if where is not None else rows
    into = [column(name).this for name in (*columns, REPLACED_BY)]
    session.query(exp.insert(rows, table(history_of(target)), columns=into))


def restore_rows(session: Session, target: str, where: exp.Expr | None, number: int) -> None:
    """Put back the rows that publication ``number`` replaced, for what it changed."""
    columns = list(session.columns(target) or {})
    session.query(exp.delete(table(target), where=where))
    rows = exp.select(*map(column, columns)).from_(table(history_of(target))).where(column(REPLACED_BY).eq(number))
    session.query(exp.insert(rows, table(target), columns=[column(name).this for name in columns]))


def forget_rows(session: Session, target: str, up_to: int | None = None) -> None:
    """Drop what was replaced by publications up to this one, or by all: they cannot be taken back any more."""
    if session.columns(history_of(target)) is not None:
        over = None if up_to is None else column(REPLACED_BY) <= exp.convert(up_to)
        session.query(exp.delete(table(history_of(target)), where=over))
