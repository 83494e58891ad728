"""Promises with their evidence, made up: good by construction, then with an oddity or two near a boundary."""

from __future__ import annotations

import datetime as dt
import functools
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import naive_judge
from good_worlds import DAY, HOUR, NEXT, PAST, PERIOD, SECOND, Pick, World, add_requirements, build_good_world, rarely
from hypothesis import strategies as st
from oddities import ODDITIES, pick_load, pick_result

from dashboard_trust.contracts.model import Period, Promise, Requirement
from dashboard_trust.evidence.facts import Evidence, Receipt
from dashboard_trust.evidence.words import Word
from dashboard_trust.verdicts.verdict import Finding, Outcome

FOLLOWS = (Outcome.MISSING, Outcome.OUTDATED, Outcome.PENDING, Outcome.NOT_RUN, Outcome.OVERDUE)


@st.composite
def cases(draw):
    """Promises with their evidence, for hypothesis to draw and to shrink."""
    return build_case(lambda options: draw(st.sampled_from(options)))


@functools.cache
def fixed_cases(count: int) -> tuple[tuple[Promise, Evidence], ...]:
    """The same cases each time."""
    return tuple(build_case(random.Random(seed).choice) for seed in range(count))


@st.composite
def findings(draw):
    """Requirements with findings on some of them, of any outcome, for hypothesis to draw and to shrink."""
    return build_findings(lambda options: draw(st.sampled_from(options)))


@functools.cache
def fixed_findings(count: int) -> tuple[tuple[Sequence[Requirement], Sequence[Finding]], ...]:
    """The same findings each time."""
    return tuple(build_findings(random.Random(seed).choice) for seed in range(count))


def build_findings(pick: Pick) -> tuple[Sequence[Requirement], Sequence[Finding]]:
    """What a judge may find of a chain: nothing, one thing or two of a place, in any order."""
    world = World({}, PERIOD, DAY, PERIOD.end)
    add_requirements(world, pick)
    found = [] if pick([True, True, False]) else [Finding("dash", DAY, None, Outcome.UNAPPROVED, "held", "o")]
    for requirement in world.requirements:
        for check in pick([[None], [], [None, "complete"]]):
            outcome, blocks = pick([*Outcome, *FOLLOWS]), pick([True, False])
            found.append(Finding(requirement.asset, requirement.partition, check, outcome, "", "o", blocks=blocks))
    if rarely(pick, 2):
        world.requirements.reverse()
    return tuple(world.requirements), tuple(found)


def build_case(pick: Pick) -> tuple[Promise, Evidence]:
    world = build_good_world(pick)
    for _ in range(pick([1, 1, 1, 1, 0, 2, 2, 3])):
        pick(ODDITIES)(world, pick)
    if rarely(pick, 3):
        set_window(world, pick)
    if rarely(pick, 6):
        begin_sending(world, pick)
    if rarely(pick, 3):
        say_words(world, pick)
    if rarely(pick, 6):
        take_back(world, pick)
    if rarely(pick, 4):
        end_a_result(world, pick)
    return world.case()


def end_a_result(world: World, pick: Pick) -> None:
    """A result that says nothing any more from a time on that is now, or nearly."""
    found = pick_result(world, pick)
    if found:
        until = pick(presents_of(world, found[1].period)) + pick([SECOND, dt.timedelta(), -SECOND])
        world.checks[found[0]] = replace(world.checks[found[0]], until=until)


def set_window(world: World, pick: Pick) -> None:
    """A window that is exactly as long as something lasted, or a second longer or shorter."""
    place = pick_load(world, pick)
    if place is None:
        return
    load, requirement = world.loads[place], world.requirement_of(place)
    covered = requirement.period if requirement else None
    end = covered.end if covered else PERIOD.end
    at = pick([load.at, load.at, end, end + SECOND, end - SECOND])
    data_at = pick([None, end - 30 * HOUR, end - 30 * HOUR, end - HOUR, end + HOUR, end])
    world.change_load(place, at=at, data_at=data_at)
    presents = presents_of(world, covered)
    earliest = min(presents)
    lengths = [earliest - at, *(present - at for present in presents)]
    if data_at is not None:
        lengths += [end - data_at] * 3 + [present - data_at for present in presents]
    length = pick([*lengths, max(lengths)]) + pick([SECOND, dt.timedelta(), -SECOND])
    if length > dt.timedelta():
        world.contract["freshness"] = {load.asset: length, "another": SECOND}


