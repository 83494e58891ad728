"""What may be odd in a world: each changes one thing, mostly by a hair."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

from good_worlds import DAY, HOUR, NEXT, PAST, PERIOD, SECOND, Pick, World, change_versions, keep_earlier, rarely

from dashboard_trust.errors import FailureClass
from dashboard_trust.evidence.facts import Attempt, DayResult, join_versions
from dashboard_trust.evidence.failures import Failure

AROUND = (-SECOND, dt.timedelta(), SECOND)
REASONS = {PAST: "few", DAY: "half missing"}


def pick_load(world: World, pick: Pick):
    """The place of a load that is required, or else of any."""
    wanted = [place for place in world.loads if world.requirement_of(place)]
    return pick(wanted or list(world.loads) or [None])


def pick_consumer(world: World, pick: Pick):
    """A load with something to have consumed: its place, one of its inputs, and a load of that."""
    found = [
        ((r.asset, r.partition), asked, (asked.asset, partition))
        for r in world.requirements
        for asked in r.inputs
        for partition in asked.partitions
        if (r.asset, r.partition) in world.loads and (asked.asset, partition) in world.loads
    ]
    return pick(found) if found else None


def lose_a_load(world: World, pick: Pick) -> None:
    world.loads.pop(pick_load(world, pick), None)


def lose_days(world: World, pick: Pick) -> None:
    tables = [place for place, load in world.loads.items() if load.days is not None]
    if tables:
        place = pick(tables)
        kept = pick([(PAST, NEXT), (DAY, NEXT), (PAST, DAY), ()])
        world.change_load(
            place, days={day: world.loads[place].days[day] for day in kept if day in world.loads[place].days}
        )


def load_again(world: World, pick: Pick) -> None:
    """A newer load of one place, of another version or of the same; its checks may have run again."""
    place = pick_load(world, pick)
    if place is None:
        return
    old = world.loads[place]
    world.earlier[old.storage_id] = old
    new_id = 300 + old.storage_id
    run_id = pick([f"run {new_id}", old.run_id])
    world.loads[place] = replace(
        old, storage_id=new_id, run_id=run_id, planned_id=new_id - 1, at=old.at + HOUR, **change_versions(old, pick)
    )
    if pick([True, True, False]):
        for key, result in world.checks.items():
            if key[0] == place[0] and result.target_id == old.storage_id:
                world.checks[key] = replace(result, target_id=new_id, storage_id=new_id + 1)


def report_by_hand(world: World, pick: Pick) -> None:
    place = pick_load(world, pick)
    if place is not None:
        world.change_load(place, run_id="")


def record_another_version(world: World, pick: Pick) -> None:
    found = pick_consumer(world, pick)
    if found is None:
        return
    place, asked, above = found
    recorded = dict(world.loads[place].consumed)
    whole = [world.loads.get((asked.asset, partition)) for partition in asked.partitions]
    versions = [load.version_of(()) for load in whole if load is not None]
    older = world.earlier.get(world.loads[above].storage_id - 90)
    recorded[asked.name] = pick(["v0", join_versions(versions), older.version_of(asked.days) if older else "v1"])
    if rarely(pick, 4):
        del recorded[asked.name]
    world.change_load(place, consumed=recorded)


def point_elsewhere(world: World, pick: Pick) -> None:
    """The pointer lies a hair before the upstream, or on an older load of it, or of another partition."""
    found = pick_consumer(world, pick)
    if found is None:
        return
    place, asked, above = found
    upstream, consumer = world.loads[above], world.loads[place]
    options = [upstream.storage_id, upstream.storage_id - 1, upstream.storage_id + 1]
    others = [load for (asset, _), load in world.loads.items() if asset == asked.asset and load is not upstream]
    way = pick(["near", "older", "older", "other partition"])
    if way == "older":
        options = [keep_earlier(world, pick, above).storage_id]
    if way == "other partition" and others:
        other = pick(others)
        options = [other.storage_id]
        world.earlier[other.storage_id] = other
        world.change_load(above, version=other.version)
    world.change_load(
        place,
        run_id="run apart" if consumer.run_id == upstream.run_id else consumer.run_id,
        pointers={**consumer.pointers, asked.asset: pick(options)},
        consumed={name: version for name, version in consumer.consumed.items() if name != asked.name},
        in_range=rarely(pick, 5),
        planned_id=upstream.storage_id + pick([-1, 0, 1]) if rarely(pick, 3) else consumer.planned_id,
    )


def plan_elsewhere(world: World, pick: Pick) -> None:
    """Nothing recorded and nothing pointed at: planned a hair before the upstream, or a hair after."""
    found = pick_consumer(world, pick)
    if found is None:
        return
    place, asked, above = found
    if world.loads[place].run_id == world.loads[above].run_id:
        world.change_load(place, run_id="run apart")
    planned = pick([world.loads[above].storage_id + off for off in (0, 1, -1)] + [None])
    world.change_load(place, consumed={}, planned_id=planned)
    if rarely(pick, 3):
        world.change_load(place, in_range=True, pointers={asked.asset: world.loads[above].storage_id + 1})
    else:
        world.change_load(place, pointers={}, in_range=rarely(pick, 4))


def share_a_run(world: World, pick: Pick) -> None:
    """Consumer and upstream of one run, or both of none, the upstream a hair before or after."""
    found = pick_consumer(world, pick)
    if found is None or found[0] == found[2]:
        return
    place, _, above = found
    run_id = pick(["run of both", "run of both", ""])
    consumer = world.loads[place]
    moved = replace(world.loads[above], run_id=run_id, storage_id=consumer.storage_id + pick([1, -1]))
    world.change_load(place, run_id=run_id, consumed={}, planned_id=pick([50, None]))
    if rarely(pick, 2):
        world.change_load(place, pointers={})
    for key, result in world.checks.items():
        for old, new in ((consumer, world.loads[place]), (world.loads[above], moved)):
            if key[0] == old.asset and result.target_id == old.storage_id:
                world.checks[key] = replace(result, target_id=new.storage_id)
    world.loads[above] = moved


def pick_result(world: World, pick: Pick, by_day: bool = False):
    """A check's result that is asked about, with the load it is about (None: it is gone)."""
    found = []
    for key in world.checks:
        for requirement in world.requirements:
            if key[0] == requirement.asset and key[1] in requirement.checks and key[2] in (requirement.partition, None):
                found.append((key, requirement, world.loads.get((requirement.asset, requirement.partition))))
    if by_day:
        found = [one for one in found if one[1].days] or found
    return pick(found) if found else None


