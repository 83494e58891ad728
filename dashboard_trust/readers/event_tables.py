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
from functools import lru_cache
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
PLANNED, LOADED = "ASSET_MATERIALIZATION_PLANNED", "ASSET_MATERIALIZATION"
Key = TypeVar("Key", str, int)
CheckPlace = tuple[str, str, str | None]
"""An asset, one of its checks, and a partition."""
CHUNK = 4000  # below every engine's limit of bound parameters, with room for three lists


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
    """One stored execution of one check on one partition."""

    id: int
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

    @property
    def is_word(self) -> bool:
        """Whether the check passed or failed, rather than being planned or skipped."""
        return self.status in ("SUCCEEDED", "FAILED")


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
        wiped = self._wiped({asset for asset, _ in places})
        found: dict[Place, Row] = {}
        for newest in _newest_ids(LOADED, places):
            last = newest.subquery()
            query = db.select(*_ROW).where(EVENTS.id.in_(db.select(last.c.id)))
            for row in map(_row, self.connection.execute(query)):
                place = (row.asset, row.partition)
                if place in places and (row.asset not in wiped or row.at > wiped[row.asset]):
                    found[place] = row
        return found

    def open_plans(self, places: Set[Place]) -> dict[Place, list[Row]]:
        """Return what runs planned of each place after its newest materialization, newest first."""
        planned, loaded = (self._newest_by_place(kind, places) for kind in (PLANNED, LOADED))
        since = {place: loaded.get(place, 0) for place, id_ in planned.items() if id_ > loaded.get(place, 0)}
        wiped = self._wiped({asset for asset, _ in since})
        found: dict[Place, list[Row]] = {}
        for keys in _chunks({asset for asset, _ in since}):
            query = (
                db.select(*_ROW)
                .where(EVENTS.asset_key.in_([_stored(key) for key in keys]))
                .where(EVENTS.dagster_event_type == PLANNED)
                .where(EVENTS.id > min(since.values()))
                .order_by(EVENTS.id.desc())
            )
            for row in map(_row, self.connection.execute(query)):
                place = (row.asset, row.partition)
                newer = place in since and row.storage_id > since[place]
                if newer and (row.asset not in wiped or row.at > wiped[row.asset]):
                    found.setdefault(place, []).append(row)
        return found

    def _newest_by_place(self, kind: str, places: Set[Place]) -> dict[Place, int]:
        newest = {}
        for query in _newest_ids(kind, places):
            for record in self.connection.execute(query):
                newest[_key(record.asset_key), record.partition] = record.id
        return {place: id_ for place, id_ in newest.items() if place in places}

    def bodies(self, storage_ids: Set[int]) -> dict[int, Row]:
        """Return these materializations with their bodies."""
        rows = {}
        for ids in _chunks(storage_ids):
            query = db.select(*_ROW, EVENTS.event).where(EVENTS.id.in_(ids))
            query = query.where(EVENTS.dagster_event_type == LOADED)
            for record in self.connection.execute(query):
                rows[record.id] = _row(record, record.event)
        return rows

    def planned_by_run(self, run_ids: Set[str], assets: Set[str]) -> dict[tuple[str, str], RunPlan]:
        """Return what each of these runs planned of these assets, by (run, asset)."""
        planned: dict[tuple[str, str], dict[str | None, int]] = {}
        for ids in _chunks(run_ids):
            query = db.select(*_ROW).where(EVENTS.run_id.in_(ids))
            # Joined to nothing, so that the runs are looked up and not every plan there ever was.
            query = query.where(EVENTS.dagster_event_type.concat("") == PLANNED)
            for record in self.connection.execute(query):
                row = _row(record)
                if row.asset in assets:
                    planned.setdefault((row.run_id, row.asset), {})[row.partition] = row.storage_id
        return {key: RunPlan(ids) for key, ids in planned.items()}

    def newest_checks(self, wanted: Set[CheckPlace]) -> dict[CheckPlace, list[CheckRow]]:
        """Return, newest first by plan time, the executions of each check on each partition.

        They go back to the newest one that came to a word: those after it may never come to one.
        What a check says of no partition is left out where each partition asked for has its own word.
        """
        rows: dict[CheckPlace, list[CheckRow]] = {}
        partitioned = {key for key in wanted if key[2] is not None}
        found: list[CheckRow] = []
        for query in _of_partitions(partitioned):
            found += self._check_rows(query, partitioned)
        _add_back_to_a_word(rows, found)
        answered = {key[:2] for key in partitioned}
        answered -= {key[:2] for key in partitioned if not any(row.is_word for row in rows.get(key, ()))}
        whole = {key for key in wanted if key[2] is None and key[:2] not in answered}
        _add_back_to_a_word(rows, [row for query in _of_no_partition(whole) for row in self._check_rows(query, whole)])
        return rows

    def _check_rows(self, query: db.Select[Any], wanted: Set[CheckPlace]) -> list[CheckRow]:
        rows = map(_check_row, self.connection.execute(query))
        return [row for row in rows if (row.asset, row.check, row.partition) in wanted]

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


