"""Evidence from Dagster's event log, in a number of queries that does not grow with the assets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import dagster as dg

from dashboard_trust.contracts.model import Promise
from dashboard_trust.evidence.facts import CheckResult, Evidence, Materialization, Place, UnexpectedFiles
from dashboard_trust.evidence.names import FAILURE, GATE_CHECK, SKIPPED, UNEXPECTED, WORD
from dashboard_trust.readers.attempts import Failures, Held, find_attempt, find_last_word
from dashboard_trust.readers.event_tables import EventTables, Row
from dashboard_trust.readers.events import observed, parse_failure, parse_materialization, parse_unexpected, parse_word
from dashboard_trust.readers.executions import CheckPlace, Executions
from dashboard_trust.readers.runs import RunFacts, read_runs

LOOKS = 3
"""How often the tables are read where runs end meanwhile; one that still does counts as going on."""


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
    return {place: parse_materialization(row) for place, row in loads.items()}


def read_known_checks(instance: dg.DagsterInstance, assets: Set[str]) -> dict[str, set[str]]:
    """Return the names of the checks that were ever planned or run on each of these assets, wherever defined."""
    with EventTables.open(instance) as tables:
        return tables.known_checks(assets)


@dataclass(frozen=True, slots=True)
class _Stored:
    """What the tables held at one instant; ``ended`` are those of the runs asked about whose end was there."""

    loads: Mapping[Place, Materialization]
    earlier: Mapping[int, Materialization]
    plans: Mapping[Place, Sequence[Row]]
    checks: Executions
    words: Sequence[Row]
    unexpected: Mapping[str, Sequence[UnexpectedFiles]]
    unanswered: Set[str]
    ended: Set[str]
    held: Held
    failures: Failures


def _read(instance: dg.DagsterInstance, promises: Sequence[Promise], as_of: dt.datetime) -> Evidence:
    stored, runs = _read_with_runs(instance, promises)
    return Evidence(
        as_of=as_of,
        materializations=stored.loads,
        earlier=stored.earlier,
        attempts={
            place: find_attempt(place, rows, runs, stored.held, stored.failures) for place, rows in stored.plans.items()
        },
        checks=_attribute(
            {place: find_last_word(place, stored.checks, runs, stored.held) for place in stored.checks.places()},
            stored.loads,
        ),
        words=[parse_word(row) for row in stored.words],
        unexpected=stored.unexpected,
    )


def _attribute(
    found: Mapping[CheckPlace, CheckResult], loads: Mapping[Place, Materialization]
) -> dict[CheckPlace, CheckResult]:
    """Give words to whom they are about, where Dagster does not.

    A check without partitions is planned for the partition of its run, and answers without naming one: the plan
    stays open until the run ends. A gate speaks before its step makes the load that it lets through.
    """
    words = dict(found)
    for (asset, check, partition), result in found.items():
        whole = found.get((asset, check, None))
        said = whole is not None and whole.run_id == result.run_id and whole.status in ("passed", "failed")
        if whole is not None and said and result.status == "pending":
            words[asset, check, partition] = replace(whole, partition=partition)
        load = loads.get((asset, partition))
        if check == GATE_CHECK and load is not None and load.run_id and load.run_id == result.run_id:
            words[asset, check, partition] = replace(result, target_id=load.storage_id)
    return words


def _read_with_runs(instance: dg.DagsterInstance, promises: Sequence[Promise]) -> tuple[_Stored, dict[str, RunFacts]]:
    """Read the tables, and the runs they leave open.

    The runs are kept elsewhere and read later. One that ended in between may have said more than was read,
    and what it was asked would seem never to be answered: the tables are then read again.
    """
    over: set[str] = set()
    for _ in range(LOOKS):
        stored = _read_tables(instance, promises)
        runs = read_runs(instance, stored.unanswered)
        late = {id_ for id_, run in runs.items() if not run.unfinished} - stored.ended - over
        if not late:
            break
        over |= late
    return stored, runs | {id_: replace(runs[id_], unfinished=True) for id_ in late}


def _read_tables(instance: dg.DagsterInstance, promises: Sequence[Promise]) -> _Stored:
    places, wanted = _places(promises), _checks(promises)
    assets = {asset for asset, _ in places} | {promise.contract.key for promise in promises}
    with EventTables.open(instance) as tables:
        rows = tables.newest_loads(places)
        plans = tables.open_plans(places)
        by_day = _asked_by_day(promises)
        checks = tables.newest_checks(wanted, by_day)
        checks.hear(tables.checks_on_loads(checks, {place: row.storage_id for place, row in rows.items()}, by_day))
        loads = {place: parse_materialization(row) for place, row in rows.items()}
        newest = {load.storage_id: load for load in loads.values()}
        referred = (_pointers(newest.values()) | _targets(checks)) - set(newest)
        earlier = {row.storage_id: parse_materialization(row) for row in tables.loads(referred)}
        words = tables.observations(assets, WORD)
        unexpected = _unexpected(tables, promises, loads)
        open_ = _open_attempts(plans.values(), checks)
        unanswered = {run_id for run_id, _ in open_}
        ended = tables.ended_runs(unanswered)
        held = {(*place, None) for place in tables.held_places(open_)} | _skipped(tables, open_)
        failures = _failures(tables, {(row.run_id, row.asset) for several in plans.values() for row in several})
    return _Stored(loads, earlier | newest, plans, checks, words, unexpected, unanswered, ended, held, failures)


def _places(promises: Sequence[Promise]) -> set[Place]:
    places: set[Place] = set()
    for promise in promises:
        places |= {(requirement.asset, requirement.partition) for requirement in promise.requirements}
        asked = [*promise.dashboard_inputs, *(i for r in promise.requirements for i in r.inputs)]
        places |= {(i.asset, partition) for i in asked for partition in i.partitions}
    return places


def _checks(promises: Sequence[Promise]) -> set[CheckPlace]:
    requirements = [requirement for promise in promises for requirement in promise.requirements]
    return {(one.asset, check, one.partition) for one in requirements for check in (*one.checks, *one.others)}


def _asked_by_day(promises: Sequence[Promise]) -> set[str]:
    """Return the assets of whose checks it is asked what they say of a day."""
    return {r.asset for promise in promises for r in promise.requirements if r.days}


def _pointers(loads: Iterable[Materialization]) -> set[int]:
    return {pointer for load in loads for pointer in load.pointers.values()}


def _targets(checks: Executions) -> set[int]:
    return {row.target_id for row in checks.ended.values() if row.target_id is not None}


def _skipped(tables: EventTables, attempts: Set[tuple[str, str]]) -> set[tuple[str, str, str | None, str | None]]:
    """Return (run, asset, partition, check) of what these runs say they skipped because of something above."""
    said = tables.observations({asset for _, asset in attempts}, SKIPPED) if attempts else ()
    return {(row.run_id, row.asset, row.partition, check) for row in said for check in observed(row)[SKIPPED] or [None]}


def _unexpected(
    tables: EventTables, promises: Sequence[Promise], loads: Mapping[Place, Materialization]
) -> dict[str, list[UnexpectedFiles]]:
    """Return the files of unexpected names of those assets of which a file is missing: it may be one of them."""
    asked = [one for promise in promises for one in promise.requirements if one.arrival]
    missing = {one.asset for one in asked if (one.asset, one.partition) not in loads}
    found: dict[str, list[UnexpectedFiles]] = {}
    for row in tables.observations(missing, UNEXPECTED) if missing else ():
        found.setdefault(row.asset, []).append(parse_unexpected(row))
    return found


def _failures(tables: EventTables, attempts: Set[tuple[str, str]]) -> Failures:
    """Return what these runs said last of the failures of steps."""
    said = tables.observations({asset for _, asset in attempts}, FAILURE) if attempts else ()
    return {(row.run_id, row.asset): parse_failure(row) for row in said if (row.run_id, row.asset) in attempts}


def _open_attempts(plans: Iterable[Sequence[Row]], checks: Executions) -> set[tuple[str, str]]:
    """Return (run, asset) of what was planned and has not come: the end of the run says what became of it."""
    planned = {(row.run_id, row.asset) for rows in plans for row in rows}
    return planned | {(row.run_id, asset) for (asset, _, _), rows in checks.planned.items() for row in rows}
