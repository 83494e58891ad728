"""What of a table is looked at, and into which parts its rows are told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from dashboard_trust.checks.values import RuleError
from dashboard_trust.errors import nearest
from dashboard_trust.warehouses.days import start_of
from dashboard_trust.warehouses.parts import WHOLE, Grouping, Parts, group_days, group_parts
from dashboard_trust.warehouses.session import Session

DAY = dt.timedelta(days=1)
LAST = dt.datetime.max.replace(tzinfo=dt.UTC)


class Scope(Protocol):
    """The parts of a table. Each has results of its own."""

    @property
    def names(self) -> Sequence[str]:
        """The parts that are to be there; what else is found has results too."""

    def grouping(self, session: Session, name: str, types: Mapping[str, str], told_by: str = "") -> Grouping:
        """Return how a table's rows are told; ``told_by`` is the column for it where it is not this scope's own.

        Raises:
            RuleError: There is no such column.
        """

    def period(self, part: str) -> tuple[dt.datetime, dt.datetime] | None:
        """Return the start and the end (aware) of a part of time."""

    def zone(self, column: str) -> dt.tzinfo:
        """Return in which zone the plain timestamps and days of a column are."""

    def apart(self, session: Session, name: str, types: Mapping[str, str]) -> Parts:
        """Return the parts, each with its condition, that a query is asked of one by one."""


@dataclass(frozen=True, slots=True)
class Whole:
    """All rows of a table, as one part."""

    names: Sequence[str] = (WHOLE,)

    def grouping(self, session: Session, name: str, types: Mapping[str, str], told_by: str = "") -> Grouping:
        """See `Scope.grouping`."""
        return Grouping()

    def period(self, part: str) -> tuple[dt.datetime, dt.datetime] | None:
        """See `Scope.period`."""
        return None

    def zone(self, column: str) -> dt.tzinfo:
        """See `Scope.zone`."""
        return dt.UTC

    def apart(self, session: Session, name: str, types: Mapping[str, str]) -> Parts:
        """See `Scope.apart`."""
        return {WHOLE: None}


@dataclass(frozen=True, slots=True)
class Days:
    """All rows of a table, by the UTC day of a column; the part of rows without a readable time is `UNREADABLE`."""

    time_column: str
    names: Sequence[str] = ()

    def grouping(self, session: Session, name: str, types: Mapping[str, str], told_by: str = "") -> Grouping:
        """See `Scope.grouping`."""
        time_column = told_by or self.time_column
        if time_column not in types:
            raise RuleError(f"{name} has no column {time_column!r} to tell its days by: {nearest(time_column, types)}")
        return group_days(session, time_column, types)

    def period(self, part: str) -> tuple[dt.datetime, dt.datetime] | None:
        """See `Scope.period`."""
        start = start_of(part)
        return None if start is None else (start, start + min(DAY, LAST - start))

    def zone(self, column: str) -> dt.tzinfo:
        """See `Scope.zone`."""
        return dt.UTC

    def apart(self, session: Session, name: str, types: Mapping[str, str]) -> Parts:
        """See `Scope.apart`: all days at once, since a table may have thousands."""
        return {WHOLE: None}


@dataclass(frozen=True, slots=True)
class Partitions:
    """Some partitions of a table.

    Args:
        names: Their keys.
        parts_of: Returns the condition of each for a table with these columns, told by this column (``""``: its own).
        periods: The start and end (aware) of those of time, in the partitions' zone.
        told_by: The columns that tell them apart.
    """

    names: Sequence[str]
    parts_of: Callable[[Session, str, Mapping[str, str], str], Parts]
    periods: Mapping[str, tuple[dt.datetime, dt.datetime]] = field(default_factory=dict)
    told_by: Collection[str] = ()

    def grouping(self, session: Session, name: str, types: Mapping[str, str], told_by: str = "") -> Grouping:
        """See `Scope.grouping`."""
        return group_parts(self.parts_of(session, name, types, told_by))

    def period(self, part: str) -> tuple[dt.datetime, dt.datetime] | None:
        """See `Scope.period`."""
        return self.periods.get(part)

    def zone(self, column: str) -> dt.tzinfo:
        """See `Scope.zone`: what tells partitions apart is in their own zone."""
        zones = [start.tzinfo for start, _ in self.periods.values() if start.tzinfo and column in self.told_by]
        return zones[0] if zones else dt.UTC

    def apart(self, session: Session, name: str, types: Mapping[str, str]) -> Parts:
        """See `Scope.apart`."""
        return self.parts_of(session, name, types, "")