_ROW = (EVENTS.id, EVENTS.asset_key, EVENTS.partition, EVENTS.run_id, EVENTS.step_key, EVENTS.timestamp)


def _newest_ids(kind: str, places: Set[Place]) -> Iterator[db.Select[Any]]:
    """Ask for the newest event of this kind by place, with and without partitions apart.

    Either is then answered from an index alone; both in one condition would be answered from none.
    """
    partitions = {partition for _, partition in places if partition is not None}
    without = {asset for asset, partition in places if partition is None}
    with_one = {asset for asset, partition in places if partition is not None}
    for assets, stands in ((with_one, _among(EVENTS.partition, partitions)), (without, EVENTS.partition.is_(None))):
        for keys in _chunks(assets):
            yield (
                db.select(EVENTS.asset_key, EVENTS.partition, db.func.max(EVENTS.id).label("id"))
                .where(EVENTS.asset_key.in_([_stored(key) for key in keys]))
                .where(EVENTS.dagster_event_type == kind)
                .where(stands)
                .group_by(EVENTS.asset_key, EVENTS.partition)
            )


def _of_partitions(wanted: Set[CheckPlace]) -> Iterator[db.Select[Any]]:
    """Ask for the executions of checks on partitions: those of any load of theirs, and those of no load.

    The index has the load before the partition: asked by partition alone, all history would be read.
    """
    partitions = {partition for _, _, partition in wanted if partition is not None}
    load = CHECKS.materialization_event_storage_id
    same = (CHECKS.asset_key == EVENTS.asset_key) & (load == EVENTS.id) & (CHECKS.partition == EVENTS.partition)
    for assets, names in _asked(wanted):
        named = CHECKS.check_name.in_(names)
        yield (
            db.select(AssetCheckExecutionsTable)
            .join(SqlEventLogStorageTable, same & named)
            .where(EVENTS.asset_key.in_(assets))
            .where(EVENTS.dagster_event_type == LOADED)
            .where(_among(EVENTS.partition, partitions))
        )
        of_no_load = CHECKS.asset_key.in_(assets) & named & load.is_(None)
        yield db.select(AssetCheckExecutionsTable).where(of_no_load & _among(CHECKS.partition, partitions))


def _of_no_partition(wanted: Set[CheckPlace]) -> Iterator[db.Select[Any]]:
    """Ask for the executions of checks that name no partition, from the newest that came to a word on."""
    for assets, names in _asked(wanted):
        ended = db.func.max(db.case((CHECKS.execution_status != "PLANNED", CHECKS.id), else_=0))
        last = (
            db.select(CHECKS.asset_key, CHECKS.check_name, ended.label("ended"))
            .where(CHECKS.asset_key.in_(assets) & CHECKS.check_name.in_(names) & CHECKS.partition.is_(None))
            .group_by(CHECKS.asset_key, CHECKS.check_name)
            .subquery()
        )
        same = (CHECKS.asset_key == last.c.asset_key) & (CHECKS.check_name == last.c.check_name)
        since = CHECKS.partition.is_(None) & (CHECKS.id >= last.c.ended)
        yield db.select(AssetCheckExecutionsTable).join(last, same & since)


def _asked(wanted: Set[CheckPlace]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield stored asset keys with the names of their checks."""
    for assets in _chunks({asset for asset, _, _ in wanted}):
        among = set(assets)
        yield [_stored(asset) for asset in assets], sorted({check for asset, check, _ in wanted if asset in among})


def _among(column: db.ColumnElement[Any], partitions: Set[str]) -> db.ColumnElement[bool]:
    return column.in_(sorted(partitions)) if len(partitions) <= CHUNK else column.is_not(None)


def _add_back_to_a_word(rows: dict[CheckPlace, list[CheckRow]], found: list[CheckRow]) -> None:
    """Add executions, newest first, down to the first one that came to a word."""
    for row in sorted(found, key=lambda row: row.id, reverse=True):
        known = rows.setdefault((row.asset, row.check, row.partition), [])
        if not known or known[-1].status == "PLANNED":
            known.append(row)


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
        id=record.id,
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


@lru_cache(maxsize=10_000)
def _stored(key: str) -> str:
    return dg.AssetKey.from_user_string(key).to_string()


@lru_cache(maxsize=10_000)
def _key(stored: str) -> str:
    return "/".join(json.loads(stored))


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC)


def _chunks(values: Iterable[Key]) -> Iterator[list[Key]]:
    ordered = sorted(values)
    for start in range(0, len(ordered), CHUNK):
        yield ordered[start : start + CHUNK]
