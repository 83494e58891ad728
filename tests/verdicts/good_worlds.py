"""Promises with evidence that meets them, in each of the many ways to be met.

Everything is decided by `pick`, a choice among options of which the first is the plainest: hypothesis picks
so that it can shrink, a seeded one so that the same worlds come out each time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dashboard_trust.contracts.model import DashboardContract, Input, Period, Promise, ReadyBy, Requirement, Section
from dashboard_trust.evidence.facts import (
    Attempt,
    CheckResult,
    DayResult,
    Evidence,
    Materialization,
    Receipt,
    join_versions,
)
from dashboard_trust.evidence.words import Word

Pick = Callable[[Sequence[Any]], Any]

PAST, DAY, NEXT = "2025-12-31", "2026-01-01", "2026-01-02"
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
PERIOD = Period(START, START + dt.timedelta(days=1))
PERIODS = {PAST: Period(START - dt.timedelta(days=1), START), DAY: PERIOD}
WEEK = Period(PERIOD.end - dt.timedelta(days=7), PERIOD.end)
HOUR, SECOND = dt.timedelta(hours=1), dt.timedelta(seconds=1)
EIGHT, NEW_YORK = ReadyBy(dt.time(8)), ReadyBy(dt.time(7, 30), "America/New_York", 1)
CHECKS = ("complete", "unique")
SECTIONS = (
    Section("sales", "Sales", ("a0",)),
    Section("deals", "Deals", ("a0",), "label"),
    Section("calls", "Calls", ("a0",), "label"),
)
SHOWN_IN = (("sales",), ("deals",), ("sales", "deals"), ("calls",), ("deals", "calls"))


@dataclass
class World:
    """Everything a judge is told, while it is still being made up."""

    contract: dict[str, Any]
    period: Period | None
    partition: str | None
    as_of: dt.datetime
    requirements: list[Requirement] = field(default_factory=list)
    dashboard_inputs: list[Input] = field(default_factory=list)
    loads: dict[Any, Materialization] = field(default_factory=dict)
    earlier: dict[int, Materialization] = field(default_factory=dict)
    attempts: dict[Any, Attempt] = field(default_factory=dict)
    checks: dict[Any, CheckResult] = field(default_factory=dict)
    words: list[Word] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    unreadable: str = ""
    newest_among_earlier: bool = True

    def case(self) -> tuple[Promise, Evidence]:
        contract = DashboardContract("dash", "team:dash", **self.contract)
        promise = Promise(contract, self.partition, self.period, tuple(self.requirements), tuple(self.dashboard_inputs))
        newest = {load.storage_id: load for load in self.loads.values()} if self.newest_among_earlier else {}
        evidence = Evidence(
            as_of=self.as_of,
            materializations=dict(self.loads),
            earlier={**self.earlier, **newest},
            attempts=dict(self.attempts),
            checks=dict(self.checks),
            words=tuple(self.words),
            receipts=tuple(self.receipts),
            unreadable=self.unreadable,
        )
        return promise, evidence

    def requirement_of(self, place) -> Requirement | None:
        return next((r for r in self.requirements if (r.asset, r.partition) == place), None)

    def change_load(self, place, **changes) -> None:
        self.loads[place] = replace(self.loads[place], **changes)


def rarely(pick: Pick, times: int) -> bool:
    return pick([False] * (times - 1) + [True])


def build_good_world(pick: Pick) -> World:
    """A chain in which every requirement is met, in one of the many ways to be met."""
    period = pick([PERIOD, PERIOD, None])
    ready_by = pick([EIGHT, None, NEW_YORK])
    world = World(
        contract={"ready_by": ready_by, "accept_reported": rarely(pick, 4)},
        period=period,
        partition=DAY if period else pick([None, DAY]),
        as_of=PERIOD.end + 9 * HOUR,
        newest_among_earlier=pick([True, False]),
    )
    moments = [PERIOD.end + 9 * HOUR, PERIOD.end + 8 * HOUR, PERIOD.end + dt.timedelta(days=40)]
    if ready_by is not None:
        moments += [ready_by.deadline(PERIOD.end), ready_by.deadline(PERIOD.end + dt.timedelta(days=1))]
    world.as_of = pick(moments) + pick([dt.timedelta(), SECOND, -SECOND])
    add_requirements(world, pick)
    unnamed = pick(world.requirements).asset if rarely(pick, 8) else ""  # a contract may name what it requires
    everything = [one.asset for one in world.requirements]
    named = [name for name in everything if name != unnamed] or everything
    add_sections(world, pick, named)
    one_run = rarely(pick, 5)
    for n, requirement in enumerate(world.requirements):
        add_load(world, pick, requirement, 100 + 10 * n, one_run)
    for requirement in world.requirements:
        for check in requirement.checks:
            add_result(world, pick, requirement, check)
    world.requirements = [one for one in world.requirements if one.asset in named]
    if rarely(pick, 2):
        world.requirements.reverse()  # they come in the order of their names
    return world


def add_requirements(world: World, pick: Pick) -> None:
    """Up to five assets: by day, of two days, or a table read whole or by its days; one may read its own past."""
    kinds, inputs, wanted_days = {}, {}, {}
    for n in range(pick([2, 3, 1, 4, 5])):
        name = f"a{n}"
        kinds[name] = pick(["table", "day", "day", "days"])
        number = min(pick([1, 1, 2, 0]), len(kinds) - 1)
        above = []
        for _ in range(number):
            above.append(pick([other for other in kinds if other not in (name, *above)]))
        inputs[name] = [read_of(other, kinds[other], pick) for other in above]
        if kinds[name] == "days" and rarely(pick, 2):
            inputs[name].append(Input(name, (PAST,)))
    read = {asked.asset for name, all_asked in inputs.items() for asked in all_asked if asked.asset != name}
    shown = [name for name in kinds if name not in read or rarely(pick, 4)]
    world.dashboard_inputs = [read_of(name, kinds[name], pick) for name in shown]
    for asked in [*world.dashboard_inputs, *(one for several in inputs.values() for one in several)]:
        known = wanted_days.get(asked.asset, ())
        wanted_days[asked.asset] = None if known is None or not asked.days else (*known, *asked.days)
    for name, kind in kinds.items():
        for partition in {"table": [None], "day": [DAY], "days": [PAST, DAY]}[kind]:
            world.requirements.append(
                Requirement(
                    asset=name,
                    partition=partition,
                    owner=f"team:{name}",
                    days=tuple(sorted({*(wanted_days[name] or ())})),
                    inputs=() if (kind, partition) == ("days", PAST) else tuple(inputs[name]),
                    checks=CHECKS[: pick([1, 0, 2])],
                    period=PERIODS.get(partition) or pick_period(world, pick),
                    read_now=partition is None and rarely(pick, 4),
                    owners=pick_owners(pick),
                )
            )


def pick_owners(pick: Pick) -> dict[str, tuple[str, str]]:
    """Some checks have owners of their own: of what they find, or of what they cannot look at."""
    known = [("", ""), ("", ""), ("team:data", "team:tools"), ("team:data", ""), ("", "team:tools")]
    return {check: pick(known) for check in CHECKS}


def pick_period(world: World, pick: Pick) -> Period | None:
    """What covers no time of its own covers that of a reader: of a day, of a week, of the day before, or of none."""
    period = pick([PERIOD, PERIOD, WEEK, PERIODS[PAST]])
    return period if world.period or rarely(pick, 2) else None


def read_of(asset: str, kind: str, pick: Pick) -> Input:
    if kind == "table":
        return Input(asset, (None,), pick([(DAY,), (PAST, DAY), (PAST, DAY), ()]))
    if kind == "day":
        return Input(asset, pick([(DAY,)] * 7 + [()]))  # the first partition of all may read none
    return Input(asset, pick([(DAY,), (PAST, DAY), (PAST, DAY)]))


def add_sections(world: World, pick: Pick, named: Sequence[str]) -> None:
    """A section stands on what is built from, all the way up.

    What is named blocks unless only sections that may be labelled stand on it, and so does all it is built from.
    """
    if rarely(pick, 2):
        return
    assets = list({r.asset: None for r in world.requirements})
    minimums = add_minimums(world, pick, [name for name in assets if name in named])
    counted = {name for several in minimums.values() for name in several}
    own = {name: pick([*SHOWN_IN, ()]) for name in assets}
    own = {name: () if name in counted and not rarely(pick, 4) else keys for name, keys in own.items()}
    own = {name: (*keys, *(key for key in minimums if name in minimums[key])) for name, keys in own.items()}
    standing = {name: set(keys) for name, keys in own.items()}
    for requirement in reversed(world.requirements):
        for asked in requirement.inputs:
            standing[asked.asset] |= standing[requirement.asset]
    blocking = {name for name in named if not standing[name] or "sales" in standing[name]}
    for requirement in reversed(world.requirements):
        if requirement.asset in blocking:
            blocking |= {asked.asset for asked in requirement.inputs if asked.asset not in counted}
    for n, requirement in enumerate(world.requirements):
        keys = tuple(
            section.key for section in world.contract["sections"] if section.key in standing[requirement.asset]
        )
        world.requirements[n] = replace(requirement, sections=keys, blocks=requirement.asset in blocking)


def add_minimums(world: World, pick: Pick, named: Sequence[str]) -> dict[str, Sequence[str]]:
    """A section or two may do with fewer than all of their assets, one of which this partition may not read."""
    world.contract["sections"] = SECTIONS
    counted = {}
    for key in ["feeds", "files"][: pick([0, 0, 0, 1, 1, 2])]:
        counted[key] = [name for name in named if pick([True, True, False])] or list(named)
        unread = ["unread"] * pick([0, 0, 0, 1])
        least = pick([*range(1, len(counted[key]) + 1)])
        section = Section(key, key.title(), (*counted[key], *unread), pick(["block", "block", "label"]), least)
        sections = world.contract["sections"]
        place = pick([1, 0, len(sections)])
        world.contract["sections"] = (*sections[:place], section, *sections[place:])
    return counted


def add_load(world: World, pick: Pick, requirement: Requirement, storage_id: int, one_run: bool) -> None:
    """A load that consumed the newest of everything, in any of the ways to know it."""
    place = (requirement.asset, requirement.partition)
    consumed, pointers, planned = {}, {}, None
    for asked in requirement.inputs if not one_run else ():
        seen = [world.loads[asked.asset, partition] for partition in asked.partitions]
        way = pick(["recorded", "pointer", "plan"])
        if way == "recorded" and seen:
            consumed[asked.name] = join_versions([load.version_of(asked.days) for load in seen])
        elif way == "pointer":
            pointers[asked.asset] = max((load.storage_id for load in seen), default=1)
        else:
            planned = storage_id - 5
    in_range = not one_run and not pointers and rarely(pick, 4)
    if in_range:  # every partition of a range carries the pointers of its last one
        pointers = {asked.asset: 999 for asked in requirement.inputs}
        planned = storage_id - 5
    days = None
    if requirement.partition is None and pick([True, True, False]):
        days = {PAST: "past", DAY: "day", NEXT: "next"}
    by_hand = world.contract["accept_reported"] and rarely(pick, 4)
    load = Materialization(
        asset=requirement.asset,
        partition=requirement.partition,
        storage_id=storage_id,
        at=PERIOD.end + 2 * HOUR,
        run_id="run of all" if one_run else "" if by_hand else f"run {storage_id}",
        version=pick([f"event {storage_id}", "v1"]),
        days=days,
        consumed=consumed,
        pointers=pointers,
        planned_id=50 if one_run else planned,
        in_range=in_range,
    )
    world.loads[place] = load
    if rarely(pick, 3):
        keep_earlier(world, pick, place)


def keep_earlier(world: World, pick: Pick, place) -> Materialization:
    """An older load of the same place, that checks and consumers may still speak of."""
    load = world.loads[place]
    older = replace(load, storage_id=load.storage_id - 90, run_id="run before", **change_versions(load, pick))
    world.earlier[older.storage_id] = older
    return older


def change_versions(load: Materialization, pick: Pick) -> dict[str, Any]:
    """Another version of the whole and, where it has them, of all its days or of one."""
    version = pick([load.version, "v0"])
    if load.days is None:
        return {"version": version}
    changed = pick([(), (NEXT,), (DAY,), (PAST,), (PAST, DAY, NEXT)])
    return {"version": version, "days": {d: f"{v} before" if d in changed else v for d, v in load.days.items()}}


def add_result(world: World, pick: Pick, requirement: Requirement, check: str) -> None:
    """A pass on the newest version, in any of the ways to say so."""
    place = (requirement.asset, requirement.partition)
    load = world.loads[place]
    result = CheckResult(
        asset=requirement.asset,
        check=check,
        partition=requirement.partition,
        status="passed",
        at=PERIOD.end + 3 * HOUR,
        run_id=load.run_id or "run of the check",
        target_id=load.storage_id,
        storage_id=load.storage_id + 1,
    )
    way = pick(["plain", "plain", "same run", "same version", "by hand", "whole", "planned too"])
    if len([one for one in world.requirements if one.asset == requirement.asset]) > 1:
        way = "plain"  # an answer for the whole names the load of one partition only
    older = world.earlier.get(load.storage_id - 90)
    if way == "same run" and load.run_id:
        result = replace(result, target_id=None)
    if way == "same version" and older and older.version_of(requirement.days) == load.version_of(requirement.days):
        result = replace(result, target_id=older.storage_id, run_id="run of the check")
    if way == "by hand" and world.contract["accept_reported"]:
        result = replace(result, run_id="")
    if requirement.days and rarely(pick, 2):
        others = dict.fromkeys((PAST, DAY, NEXT), DayResult(True))
        if rarely(pick, 3):
            others[NEXT] = DayResult(False, "half missing")
            result = replace(result, status=pick(["failed", "passed"]))
        result = replace(result, days=others)
    if way == "planned too" and requirement.partition:
        world.checks[result.asset, check, result.partition] = replace(result, status="skipped", target_id=None)
    if way in ("whole", "planned too"):
        result = replace(result, partition=None)
    world.checks[result.asset, check, result.partition] = result