def lose_a_result(world: World, pick: Pick) -> None:
    found = pick_result(world, pick)
    if found:
        del world.checks[found[0]]


def answer_otherwise(world: World, pick: Pick) -> None:
    found = pick_result(world, pick)
    if found:
        status = pick(["failed", "errored", "pending", "skipped", "passed"])
        warns, reason = rarely(pick, 4), pick(["", "boom"])
        result = replace(world.checks[found[0]], status=status, warns=warns, reason=reason)
        world.checks[found[0]] = replace(result, days=None) if rarely(pick, 3) else result


def answer_by_hand(world: World, pick: Pick) -> None:
    found = pick_result(world, pick)
    if found:
        status = pick(["passed", "passed", "failed", "errored"])
        world.checks[found[0]] = replace(world.checks[found[0]], run_id="", status=status)


def answer_by_days(world: World, pick: Pick) -> None:
    """Days that pass, fail or are not named, whatever the check says as a whole."""
    found = pick_result(world, pick, by_day=True)
    if found:
        words = {
            day: pick([DayResult(True), DayResult(False, why), DayResult(False), None, None])
            for day, why in REASONS.items()
        }
        days = {day: word for day, word in words.items() if word is not None}
        status, warns = pick(["passed", "failed", "passed", "failed", "errored"]), rarely(pick, 4)
        reason = pick(["", "two days are wrong"])
        world.checks[found[0]] = replace(world.checks[found[0]], days=days, status=status, warns=warns, reason=reason)


def answer_for_the_whole(world: World, pick: Pick) -> None:
    """Two results for one check: of the partition, and of the asset as a whole."""
    found = pick_result(world, pick)
    if found and found[1].partition is not None:
        asset, check, _ = found[0]
        result = world.checks[found[0]]
        for partition in (found[1].partition, None):
            status = pick(["passed", "skipped", "failed", "pending"])
            world.checks[asset, check, partition] = replace(result, partition=partition, status=status)


def look_elsewhere(world: World, pick: Pick) -> None:
    """A check that looked at another load, or that named none; of the run of the load or of another."""
    found = pick_result(world, pick)
    if not found or found[2] is None:
        return
    key, _, load = found
    if load.storage_id - 90 not in world.earlier and rarely(pick, 2):
        keep_earlier(world, pick, (load.asset, load.partition))
    others = [id_ for id_, other in world.earlier.items() if other.asset == load.asset]
    world.checks[key] = replace(
        world.checks[key],
        target_id=pick([None, None, *others, load.storage_id, load.storage_id + 1]),
        run_id=pick([load.run_id, "run apart"]),
        storage_id=pick([load.storage_id + 1, load.storage_id, load.storage_id - 1, None]),
    )


