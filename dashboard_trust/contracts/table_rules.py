"""Rules of a table, or of each of its partitions, as a whole; and the rules of a table together."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from dashboard_trust.contracts.remarks import Remark
from dashboard_trust.contracts.rules import Rule, find_twins, refuse_bounds, refuse_stretch, refuse_unnamed
from dashboard_trust.contracts.table_names import name_table
from dashboard_trust.errors import ContractError, nearest

TooLittle = Literal["hold", "pass"]

CONCERNS = ("schema", "volume", "freshness", "keys", "values", "consistency", "errored")
"""Kinds of failure, for which a table may have an owner each; ``errored``: a rule could not be looked at."""

ANY_TEXT = "any text"
"""For the type of a column that is to hold text: of any length, or of a type of the engine's own (an enum, a UUID)."""

EMPTY: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RowCount(Rule):
    """A partition has so many rows: one at least, unless ``min`` says otherwise. A table without this rule has it too.

    ``of_median`` bounds it by shares of the median of the ``weeks`` partitions of the same weekday before it
    (of a table without time: the partitions before it) that were accepted: ``(0.5, 2.0)``. With fewer than two of them,
    ``too_little`` says whether it holds or passes.
    """

    kind = "row_count"
    concern = "volume"

    min: int | None = None
    max: int | None = None
    of_median: tuple[float, float] | None = None
    weeks: int = 4
    too_little: TooLittle = "hold"

    def __post_init__(self) -> None:
        """Refuse bounds that cannot be meant."""
        Rule.__post_init__(self)
        refuse_bounds(self.min, self.max)
        if (self.min or 0) < 0 or (self.max or 0) < 0:
            raise ContractError("a row count is bounded by numbers from 0")
        if self.of_median is not None and not 0 <= self.of_median[0] < self.of_median[1]:
            raise ContractError("of_median is a lower and an upper share, as in [0.5, 2]")
        _refuse_too_little(self.too_little)
        if self.weeks < 2:
            raise ContractError(f"weeks is {self.weeks}: a median needs 2 or more")


@dataclass(frozen=True, slots=True)
class VolumeAnomaly(Rule):
    """A partition has about as many rows as the accepted ones of the same weekday before it.

    Args:
        sensitivity: How far from their median is too far, in robust standard deviations (1.4826 x the median
            absolute deviation, at least 5 % of the median).
        weeks: How many weeks it learns from.
        least: With fewer partitions of that weekday than this, one that is usual among all weekdays passes; of another,
            ``too_little`` says whether it holds or passes.
    """

    kind = "volume_anomaly"
    concern = "volume"

    sensitivity: float = 3.0
    weeks: int = 8
    least: int = 4
    too_little: TooLittle = "hold"

    def __post_init__(self) -> None:
        """Refuse what cannot be learned."""
        Rule.__post_init__(self)
        if not 0 < self.sensitivity < math.inf:
            raise ContractError(f"the sensitivity is {self.sensitivity}: a number of deviations above 0")
        if not 2 <= self.least <= self.weeks * 7:
            raise ContractError(f"least is {self.least}: from 2 to as many as there are days in {self.weeks} weeks")
        _refuse_too_little(self.too_little)


@dataclass(frozen=True, slots=True)
class Freshness(Rule):
    """The newest value of a time column lies less than ``within`` before the partition's end, or now if that is sooner.

    A text is read as a moment (as `Fits` reads it); what has no offset is in UTC, but days and plain timestamps by
    which partitions are told are in the zone of those. What is later than now is left out.
    Of a table told by day, each day is judged by itself: that the newest never came is said by its lack of a result.
    """

    kind = "freshness"
    concern = "freshness"

    column: str
    within: dt.timedelta

    def __post_init__(self) -> None:
        """Refuse no time at all."""
        Rule.__post_init__(self)
        if self.within <= dt.timedelta(0):
            raise ContractError("a freshness needs a time longer than nothing")

    @property
    def needs(self) -> tuple[str, ...]:
        """See `Rule.needs`."""
        return (self.column,)


@dataclass(frozen=True, slots=True)
class Columns(Rule):
    """The table has these columns; one that is missing or of another type fails.

    Args:
        types: The type of each column as SQL has it (``decimal(18, 2)``), or `ANY_TEXT`: no number, boolean, day or
            moment. An empty one is not looked at.
        added: Whether a column more is ``reported`` or fails (``refused``).
        ordered: Whether they must come in this order.
    """

    kind = "columns"
    concern = "schema"

    types: Mapping[str, str]
    added: Literal["reported", "refused"] = "reported"
    ordered: bool = False

    def __post_init__(self) -> None:
        """Refuse a table of no columns."""
        Rule.__post_init__(self)
        if not self.types:
            raise ContractError("columns names none, so any table would do")
        if self.added not in ("reported", "refused"):
            raise ContractError(f"added is {self.added!r}: a column more is reported or refused")


