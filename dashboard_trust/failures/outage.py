"""A source that does not answer: what all who call it know of it together, and who may call when. Pure."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dashboard_trust.failures.policy import Budget, Retries

MOST = 500  # callers that are remembered; the latest of them


@dataclass(frozen=True, slots=True)
class Caller:
    """What one step of one run has done since the source stopped answering."""

    since: dt.datetime
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Outage:
    """What is known of a source since it last answered; nothing, while it does.

    ``round`` counts failures one after the other (calls under way together are one round), ``calls`` are those of
    the budget's window, ``next_at`` is when the next call may be made, by whoever asks first.
    """

    since: dt.datetime | None = None
    failed_at: dt.datetime | None = None
    round: int = 0
    calls: tuple[dt.datetime, ...] = ()
    next_at: dt.datetime | None = None
    callers: Mapping[str, Caller] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str | None) -> Outage:
        """Read what `dump` wrote; what cannot be read is no outage, as nobody could ever end it."""
        try:
            said = json.loads(text or "{}")
            callers = said["callers"].items()
            return cls(
                since=_moment(said["since"]),
                failed_at=_moment(said["failed_at"]),
                round=int(said["round"]),
                calls=tuple(dt.datetime.fromisoformat(at) for at in said["calls"]),
                next_at=_moment(said["next_at"]),
                callers={who: Caller(dt.datetime.fromisoformat(at), int(calls)) for who, (at, calls) in callers},
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls()

    def dump(self) -> str:
        """Return it as a text to keep; "" where there is nothing to know."""
        if self == Outage():
            return ""
        latest = sorted(self.callers.items(), key=lambda item: item[1].since)[-MOST:]
        return json.dumps(
            {
                "since": self.since and self.since.isoformat(),
                "failed_at": self.failed_at and self.failed_at.isoformat(),
                "round": self.round,
                "calls": [at.isoformat() for at in self.calls],
                "next_at": self.next_at and self.next_at.isoformat(),
                "callers": {who: [caller.since.isoformat(), caller.calls] for who, caller in latest},
            }
        )

    def ask(self, who: str, budget: Budget, retries: Retries, now: dt.datetime) -> tuple[dt.datetime | None, Outage]:
        """Return when to ask again (None: call now), and what is known then.

        While the source does not answer, one call at a time is let through, after a pause and within the budget.
        """
        if self.since is None:
            return None, self
        caller = self.callers.get(who, Caller(now))
        calls = tuple(at for at in self.calls if now - at < budget.per)
        known = replace(self, calls=calls, callers={**self.callers, who: caller})
        opens_at = calls[-budget.calls] + budget.per if len(calls) >= budget.calls else now
        at = max(opens_at, self.next_at or now)
        if at > now:
            return at, known
        # Whoever calls is given the time of a pause: nobody else calls meanwhile, and if it dies, somebody does then.
        return None, replace(known, calls=(*calls, now), next_at=now + retries.pause(self.round, 1.0))

    def fail(
        self, who: str, began: dt.datetime, retries: Retries, now: dt.datetime, wait: dt.timedelta
    ) -> tuple[Caller, Outage]:
        """Return what the caller has done, and what is known, after a call that failed.

        Args:
            who: The caller.
            began: When it called.
            retries: How long it is to be waited; ``wait`` is how long the source asks for, at least.
            now: When it failed.
            wait: The pause that was drawn for it, or what the source itself asks for.
        """
        before = self.callers.get(who, Caller(began))
        caller = replace(before, calls=before.calls + 1)
        news = self.failed_at is None or began >= self.failed_at
        counted = began in self.calls
        return caller, replace(
            self,
            since=self.since or now,
            failed_at=now,
            round=self.round + news,
            calls=self.calls if counted else (*self.calls, began),
            next_at=max(now + wait, self.next_at or now) if not counted else now + wait,
            callers={**self.callers, who: caller},
        )

    def answer(self, began: dt.datetime) -> Outage:
        """Return what is known after a call that succeeded: the source is back, if it began after the last failure."""
        if self.failed_at is not None and began < self.failed_at:
            return self
        return Outage()


def _moment(said: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(said) if said else None
