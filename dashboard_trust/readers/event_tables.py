"""The event log's own tables, read as columns: the adapter to Dagster's SQL storage.

Dagster has no public way to read the newest status of many checks at once. The tables are the same
on SQLite and Postgres, and internal; ``tests/upstream/test_event_tables.py`` pins what is assumed.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, SqlEventLogStorageTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage

from dashboard_trust.evidence.facts import Place
from dashboard_trust.evidence.names import GATE_CHECK
from dashboard_trust.readers.event_queries import spell_queries
from dashboard_trust.readers.executions import CheckPlace, CheckRow, Executions, choose_newest

EVENTS = SqlEventLogStorageTable.c
CHECKS = AssetCheckExecutionsTable.c
SLICE, SLICES = 500, 4
"""How the newest executions of checks are read: at least so many at once, and no more often than that."""


class Row(NamedTuple):
    """One stored event; ``body`` only where it was asked for.

    Of a materialization: when its run had planned it, and whether that run planned other partitions of it too.
    """

    storage_id: int
    asset: str
    partition: str | None
    run_id: str
    step_key: str | None
    at: dt.datetime
    body: str | None = None
    planned_id: int | None = None
    in_range: int = 0

    @property
    def place(self) -> Place:
        """Where it was."""
        return self.asset, self.partition


@dataclass(frozen=True, slots=True)
class EventTables:
    """An open connection to the tables, on which everything is read as it was at one instant.

    Evidence of two instants could speak for what neither does: a load as it was before, and the plan of
    the next one already delivered and gone.
    """

    connection: db.Connection
    queries: Mapping[str, db.TextClause]

    @classmethod
    @contextmanager
    def open(cls, instance: dg.DagsterInstance) -> Iterator[EventTables]:
        """Open the tables of an instance; raise TypeError where its event log is on neither SQLite nor Postgres."""
        storage = instance.event_log_storage
        if not isinstance(storage, SqlEventLogStorage):
            raise TypeError(f"{type(storage).__name__} keeps no SQL tables to read evidence from")
        with storage.index_connection() as connection:
            queries = spell_queries(connection.dialect.name)
            yield cls(_at_one_instant(connection), queries)

    def newest_loads(self, places: Set[Place]) -> dict[Place, Row]:
        """Return the newest materialization of each place, with its body; a wiped one is none."""
        loads = {}
        for *event, wiped in self._read("newest_loads", pairs=_stored_places(places)):
            row = _row(event)
            if wiped is None or row.at > _utc(wiped):
                loads[row.place] = row
        return loads

    def open_plans(self, places: Set[Place]) -> dict[Place, list[Row]]:
        """Return what runs planned of each place after its newest materialization, newest first."""
        plans: dict[Place, list[Row]] = {}
        for *event, wiped in self._read("open_plans", pairs=_stored_places(places)):
            row = _row(event)
            if wiped is None or row.at > _utc(wiped):
                plans.setdefault(row.place, []).append(row)
        return plans

    def loads(self, storage_ids: Set[int]) -> list[Row]:
        """Return those of these events that are materializations, with their bodies."""
        rows = self._read("loads", ids=sorted(storage_ids)) if storage_ids else ()
        return list(map(_row, rows))

    def newest_checks(self, wanted: Set[CheckPlace], bodies: Set[str]) -> Executions:
        """Return the executions of each check on each partition, from the newest by plan time back.

        ``bodies`` are the assets of which a plain pass comes with its body as well.
        """
        found, also = Executions(wanted), sorted(map(_stored, bodies))
        self._read_back(found, also)
        self._look_up(found, found.missing(), also)
        self._look_up(found, found.missing_general(), also)
        return found

    def _read_back(self, found: Executions, bodies: list[str]) -> None:
        """Read all executions from the newest on backwards, as long as that finds what is wanted.

        Mostly a dashboard is judged soon after what it stands on was built.
        """
        upto = self.connection.execute(self.queries["newest_check"]).scalar() or 0
        assets = sorted({_stored(asset) for asset, _, _ in found.wanted})
        partitions = sorted({partition for _, _, partition in found.wanted if partition is not None})
        for _ in range(SLICES):
            unheard = found.unheard()
            if not unheard or upto <= 0:
                return
            after = upto - max(unheard * 5 // 4, SLICE)
            keys = {"assets": assets, "partitions": partitions, "bodies": bodies}
            found.add(self._read_checks("checks_between", after=after, upto=upto, **keys))
            if found.unheard() > unheard * 9 // 10:
                return
            upto = after

    def _look_up(self, found: Executions, places: Set[CheckPlace], bodies: list[str]) -> None:
        """Look places up by their checks: no index begins with the partition."""
        named = {place for place in places if place[2] is not None}
        for among in (named, places - named):
            if among:
                found.replace(among, self._read_by_check(among, bodies))

    def _read_by_check(self, places: Set[CheckPlace], bodies: list[str]) -> Iterator[tuple[CheckPlace, CheckRow]]:
        pairs = sorted({(_stored(asset), check) for asset, check, _ in places})
        match sorted({partition for _, _, partition in places if partition is not None}):
            case []:
                return self._read_checks("checks_of_none", pairs=pairs, bodies=bodies)
            case [partition]:
                return self._read_checks("checks_of_one", pairs=pairs, partition=partition, bodies=bodies)
            case partitions:
                rows = self._read("check_ids_of_many", pairs=pairs, partitions=partitions)
                stored = ((id_, (_key(asset), *place), bool(named)) for id_, asset, *place, named in rows)
                return self._read_checks("checks", ids=choose_newest(stored, places), bodies=bodies)

    def _read_checks(self, query: str, **values: Any) -> Iterator[tuple[CheckPlace, CheckRow]]:
        rows = self._read(query, **values)
        for asset, check, partition, id_, status, run_id, at, target_id, storage_id, body in rows:
            row = CheckRow(id_, status, run_id or "", _utc(at), target_id, storage_id, body)
            yield (_key(asset), check, partition), row

    def checks_on_loads(
        self, found: Executions, loads: Mapping[Place, int], bodies: Set[str]
    ) -> Iterator[tuple[CheckPlace, CheckRow]]:
        """Yield what else ended of these checks on these loads (storage ids), whenever it was planned."""
        asked = [
            (_stored(asset), check, loads[asset, partition], found.newest_id((asset, check, partition)))
            for asset, check, partition in found.wanted
            if (asset, partition) in loads
        ]
        return self._read_checks("checks_on_loads", quadruples=asked, bodies=sorted(map(_stored, bodies)))

    def known_checks(self, assets: Set[str]) -> dict[str, set[str]]:
        """Return the names of the checks that were ever planned or run on each of these assets."""
        known: dict[str, set[str]] = {asset: set() for asset in assets}
        for asset, check in self._read("known_checks", assets=sorted(map(_stored, assets))) if assets else ():
            known[_key(asset)].add(check)
        return known

    def held_places(self, attempts: Set[tuple[str, str]]) -> set[tuple[str, str, str | None]]:
        """Return (run, asset, partition) of what a gate held of these assets in these runs."""
        pairs = sorted((run_id, _stored(asset)) for run_id, asset in attempts)
        rows = self._read("held", pairs=pairs, check=GATE_CHECK) if pairs else ()
        return {(run_id, _key(asset), partition) for run_id, asset, partition in rows}

    def ended_runs(self, run_ids: Set[str]) -> set[str]:
        """Return the runs whose end stands in the tables: whatever else they had to say does too."""
        return {run_id for (run_id,) in self._read("ended", runs=sorted(run_ids))} if run_ids else set()

    def observations(self, assets: Set[str], label: str) -> list[Row]:
        """Return the observations of these assets that carry this metadata, oldest first, with bodies."""
        rows = self._read("observations", assets=sorted(map(_stored, assets)), label=label)
        return list(map(_row, rows))

    def _read(self, query: str, **values: Any) -> Sequence[Any]:
        given = {name: json.dumps(value) if isinstance(value, list) else value for name, value in values.items()}
        return self.connection.execute(self.queries[query], given).fetchall()


def _at_one_instant(connection: db.Connection) -> db.Connection:
    """Let a connection that was just opened read everything as it is when it reads first."""
    if connection.dialect.name != "sqlite":
        return connection.execution_options(isolation_level="REPEATABLE READ")
    if not connection.connection.driver_connection.in_transaction:  # type: ignore[union-attr]
        connection.exec_driver_sql("BEGIN")
    return connection


def _row(event: Sequence[Any]) -> Row:
    id_, asset, partition, run_id, step_key, at, *more = event
    return Row(id_, _key(asset), partition, run_id or "", step_key, _utc(at), *more)


def _stored_places(places: Set[Place]) -> list[tuple[str, str | None]]:
    return [(_stored(asset), partition) for asset, partition in places]


@lru_cache(maxsize=10_000)
def _stored(key: str) -> str:
    return dg.AssetKey.from_user_string(key).to_string()


@lru_cache(maxsize=10_000)
def _key(stored: str) -> str:
    return "/".join(json.loads(stored))


def _utc(moment: dt.datetime | str) -> dt.datetime:
    """Return a stored moment, which SQLite keeps as a text."""
    if isinstance(moment, str):
        return dt.datetime.fromisoformat(f"{moment}+00:00")
    return moment.replace(tzinfo=dt.UTC)
