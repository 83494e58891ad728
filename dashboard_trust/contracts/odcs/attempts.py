"""A rule, or why there is none: what cannot be meant is an error, what cannot be checked a warning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from dashboard_trust.contracts.odcs.document import Part
from dashboard_trust.contracts.remarks import Remark
from dashboard_trust.contracts.row_rules import Pattern
from dashboard_trust.contracts.rules import Rule
from dashboard_trust.errors import ContractError

Found = Iterator[Rule | Remark]
"""The rules that a part of a file says, and what is to be said of it."""


class UnsupportedError(Exception):
    """Something that the standard allows, and that no rule here can check; the message says what."""


def attempt(part: Part, kind: Callable[..., Rule], **said: Any) -> Rule | Remark:
    """Return a rule of this kind, or a remark on why it is none."""
    try:
        return replace(kind(**said), place=part.place)
    except UnsupportedError as error:
        return part.unsupported(f"is not checked: {error}")
    except ContractError as error:
        why = str(error).removesuffix(".")
        # The standard's patterns are those of ECMA, which have more than all engines understand.
        return part.unsupported(f"is not checked: {why}") if kind is Pattern else part.remark(f"cannot be: {why}")


def guarded(part: Part, found: Found) -> Found:
    """Yield what is found; from where something cannot be checked, that instead."""
    try:
        yield from found
    except UnsupportedError as error:
        yield part.unsupported(f"is not checked: {error}")
