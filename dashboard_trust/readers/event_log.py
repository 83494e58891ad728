"""Evidence from Dagster's event log, in a number of queries that does not grow with the assets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence, Set

import dagster as dg

from dashboard_trust.contracts.model import Promise
from dashboard_trust.evidence.facts import Evidence, Materialization, Place
from dashboard_trust.evidence.names import WORD
from dashboard_trust.readers.attempts import find_attempt, find_last_word
from dashboard_trust.readers.event_tables import CheckRow, EventTables, Row
from dashboard_trust.readers.events import parse_materialization, parse_word
from dashboard_trust.readers.runs import read_runs


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
        loads = tables.newest_loads(places)
        bodies = tables.bodies({row.storage_id for row in loads.values()})
    return {place: parse_materialization(bodies[row.storage_id], {}) for place, row in loads.items()}


def _read(instance: dg.DagsterInstance, promises: Sequence[Promise], as_of: dt.datetime) -> Evidence:
    wanted = _places(promises)
    assets = {asset for asset, _ in wanted} | {promise.contract.key for promise in promises}
    with EventTables.open(instance) as tables:
        loads = tables.newest_loads(wanted)
        plans = tables.open_plans(wanted)
        checks = tables.newest_checks(_checks(promises))
        bodies = tables.bodies({row.storage_id for row in loads.values()})
        planned = tables.planned_by_run({row.run_id for row in bodies.values()}, {asset for asset, _ in loads})
        newest = {row.storage_id: parse_materialization(row, planned) for row in bodies.values()}
        referred = _pointers(newest.values()) | _targets(checks.values())
        earlier = {id_: parse_materialization(row, {}) for id_, row in tables.bodies(referred - set(newest)).items()}
        spoken = tables.observations(assets, WORD)
        unanswered = _unanswered(plans.values(), checks.values())
        held = tables.held_places(unanswered)
    runs = read_runs(instance, unanswered)
    return Evidence(
        as_of=as_of,
        materializations={place: newest[row.storage_id] for place, row in loads.items()},
        earlier={**newest, **earlier},
        attempts={place: find_attempt(place, rows, runs, held) for place, rows in plans.items()},
        checks={key: find_last_word(rows, runs, held) for key, rows in checks.items()},
        words=[parse_word(row) for row in spoken],
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


def _pointers(loads: Iterable[Materialization]) -> set[int]:
    return {pointer for load in loads for pointer in load.pointers.values()}


def _targets(checks: Iterable[Sequence[CheckRow]]) -> set[int]:
    return {row.target_id for rows in checks for row in rows if row.target_id is not None}


def _unanswered(plans: Iterable[Sequence[Row]], checks: Iterable[Sequence[CheckRow]]) -> set[str]:
    """Return the runs whose end says what became of a plan."""
    planned = {row.run_id for rows in plans for row in rows}
    return planned | {row.run_id for rows in checks for row in rows if row.status == "PLANNED"}
