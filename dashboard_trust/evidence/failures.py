"""What became of a step that failed: of which class that was, and what follows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboard_trust.errors import FailureClass

TO_DO = {
    FailureClass.TRANSIENT: "see whether {source} is up, then materialize {where}",
    FailureClass.DATA: "correct the data in {source}, then materialize {where}",
    FailureClass.SCHEMA: "agree on the columns of {source} or have them put back, then materialize {where}",
    FailureClass.CONTRACT: "find out what became of what {source} was to deliver, then materialize {where}",
    FailureClass.PERMISSION: "renew the access to {source}, then materialize {where}",
    FailureClass.UNKNOWN: "find out why {where} broke (see its run), then materialize {where}",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """What a step said of its failure.

    ``attempts`` is how often it called the source, ``retry_at`` when it asks again by itself (None: it does not),
    ``owner`` who acts ("": the asset's owner), ``message`` what went wrong.
    """

    failure_class: FailureClass
    source: str
    attempts: int
    message: str
    owner: str = ""
    retry_at: dt.datetime | None = None

    @classmethod
    def parse(cls, said: Mapping[str, Any]) -> Failure:
        """Read what `dump` wrote; raise KeyError or ValueError where it is not that."""
        at = said["retry_at"]
        return cls(
            failure_class=FailureClass(said["failure_class"]),
            source=str(said["source"]),
            attempts=int(said["attempts"]),
            message=str(said["message"]),
            owner=str(said["owner"]),
            retry_at=dt.datetime.fromisoformat(at) if at else None,
        )

    def dump(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "failure_class": str(self.failure_class),
            "source": self.source,
            "attempts": self.attempts,
            "message": self.message,
            "owner": self.owner,
            "retry_at": self.retry_at.isoformat() if self.retry_at else None,
        }

    @property
    def told(self) -> str:
        """The class, the attempts and what follows, in a line."""
        called = f"called {self.attempts} time{'s' * (self.attempts != 1)}" if self.attempts else "not called"
        what = f"{self.failure_class} failure of {self.source}, {called}"
        if self.retry_at is None:
            return f"{what}; not tried again by itself"
        return f"{what}; next try {self.retry_at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"

    def next_step(self, owner: str, where: str) -> str:
        """Return what is to be done about it, and by whom."""
        if self.retry_at is not None:
            at = self.retry_at.astimezone(dt.UTC)
            return f"Wait: {self.source} is asked again by itself, from {at:%Y-%m-%d %H:%M} UTC"
        return f"{owner}: " + TO_DO[self.failure_class].format(source=self.source, where=where)