@dataclass(frozen=True, slots=True)
class Query(Rule):
    """A query of the engine gives a number between two bounds, themselves included but for ``above`` and ``below``.

    In ``sql``, ``{table}`` stands for the rows of the partition; it is asked for each by itself.
    """

    kind = "query"

    sql: str
    min: Decimal | None = None
    max: Decimal | None = None
    above: Decimal | None = None
    below: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse one without a name or bounds."""
        Rule.__post_init__(self)
        refuse_unnamed(self, "query")
        if not self.sql.strip():
            raise ContractError(f"query {self.name!r} has no sql")
        refuse_stretch(f"query {self.name!r}", (self.min, self.above), (self.max, self.below))


@dataclass(frozen=True, slots=True)
class Reconciliation(Rule):
    """Two tables hold the same: as many rows, for the same amount, key by key.

    Amounts of text or floats are compared to nine digits after the point (floats slowly); those that are no number, or
    have more than 18 digits before it, are none. Of days that only the other one has, those between ours differ.

    Args:
        table: The other one (``schema.name``).
        key: The columns by which rows are compared; without any, only the sums of a partition are.
        amount: The column that is added up; without one, rows are only counted.
        other_key: What the key is called there, if otherwise; ``other_amount`` likewise.
        other_time_column: What tells the rows of the same partition there, if otherwise.
        where: A condition of SQL on the rows that count here; ``other_where`` of those there.
        tolerance: By how much the amounts of one key (without a key: of a partition) may differ.
        allowed_keys: How many keys may differ.
        warehouse: The name of the engine the other table is on, if that is another one.
    """

    kind = "reconciliation"
    concern = "consistency"

    table: str
    key: tuple[str, ...] = ()
    amount: str = ""
    other_key: tuple[str, ...] = ()
    other_amount: str = ""
    other_time_column: str = ""
    where: str = ""
    other_where: str = ""
    tolerance: Decimal = Decimal(0)
    allowed_keys: int = 0
    warehouse: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be compared."""
        Rule.__post_init__(self)
        if len(set(self.key)) < len(self.key):
            raise ContractError("reconciliation: the key names a column twice")
        if self.other_key and len(self.other_key) != len(self.key):
            raise ContractError(f"reconciliation: {len(self.key)} columns cannot meet {len(self.other_key)} there")
        object.__setattr__(self, "tolerance", Decimal(str(self.tolerance)))
        if not (self.tolerance.is_finite() and self.tolerance >= 0):
            raise ContractError(f"the tolerance is {self.tolerance}: an amount from 0")
        if self.allowed_keys and not self.key:
            raise ContractError("reconciliation: allowed_keys needs a key, of which so many may differ")
        if self.allowed_keys < 0:
            raise ContractError(f"allowed_keys is {self.allowed_keys}: a number of keys from 0")

    @property
    def needs(self) -> tuple[str, ...]:
        """See `Rule.needs`."""
        return (*self.key, self.amount) if self.amount else self.key

    @property
    def subject(self) -> tuple[str, ...]:
        """See `Rule.subject`."""
        return (self.table.replace(".", "_"),)


@dataclass(frozen=True, slots=True)
class TableRules:
    """The rules of one table.

    Args:
        asset: The asset key, with slashes: ``raw/payments``.
        rules: Each becomes an asset check.
        table: ``schema.name``; by default the one that the asset says it is (`name_table`), or where only its key is
            known the last two parts of that, of a single one in the schema ``public``.
        time_column: Of an asset without partitions, what tells the UTC day of a row: every day then has results
            of its own.
        owners: Who acts, by what a rule is about (`CONCERNS`): e-mail addresses or ``team:name``.
        sample_failures: How many failing keys are shown with a check; by default none, as they are data.
        unchecked: What its data contract asks besides, and no rule here checks.
    """

    asset: str
    rules: tuple[Rule, ...]
    table: str = ""
    time_column: str = ""
    owners: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    sample_failures: int = 0
    unchecked: tuple[Remark, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse rules that are none, or two of one name."""
        if not self.asset.strip("/ "):
            raise ContractError("The rules of a table need its asset key.")
        if not isinstance(self.rules, tuple | list):
            raise ContractError(f"{self.asset}: rules are a tuple of them: write ({type(self.rules).__name__}(...),).")
        if (twins := find_twins(self.all_rules)) is not None:
            raise ContractError(f"{self.asset}: {_of_one_name(*twins)}. Give one of them another `name`.")
        for concern in self.owners:
            if concern not in CONCERNS:
                raise ContractError(f"{self.asset}: owners has no {concern!r}: {nearest(concern, CONCERNS)}")
        if self.sample_failures < 0:
            raise ContractError(f"{self.asset}: sample_failures is {self.sample_failures}: a number from 0")

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        """The rules, and the row count that every table has: of nothing, everything would be true."""
        counted = any(isinstance(rule, RowCount) for rule in self.rules)
        return self.rules if counted else (RowCount(), *self.rules)

    @property
    def title(self) -> str:
        """The table, as it is spoken of."""
        return self.name.replace('"', "")

    @property
    def name(self) -> str:
        """The table, as ``schema.name``."""
        return self.table or name_table(self.asset.split("/"), {})

    def owner_of(self, rule: Rule, *, errored: bool = False) -> str:
        """Return who acts when a rule fails, or could not be looked at; "" is the asset's own owner."""
        if errored:
            return self.owners.get("errored", "")
        return rule.owner or self.owners.get(rule.concern, "")


def _of_one_name(one: Rule, other: Rule) -> str:
    """Return that two rules have one name, and where they are written."""
    places = [rule.place for rule in (one, other) if rule.place]
    where = f" ({' and '.join(places)})" if places else ""
    every = "; every table has one of that name, of its rows" if one == RowCount() and not one.place else ""
    return f"two rules are named {one.check!r}{where}{every}"


def _refuse_too_little(word: str) -> None:
    if word not in ("hold", "pass"):
        raise ContractError(f"too_little is {word!r}: with too little history it is to hold or to pass")
