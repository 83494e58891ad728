"""What happened to assets since one last looked."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Set
from typing import Any

import dagster as dg
import sqlalchemy as db

from dashboard_trust.evidence.facts import Place
from dashboard_trust.readers.event_tables import EVENTS, EventTables

OF_AN_ASSET = ("ASSET_MATERIALIZATION", "ASSET_MATERIALIZATION_PLANNED", "ASSET_OBSERVATION")
CHECKED = "ASSET_CHECK_EVALUATION"
BROKEN = ("PIPELINE_FAILURE", "PIPELINE_CANCELED")
MOST = 2000


def read_changes(instance: dg.DagsterInstance, since: int | None) -> tuple[int, set[Place] | None]:
    """Return the newest event there is, and the places that had one after ``since``.

    A run that broke counts for everything it had planned. None stands for every place: there is no
    ``since``, or so much happened that looking at everything is cheaper than at what it was.
    """
    with EventTables.open(instance) as tables:
        newest = tables.connection.execute(db.select(db.func.max(EVENTS.id))).scalar() or 0
        if since is None or since > newest:
            return newest, None
        events = _events(tables, (EVENTS.id > since) & (EVENTS.id <= newest), (*OF_AN_ASSET, CHECKED, *BROKEN))
        broken = {event.run_id for event in events if event.dagster_event_type in BROKEN}
        if broken:
            events += _events(tables, EVENTS.run_id.in_(broken), (OF_AN_ASSET[1], f"{CHECKED}_PLANNED"))
    if len(events) > MOST:
        return newest, None
    return newest, {_place(event) for event in events if event.asset_key or event.body}


def read_loads_since(instance: dg.DagsterInstance, assets: Set[str], since: dt.datetime) -> dict[Place, int]:
    """Return the partitions of these assets that were materialized since a moment, each with its newest storage id."""
    keys = {dg.AssetKey.from_user_string(asset).to_string(): asset for asset in assets}
    if not keys:
        return {}
    moment = since.astimezone(dt.UTC).replace(tzinfo=None)
    query = (
        db.select(EVENTS.asset_key, EVENTS.partition, db.func.max(EVENTS.id))
        .where(EVENTS.asset_key.in_(keys), EVENTS.dagster_event_type == OF_AN_ASSET[0])
        .where(EVENTS.partition.is_not(None), EVENTS.timestamp >= moment)
        .group_by(EVENTS.asset_key, EVENTS.partition)
    )
    with EventTables.open(instance) as tables:
        rows = tables.connection.execute(query).fetchall()
    return {(keys[str(asset)], str(partition)): int(str(id_)) for asset, partition, id_ in rows}


def _place(event: db.Row[Any]) -> Place:
    """Return where an event was; a check's is told by its body alone, and its plan names no single partition."""
    if event.asset_key:
        return "/".join(json.loads(event.asset_key)), event.partition
    said = json.loads(event.body)["dagster_event"]["event_specific_data"]
    return "/".join(said["asset_key"]["path"]), said.get("partition")


def _events(tables: EventTables, which: db.ColumnElement[bool], types: tuple[str, ...]) -> list[db.Row[Any]]:
    body = db.case((EVENTS.dagster_event_type.like(f"{CHECKED}%"), EVENTS.event))
    query = db.select(EVENTS.dagster_event_type, EVENTS.asset_key, EVENTS.partition, EVENTS.run_id, body.label("body"))
    query = query.where(which).where(EVENTS.dagster_event_type.in_(types)).limit(MOST + 1)
    return list(tables.connection.execute(query))
