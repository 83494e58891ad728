"""The values a judgement is made of."""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
from dataclasses import dataclass

from dashboard_trust.evidence.failures import Failure


class Readiness(enum.StrEnum):
    """What a business user reads, worst first."""

    UNKNOWN = "UNKNOWN"
    BLOCKED = "BLOCKED"
    DELAYED = "DELAYED"
    WAITING = "WAITING"
    PARTIAL = "PARTIAL"
    READY = "READY"

    @property
    def holds(self) -> bool:
        """Whether nothing may be published."""
        return self not in (Readiness.PARTIAL, Readiness.READY)


class Outcome(enum.StrEnum):
    """What became of one requirement or one of its checks."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    ERRORED = "errored"
    NOT_RUN = "not_run"
    PENDING = "pending"
    MISSING = "missing"
    OUTDATED = "outdated"
    OVERDUE = "overdue"
    UNVERIFIED = "unverified"
    UNAPPROVED = "unapproved"
    WAIVED = "waived"

    @property
    def holds(self) -> bool:
        """Whether a finding of this outcome keeps its section from being published."""
        return self not in (Outcome.PASSED, Outcome.WARNED, Outcome.WAIVED)

    @property
    def is_wrong(self) -> bool:
        """Whether something arrived and is wrong, rather than still to come."""
        return self in (Outcome.FAILED, Outcome.ERRORED, Outcome.UNVERIFIED, Outcome.UNAPPROVED)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as promised: where, what, why, who acts, since when.

    ``run_id`` is the run a pending one waits for; ``version`` is what the asset's version was; ``failure`` is what
    the step said of why it has not delivered, if it did.
    """

    asset: str
    partition: str | None
    check: str | None
    outcome: Outcome
    reason: str
    owner: str
    since: dt.datetime | None = None
    sections: tuple[str, ...] = ()
    blocks: bool = True
    run_id: str | None = None
    version: str = ""
    failure: Failure | None = None

    @property
    def told(self) -> str:
        """The reason, and of a failure its class, the attempts and what follows."""
        if self.failure is None:
            return self.reason
        more = f": {self.failure.message}" if self.failure.message not in self.reason else ""
        return f"{self.reason}{more} ({self.failure.told})"

    @property
    def name(self) -> str:
        """What to call it by in a command: ``asset@partition:check``."""
        where = f"{self.asset}@{self.partition}" if self.partition else self.asset
        return f"{where}:{self.check}" if self.check else where

    @property
    def place(self) -> str:
        """Asset, partition and check in one line."""
        where = f"{self.asset} {self.partition}" if self.partition else self.asset
        return f"{where} · {self.check}" if self.check else where


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows for one partition of one dashboard.

    ``findings`` are the causes; ``consequences`` are what only waits for one of them. ``unmet`` are
    the sections to be labelled, ``labels`` what is said of each. ``version`` stands for the versions of
    everything required; ``consumed`` are those of the direct inputs that are shown, by name; ``left_out`` are
    the assets that a minimum does without.
    """

    dashboard: str
    partition: str | None
    readiness: Readiness
    as_of: dt.datetime
    findings: tuple[Finding, ...] = ()
    consequences: tuple[Finding, ...] = ()
    unmet: tuple[str, ...] = ()
    deadline: dt.datetime | None = None
    version: str = ""
    consumed: tuple[tuple[str, str], ...] = ()
    labels: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing may be published."""
        return self.readiness.holds

    @property
    def receipt_key(self) -> str:
        """What a refresh on these versions is called by whoever receives it, whichever run it is."""
        parts = [self.dashboard, str(self.partition), *(f"{name}={version}" for name, version in self.consumed)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]

    @property
    def causes(self) -> tuple[Finding, ...]:
        """The findings that keep something from being published."""
        return tuple(f for f in self.findings if f.outcome.holds)
