"""What a rule of a table is: plain frozen values, the same on every engine.

NULL and NaN are missing values. Only `NotNull` minds them; every other rule leaves them out.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import ClassVar, Literal

from dashboard_trust.errors import ContractError, FailureClass

Value = str | int | float | Decimal | bool | dt.date | dt.datetime
Severity = Literal["error", "warn"]
RESERVED = "upstream_ready"  # the word of a gate, which no rule may speak
CHECK_NAME = re.compile(r"[A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What every rule has.

    Args:
        name: The asset check's name; by default the rule and its columns.
        severity: ``error`` holds what stands on the table, ``warn`` is only said.
        owner: Who acts when it fails; by default the owner of its concern, then of the asset.
        description: What it is for, shown with the check.
        unit: The unit of what it measures, as it is shown: ``EUR``.
        place: Where it is written (``file:line``), for messages; no part of what it asks.
    """

    kind: ClassVar[str]
    concern: ClassVar[str] = "values"

    name: str = ""
    severity: Severity = "error"
    owner: str = ""
    description: str = ""
    unit: str = ""
    place: str = field(default="", compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse a name that no asset check may have."""
        if self.name and not CHECK_NAME.fullmatch(self.name):
            raise ContractError(f"{self.name!r} cannot name a check: use letters, digits and underscores")
        if self.name == RESERVED:
            raise ContractError(f"{RESERVED!r} is the check that every gate speaks by: give this one another name")
        if self.severity not in ("error", "warn"):
            raise ContractError(f"the severity {self.severity!r} is neither error nor warn")

    @property
    def failure_class(self) -> FailureClass:
        """The class of its failing: ``schema`` where it is about columns, else ``data``. Its concern is finer."""
        return FailureClass.SCHEMA if self.concern == "schema" else FailureClass.DATA

    @property
    def check(self) -> str:
        """The name of its asset check."""
        return self.name or as_check_name("_".join((self.kind, *self.subject)))

    @property
    def subject(self) -> tuple[str, ...]:
        """What tells it from others of its kind."""
        return self.needs

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns of the table that it reads by name."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRule(Rule):
    """A rule that some rows break: it fails when more do than are allowed.

    Args:
        allowed_rows: How many rows of a partition may break it.
        allowed_percent: How many percent of its rows may, instead.
    """

    allowed_rows: int = 0
    allowed_percent: float | None = None

    def __post_init__(self) -> None:
        """Refuse an allowance that is none, or all."""
        Rule.__post_init__(self)
        if self.allowed_rows < 0:
            raise ContractError(f"allowed_rows is {self.allowed_rows}: a number of rows from 0")
        if self.allowed_percent is not None and not 0 <= self.allowed_percent < 100:
            raise ContractError(f"allowed_percent is {self.allowed_percent}: a share from 0 to less than 100")
        if self.allowed_rows and self.allowed_percent is not None:
            raise ContractError("allowed_rows and allowed_percent: give one of them")

    def allows(self, bad: int, rows: int) -> bool:
        """Return whether so many of so many rows may break it."""
        if self.allowed_percent is None:
            return bad <= self.allowed_rows
        return bad == 0 or bad * 100 <= Decimal(str(self.allowed_percent)) * rows


def find_twins(rules: Sequence[Rule]) -> tuple[Rule, Rule] | None:
    """Return two rules of one name, if there are any."""
    seen: dict[str, Rule] = {}
    for rule in rules:
        if rule.check in seen:
            return seen[rule.check], rule
        seen[rule.check] = rule
    return None


def is_same(one: Rule, other: Rule) -> bool:
    """Return whether two rules are one check that asks the same, in whatever words it is described."""
    if type(one) is not type(other):
        return False
    return replace(one, name=one.check, description="") == replace(other, name=other.check, description="")


def as_check_name(text: str) -> str:
    """Return a text as the name of an asset check; what had to be changed is told apart by a digest."""
    name = re.sub(r"[^A-Za-z0-9_]+", "_", text)
    return name if name == text else f"{name.strip('_')}_{hashlib.sha256(text.encode()).hexdigest()[:6]}"


def refuse_stretch(title: str, low: tuple[Value | None, Value | None], high: tuple[Value | None, Value | None]) -> None:
    """Refuse bounds that cannot be meant together.

    Args:
        title: What they are of, as it is spoken of: ``a range``.
        low: ``min``, which is allowed itself, and ``above``, which is not.
        high: ``max`` and ``below``, likewise.
    """
    for (closed, without), words in ((low, "min or above"), (high, "max or below")):
        if closed is not None and without is not None:
            raise ContractError(f"{title} has {words}, not both")
    least, most = (low[0] if low[1] is None else low[1]), (high[0] if high[1] is None else high[1])
    if least is None and most is None:
        raise ContractError(f"{title} needs min, max, above or below")
    refuse_bounds(least, most)
    if least is not None and least == most and (low[1] is not None or high[1] is not None):
        raise ContractError(f"{title} from {least} to {most} without its bounds holds nothing")


def refuse_bounds(low: Value | None, high: Value | None) -> None:
    """Refuse bounds between which nothing lies."""
    if low is None or high is None:
        return
    try:
        if low > high:  # type: ignore[operator]
            raise ContractError(f"{low} to {high} holds nothing: the lower bound is the higher one")
    except TypeError as error:
        raise ContractError(f"{low!r} and {high!r} are not of one kind") from error


def refuse_columns(columns: Sequence[str], kind: str) -> None:
    """Refuse a list of columns that names none, or one twice."""
    if isinstance(columns, str):
        raise ContractError(f"{kind} takes a tuple of columns: write ({columns!r},)")
    if not columns or not all(columns):
        raise ContractError(f"{kind} names no column")
    if len(set(columns)) < len(columns):
        raise ContractError(f"{kind} names a column twice: {', '.join(columns)}")


def refuse_unnamed(rule: Rule, kind: str) -> None:
    """Refuse a rule that only its author could name."""
    if not rule.name:
        raise ContractError(f"a {kind} needs a name, which its asset check has")


def is_nan(value: object) -> bool:
    """Return whether a value is no number though it is of their type."""
    return isinstance(value, float | Decimal) and value != value  # noqa: PLR0124
