"""The event log's own tables, read as columns: the adapter to Dagster's SQL storage.

Dagster has no public way to read the newest status of many checks at once. The tables are the same
on SQLite and Postgres, and internal; ``tests/upstream/test_event_tables.py`` pins what is assumed.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetKeyTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from dashboard_trust.evidence.facts import Place
from dashboard_trust.evidence.names import GATE_CHECK

EVENTS = SqlEventLogStorageTable.c
CHECKS = AssetCheckExecutionsTable.c
Key = TypeVar("Key", str, int)
CHUNK = 400  # below every engine's limit of bound parameters, with room for two lists


@dataclass(frozen=True, slots=True)
class Row:
    """One stored event; ``body`` only where it was asked for."""

    storage_id: int
    asset: str
    partition: str | None
    run_id: str
    step_key: str | None
    at: dt.datetime
    body: str | None = None


@dataclass(frozen=True, slots=True)
class CheckRow:
    """The newest stored execution of one check on one partition."""

    asset: str
    check: str
    partition: str | None
    status: str
    run_id: str
    at: dt.datetime | None
    target_id: int | None
    storage_id: int | None
    body: str | None
    step_key: str | None


@dataclass(frozen=True, slots=True)
class RunPlan:
    """What one run planned of one asset: the storage id of the plan, by partition."""

    storage_ids: Mapping[str | None, int]


@dataclass(frozen=True, slots=True)
class EventTables:
    """An open connection to the tables; each method is one query (a chunk of keys at a time)."""

    connection: db.Connection

    @classmethod
    @contextmanager
    def open(cls, instance: dg.DagsterInstance) -> Iterator[EventTables]:
        """Open the tables of an instance; raise TypeError where its event log is not SQL."""
        storage = instance.event_log_storage
        if not isinstance(storage, SqlEventLogStorage):
            raise TypeError(f"{type(storage).__name__} keeps no SQL tables to read evidence from")
        with storage.index_connection() as connection:
            yield cls(connection)

    def newest_loads(self, places: Set[Place]) -> dict[Place, Row]:
        """Return the newest materialization of each place; a wiped one is none."""
        assets = {asset for asset, _ in places}
        wiped = self._wiped(assets)
        found: dict[Place, Row] = {}
        for keys in _chunks(assets):
            newest = _newest_load_ids(keys, places).subquery()
            query = db.select(*_ROW).where(EVENTS.id.in_(db.select(newest.c.id)))
            for row in map(_row, self.connection.execute(query)):
                place = (row.asset, row.partition)
                if place in places and (row.asset not in wiped or row.at > wiped[row.asset]):
                    found[place] = row
        return found

    def open_plans(self, places: Set[Place]) -> dict[Place, list[Row]]:
        """Return what runs planned of each place after its newest materialization, newest first."""
        assets = {asset for asset, _ in places}
        wiped = self._wiped(assets)
        found: dict[Place, list[Row]] = {}
        for keys in _chunks(assets):
            last = _newest_load_ids(keys, places).subquery()
            same = (EVENTS.asset_key == last.c.asset_key) & EVENTS.partition.is_not_distinct_from(last.c.partition)
            query = (
                db.select(*_ROW)
                .outerjoin(last, same)
                .where(_stands_in(keys, places))
                .where(EVENTS.dagster_event_type == "ASSET_MATERIALIZATION_PLANNED")
                .where(EVENTS.id > db.func.coalesce(last.c.id, 0))
                .order_by(EVENTS.id.desc())
            )
            for row in map(_row, self.connection.execute(query)):
                if (row.asset, row.partition) in places and (row.asset not in wiped or row.at > wiped[row.asset]):
                    found.setdefault((row.asset, row.partition), []).append(row)
        return found

    def bodies(self, storage_ids: Set[int]) -> dict[int, Row]:
        """Return these materializations with their bodies."""
        rows = {}
        for ids in _chunks(storage_ids):
            query = db.select(*_ROW, EVENTS.event).where(EVENTS.id.in_(ids))
            query = query.where(EVENTS.dagster_event_type == "ASSET_MATERIALIZATION")
            for record in self.connection.execute(query):
                rows[record.id] = _row(record, record.event)
        return rows

    def planned_by_run(self, run_ids: Set[str], assets: Set[str]) -> dict[tuple[str, str], RunPlan]:
        """Return what each of these runs planned of these assets, by (run, asset)."""
        planned: dict[tuple[str, str], dict[str | None, int]] = {}
        for ids in _chunks(run_ids):
            query = db.select(*_ROW).where(EVENTS.run_id.in_(ids))
            query = query.where(EVENTS.dagster_event_type == "ASSET_MATERIALIZATION_PLANNED")
            for record in self.connection.execute(query):
                row = _row(record)
                if row.asset in assets:
                    planned.setdefault((row.run_id, row.asset), {})[row.partition] = row.storage_id
        return {key: RunPlan(ids) for key, ids in planned.items()}

    def newest_checks(
        self, wanted: Set[tuple[str, str, str | None]]
    ) -> dict[tuple[str, str, str | None], list[CheckRow]]:
        """Return, newest first by plan time, the executions of each check on each partition.

        They go back to the newest one that came to a word: those after it may never come to one.
        """
        rows: dict[tuple[str, str, str | None], list[CheckRow]] = {}
        partitions = sorted({partition for _, _, partition in wanted if partition is not None})
        for keys in _chunks({asset for asset, _, _ in wanted}):
            newest = (
                db.select(
                    *_CHECK, db.func.max(db.case((CHECKS.execution_status != "PLANNED", CHECKS.id))).label("ended")
                )
                .where(CHECKS.asset_key.in_([_stored(key) for key in keys]))
                .group_by(*_CHECK)
            )
            if len(partitions) <= CHUNK:
                newest = newest.where(CHECKS.partition.in_(partitions) | CHECKS.partition.is_(None))
            last = newest.subquery()
            same = (
                (CHECKS.asset_key == last.c.asset_key)
                & (CHECKS.check_name == last.c.check_name)
                & CHECKS.partition.is_not_distinct_from(last.c.partition)
                & (CHECKS.id >= db.func.coalesce(last.c.ended, 0))
            )
            query = db.select(AssetCheckExecutionsTable).join(last, same).order_by(CHECKS.id.desc())
            for row in map(_check_row, self.connection.execute(query)):
                if (row.asset, row.check, row.partition) in wanted:
                    rows.setdefault((row.asset, row.check, row.partition), []).append(row)
        return rows

    def held_places(self, run_ids: Set[str]) -> set[tuple[str, str, str | None]]:
        """Return (run, asset, partition) of what a gate held in these runs."""
        held = set()
        for ids in _chunks(run_ids):
            query = (
                db.select(CHECKS.run_id, CHECKS.asset_key, CHECKS.partition)
                .where(CHECKS.run_id.in_(ids))
                .where(CHECKS.check_name == GATE_CHECK)
                .where(CHECKS.execution_status == "FAILED")
            )
            held |= {(r.run_id, _key(r.asset_key), r.partition) for r in self.connection.execute(query)}
        return held

    def observations(self, assets: Set[str], label: str) -> list[Row]:
        """Return the observations of these assets that carry this metadata, oldest first, with bodies."""
        rows: list[Row] = []
        for keys in _chunks(assets):
            query = (
                db.select(*_ROW, EVENTS.event)
                .where(EVENTS.asset_key.in_([_stored(key) for key in keys]))
                .where(EVENTS.dagster_event_type == "ASSET_OBSERVATION")
                .where(EVENTS.event.contains(label, autoescape=True))
            )
            rows += [_row(record, record.event) for record in self.connection.execute(query)]
        return sorted(rows, key=lambda row: row.storage_id)

    def _wiped(self, assets: Set[str]) -> dict[str, dt.datetime]:
        wiped = {}
        for keys in _chunks(assets):
            query = db.select(AssetKeyTable.c.asset_key, AssetKeyTable.c.wipe_timestamp).where(
                AssetKeyTable.c.asset_key.in_([_stored(key) for key in keys])
            )
            for record in self.connection.execute(query):
                if record.wipe_timestamp is not None:
                    wiped[_key(record.asset_key)] = _utc(record.wipe_timestamp)
        return wiped


_CHECK = (CHECKS.asset_key, CHECKS.check_name, CHECKS.partition)
_ROW = (EVENTS.id, EVENTS.asset_key, EVENTS.partition, EVENTS.run_id, EVENTS.step_key, EVENTS.timestamp)


def _stands_in(assets: list[str], places: Set[Place]) -> db.ColumnElement[bool]:
    """The condition that an event is of these assets and, as far as that is worth asking, of these partitions."""
    partitions = sorted({partition for _, partition in places if partition is not None})
    of_assets = EVENTS.asset_key.in_([_stored(key) for key in assets])
    if len(partitions) > CHUNK:
        return of_assets
    return of_assets & (EVENTS.partition.in_(partitions) | EVENTS.partition.is_(None))


def _newest_load_ids(assets: list[str], places: Set[Place]) -> db.Select[Any]:
    return (
        db.select(EVENTS.asset_key, EVENTS.partition, db.func.max(EVENTS.id).label("id"))
        .where(_stands_in(assets, places))
        .where(EVENTS.dagster_event_type == "ASSET_MATERIALIZATION")
        .group_by(EVENTS.asset_key, EVENTS.partition)
    )


def _row(record: db.Row[Any], body: str | None = None) -> Row:
    return Row(
        storage_id=record.id,
        asset=_key(record.asset_key),
        partition=record.partition,
        run_id=record.run_id or "",
        step_key=record.step_key,
        at=_utc(record.timestamp),
        body=body,
    )


def _check_row(record: db.Row[Any]) -> CheckRow:
    event = json.loads(record.evaluation_event) if record.execution_status == "PLANNED" else {}
    return CheckRow(
        asset=_key(record.asset_key),
        check=record.check_name,
        partition=record.partition,
        status=record.execution_status,
        run_id=record.run_id or "",
        at=_utc(record.evaluation_event_timestamp or record.create_timestamp),
        target_id=record.materialization_event_storage_id,
        storage_id=record.evaluation_event_storage_id,
        body=record.evaluation_event,
        step_key=event.get("step_key"),
    )


def _stored(key: str) -> str:
    return dg.AssetKey.from_user_string(key).to_string()


def _key(stored: str) -> str:
    return "/".join(json.loads(stored))


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC)


def _chunks(values: Iterable[Key]) -> Iterator[list[Key]]:
    ordered = sorted(values)
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]
