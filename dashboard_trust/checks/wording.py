"""What a rule's failure is called: counts, never values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dashboard_trust.contracts.row_rules import (
    AcceptedValues,
    Condition,
    Fits,
    Length,
    Monotonic,
    NotNull,
    Pattern,
    Range,
    References,
    Unique,
)
from dashboard_trust.contracts.rules import RowRule, Rule

FAULTS: Mapping[type[Rule], Callable[[Any], str]] = {
    NotNull: lambda rule: f"have no {rule.column}",
    Unique: lambda rule: f"share their {', '.join(rule.key)} with another",
    AcceptedValues: lambda rule: f"have another {rule.column}",
    Range: lambda rule: f"have {rule.column} {_outside(rule)}",
    Pattern: lambda rule: f"have {rule.column} that is not like {rule.regex}",
    Length: lambda rule: f"have {rule.column} of {_lengths(rule)}",
    Fits: lambda rule: f"have no {rule.type} in {rule.column}",
    Monotonic: lambda rule: f"have {rule.column} that {_fall(rule)} by {rule.by}",
    References: lambda rule: f"have {', '.join(rule.key)} that {rule.table} does not have",
    Condition: lambda rule: "do not satisfy it",
}


def describe_bad(rule: RowRule, bad: int, rows: int) -> str:
    """Say how many rows break a rule, and how many may."""
    told = f"{bad} of {rows} rows {FAULTS[type(rule)](rule)}"
    if rule.allowed_percent is not None:
        percent = f"{rule.allowed_percent:g}"
        return f"{told}; {'less than ' if float(percent) > rule.allowed_percent else ''}{percent} % may"
    return f"{told}; {rule.allowed_rows} may" if rule.allowed_rows else told


def describe_rule(rule: Rule) -> str:
    """Say what a rule is for: in its author's words, or by what it would say if it were broken."""
    if rule.description or type(rule) not in FAULTS:
        return rule.description
    return f"Fails where rows {FAULTS[type(rule)](rule)}."


def _outside(rule: Range) -> str:
    bounds = [
        f"{word} {bound}"
        for word, bound in (("under", rule.min), ("up to", rule.above), ("over", rule.max), ("from", rule.below))
        if bound is not None
    ]
    return " or ".join(bounds)


def _lengths(rule: Length) -> str:
    less = f"less than {rule.min}" if rule.min is not None else ""
    more = f"more than {rule.max}" if rule.max is not None else ""
    return " or ".join(part for part in (less, more) if part) + " characters"


def _fall(rule: Monotonic) -> str:
    if rule.strictly:
        return "does not fall" if rule.falling else "does not rise"
    return "rises" if rule.falling else "falls"
