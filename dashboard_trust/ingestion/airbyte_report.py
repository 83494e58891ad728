"""What Airbyte says of a sync that has ended, as facts: of the job, and of each stream of the connection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard_trust.errors import SyncFailedError
from dashboard_trust.ingestion.airbyte_api import AirbyteApi, Job, RefusedError
from dashboard_trust.ingestion.sync_evidence import StreamConfiguration, StreamCount, StreamReport

SOURCE_NAMESPACE = "${SOURCE_NAMESPACE}"
"""How a connection's format of namespaces refers to that of the source."""


@dataclass(frozen=True, slots=True)
class SyncReport:
    """A sync that succeeded, by Airbyte's own word: every stream of its connection, the selected and the others."""

    connection: str
    job_id: int
    status: str
    started_at: datetime
    streams: Mapping[str, StreamReport]
    attempts: int


def read_report(api: AirbyteApi, connection_id: str, job: Job) -> SyncReport:
    """Read what Airbyte says of a job that has ended; what it does not say is missing in the report.

    Raises:
        SyncFailedError: The job did not succeed. The message names connection, streams and causes.
        AirbyteUnreachableError: Airbyte cannot be asked.
    """
    connection = _ask(lambda: api.connection(connection_id)) or {}
    evidence = _ask(lambda: api.attempts(job.id)) or {}
    statuses = _ask(lambda: api.statuses(connection_id, job.id)) or ()
    name, attempts = (
        str(connection.get("name") or connection_id),
        [_attempt(one) for one in evidence.get("attempts", ())],
    )
    if job.status != "succeeded":
        raise SyncFailedError(
            f"Sync of connection {name!r} failed: job {job.id} ended {job.status}{_why(attempts, statuses)}. "
            "Nothing of it is believed: correct the cause, and sync again."
        )
    try:
        streams = _streams(connection, attempts, statuses)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SyncFailedError(
            f"Sync of connection {name!r}: job {job.id} succeeded, but what Airbyte says of it cannot be read "
            f"({type(error).__name__}: {error})."
        ) from error
    return SyncReport(name, job.id, job.status, job.started_at, streams, len(attempts))


def read_configurations(connection: Mapping[str, Any]) -> dict[str, StreamConfiguration]:
    """Return each stream of a connection as its catalog has it; of several of one name, by ``namespace.name``."""
    return {name: _configuration(entry) for name, entry in _entries(connection).items()}


def read_places(connection: Mapping[str, Any], schema: str | None) -> dict[str, tuple[str, str]]:
    """Return the schema and the name, without the prefix, of each table that is not ``schema.<stream>``.

    Such are those of a connection that takes the schema from the source's namespace.
    """
    kind, form = connection.get("namespaceDefinition"), str(connection.get("namespaceFormat") or "")
    forms = {"source": SOURCE_NAMESPACE, "customformat": form}
    found = {}
    for name, entry in _entries(connection).items():
        namespace = str(entry["stream"].get("namespace") or "")
        place = forms.get(str(kind), "").replace(SOURCE_NAMESPACE, namespace) or schema
        if place and (place, name) != (schema, entry["stream"]["name"]):
            found[name] = (place, str(entry["stream"]["name"]))
    return found


