"""A source that does not answer: what all who call it know of it together, and who may call when. Pure."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dashboard_trust.failures.policy import Budget, Retries

NOTHING = dt.timedelta()
MOST = 500  # callers that are remembered; the latest of them


@dataclass(frozen=True, slots=True)
class Caller:
    """What one step of one run has done since it first found the source not answering."""

    since: dt.datetime
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Outage:
    """What is known of a source since it last answered; while it does, only how often whom it failed.

    ``round`` counts failures one after the other (calls under way together are one round), ``calls`` are those of
    the budget's window, ``next_at`` is when the next call may be made, by whoever asks first. ``callers`` outlive an
    answer: where others are answered and one step never is, that one comes to its limit all the same.
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

    def ask(
        self, who: str, budget: Budget, retries: Retries, now: dt.datetime
    ) -> tuple[dt.datetime | None, Caller, Outage]:
        """Return when to ask again (None: call now), what the caller has done, and what is known then.

        While the source does not answer, one call at a time is let through, after a pause and within the budget.
        """
        caller = self.callers.get(who, Caller(now))
        if self.since is None:
            return None, caller, self
        calls = self._within(budget, now)
        known = replace(self, calls=calls, callers={**self.callers, who: caller})
        if not calls and now >= (self.next_at or now) + budget.per:
            # What nobody has asked for so long, though they might have, is not known any more.
            return None, caller, Outage(callers=known.callers)
        at = known._opens_at(budget, now)
        if at > now:
            return at, caller, known
        # Whoever calls is given the time of a pause: nobody else calls meanwhile, and if it dies, somebody does then.
        lease = now + retries.pause(self.round, 1.0)
        return None, caller, replace(known, calls=(*known.calls, now), next_at=lease)

    def fail(  # noqa: PLR0913  # what is declared of the source, and what happened
        self,
        who: str,
        began: dt.datetime,
        now: dt.datetime,
        *,
        budget: Budget,
        retries: Retries,
        draw: float,
        at_least: dt.timedelta = NOTHING,
    ) -> tuple[dt.datetime, Caller, Outage]:
        """Return when to ask again, what the caller has done, and what is known, after a call that failed.

        Args:
            who: The caller.
            began: When it called, as it had asked.
            now: When it failed.
            budget: How often the source is called, and by ``retries`` how long it is waited for.
            retries: See ``budget``.
            draw: Random, from 0 up to 1.
            at_least: How long the source itself asks to be left alone.
        """
        before = self.callers.get(who, Caller(began))
        caller = replace(before, calls=before.calls + 1)
        # Calls that were under way together are one round: they say no more than the first of them.
        round_ = self.round + (self.failed_at is None or began >= self.failed_at)
        pause_ends = now + max(retries.pause(round_, draw), at_least)
        own_pause_ends = now + retries.pause(caller.calls, draw)  # where others are answered, its rounds are its own
        was_let_through = began in self.calls
        known = replace(
            self,
            since=self.since or now,
            failed_at=now,
            round=round_,
            calls=self.calls if was_let_through else (*self.calls, began),
            next_at=pause_ends if was_let_through else max(pause_ends, self.next_at or now),
            callers={**self.callers, who: caller},
        )
        # Whoever waits asks before one that failed does: it may be that one alone that gets no answer.
        others_first = retries.first_pause if known.callers.keys() - {who} else NOTHING
        return max(known._opens_at(budget, now) + others_first, own_pause_ends), caller, known

    def _within(self, budget: Budget, now: dt.datetime) -> tuple[dt.datetime, ...]:
        return tuple(sorted(at for at in self.calls if now - at < budget.per))

    def _opens_at(self, budget: Budget, now: dt.datetime) -> dt.datetime:
        """Return when the next call may be made: after the pause, and once the budget has room."""
        calls = self._within(budget, now)
        room = calls[-budget.calls] + budget.per if len(calls) >= budget.calls else now
        return max(room, self.next_at or now)

    def answer(self, began: dt.datetime, retries: Retries) -> Outage:
        """Return what is known after a call that succeeded: the source is back, if it began after the last failure.

        Callers are remembered for as long as any of them would go on.
        """
        if self.failed_at is not None and began < self.failed_at:
            return self
        recent = {who: one for who, one in self.callers.items() if began - one.since <= retries.give_up_after}
        return Outage(callers=recent)


def _moment(said: str | None) -> dt.datetime | None:
    return dt.datetime.fromisoformat(said) if said else None
