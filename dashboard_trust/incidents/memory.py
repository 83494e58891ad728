"""What was told, kept in the Dagster instance so that it outlives every process.

The key-value store of an instance is internal; ``tests/upstream/test_told_memory.py`` pins it. Two
processes that tell at the same instant may both send: there is no lock across machines.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Sequence

import dagster as dg

from dashboard_trust.incidents.notices import Told

KEY = "dashboard_trust/told"
MOST = 500  # the newest; more than ever are open at once
logger = logging.getLogger(__name__)


def read_told(instance: dg.DagsterInstance) -> list[Told]:
    """Return what was told; what cannot be read counts as never told: rather twice than not at all."""
    stored = instance.daemon_cursor_storage.get_cursor_values({KEY}).get(KEY)
    if not stored:
        return []
    try:
        return [_decode(entry) for entry in json.loads(stored)]
    except (ValueError, TypeError, KeyError) as error:
        logger.warning("What was told before cannot be read (%s); it may be told again.", error)
        return []


def write_told(instance: dg.DagsterInstance, told: Sequence[Told]) -> None:
    """Store what was told, the newest of it where it is too much."""
    newest = sorted(told, key=lambda one: one.seen, reverse=True)[:MOST]
    instance.daemon_cursor_storage.set_cursor_values({KEY: json.dumps([_encode(one) for one in newest])})


def _encode(told: Told) -> dict[str, object]:
    return {
        "dashboard": told.dashboard,
        "partition": told.partition,
        "owner": told.owner,
        "causes": sorted(told.causes),
        "late": told.late,
        "seen": told.seen.isoformat(),
    }


def _decode(entry: dict[str, object]) -> Told:
    seen = dt.datetime.fromisoformat(str(entry["seen"]))
    causes, partition = entry["causes"], entry["partition"]
    if seen.tzinfo is None or not isinstance(causes, list):
        raise ValueError(f"{entry!r} is not what was written")
    return Told(
        dashboard=str(entry["dashboard"]),
        partition=None if partition is None else str(partition),
        owner=str(entry["owner"]),
        causes=frozenset(map(str, causes)),
        late=entry["late"] is True,
        seen=seen,
    )
