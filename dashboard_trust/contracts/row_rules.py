"""Rules that each value or row satisfies, or breaks."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dashboard_trust.contracts.patterns import refuse_pattern
from dashboard_trust.contracts.rules import (
    RowRule,
    Value,
    is_nan,
    refuse_bounds,
    refuse_columns,
    refuse_stretch,
    refuse_unnamed,
)
from dashboard_trust.errors import ContractError, nearest


@dataclass(frozen=True, slots=True)
class NotNull(RowRule):
    """Every row has a value; ``blank`` says that text of nothing but spaces is none."""

    kind = "not_null"

    column: str
    blank: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        """See `Rule.needs`."""
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Unique(RowRule):
    """No two rows share the key; rows of which no key column has a value are left out.

    Where a table without partitions is told by day, the key is unique in the whole table, or ``within_day``.
    """

    kind = "unique"
    concern = "keys"

    key: tuple[str, ...]
    within_day: bool = False

    def __post_init__(self) -> None:
        """Refuse a key of nothing."""
        RowRule.__post_init__(self)
        refuse_columns(self.key, "unique")

    @property
    def needs(self) -> tuple[str, ...]:
        """See `Rule.needs`."""
        return self.key


@dataclass(frozen=True, slots=True)
class AcceptedValues(RowRule):
    """Every value is one of these."""

    kind = "accepted_values"

    column: str
    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        """Refuse no values."""
        RowRule.__post_init__(self)
        if not self.values:
            raise ContractError("accepted_values names no value, so nothing would be accepted")
        if any(value is None or is_nan(value) for value in self.values):
            raise ContractError("accepted_values: a missing value is not_null's to mind; leave it out of the list")

    @property
    def needs(self) -> tuple[str, ...]:
        """See `Rule.needs`."""
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Range(RowRule):
    """Every value lies between two bounds, themselves included unless ``above`` or ``below`` is given instead."""

    kind = "range"

    column: str
    min: Value | None = None
    max: Value | None = None
    above: Value | None = None
    below: Value | None = None

    def __post_init__(self) -> None:
        """Refuse bounds that cannot be meant."""
        RowRule.__post_init__(self)
        if any(isinstance(bound, bool) or is_nan(bound) for bound in (self.min, self.max, self.above, self.below)):
            raise ContractError("a range is bounded by numbers, text, days or moments")
        refuse_stretch("a range", (self.min, self.above), (self.max, self.below))

    @property
    def needs(self) -> tuple[str, ...]:
        """See `Rule.needs`."""
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Pattern(RowRule):
    r"""A regular expression is found in every text: anywhere in it, unless anchored by ``^`` and ``$``.

    What all engines understand alike is accepted: no look-around, no back-references, no flags; ``\d``, ``\w``
    and ``\s`` are of ASCII, and a dot is no end of a line.
    """

    kind = "pattern"

    column: str
    regex: str

    def __post_init__(self) -> None:
        """Refuse what not every engine understands alike."""
        RowRule.__post_init__(self)
        refuse_pattern(self.regex)

    @property
    def needs(self) -> tuple[str, ...]:
        """See `Rule.needs`."""
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Length(RowRule):
    """Every text has so many characters (Unicode code points)."""

    kind = "length"

    column: str
    min: int | None = None
    max: int | None = None

    def __post_init__(self) -> None:
        """Refuse bounds that cannot be meant."""
        RowRule.__post_init__(self)
        if self.min is None and self.max is None:
            raise ContractError("a length needs min or max")
        if (self.min or 0) < 0 or (self.max or 0) < 0:
            raise ContractError("a length is bounded by numbers from 0")
        refuse_bounds(self.min, self.max)

    @property
    def needs(self) -> tuple[str, ...]:
        """See `Rule.needs`."""
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Fits(RowRule):
    """Every text is a value of a type, and loses nothing by becoming one: ``1.005`` is no ``decimal(18, 2)``.

    ``type`` is ``integer``, ``decimal(digits, after the point)``, ``number``, ``date``, ``timestamp`` or ``boolean``.
    A day is ``2024-03-01``, a time ``10:30`` or longer, an offset ``Z``, `` UTC``, ``+01:00``; around a number there
    may be spaces. Of a column of floats it is errored: every engine writes those in its own way.
    """

    kind = "fits"

    column: str
    type: str

    def __post_init__(self) -> None:
        """Refuse a type that text is not read as."""
        RowRule.__post_init__(self)
        known = ("integer", "number", "date", "timestamp", "boolean")
        decimal = re.fullmatch(r"decimal\((\d{1,2}), ?(\d{1,2})\)", self.type)
        if decimal is None and self.type not in known:
            raise ContractError(f"{self.type!r} is no type to fit: {nearest(self.type, [*known, 'decimal(18, 2)'])}")
        if decimal is not None and not 0 <= int(decimal[2]) <= int(decimal[1]) <= 38:
            raise ContractError(f"{self.type!r} has more digits after the point than in all, or more than 38")

    @property
    def needs(self) -> tuple[str, ...]:
        """See `Rule.needs`."""
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Monotonic(RowRule):
    """Read in the order of ``by``, the values never fall (``strictly``: they rise; ``falling``: the other way).

    Of equal values of ``by`` the lowest value comes first (``falling``: the highest). Each partition, or day, is
    read by itself.
    """

    kind = "monotonic"

    column: str
    by: str
    strictly: bool = False
    falling: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        """See `Rule.needs`."""
        return (self.column, self.by)


@dataclass(frozen=True, slots=True)
class References(RowRule):
    """Every key is one of another table's (``schema.name``); rows that lack a column of it are left out.

    Where one side is text, keys are compared as text; of other kinds that differ it is errored (a number and a day).
    """

    kind = "references"
    concern = "consistency"

    key: tuple[str, ...]
    table: str
    other_key: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse keys that do not match."""
        RowRule.__post_init__(self)
        refuse_columns(self.key, "references")
        if self.other_key and len(self.other_key) != len(self.key):
            raise ContractError(f"references: {len(self.key)} columns cannot be {len(self.other_key)} there")

    @property
    def needs(self) -> tuple[str, ...]:
        """See `Rule.needs`."""
        return self.key

    @property
    def subject(self) -> tuple[str, ...]:
        """See `Rule.subject`."""
        return (*self.key, self.table.replace(".", "_"))


@dataclass(frozen=True, slots=True)
class Condition(RowRule):
    """A condition, in SQL of the engine, is true of every row; where it is NULL it is not.

    To the engines NaN is larger than every number. What else is left to an engine differs by engine: to divide by
    zero is refused by Postgres (errored), and infinite or NULL on DuckDB.
    """

    kind = "condition"

    sql: str

    def __post_init__(self) -> None:
        """Refuse one without a name: nobody could tell what is wrong."""
        RowRule.__post_init__(self)
        refuse_unnamed(self, "condition")
        if not self.sql.strip():
            raise ContractError(f"condition {self.name!r} has no sql")
