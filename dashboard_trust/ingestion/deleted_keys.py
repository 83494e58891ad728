"""Rows that a sync by a cursor cannot see go: the keys of a table against a full list of those there are."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlglot import exp

from dashboard_trust.contracts.streams import ConnectionContract, FullList, StreamContract
from dashboard_trust.errors import WarehouseError
from dashboard_trust.ingestion.stream_tables import EXTRACTED_AT, find_columns, find_table
from dashboard_trust.warehouses.session import Session, column, table


@dataclass(frozen=True, slots=True)
class KeyComparison:
    """What a comparison found: how many keys the source has no more, and some of them, or why nobody could compare."""

    at: dt.datetime
    vanished: int = 0
    sample: tuple[str, ...] = ()
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether every key is still at the source."""
        return not self.vanished and not self.problem

    def dump(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "at": self.at.isoformat(),
            "vanished": self.vanished,
            "sample": list(self.sample),
            "problem": self.problem,
        }

    @classmethod
    def parse(cls, said: Any) -> KeyComparison | None:
        """Return what `dump` gave; None for anything else."""
        try:
            at = dt.datetime.fromisoformat(said["at"])
            return cls(at, int(said["vanished"]), tuple(said["sample"]), str(said["problem"]))
        except (KeyError, TypeError, ValueError):
            return None


def is_due(known: KeyComparison | None, full: FullList, now: dt.datetime) -> bool:
    """Whether keys have to be compared again; what was found wrong is looked at every time."""
    return known is None or not known.passed or now - known.at >= full.every


def compare_keys(
    session: Session, connection: ConnectionContract, stream: StreamContract, full: FullList, now: dt.datetime
) -> KeyComparison:
    """Count the keys of a stream's table that the full list lacks; rows marked as deleted are not asked for.

    A list that is not there, has no rows while the table has some, or is older than it is to be, proves nothing. Where
    both have ``_airbyte_extracted_at``, rows that came after the list was made are left out.
    """
    about = f"connection {connection.name!r}, stream {stream.name!r}"
    name, listed = (find_table(session, one) for one in (connection.table_of(stream), full.table))
    try:
        problem = _problem(session, name, listed, full, now)
        if problem or name is None or listed is None:
            return KeyComparison(now, problem=f"{about}: {problem}")
        absent = _absent(session, name, listed, stream, full)
        count = int(session.query(exp.select("COUNT(*)").from_(absent.subquery("absent")))[0][0])
        sample = _sample(session, absent, full.sample_failures) if full.sample_failures else ()
    except WarehouseError as error:
        return KeyComparison(now, problem=f"{about}: its keys could not be compared with {full.table}: {error}")
    return KeyComparison(now, count, sample)


def describe_comparison(found: KeyComparison, connection: str, stream: str, full: FullList) -> str:
    """Say in a line what a comparison found."""
    when = f"compared with {full.table} at {found.at:%Y-%m-%d %H:%M} UTC"
    if found.problem:
        return f"unverified: {found.problem}"
    if not found.vanished:
        return f"connection {connection!r}, stream {stream!r}: every key is still at the source, {when}"
    keys = "; ".join([*found.sample, *(["..."] if found.vanished > len(found.sample) else [])])
    shown = f" ({keys})" if found.sample else ""
    rows = "1 row was" if found.vanished == 1 else f"{found.vanished} rows were"
    return f"connection {connection!r}, stream {stream!r}: {rows} deleted at the source{shown}, {when}"


def _problem(session: Session, name: str | None, listed: str | None, full: FullList, now: dt.datetime) -> str:
    """Return why a comparison would prove nothing."""
    if listed is None:
        return f"its full list {full.table} is not there"
    if name is None:
        return "its table is not in the warehouse"
    extracted = _extracted_at(session.columns(listed) or {})
    newest = exp.Max(this=column(extracted)) if extracted else exp.Null()
    rows, made = session.query(exp.select(exp.Count(this=exp.Star()), newest).from_(table(listed)))[0]
    if not rows and session.query(exp.select("COUNT(*)").from_(table(name)))[0][0]:
        return f"its full list {full.table} has no rows"
    if made is not None:
        made = made if made.tzinfo else made.replace(tzinfo=dt.UTC)
        if now - made > 2 * full.every:
            return f"its full list {full.table} is of {made:%Y-%m-%d %H:%M} UTC, and is to be made every {full.every}"
    return ""


def _absent(session: Session, name: str, listed: str, stream: StreamContract, full: FullList) -> exp.Select:
    """Return the query of the keys that the table has and the list lacks."""
    types, known = session.columns(name) or {}, session.columns(listed) or {}
    key = find_columns(types, stream.primary_key or ())
    other = find_columns(known, full.columns or stream.primary_key or ())
    ours = exp.select(*(column(part) for part in key)).from_(table(name))
    for condition in _conditions(types, known, listed, stream):
        ours = ours.where(condition)
    same = exp.and_(
        *(
            exp.EQ(this=exp.column(one, "ours", quoted=True), expression=exp.column(two, "listed", quoted=True))
            for one, two in zip(key, other, strict=True)
        )
    )
    there = exp.select("1").from_(exp.alias_(table(listed), "listed", table=True)).where(same)
    every = (exp.alias_(exp.column(part, "ours", quoted=True), part, quoted=True) for part in key)
    return exp.select(*every).from_(ours.subquery("ours")).where(exp.not_(exp.Exists(this=there)))


def _sample(session: Session, absent: exp.Select, most: int) -> tuple[str, ...]:
    keys = [column(part) for part in absent.named_selects]
    rows = session.query(exp.select(*keys).from_(absent.subquery("absent")).order_by(*keys).limit(most))
    return tuple(", ".join(map(str, row)) for row in rows)


def _conditions(
    types: Mapping[str, str], known: Mapping[str, str], listed: str, stream: StreamContract
) -> Iterator[exp.Expr]:
    """Yield what a row must be for its key to be asked for: not marked as deleted, and not newer than the list."""
    (marked,) = find_columns(types, [stream.deleted_at])
    if stream.deletes == "soft" and marked in types:
        yield exp.Is(this=column(marked), expression=exp.Null())
    ours, theirs = _extracted_at(types), _extracted_at(known)
    if ours and theirs:
        made = exp.select(exp.Max(this=column(theirs))).from_(table(listed)).subquery()
        yield exp.LTE(this=column(ours), expression=made)


def _extracted_at(types: Mapping[str, str]) -> str | None:
    (name,) = find_columns(types, [EXTRACTED_AT])
    return name if name in types else None
