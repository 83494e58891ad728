"""Evidence from Dagster's event log, in a number of queries that does not grow with the assets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence, Set

import dagster as dg

from dashboard_trust.contracts.model import Promise
from dashboard_trust.evidence.facts import Attempt, CheckResult, Evidence, Materialization, Place
from dashboard_trust.evidence.names import WORD
from dashboard_trust.readers.event_tables import EventTables, Row
from dashboard_trust.readers.events import parse_check, parse_materialization, parse_word
from dashboard_trust.readers.runs import RunFacts, read_runs


def read_evidence(instance: dg.DagsterInstance, promises: Sequence[Promise], as_of: dt.datetime) -> Evidence:
    """Read everything the promises ask about, at one instant.

    Evidence that cannot be read comes back as such (`Evidence.unreadable`), never as an exception:
    whoever judges it then holds.
    """
    try:
        return _read(instance, promises, as_of)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, nothing is known
        return Evidence(as_of=as_of, unreadable=f"{type(error).__name__}: {error}")


def read_newest(instance: dg.DagsterInstance, places: Set[Place]) -> dict[Place, Materialization]:
    """Read the newest materialization of each of these places; one without any is left out."""
    with EventTables.open(instance) as tables:
        assets, partitions = {asset for asset, _ in places}, {p for _, p in places if p is not None}
        newest = tables.newest_events(assets, partitions)
        loads = {place: row for (place, kind), row in newest.items() if kind == "loaded" and place in places}
        bodies = tables.bodies({row.storage_id for row in loads.values()})
    return {place: parse_materialization(bodies[row.storage_id], {}) for place, row in loads.items()}


def _read(instance: dg.DagsterInstance, promises: Sequence[Promise], as_of: dt.datetime) -> Evidence:
    wanted = _places(promises)
    with EventTables.open(instance) as tables:
        newest = tables.newest_events({asset for asset, _ in wanted}, {p for _, p in wanted if p is not None})
        loads = {place: row for (place, kind), row in newest.items() if kind == "loaded" and place in wanted}
        plans = {place: row for (place, kind), row in newest.items() if kind == "planned" and place in wanted}
        checks = tables.newest_checks(_checks(promises))
        bodies = tables.bodies({row.storage_id for row in loads.values()})
        planned = tables.planned_by_run({row.run_id for row in bodies.values()}, {asset for asset, _ in loads})
        parsed = {row.storage_id: parse_materialization(row, planned) for row in bodies.values()}
        materializations = {place: parsed[row.storage_id] for place, row in loads.items()}
        results = {key: parse_check(row) for key, row in checks.items()}
        referred = _referred(materializations.values(), results.values()) - set(parsed)
        earlier = {row.storage_id: parse_materialization(row, {}) for row in tables.bodies(referred).values()}
        spoken = tables.observations({asset for asset, _ in wanted} | {p.contract.key for p in promises}, WORD)
        open_plans = _open_plans(plans, materializations)
        pending = {result.run_id for result in results.values() if result.status == "pending"}
        held = tables.held_places({row.run_id for row in open_plans.values()} | pending)
    runs = read_runs(instance, {row.run_id for row in open_plans.values()} | pending)
    return Evidence(
        as_of=as_of,
        materializations=materializations,
        earlier={**parsed, **earlier},
        words=[parse_word(row) for row in spoken],
        attempts={place: _attempt(place, row, runs, held) for place, row in open_plans.items()},
        checks={key: _resolve(result, runs, held, checks[key].step_key) for key, result in results.items()},
    )


def _places(promises: Sequence[Promise]) -> set[Place]:
    places: set[Place] = set()
    for promise in promises:
        places |= {(requirement.asset, requirement.partition) for requirement in promise.requirements}
        asked = [*promise.dashboard_inputs, *(i for r in promise.requirements for i in r.inputs)]
        places |= {(i.asset, partition) for i in asked for partition in i.partitions}
    return places


def _checks(promises: Sequence[Promise]) -> set[tuple[str, str, str | None]]:
    wanted = {(r.asset, check, r.partition) for p in promises for r in p.requirements for check in r.checks}
    return wanted | {(asset, check, None) for asset, check, _ in wanted}


def _referred(loads: Iterable[Materialization], results: Iterable[CheckResult]) -> set[int]:
    pointers = {pointer for load in loads for pointer in load.pointers.values()}
    return pointers | {result.target_id for result in results if result.target_id is not None}


def _open_plans(plans: dict[Place, Row], loads: dict[Place, Materialization]) -> dict[Place, Row]:
    return {
        place: row
        for place, row in plans.items()
        if place not in loads or (row.storage_id > loads[place].storage_id and row.run_id != loads[place].run_id)
    }


def _attempt(place: Place, row: Row, runs: dict[str, RunFacts], held: set[tuple[str, str, str | None]]) -> Attempt:
    run = runs.get(row.run_id, RunFacts.gone(row.run_id))
    asset, partition = place
    return Attempt(
        asset=asset,
        partition=partition,
        storage_id=row.storage_id,
        run_id=row.run_id,
        at=run.ended_at or row.at,
        state="running" if run.unfinished else "failed" if run.started(row.step_key) else "not_started",
        reason=run.reason(row.step_key),
        held=(row.run_id, asset, partition) in held,
    )


def _resolve(
    result: CheckResult, runs: dict[str, RunFacts], held: set[tuple[str, str, str | None]], step_key: str | None
) -> CheckResult:
    """Turn a planned check of a run that has ended into what became of it."""
    run = runs.get(result.run_id)
    if result.status != "pending" or (run is not None and run.unfinished):
        return result
    reached = (result.run_id, result.asset, result.partition) not in held
    failed = reached and run is not None and step_key in run.failures
    return CheckResult(
        asset=result.asset,
        check=result.check,
        partition=result.partition,
        status="errored" if failed else "skipped",
        at=result.at,
        run_id=result.run_id,
        target_id=result.target_id,
        reason=run.reason(step_key) if run is not None else "",
    )