def _entries(connection: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    entries = (connection.get("syncCatalog") or {}).get("streams", ())
    names = Counter(entry["stream"]["name"] for entry in entries)
    found = {}
    for entry in entries:
        name, namespace = entry["stream"]["name"], entry["stream"].get("namespace")
        found[f"{namespace}.{name}" if names[name] > 1 else name] = entry
    return found


def _ask(question: Callable[[], Any]) -> Any:
    """Return the answer; None where this Airbyte has none."""
    try:
        return question()
    except RefusedError:
        return None


def _streams(
    connection: Mapping[str, Any], attempts: Sequence[Mapping[str, Any]], statuses: Sequence[Mapping[str, Any]]
) -> dict[str, StreamReport]:
    prefix, found, configurations = connection.get("prefix") or "", {}, read_configurations(connection)
    for name, configuration in configurations.items():
        # Where another stream is called what this one is with the prefix, only its own name is its own.
        names = (name,) if prefix + name in configurations else (name, prefix + name)
        counts = tuple(_count(attempt, names) for attempt in attempts)
        status, cause = _status([entry for entry in statuses if _is_of(entry, names)])
        found[name] = StreamReport(name, configuration, counts, status, cause)
    return found


def _is_of(entry: Mapping[str, Any], names: Sequence[str]) -> bool:
    """Whether what is said is about a stream: it is named with the prefix, or without; of several, with namespace."""
    return entry["streamName"] in names or f"{entry.get('streamNamespace')}.{entry['streamName']}" in names


def _attempt(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    attempt: Mapping[str, Any] = entry.get("attempt", entry)
    return attempt


def _count(attempt: Mapping[str, Any], names: Sequence[str]) -> StreamCount | None:
    if attempt.get("streamStats") is None:
        return None
    # Airbyte has no statistics of a stream without records.
    stats = next((one.get("stats") or {} for one in attempt["streamStats"] if _is_of(one, names)), {})
    keys = ("recordsEmitted", "recordsCommitted", "bytesCommitted", "recordsRejected")
    return StreamCount(*(int(stats.get(key) or 0) for key in keys))


def _status(said: Sequence[Mapping[str, Any]]) -> tuple[str | None, str]:
    """Return the last status of a stream, and why it is incomplete; None where nothing was said."""
    last = max(said, key=_moment, default=None)
    return (None, "") if last is None else (str(last.get("runState")), str(last.get("incompleteRunCause") or ""))


def _moment(entry: Mapping[str, Any]) -> tuple[int, int]:
    return int(entry.get("attemptNumber") or 0), int(entry.get("transitionedAt") or 0)


def _why(attempts: Sequence[Mapping[str, Any]], statuses: Sequence[Mapping[str, Any]]) -> str:
    failures = (attempts[-1].get("failureSummary") or {}).get("failures", ()) if attempts else ()
    words = [one.get("externalMessage") or one.get("internalMessage") for one in failures]
    told = [word.rstrip(".") for word in words if word]
    for name in sorted({entry["streamName"] for entry in statuses}):
        status, _ = _status([entry for entry in statuses if entry["streamName"] == name])
        told += [f"stream {name!r} is {status}"] if status != "COMPLETE" else []
    return ": " + "; ".join(told) if told else ""


def _configuration(entry: Mapping[str, Any]) -> StreamConfiguration:
    config, stream = entry.get("config") or {}, entry["stream"]
    schema = (stream.get("jsonSchema") or {}).get("properties") or {}
    fields = {name: _type(found) for name, found in schema.items()}
    if config.get("fieldSelectionEnabled"):
        chosen = {path["fieldPath"][0] for path in config.get("selectedFields") or () if path.get("fieldPath")}
        fields = {name: kind for name, kind in fields.items() if name in chosen}
    return StreamConfiguration(
        selected=bool(config.get("selected")),
        sync_mode=str(config.get("syncMode") or ""),
        destination_sync_mode=str(config.get("destinationSyncMode") or ""),
        cursor=".".join(config.get("cursorField") or stream.get("defaultCursorField") or ()),
        primary_key=tuple(
            ".".join(path) for path in config.get("primaryKey") or stream.get("sourceDefinedPrimaryKey") or ()
        ),
        fields=fields,
    )


def _type(found: Any) -> str:
    if not isinstance(found, Mapping):
        return ""
    kinds = found.get("type", "")
    names = [kinds] if isinstance(kinds, str) else sorted(kind for kind in kinds if kind != "null")
    return "/".join([*names, *(str(found[key]) for key in ("format", "airbyte_type") if key in found)])
