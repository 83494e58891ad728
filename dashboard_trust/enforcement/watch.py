"""What a sensor looks at: the partitions that something happened to, and those that time may have changed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import dagster as dg

from dashboard_trust.contracts.model import Promise
from dashboard_trust.enforcement.gate import Gate, Standing
from dashboard_trust.enforcement.late_partitions import read_late_partitions
from dashboard_trust.evidence.facts import Place
from dashboard_trust.readers.changes import read_changes
from dashboard_trust.verdicts.verdict import Outcome

LOOKBACK = 14
FULL_LOOK = dt.timedelta(minutes=10)
"""How long a partition is left alone that nothing is seen to happen to.

What leaves no event of an asset behind is found then: a wipe, a waiver that ends, a window that passes,
and on Postgres an event whose transaction ended after that of a later one.
"""


@dataclass(frozen=True, slots=True)
class Watch:
    """A sensor's memory, kept in its cursor.

    ``asked`` is what was last asked for, by partition; ``seen`` the newest event looked at; ``again_at``
    when everything is looked at anew; ``unsettled`` the partitions that wait for the end of a run; ``turn`` which of
    many late partitions come next.
    """

    asked: Mapping[str, str] = field(default_factory=dict)
    seen: int | None = None
    again_at: dt.datetime | None = None
    newest: str = ""
    unsettled: frozenset[str] = frozenset()
    turn: int = 0

    @classmethod
    def parse(cls, cursor: str | None) -> Watch:
        """Read a cursor; one of another form remembers nothing, so everything is looked at."""
        try:
            said = json.loads(cursor or "{}")
            return cls(
                asked=said["asked"],
                seen=said["seen"],
                again_at=dt.datetime.fromisoformat(said["again_at"]),
                newest=said["newest"],
                unsettled=frozenset(said["unsettled"]),
                turn=int(said.get("turn", 0)),
            )
        except (ValueError, KeyError, TypeError):
            return cls()

    def dump(self) -> str:
        """Return the cursor."""
        said = {"asked": dict(self.asked), "seen": self.seen, "newest": self.newest}
        again_at = self.again_at.isoformat() if self.again_at else None
        return json.dumps({**said, "again_at": again_at, "unsettled": sorted(self.unsettled), "turn": self.turn})


@dataclass(frozen=True, slots=True)
class Look:
    """The standings of those partitions that were judged, oldest first, and what to remember."""

    standings: Mapping[str | None, Standing]
    watch: Watch

    def ask(self, due: Mapping[str | None, str], busy: Collection[str] = ()) -> tuple[set[str | None], Watch]:
        """Return what is new of what is due (a word by partition), and the memory of having asked for it.

        What is no longer due is forgotten: when it is due again, it is asked for again.
        """
        before = self.watch.asked
        new = {p for p, word in due.items() if str(p) not in busy and before.get(str(p)) != word}
        judged = {str(p) for p in self.standings}
        kept = {p: word for p, word in before.items() if p not in judged}
        now = {str(p): word if p in new else before[str(p)] for p, word in due.items() if p in new or str(p) in before}
        return new, replace(self.watch, asked={**kept, **now})


def look(gate: Gate, instance: dg.DagsterInstance, watch: Watch, now: dt.datetime) -> Look:
    """Judge the newest partitions of a gate as far as anything can have changed since the last look.

    And older ones that were delivered from days that a load changed since. Where nothing has, that is one query, and
    no standing.
    """
    partitions = newest_partitions(gate, instance)
    if not partitions:
        return Look({}, watch)
    seen, changed = read_changes(instance, watch.seen)
    due = watch.again_at is None or now >= watch.again_at or str(partitions[-1]) != watch.newest
    everything = due or changed is None
    near = _near(gate, changed or ())
    if gate.binding and (everything or near):
        partitions = [*read_late_partitions(gate.binding, instance, partitions, now, watch.turn), *partitions]
        watch = replace(watch, turn=watch.turn + 1)
    chosen = partitions if everything else _choose(gate, instance, partitions, watch, near)
    standings = gate.survey(instance, chosen, now) if chosen else {}
    judged = {str(partition) for partition in standings}
    pending = {str(p) for p, standing in standings.items() if _is_pending(standing)}
    again_at = now + FULL_LOOK if everything or watch.again_at is None else watch.again_at
    watch = replace(
        watch,
        seen=seen,
        again_at=min([again_at, *_deadlines(standings.values(), now)]),
        newest=str(partitions[-1]),
        unsettled=(watch.unsettled - judged) | pending,
    )
    return Look(standings, watch)


def newest_partitions(gate: Gate, instance: dg.DagsterInstance, count: int | None = LOOKBACK) -> Sequence[str | None]:
    """Return the newest partitions of a gate, oldest first, or all; ``[None]`` where it has none to name."""
    partitions = gate.binding.partitions if gate.binding else None
    if partitions is None:
        return [None]
    with dg.partition_loading_context(dynamic_partitions_store=instance):
        keys = list(partitions.get_partition_keys())
    return keys if count is None else keys[-count:]


def _near(gate: Gate, changed: Collection[Place]) -> set[Place]:
    """Return what changed of the gate's own assets, and of those upstream."""
    own = gate.binding.upstream | gate.binding.guarded if gate.binding else frozenset()
    return {place for place in changed if dg.AssetKey.from_user_string(place[0]) in own}


def _choose(
    gate: Gate,
    instance: dg.DagsterInstance,
    partitions: Sequence[str | None],
    watch: Watch,
    near: Collection[Place],
) -> list[str | None]:
    """Return the partitions that stand on something that changed, that wait, and with any of them the newest."""
    promises = gate.binding.promises(partitions, instance) if gate.binding and near else {}
    guarded = [key.to_user_string() for key in gate.binding.guarded] if gate.binding else []
    touched = {p for p, promise in promises.items() if _stands_on(promise, guarded, near)}
    chosen = [p for p in partitions if p in touched or str(p) in watch.unsettled]
    return [*chosen, partitions[-1]] if chosen and partitions[-1] not in chosen else chosen


def _stands_on(promise: Promise, guarded: Sequence[str], changed: Collection[Place]) -> bool:
    """Whether a change touches a partition; one that names no partition touches them all."""
    places = {(one.asset, one.partition) for one in promise.requirements} | {(n, promise.partition) for n in guarded}
    assets = {asset for asset, _ in places}
    return any(place in places or (place[1] is None and place[0] in assets) for place in changed)


def _is_pending(standing: Standing) -> bool:
    verdict = standing.verdict
    return any(finding.outcome is Outcome.PENDING for finding in (*verdict.findings, *verdict.consequences))


def _deadlines(standings: Iterable[Standing], now: dt.datetime) -> list[dt.datetime]:
    return [s.verdict.deadline for s in standings if s.verdict.deadline is not None and s.verdict.deadline > now]