def believe_hands(world: World, pick: Pick) -> None:
    """A load and a result of no run at all, which the contract believes: they share no run by that."""
    found = pick_result(world, pick)
    if not found or found[2] is None:
        return
    key, _, load = found
    world.contract["accept_reported"] = True
    world.change_load((load.asset, load.partition), run_id="")
    world.checks[key] = replace(
        world.checks[key],
        run_id="",
        status=pick(["passed", "errored"]),
        target_id=pick([None, None, load.storage_id]),
        at=load.at + pick([-SECOND, dt.timedelta()]),
        storage_id=load.storage_id + 1,
    )


def raise_in_a_check(world: World, pick: Pick) -> None:
    """A check that raised names no load: about when the load came, in its run or in another."""
    found = pick_result(world, pick)
    if not found or found[2] is None:
        return
    key, _, load = found
    world.checks[key] = replace(
        world.checks[key],
        status="errored",
        target_id=pick([None, None, load.storage_id]),
        run_id=pick(["run apart", load.run_id]),
        at=load.at + pick(AROUND),
        storage_id=pick([load.storage_id + 1, None]),
        reason=pick(["", "boom"]),
        warns=rarely(pick, 4),
    )


def ask_for_more_than_is_read(world: World, pick: Pick) -> None:
    """Sections with a minimum need one asset more, which this partition does not read."""
    world.contract["sections"] = tuple(
        section
        if section.at_least is None
        else replace(section, assets=(*section.assets, "more"), at_least=len({*section.assets, "more"}))
        for section in world.contract.get("sections", ())
    )


def leave_out(world: World, pick: Pick) -> None:
    """A load was built without some assets; what it left out may be there, spoilt, or not promised at all."""
    if not world.loads:
        return
    place = pick(sorted(world.loads, key=str))
    above = sorted({asked.asset for r in world.requirements for asked in r.inputs}) or ["more"]
    without = {pick(above), pick(above), pick([*above, "more"])}
    world.loads[place] = replace(world.loads[place], left_out=frozenset(without))
    for asset in without if pick([True, True, False]) else ():
        for lost in [lost for lost in world.loads if lost[0] == asset and lost != place]:
            if pick([True, False]):
                del world.loads[lost]
            else:
                world.attempts[lost] = Attempt(
                    *lost, storage_id=900, run_id="run 900", at=PERIOD.end + 4 * HOUR, state="failed", reason="boom"
                )


def try_again(world: World, pick: Pick) -> None:
    """A newer attempt of a place: running, broken, never reached or held; its check may have broken with it."""
    if not world.requirements:
        return
    requirement = pick([r for r in world.requirements if r.checks] or world.requirements)
    if rarely(pick, 4):
        requirement = pick(world.requirements)
    state = pick(["failed", "running", "not_started"])
    attempt = Attempt(
        asset=requirement.asset,
        partition=requirement.partition,
        storage_id=900,
        run_id="run 900",
        at=PERIOD.end + 4 * HOUR,
        state=state,
        reason=pick(["boom", "", "raised an error"]),
        held=pick([False, False, True]),
        failure=pick([None, None, Failure(FailureClass.DATA, "shop", 1, "boom", pick(["", "team:shop"]))]),
    )
    world.attempts[requirement.asset, requirement.partition] = attempt
    if rarely(pick, 4):
        world.loads.pop((requirement.asset, requirement.partition), None)
    for check in requirement.checks if pick([True, True, False]) else ():
        key = (requirement.asset, check, requirement.partition)
        if key in world.checks:
            status, reason = pick(["errored", "errored", "failed"]), pick(["boom", "", "its last run failed"])
            run_id = pick(["run 900", "run 900", "run apart"])
            world.checks[key] = replace(world.checks[key], status=status, run_id=run_id, reason=reason, days=None)


def spoil_the_whole(world: World, pick: Pick) -> None:
    match pick(["believe", "believe", "unreadable", "nothing"]):
        case "believe":
            world.contract["accept_reported"] = not world.contract["accept_reported"]
        case "unreadable":
            world.unreadable = "disk full"
        case "nothing":
            world.requirements = []


ODDITIES = (
    lose_a_load,
    lose_days,
    load_again,
    load_again,
    report_by_hand,
    record_another_version,
    point_elsewhere,
    point_elsewhere,
    plan_elsewhere,
    plan_elsewhere,
    share_a_run,
    lose_a_result,
    answer_otherwise,
    answer_by_hand,
    answer_by_days,
    answer_for_the_whole,
    look_elsewhere,
    look_elsewhere,
    believe_hands,
    raise_in_a_check,
    raise_in_a_check,
    answer_by_days,
    try_again,
    try_again,
    leave_out,
    leave_out,
    spoil_the_whole,
    ask_for_more_than_is_read,
)
