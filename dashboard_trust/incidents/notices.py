"""Which messages follow from what was told before and from the verdicts now. Pure.

Each owner of a cause is told of the dashboards that wait for it, and the dashboard's own owner of who
is on it. While a dashboard's partition stays held its owners are told nothing twice; and a further
partition or dashboard that is held by a cause its owner was lately told of is no news either.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.evidence.facts import Place
from dashboard_trust.verdicts.verdict import Finding, Verdict

LATELY = dt.timedelta(days=1)
"""How long an open matter that nobody evaluates again keeps others with its cause from being news."""


class Kind(enum.StrEnum):
    """What a message is about."""

    HELD = "held"
    LATE = "late"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Told:
    """What an owner knows of one partition of a dashboard.

    ``causes`` are the assets of theirs that hold it now, ``late`` whether they know that it was
    promised earlier, ``seen`` the ``as_of`` of its newest verdict.
    """

    dashboard: str
    partition: str | None
    owner: str
    causes: frozenset[str]
    late: bool
    seen: dt.datetime

    @property
    def key(self) -> tuple[Place, str]:
        """The place and the owner."""
        return (self.dashboard, self.partition), self.owner

    def is_about(self, other: Told) -> bool:
        """Whether both stand on one cause of one owner, at about the same time."""
        lately = abs(self.seen - other.seen) <= LATELY
        return self.owner == other.owner and lately and not self.causes.isdisjoint(other.causes)


@dataclass(frozen=True, slots=True)
class Change:
    """What an owner is to know from now on (``after``; None: nothing is left), and the message it takes."""

    verdict: Verdict
    before: Told | None
    after: Told | None
    kind: Kind | None

    @property
    def told(self) -> Told:
        """The newer of the two."""
        told = self.after or self.before
        assert told is not None, "a change has a before or an after"
        return told


@dataclass(frozen=True, slots=True)
class Notice:
    """One message to one owner, about everything new that is of one kind."""

    kind: Kind
    owner: str
    changes: tuple[Change, ...]


def find_changes(
    told: Sequence[Told], verdicts: Iterable[Verdict], contracts: Mapping[str, DashboardContract]
) -> list[Change]:
    """Return what changes for each owner; ``contracts`` by dashboard key."""
    before = {one.key: one for one in told}
    changes = []
    for verdict in {(verdict.dashboard, verdict.partition): verdict for verdict in verdicts}.values():
        changes += _changes_of(verdict, contracts[verdict.dashboard].owner, before)
    after = apply(told, changes)
    return [_without_old_news(change, told, after) for change in changes]


def group_notices(changes: Iterable[Change]) -> list[Notice]:
    """Return one message per owner and kind."""
    groups: dict[tuple[str, Kind], list[Change]] = {}
    for change in changes:
        if change.kind is not None:
            groups.setdefault((change.told.owner, change.kind), []).append(change)
    return [Notice(kind, owner, tuple(group)) for (owner, kind), group in sorted(groups.items())]


def apply(told: Iterable[Told], changes: Iterable[Change]) -> list[Told]:
    """Return what is known once the changes are."""
    known = {one.key: one for one in told}
    for change in changes:
        known.pop(change.told.key, None)
        if change.after is not None:
            known[change.after.key] = change.after
    return list(known.values())


def causes_of(verdict: Verdict, owner: str, contract: DashboardContract) -> list[Finding]:
    """Return the causes an owner is told of: their own, or all of them for the dashboard's owner."""
    return [f for f in verdict.causes if f.owner == owner or (owner == contract.owner and verdict.holds)]


def _changes_of(verdict: Verdict, dashboard_owner: str, before: Mapping[tuple[Place, str], Told]) -> list[Change]:
    place = (verdict.dashboard, verdict.partition)
    known = {owner: one for (where, owner), one in before.items() if where == place}
    holding = _assets_by_owner(verdict, dashboard_owner)
    late = verdict.holds and verdict.deadline is not None and verdict.as_of >= verdict.deadline
    changes = []
    for owner in sorted({*known, *holding}):
        old, causes = known.get(owner), holding.get(owner, frozenset())
        if not causes and not verdict.holds:
            changes.append(Change(verdict, old, None, Kind.RESOLVED))
            continue
        # An owner whose cause is gone stays told while others still hold the dashboard: no to and fro.
        knows = (old is not None and old.late) or (late and bool(causes))
        new = Told(*place, owner, causes, knows, verdict.as_of)
        kind = Kind.HELD if old is None else Kind.LATE if new.late and not old.late else None
        changes.append(Change(verdict, old, new, kind))
    return changes


def _assets_by_owner(verdict: Verdict, dashboard_owner: str) -> dict[str, frozenset[str]]:
    holding: dict[str, frozenset[str]] = {}
    for finding in verdict.causes:
        holding[finding.owner] = holding.get(finding.owner, frozenset()) | {finding.asset}
    if verdict.holds:
        holding[dashboard_owner] = frozenset(finding.asset for finding in verdict.causes)
    return holding


def _without_old_news(change: Change, told: Sequence[Told], after: Sequence[Told]) -> Change:
    """Drop the message where the owner knows of the same cause from another matter that is still open."""
    known = {one.key: one for one in told}
    others = [one for one in after if one.key != change.told.key]
    if change.kind is not Kind.RESOLVED:
        others = [one for one in others if one.key in known]
    if change.kind is Kind.LATE:
        others = [one for one in others if known[one.key].late]
    old_news = any(one.is_about(change.told) for one in others)
    return replace(change, kind=None) if old_news else change
