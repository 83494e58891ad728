"""What each day of a table without partitions holds: counted whole, or only where rows were newly extracted.

A day of which no row was extracted since the last count can only have lost rows since, as far as whatever changes a
row gives it a new time of extraction. Then the table has fewer rows than were counted of its days: so that, as well
as everything that cannot be decided, makes it be counted whole.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlglot import exp

from dashboard_trust.errors import InvalidInputError, nearest
from dashboard_trust.warehouses.column_types import kind_of
from dashboard_trust.warehouses.fingerprints import Fingerprint, Shape, column_types, read_shape
from dashboard_trust.warehouses.parts import any_of, day_of, sum_by_day
from dashboard_trust.warehouses.session import Session, column, table

MOMENTS = {"date": "DATE", "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ"}


@dataclass(frozen=True, slots=True)
class DayColumns:
    """The column that says of which UTC day a row is, and the one that says when it was extracted, if there is one."""

    time: str
    extracted_at: str | None = None


@dataclass(frozen=True, slots=True)
class DayRecord:
    """What a count leaves for the next one.

    ``counted_by`` stands for columns, types and engine; ``sums`` are rows and the sum of their hashes by day;
    ``reach`` is the newest time of extraction (UTC, whole seconds; None: what is there cannot be told by it), and
    ``extracted_by`` the column and type that say it; ``compared_at`` is when everything was last counted.
    """

    counted_by: str
    extracted_by: str
    sums: Mapping[str, tuple[int, int]]
    reach: dt.datetime | None
    compared_at: dt.datetime

    def dump(self, *, sums: bool = True) -> dict[str, Any]:
        """Return the record as JSON; sums are text, since they are larger than what every reader has numbers for."""
        days = self.sums.items() if sums else ()
        return {
            "counted_by": self.counted_by,
            "extracted_by": self.extracted_by,
            "reach": self.reach and self.reach.isoformat(),
            "compared_at": self.compared_at.isoformat(),
            "days": {day: f"{rows}:{total}" for day, (rows, total) in days},
        }

    @classmethod
    def parse(cls, said: object) -> DayRecord | None:
        """Read a record; one of another form is none, so everything is counted."""
        if not isinstance(said, Mapping):
            return None
        try:
            pairs = {day: text.split(":") for day, text in said["days"].items()}
            reach = _aware(said["reach"]) if said["reach"] else None
            sums = {str(day): (int(rows), int(total)) for day, (rows, total) in pairs.items()}
            told_by = str(said["counted_by"]), str(said["extracted_by"])
            return cls(*told_by, sums, reach, _aware(said["compared_at"]))
        except (KeyError, ValueError, TypeError, AttributeError):
            return None


@dataclass(frozen=True, slots=True)
class DayCount:
    """What a table holds by UTC day (``""``: rows without a readable time), and what to keep for the next count.

    ``looked_at`` are the days that were counted, all of them if there is a ``reason`` to count everything.
    """

    shape: Shape
    record: DayRecord
    looked_at: frozenset[str]
    reason: str

    @property
    def whole(self) -> Fingerprint:
        """The fingerprint of the table, as one scan of all of it gives it."""
        sums = self.record.sums.values()
        return self.shape.fingerprint(sum(rows for rows, _ in sums), sum(total for _, total in sums))

    @property
    def days(self) -> dict[str, Fingerprint]:
        """The fingerprint of each day that has rows."""
        return {day: self.shape.fingerprint(*sums) for day, sums in self.record.sums.items()}


def count_days(  # noqa: PLR0913  # what is counted, and what is known of it
    session: Session,
    name: str,
    told_by: DayColumns,
    *,
    now: dt.datetime,
    known: DayRecord | None = None,
    compare_all: dt.timedelta = dt.timedelta(),
) -> DayCount:
    """Count a table (``schema.name``) by UTC day; of what is ``known``, only days with newly extracted rows.

    Everything is counted in one scan where nothing is known or it cannot be relied on, and once the last time is
    ``compare_all`` ago.

    Raises:
        InvalidInputError: There is no such table or column, or the time of extraction is not a moment.
    """
    counted = _Counted.open(session, name, told_by)
    # Before any day is counted: what is loaded meanwhile lies after it, and is looked at next time.
    rows, reach = counted.look(now)
    reason = _reason_for_all(known, counted, reach, now - compare_all, now)
    if known is not None and not reason:
        found = counted.count_since(known)
        sums = {**known.sums, **found}
        if not found:
            reason = "the rows that were extracted last are gone"
        elif sum(counted_rows for counted_rows, _ in sums.values()) != rows:
            reason = "a day lost rows, and which one is not known"
        else:
            kept = replace(known, sums=dict(sorted(sums.items())), reach=reach)
            return DayCount(counted.shape, kept, frozenset(found), "")
    everything = counted.count()
    record = DayRecord(counted.counted_by, counted.extracted_by, everything, reach, now)
    return DayCount(counted.shape, record, frozenset(everything), reason)


def _reason_for_all(
    known: DayRecord | None, counted: _Counted, reach: dt.datetime | None, not_before: dt.datetime, now: dt.datetime
) -> str:
    if counted.told_by.extracted_at is None:
        return "no column says when its rows were extracted"
    if known is None:
        return "no earlier count is known"
    if (known.counted_by, known.extracted_by) != (counted.counted_by, counted.extracted_by):
        return "its columns or the engine are not what they were"
    if known.reach is None or reach is None:
        return "some of its rows have no time of extraction, or one in the future"
    if not not_before < known.compared_at <= now:
        return "it is time to compare everything"
    return ""


@dataclass(frozen=True, slots=True)
class _Counted:
    """A table to be counted by day."""

    session: Session
    name: str
    told_by: DayColumns
    types: Mapping[str, str]
    shape: Shape

    @classmethod
    def open(cls, session: Session, name: str, told_by: DayColumns) -> _Counted:
        types = column_types(session, name)
        for one in (told_by.time, told_by.extracted_at):
            if one is not None and one not in types:
                raise InvalidInputError(f"Table {name!r} has no column {one!r}: {nearest(one, types)}")
        extracted_at = told_by.extracted_at
        if extracted_at is not None and kind_of(types[extracted_at]) not in MOMENTS:
            raise InvalidInputError(
                f"Table {name!r}: {extracted_at!r} is {types[extracted_at]}, by which it cannot be told what was "
                "extracted since. Name a column of timestamps."
            )
        return cls(session, name, told_by, types, read_shape(session, name))

    @property
    def counted_by(self) -> str:
        """What two counts have to have in common, for their days to be compared."""
        told_by = self.told_by.time, self.types[self.told_by.time]
        word = repr((self.shape.engine, tuple(self.shape.types.items()), told_by))
        return hashlib.sha256(word.encode()).hexdigest()[:16]

    @property
    def extracted_by(self) -> str:
        """What they have to have in common as well, for one to go on from the other."""
        name = self.told_by.extracted_at
        return f"{name} {self.types[name]}" if name else ""

    def look(self, now: dt.datetime) -> tuple[int, dt.datetime | None]:
        """Return the number of rows, and up to when they were extracted, if that is known of all of them."""
        if self.told_by.extracted_at is None:
            return 0, None
        at = column(self.told_by.extracted_at)
        newest: exp.Expr = exp.Max(this=at)
        if kind_of(self.types[self.told_by.extracted_at]) == "timestamptz":
            newest = exp.AtTimeZone(this=newest, zone=exp.convert("UTC"))
        text = exp.TimeToStr(this=newest, format=exp.convert("%Y-%m-%d %H:%M:%S"))
        wanted = [exp.Count(this=exp.Star()), exp.Count(this=at.copy()), text]
        rows, with_time, said = self.session.query(exp.select(*wanted).from_(table(self.name)))[0]
        reach = _moment(said) if rows == with_time else None
        return int(rows), reach if reach is not None and reach <= now else None

    def count(self, where: exp.Expr | None = None) -> dict[str, tuple[int, int]]:
        return sum_by_day(self.session, self.name, self.told_by.time, self.shape, where)

    def count_since(self, known: DayRecord) -> dict[str, tuple[int, int]]:
        """Count the days that have rows extracted as late as what is known, or later."""
        if self.told_by.extracted_at is None or known.reach is None:
            return {}
        kind = kind_of(self.types[self.told_by.extracted_at])
        # Not only later ones: what was extracted at the same second may have come since.
        since = column(self.told_by.extracted_at) >= _literal(known.reach, kind)
        day = day_of(self.session, self.told_by.time, self.types[self.told_by.time]).as_("day", quoted=True)
        rows = self.session.query(exp.select(day).distinct().from_(table(self.name)).where(since))
        days = sorted(str(day) for (day,) in rows)
        return self.count(self._of(days)) if days else {}

    def _of(self, days: Collection[str]) -> exp.Expr:
        """Return the condition that a row is of one of these days."""
        kind = kind_of(self.types[self.told_by.time])
        told = exp.In(
            this=day_of(self.session, self.told_by.time, self.types[self.told_by.time]),
            expressions=[exp.convert(day) for day in days],
        )
        windows = [_window(self.told_by.time, kind, day) for day in days] if kind in MOMENTS else [None]
        # The same said in terms of the column itself, by which an engine knows what it need not read.
        near = any_of(windows)
        return told if near is None else exp.and_(near, told)


def start_of(day: str) -> dt.datetime | None:
    """Return when a UTC day (``YYYY-MM-DD``) begins; None of no day, or of one in a year that Python does not know."""
    try:
        return dt.datetime.combine(dt.date.fromisoformat(day), dt.time(), dt.UTC)
    except ValueError:
        return None


def _window(time: str, kind: str, day: str) -> exp.Expr | None:
    start = start_of(day)
    if start is None or start.date() == dt.date.max:  # rows without a readable time, or of a day without an end
        return None
    end = start + dt.timedelta(days=1)
    return exp.and_(column(time) >= _literal(start, kind), column(time) < _literal(end, kind))


def _literal(moment: dt.datetime, kind: str) -> exp.Expr:
    plain = moment.astimezone(dt.UTC).replace(tzinfo=None)
    text = plain.date().isoformat() if kind == "date" else plain.isoformat(" ", "seconds")
    return exp.cast(exp.convert(f"{text}+00" if kind == "timestamptz" else text), MOMENTS[kind])


def _aware(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment


def _moment(text: object) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(str(text)).replace(tzinfo=dt.UTC)
    except ValueError:
        return None
