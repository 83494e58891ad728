"""What is promised of a raw table, and what a check of it found: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TYPES = ("decimal(18, 2)", "timestamp", "date")


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The rows of two tables that must be the same: as many, for the same amount, by one key, day by day.

    ``where`` is the value of ``status`` that counts on both sides.
    """

    other: str
    other_time_column: str
    key: str
    amount: str
    where: tuple[str, str]


@dataclass(frozen=True, slots=True)
class RawTable:
    """The rules of one table, whose columns are text as they were delivered.

    ``time_column`` says to which UTC day a row belongs (None: the table has no days); ``types`` are
    SQL types that every value must fit without loss; ``accepted`` the values a column may have;
    ``min_rows`` the fewest rows a day (or the table, where it has no days) may have; ``snapshots`` says
    that a key comes back every day, and is unique within one.
    """

    name: str
    key: str
    time_column: str | None = None
    types: Mapping[str, str] = field(default_factory=dict)
    accepted: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    min_rows: int = 1
    snapshots: bool = False
    reconciles: Reconciliation | None = None

    @property
    def checks(self) -> tuple[str, ...]:
        """The names of the checks these rules make."""
        names = ["row_count", "duplicates", "null_keys"]
        names += ["freshness"] if self.time_column else []
        names += ["types"] if self.types else []
        names += ["accepted_values"] if self.accepted else []
        names += ["reconciliation"] if self.reconciles else []
        return tuple(names)


@dataclass(frozen=True, slots=True)
class DayOutcome:
    """What a check found on one UTC day."""

    passed: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """What a check found: in all, and by ISO day.

    ``days`` is None where it cannot be told by day (the outcome then is that of every day); a day
    that is absent was not looked at. ``errored`` says that it could not run.
    """

    name: str
    passed: bool
    reason: str = ""
    days: Mapping[str, DayOutcome] | None = None
    errored: bool = False
