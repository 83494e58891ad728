"""The operators of a quality rule (``mustBe`` and the like) as bounds of what it measures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from dashboard_trust.contracts.odcs.attempts import UnsupportedError
from dashboard_trust.contracts.odcs.document import Part

OPERATORS = (
    *("mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan", "mustBeLessOrEqualTo"),
    *("mustBeBetween", "mustNotBeBetween"),
)
PERCENT = ("percent", "percentage", "%")


@dataclass(frozen=True, slots=True)
class Bounds:
    """From where to where a number may lie; a bound that is ``open`` is not itself allowed."""

    low: Decimal | None = None
    high: Decimal | None = None
    low_open: bool = False
    high_open: bool = False

    @property
    def least(self) -> int | None:
        """The smallest whole number within."""
        if self.low is None:
            return None
        least = int(self.low.to_integral_value(ROUND_CEILING))
        return least + 1 if self.low_open and least == self.low else least

    @property
    def most(self) -> int | None:
        """The largest whole number within."""
        if self.high is None:
            return None
        most = int(self.high.to_integral_value(ROUND_FLOOR))
        return most - 1 if self.high_open and most == self.high else most

    @property
    def said(self) -> dict[str, Decimal]:
        """The bounds as rules have them: ``min`` or ``above``, ``max`` or ``below``."""
        low, high = "above" if self.low_open else "min", "below" if self.high_open else "max"
        return {word: bound for word, bound in ((low, self.low), (high, self.high)) if bound is not None}


def read_bounds(rule: Part) -> Bounds | None:
    """Return the bounds that the operators of a rule say; None where it has none.

    Raises:
        UnsupportedError: They are no bounds: ``mustNotBe``, or a text.
    """
    low: list[tuple[Decimal, bool]] = []
    high: list[tuple[Decimal, bool]] = []
    for operator in OPERATORS:
        part = rule.part(operator)
        if part is None:
            continue
        match operator:
            case "mustBe":
                low.append((_number(part), False))
                high.append((_number(part), False))
            case "mustBeGreaterThan" | "mustBeGreaterOrEqualTo":
                low.append((_number(part), operator == "mustBeGreaterThan"))
            case "mustBeLessThan" | "mustBeLessOrEqualTo":
                high.append((_number(part), operator == "mustBeLessThan"))
            case "mustBeBetween":
                first, last = (_number(one) for one in part)
                low.append((first, False))
                high.append((last, False))
            case _:
                raise UnsupportedError(f"{operator} leaves more than one stretch of numbers; write a bound instead")
    if not low and not high:
        return None
    (least, low_open), (most, high_open) = (
        max(low, default=(None, False)),
        min(high, default=(None, False), key=_tighter),
    )
    return Bounds(least, most, low_open, high_open)


def _tighter(bound: tuple[Decimal, bool]) -> tuple[Decimal, bool]:
    return bound[0], not bound[1]


def _number(part: Part) -> Decimal:
    value = part.value
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise UnsupportedError(f"{part.pointer.rpartition('/')[2]} compares with what is no number")
    return Decimal(value)


def read_allowance(rule: Part) -> dict[str, Any]:
    """Return how many rows may break a rule, as rules of rows take it; without an operator none.

    Raises:
        UnsupportedError: The operators do not mean "at most so many".
    """
    bounds = read_bounds(rule) or Bounds(high=Decimal(0))
    unit = rule.text("unit").lower()
    if unit not in ("", "rows", "row", *PERCENT):
        raise UnsupportedError(f"it is counted in {unit!r}; rows and percent are")
    if bounds.high is None or (bounds.low is not None and bounds.low > 0) or (bounds.low == 0 and bounds.low_open):
        raise UnsupportedError("it asks for rows that are wrong; a rule here says how many there may be at most")
    if bounds.most is not None and bounds.most < 0:
        raise UnsupportedError("it allows less than none")
    if unit not in PERCENT:
        return {"allowed_rows": bounds.most}
    percent = float(bounds.high)
    if percent > 100 or (percent == 100 and not bounds.high_open):
        raise UnsupportedError("it allows every row to be wrong")
    if percent == 0:
        return {}
    return {"allowed_percent": math.nextafter(percent, 0) if bounds.high_open else percent}
