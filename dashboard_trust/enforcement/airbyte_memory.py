"""What is remembered of Airbyte's syncs in Dagster: on a stream's newest load, and in the tags of a run."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import dagster as dg

from dashboard_trust.ingestion.airbyte_sync import Memory
from dashboard_trust.ingestion.deleted_keys import KeyComparison

if TYPE_CHECKING:
    from dagster_airbyte.resources import BaseAirbyteWorkspace

JOB = "dashboard_trust/airbyte_job"
"""On a materialization: the job that brought it."""

LAST_ROWS = "dashboard_trust/last_rows"
"""On a materialization: how many rows its table had when it last had any, or was rightly empty."""

ACCEPTED_CATALOG = "dashboard_trust/accepted_catalog"
"""On a materialization: the hash of the stream's catalog when its configuration was last found right."""

COMPARED_KEYS = "dashboard_trust/compared_keys"
"""On a materialization: what the last comparison with a full list found (`KeyComparison`)."""

LONGEST_ID = 40
LOOKED_BACK = 50
"""So many materializations are looked at for one that a sync left."""


class OpensWorkspace(Protocol):
    """What returns the workspace when it is needed: a resource, or a context in which it is there."""

    def __call__(self) -> BaseAirbyteWorkspace | AbstractContextManager[BaseAirbyteWorkspace]:
        """Return it; nothing is asked of the server yet."""


@contextmanager
def open_workspace(workspace: OpensWorkspace) -> Iterator[BaseAirbyteWorkspace]:
    """Return the workspace with its environment variables read."""
    found = workspace()
    if isinstance(found, AbstractContextManager):
        with found as opened:
            yield opened
    else:
        with found.process_config_and_initialize_cm_cached() as opened:
            yield opened


@dataclass(frozen=True, slots=True)
class Earlier:
    """What a stream's newest load says of itself; None and empty where there is none."""

    job: int | None = None
    rows: int | None = None
    catalog: str = ""
    compared: KeyComparison | None = None


def read_earlier(instance: dg.DagsterInstance, key: dg.AssetKey) -> Earlier:
    """Read the newest load that a sync left of a stream; a materialization that somebody else reported is passed over.

    Of a load that says nothing that can be read, nothing is known.
    """
    said: dict[str, Any] = next((said for said in _read_loads(instance, key) if JOB in said), {})
    return Earlier(
        _number(said.get(JOB)),
        _number(said.get(LAST_ROWS)),
        str(said.get(ACCEPTED_CATALOG) or ""),
        KeyComparison.parse(said.get(COMPARED_KEYS)),
    )


def _read_loads(instance: dg.DagsterInstance, key: dg.AssetKey) -> Iterator[dict[str, Any]]:
    """Yield the metadata of the materializations of an asset, newest first; mostly the first is all that is asked."""
    for limit in (1, LOOKED_BACK):
        for record in instance.fetch_materializations(key, limit=limit).records:
            load = record.asset_materialization
            yield {label: value.value for label, value in load.metadata.items()} if load else {}


def job_tag(connection_id: str) -> str:
    """Return the tag of a run that says which job of a connection it is about."""
    return f"{_prefix(connection_id)}.job"


def read_asked(instance: dg.DagsterInstance, run_id: str, connection_id: str) -> int | None:
    """Return the job that a run was launched to report; None where it is to sync itself."""
    tags = _tags(instance, run_id)
    if f"{_prefix(connection_id)}.run" in tags:
        return None
    return _number(tags.get(job_tag(connection_id)))


def recall(instance: dg.DagsterInstance, run_id: str, connection_id: str) -> Memory:
    """Return what a run knows of the sync it started; what it learns is kept in its tags, also when it is killed.

    A run that was made from another one has its tags, but none of its syncs.
    """
    prefix, tags = _prefix(connection_id), _tags(instance, run_id)

    def keep(memory: Memory) -> None:
        # A tag cannot be taken away: what is not known is empty.
        known = {"run": run_id, "before": memory.before, "job": memory.job}
        instance.add_run_tags(run_id, {f"{prefix}.{name}": "" if v is None else str(v) for name, v in known.items()})

    if tags.get(f"{prefix}.run") != run_id:
        return Memory(keep=keep)
    return Memory(_number(tags.get(f"{prefix}.before")), _number(tags.get(f"{prefix}.job")), keep)


def _prefix(connection_id: str) -> str:
    plain = len(connection_id) <= LONGEST_ID and re.fullmatch(r"[A-Za-z0-9_-]+", connection_id)
    return (
        f"dashboard_trust/airbyte.{connection_id if plain else hashlib.sha256(connection_id.encode()).hexdigest()[:16]}"
    )


def _tags(instance: dg.DagsterInstance, run_id: str) -> Mapping[str, str]:
    run = instance.get_run_by_id(run_id)
    return run.tags if run else {}


def _number(said: Any) -> int | None:
    text = str(said)
    return int(text) if text.isdecimal() else None
