"""What is done about a failure of each class, and how often a source may be called while it does not answer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from dashboard_trust.errors import ContractError, FailureClass

Action = Literal["retry", "stop", "ask"]
LEAST, SPREAD = 0.75, 0.5
"""A pause is drawn from 75 to 125 percent of what it would be, so that many do not come back at one instant."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and how long a step that failed is tried again, with pauses that double.

    Args:
        limit: How often it may call in all, the first time too.
        first_pause: How long it waits after the first failure.
        longest_pause: The pauses do not grow beyond it.
        give_up_after: How long after it first asked it is no longer tried.
    """

    limit: int = 30
    first_pause: dt.timedelta = dt.timedelta(seconds=30)
    longest_pause: dt.timedelta = dt.timedelta(minutes=15)
    give_up_after: dt.timedelta = dt.timedelta(hours=6)

    def __post_init__(self) -> None:
        """Refuse what would be no retry, or one without a pause."""
        if self.limit < 1:
            raise ContractError(f"retries: the limit is {self.limit}: a number of calls from 1")
        if not dt.timedelta() < self.first_pause <= self.longest_pause:
            raise ContractError("retries: first_pause has to be longer than nothing, and no longer than longest_pause")
        if self.give_up_after < self.first_pause:
            raise ContractError("retries: give_up_after ends before the first pause does")

    def pause(self, round_: int, draw: float) -> dt.timedelta:
        """Return how long to wait after this round (from 1) of failures; ``draw`` is random, from 0 up to 1."""
        full: dt.timedelta = min(self.first_pause * 2 ** min(round_ - 1, 40), self.longest_pause)
        return full * (LEAST + SPREAD * draw)


@dataclass(frozen=True, slots=True)
class Budget:
    """How often a source that does not answer is called, by all steps of all runs together.

    A source that answers is never limited: calls count from the first one that failed until one succeeds.
    """

    calls: int = 12
    per: dt.timedelta = dt.timedelta(hours=1)

    def __post_init__(self) -> None:
        """Refuse a budget of nothing: nobody would ever notice that the source is back."""
        if self.calls < 1 or self.per <= dt.timedelta():
            raise ContractError(f"a budget of {self.calls} calls per {self.per} is none: one call or more, and a time")


Policy = Retries | Literal["stop", "ask"]
POLICIES: Mapping[FailureClass, Policy] = MappingProxyType(
    {
        FailureClass.TRANSIENT: Retries(),
        FailureClass.DATA: "stop",
        FailureClass.SCHEMA: "stop",
        FailureClass.CONTRACT: "ask",
        FailureClass.PERMISSION: "ask",
        FailureClass.UNKNOWN: "ask",
    }
)
"""What is done where nobody declares anything else. ``stop`` waits for other data, ``ask`` for a person."""

NEVER_RETRIED = (FailureClass.DATA, FailureClass.SCHEMA)
