"""Evidence read for nothing but being obvious: every row of every table, sorted out in Python.

It asks Dagster for what its events say instead of parsing their bodies, and knows no index.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, AssetKeyTable, SqlEventLogStorageTable

from dashboard_trust.evidence.facts import Attempt, CheckResult, DayResult, Evidence, Materialization
from dashboard_trust.evidence.names import CONSUMED, DAYS, GATE_CHECK, WORD
from dashboard_trust.evidence.words import Word

POINTER = "dagster/input_event_pointer/"
STATUS = {"SUCCEEDED": "passed", "FAILED": "failed"}


@dataclass
class Tables:
    """Everything that is stored, oldest first; and every run there is."""

    events: list
    checks: list
    wiped: dict
    runs: dict
    failures: dict


def read_plainly(instance, promises, as_of, runs=None) -> Evidence:
    """Read the evidence for these promises from all there is; ``runs`` may be read before (`read_runs_plainly`)."""
    places = set()
    asked = set()
    for promise in promises:
        inputs = [*promise.dashboard_inputs, *(one for r in promise.requirements for one in r.inputs)]
        places |= {(one.asset, partition) for one in inputs for partition in one.partitions}
        places |= {(r.asset, r.partition) for r in promise.requirements}
        asked |= {(r.asset, check, p) for r in promise.requirements for check in r.checks for p in (r.partition, None)}
    assets = {asset for asset, _ in places} | {promise.contract.key for promise in promises}
    tables = read_tables(instance, runs or read_runs_plainly(instance))
    newest = {place: load for place in places if (load := newest_load(tables, place)) is not None}
    loads = {place: materialization(row, tables) for place, row in newest.items()}
    looked_for = {
        (r.asset, check): {
            newest[one.asset, one.partition].id
            for promise in promises
            for one in promise.requirements
            if one.asset == r.asset and check in one.checks and (one.asset, one.partition) in newest
        }
        for promise in promises
        for r in promise.requirements
        for check in r.checks
    }
    checks = {key: rows for key in asked if (rows := executions(tables, key, looked_for[key[:2]]))}
    referred = {id_ for load in loads.values() for id_ in load.pointers.values()}
    referred |= {row.materialization_event_storage_id for rows in checks.values() for row in rows}
    earlier = {
        row.id: materialization(row, None)
        for row in tables.events
        if row.id in referred and row.dagster_event_type == "ASSET_MATERIALIZATION"
    }
    return Evidence(
        as_of=as_of,
        materializations=loads,
        earlier=earlier | {load.storage_id: load for load in loads.values()},
        attempts={place: one for place in places if (one := attempt(tables, place)) is not None},
        checks={key: last_word(tables, rows) for key, rows in checks.items()},
        words=[word(row) for row in tables.events if is_word(row) and name_of(row) in assets],
    )


def read_tables(instance, runs) -> Tables:
    with instance.event_log_storage.index_connection() as connection:

        def everything(table):
            return list(connection.execute(db.select(table).order_by(table.c.id)))

        wiped = {name_of(row): utc(row.wipe_timestamp) for row in everything(AssetKeyTable) if row.wipe_timestamp}
        return Tables(everything(SqlEventLogStorageTable), everything(AssetCheckExecutionsTable), wiped, *runs)


def read_runs_plainly(instance) -> tuple[dict, dict]:
    """Every run by its id, and what broke each step of it."""
    runs = {record.dagster_run.run_id: record for record in instance.get_run_records()}
    failures = {}
    for run_id in runs:
        entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        steps = [entry.dagster_event for entry in entries]
        failures[run_id] = {step.step_key: step.step_failure_data.error.message for step in steps}
    return runs, failures


def of_place(tables, place, kind) -> list:
    return [
        row
        for row in tables.events
        if row.dagster_event_type == kind and (row.asset_key and name_of(row), row.partition) == place
    ]


def is_wiped(tables, row) -> bool:
    wiped = tables.wiped.get(name_of(row))
    return wiped is not None and utc(row.timestamp) <= wiped


def newest_load(tables, place):
    rows = of_place(tables, place, "ASSET_MATERIALIZATION")
    return rows[-1] if rows and not is_wiped(tables, rows[-1]) else None


def materialization(row, tables) -> Materialization:
    said = dg.deserialize_value(row.event, dg.EventLogEntry).dagster_event.step_materialization_data.materialization
    tags, metadata = said.tags or {}, said.metadata
    plans = {}
    for event in tables.events if tables and row.run_id else ():
        of_run = event.dagster_event_type == "ASSET_MATERIALIZATION_PLANNED" and event.run_id == row.run_id
        if of_run and event.asset_key == row.asset_key:
            plans.setdefault(event.partition, event.id)
    made_up = "dagster/data_version_is_user_provided" not in tags
    at = metadata.get("dagster/last_updated_timestamp")
    return Materialization(
        asset=name_of(row),
        partition=row.partition,
        storage_id=row.id,
        at=utc(row.timestamp),
        run_id=row.run_id or "",
        version=f"event {row.id}" if made_up else tags["dagster/data_version"],
        days=metadata[DAYS].data if DAYS in metadata else None,
        consumed=metadata[CONSUMED].data if CONSUMED in metadata else {},
        pointers={tag.removeprefix(POINTER): int(value) for tag, value in tags.items() if tag.startswith(POINTER)},
        planned_id=plans.get(row.partition, plans.get(None)),
        in_range=bool(set(plans) - {row.partition}),
        data_at=dt.datetime.fromtimestamp(at.value, dt.UTC) if at is not None else None,
    )


def attempt(tables, place) -> Attempt | None:
    """The newest plan after the newest load that came to something, else the newest plan."""
    loads = of_place(tables, place, "ASSET_MATERIALIZATION")
    plans = of_place(tables, place, "ASSET_MATERIALIZATION_PLANNED")
    newer = [row for row in plans if (not loads or row.id > loads[-1].id) and not is_wiped(tables, row)]
    found = [judged_attempt(tables, place, row) for row in reversed(newer)]
    telling = [one for one in found if one.state != "not_started" and not one.held]
    return (telling or found or [None])[0]


def judged_attempt(tables, place, row) -> Attempt:
    record = tables.runs.get(row.run_id)
    return Attempt(
        asset=place[0],
        partition=place[1],
        storage_id=row.id,
        run_id=row.run_id,
        at=dt.datetime.fromtimestamp(record.end_time, dt.UTC) if record and record.end_time else utc(row.timestamp),
        state=state_of(tables, row.run_id, row.step_key),
        reason=reason_of(tables, row.run_id, row.step_key),
        held=is_held(tables, row.run_id, *place),
    )


def state_of(tables, run_id, step_key) -> str:
    record = tables.runs.get(run_id)
    if record is None:
        return "not_started"
    if not record.dagster_run.is_finished:
        return "running"
    broke = not record.dagster_run.is_success and step_key in tables.failures[run_id]
    return "failed" if record.dagster_run.is_success or broke else "not_started"


def reason_of(tables, run_id, step_key) -> str:
    record = tables.runs.get(run_id)
    if record is not None and record.dagster_run.is_success:
        return f"run {run_id[:8]} ended without delivering it"
    if record is not None and record.dagster_run.is_finished and step_key in tables.failures[run_id]:
        return tables.failures[run_id][step_key]
    return f"run {run_id[:8]} ended before it was reached"


def is_held(tables, run_id, asset, partition) -> bool:
    return any(
        (row.run_id, name_of(row), row.partition) == (run_id, asset, partition)
        for row in tables.checks
        if row.check_name == GATE_CHECK and row.execution_status == "FAILED"
    )


def executions(tables, key, newest_loads) -> list:
    """What is stored of a check on a partition, newest first, down to the newest that was more than planned.

    In its stead counts what looked at a newest load later, though it was planned earlier.
    """
    rows = []
    for row in reversed([r for r in tables.checks if (name_of(r), r.check_name, r.partition) == key]):
        rows.append(row)
        if row.execution_status != "PLANNED":
            rows[-1] = max(
                [row, *ended_on(tables, key, newest_loads)], key=lambda r: r.evaluation_event_storage_id or 0
            )
            break
    return rows


def ended_on(tables, key, load_ids) -> list:
    ended = [row for row in tables.checks if row.execution_status != "PLANNED"]
    return [
        row
        for row in ended
        if (name_of(row), row.check_name, row.partition) == key and row.materialization_event_storage_id in load_ids
    ]


def last_word(tables, rows) -> CheckResult:
    words = [result(tables, row) for row in rows]
    return next((one for one in words if one.status != "skipped"), words[0])


def result(tables, row) -> CheckResult:
    entry = dg.deserialize_value(row.evaluation_event, dg.EventLogEntry)
    known = {
        "asset": name_of(row),
        "check": row.check_name,
        "partition": row.partition,
        "at": utc(row.evaluation_event_timestamp),
        "run_id": row.run_id or "",
        "target_id": row.materialization_event_storage_id,
        "storage_id": row.evaluation_event_storage_id,
    }
    if row.execution_status == "PLANNED":
        state = state_of(tables, row.run_id, entry.step_key)
        if state == "running":
            return CheckResult(**known, status="pending")
        record = tables.runs.get(row.run_id)
        broke = state == "failed" and not record.dagster_run.is_success
        held = is_held(tables, row.run_id, name_of(row), row.partition)
        reason = reason_of(tables, row.run_id, entry.step_key) if record else ""
        return CheckResult(**known, status="errored" if broke and not held else "skipped", reason=reason)
    if row.execution_status == "SKIPPED":
        return CheckResult(**known, status="skipped")
    said = entry.dagster_event.asset_check_evaluation_data
    days = said.metadata[DAYS].data if DAYS in said.metadata else None
    return CheckResult(
        **known,
        status=STATUS[row.execution_status],
        warns=said.severity == dg.AssetCheckSeverity.WARN,
        reason=" ".join((said.description or "").split()),
        days=None if days is None else {day: DayResult(bool(one[0]), one[1]) for day, one in days.items()},
    )


def is_word(row) -> bool:
    return row.dagster_event_type == "ASSET_OBSERVATION" and WORD in row.event


def word(row) -> Word:
    observed = dg.deserialize_value(row.event, dg.EventLogEntry).dagster_event.asset_observation_data.asset_observation
    said = observed.metadata[WORD].data
    until = dt.datetime.fromisoformat(said["until"]) if said.get("until") else None
    optional = {key: said[key] for key in ("partition", "check", "outcome", "version") if key in said}
    return Word(said["kind"], name_of(row), said["by"], utc(row.timestamp), said["reason"], until=until, **optional)


def name_of(row) -> str:
    return "/".join(json.loads(row.asset_key))


def utc(moment) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC)
