"""Event bodies as Dagster stores them, parsed as JSON: nothing is deserialized into objects.

The stored form is internal to Dagster; ``tests/upstream/test_event_bodies.py`` pins it.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any, Literal

from dashboard_trust.evidence.facts import CheckResult, DayResult, FileVersion, Materialization, UnexpectedFiles
from dashboard_trust.evidence.failures import Failure
from dashboard_trust.evidence.names import (
    CHANGED_DAYS,
    CONSUMED,
    CORRECTED,
    DAYS,
    EXPIRES,
    FAILURE,
    FILES,
    FINGERPRINT,
    LEFT_OUT,
    UNEXPECTED,
    WORD,
)
from dashboard_trust.evidence.words import Word
from dashboard_trust.readers.event_tables import Row
from dashboard_trust.readers.executions import CheckPlace, CheckRow

POINTER = "dagster/input_event_pointer/"
VERSION = "dagster/data_version"
AUTHOR_GAVE_VERSION = "dagster/data_version_is_user_provided"
DATA_AT = "dagster/last_updated_timestamp"

STATUS: Mapping[str, Literal["passed", "failed", "pending", "skipped"]] = {
    "PLANNED": "pending",
    "SUCCEEDED": "passed",
    "FAILED": "failed",
    "SKIPPED": "skipped",
}


def parse_materialization(row: Row) -> Materialization:
    """Return the fact a stored materialization event states."""
    event = json.loads(row.body or "{}")
    said = event["dagster_event"]["event_specific_data"]["materialization"]
    tags = said.get("tags") or {}
    metadata = _json_metadata(said)
    given = tags.get(VERSION) if tags.get(AUTHOR_GAVE_VERSION) else None
    return Materialization(
        asset=row.asset,
        partition=row.partition,
        storage_id=row.storage_id,
        at=row.at,
        run_id=row.run_id,
        version=given or f"event {row.storage_id}",
        days=metadata.get(DAYS),
        consumed=metadata.get(CONSUMED) or {},
        pointers={
            tag.removeprefix(POINTER): int(id_)
            for tag, id_ in tags.items()
            if tag.startswith(POINTER) and id_.isdigit()  # NULL where there was nothing to point at yet
        },
        planned_id=row.planned_id,
        in_range=bool(row.in_range),
        data_at=_data_at(said),
        fingerprint=_text(said, FINGERPRINT),
        changed={day: dt.datetime.fromisoformat(at) for day, at in (metadata.get(CHANGED_DAYS) or {}).items()},
        corrected=_text(said, CORRECTED),
        files={
            path: FileVersion(file["token"], file["sha256"], file["size"])
            for path, file in (metadata.get(FILES) or {}).items()
        },
        left_out=frozenset(metadata.get(LEFT_OUT) or ()),
    )


def parse_check(place: CheckPlace, row: CheckRow) -> CheckResult:
    """Return the fact a stored check execution states; of a pass without its body, that it passed."""
    status = STATUS.get(row.status, "skipped")
    if row.body is None:
        return CheckResult(*place, status, row.at, row.run_id, row.target_id, row.storage_id)
    said = (json.loads(row.body).get("dagster_event") or {}).get("event_specific_data") or {}
    days = _json_metadata(said).get(DAYS)
    severity, until = said.get("severity") or {}, _text(said, EXPIRES)
    return CheckResult(
        *place,
        status,
        row.at,
        row.run_id,
        row.target_id,
        row.storage_id,
        warns=str(severity.get("__enum__", "")).endswith(".WARN"),
        reason=_reason(said),
        days=None if days is None else {day: DayResult(bool(word[0]), word[1]) for day, word in days.items()},
        until=dt.datetime.fromisoformat(until) if until else None,
    )


def parse_step(row: CheckRow) -> str | None:
    """Return the step in which a check was to run."""
    step_key = json.loads(row.body or "{}").get("step_key")
    return None if step_key is None else str(step_key)


def parse_word(row: Row) -> Word:
    """Return what a person said, as an observation keeps it; raise KeyError where it is not that."""
    said = observed(row)[WORD]
    until = said.get("until")
    return Word(
        kind=said["kind"],
        asset=row.asset,
        by=said["by"],
        at=row.at,
        reason=said["reason"],
        partition=said.get("partition"),
        check=said.get("check"),
        outcome=said.get("outcome", ""),
        version=said.get("version", ""),
        until=dt.datetime.fromisoformat(until) if until else None,
        consumed=said.get("consumed") or {},
    )


def parse_failure(row: Row) -> Failure:
    """Return what a step said of its failure, as an observation keeps it; raise KeyError where it is not that."""
    return Failure.parse(observed(row)[FAILURE])


def parse_unexpected(row: Row) -> UnexpectedFiles:
    """Return the files of unexpected names that an observation tells."""
    return UnexpectedFiles(row.at, observed(row)[UNEXPECTED])


def observed(row: Row) -> dict[str, Any]:
    """Return the JSON metadata of an observation, by label."""
    event = json.loads(row.body or "{}")
    return _json_metadata(event["dagster_event"]["event_specific_data"]["asset_observation"])


def _text(said: Mapping[str, Any], label: str) -> str:
    """Return a metadata entry that is text; empty where there is none."""
    found = (entry["entry_data"] for entry in _entries(said) if entry["label"] == label)
    return str((next(found, None) or {}).get("text") or "")


def _data_at(said: Mapping[str, Any]) -> dt.datetime | None:
    for entry in _entries(said):
        if entry["label"] == DATA_AT and isinstance(entry.get("entry_data"), dict):
            return dt.datetime.fromtimestamp(float(entry["entry_data"]["value"]), dt.UTC)
    return None


def _json_metadata(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metadata entries that are JSON, by label."""
    return {
        entry["label"]: entry["entry_data"]["data"]
        for entry in _entries(said)
        if isinstance(entry.get("entry_data"), dict) and "data" in entry["entry_data"]
    }


def _entries(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the metadata entries of a materialization (a list) or of a check result (a mapping)."""
    mapping = said.get("metadata") or {}
    return said.get("metadata_entries") or [{"label": label, "entry_data": value} for label, value in mapping.items()]


def _reason(said: Mapping[str, Any]) -> str:
    return " ".join(str(said.get("description") or "").split())