def presents_of(world: World, covered: Period | None) -> list[dt.datetime]:
    """Return the times that a window may be held against."""
    presents = [world.as_of]
    for period in dict.fromkeys([covered or PERIOD, PERIOD]):
        following = period.end + (period.end - period.start)
        presents.append(following)
        if world.contract["ready_by"] is not None:
            presents.append(world.contract["ready_by"].deadline(following))
    return presents


def begin_sending(world: World, pick: Pick) -> None:
    """Receipts of what would be shown now, or nearly: of another day, of more or less or other versions, settled."""
    world.contract["at_most_once"] = pick([True, True, False])
    promise, evidence = world.case()
    shown = dict(naive_judge.judge_naively(promise, evidence).consumed)
    for _ in range(pick([1, 2])):
        settled, partition = pick([False, False, True]), pick([promise.partition, promise.partition, PAST])
        consumed = pick(BEGUN)(shown)
        world.receipts.append(Receipt(partition, consumed, "run 800", 800, PERIOD.end + 5 * HOUR, settled))


BEGUN: tuple[Callable[[dict[str, str]], dict[str, str]], ...] = (
    dict,
    dict,
    dict,
    lambda shown: {**shown, "what a section showed that is unmet now": "v1"},
    lambda shown: dict(list(shown.items())[1:]),
    lambda shown: {**shown, **dict.fromkeys(list(shown)[-1:], "another version")},
    lambda shown: {f"another {name}": version for name, version in shown.items()},
)


def take_back(world: World, pick: Pick) -> None:
    """Rollbacks of what would be shown now, or nearly, of this day or another, and releases in between."""
    shown = dict(naive_judge.judge_naively(*world.case()).consumed)
    for _ in range(pick([1, 1, 2])):
        dashboard, partition = pick([*["dash"] * 5, "another"]), pick([*[world.partition] * 4, PAST, None])
        word = Word("roll_back", dashboard, "ann", PERIOD.end, "wrong", partition, consumed=pick(BEGUN)(shown))
        world.words.append(word)
        if rarely(pick, 2):
            of, lifted = pick([*["dash"] * 5, "another"]), pick([world.partition, None, PAST])
            world.words.insert(pick([0, len(world.words)]), Word("release", of, "ann", PERIOD.end, "well", lifted))


def say_words(world: World, pick: Pick) -> None:
    """Holds and releases of this day, of all and of another; or waivers of what is found, one of them spoilt."""
    if rarely(pick, 2):
        partitions = [world.partition, None, PAST, world.partition, None]
        for _ in range(pick([1, 2, 2, 3])):
            kind, dashboard = pick(["hold", "hold", "release"]), pick([*["dash"] * 5, "another"])
            world.words.append(Word(kind, dashboard, "ann", PERIOD.end, "because", pick(partitions)))
        if rarely(pick, 4):
            world.words.append(Word("waive", "dash", "ann", PERIOD.end, "because", pick(partitions)))
        return
    found = [finding for finding in naive_judge.judge_naively(*world.case()).findings if finding.holds]
    spoilt = pick([*range(len(found)), *range(len(found)), None]) if found else None
    for n, finding in enumerate(found):
        word = Word(
            kind="waive",
            asset=finding.asset,
            by="ann",
            at=PERIOD.end,
            reason="known",
            partition=finding.partition,
            check=finding.check,
            outcome=finding.outcome,
            version=finding.version,
            until=world.as_of + SECOND,
        )
        world.words.append(replace(word, **pick(SPOILT)(world.as_of)) if n == spoilt else word)


SPOILT: tuple[Callable[[dt.datetime], dict[str, Any]], ...] = (
    lambda as_of: {"until": as_of},
    lambda as_of: {"until": as_of - SECOND},
    lambda as_of: {"until": None},
    lambda as_of: {"partition": NEXT},
    lambda as_of: {"check": "another"},
    lambda as_of: {"outcome": "passed"},
    lambda as_of: {"version": "v0"},
    lambda as_of: {"asset": "another"},
    lambda as_of: {"kind": "hold"},
)
