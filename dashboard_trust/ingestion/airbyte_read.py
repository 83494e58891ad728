"""One read of a connector: each stream's records landed as a file, and what was said of them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from dashboard_trust.errors import SyncFailedError, nearest
from dashboard_trust.ingestion.airbyte_protocol import Connector, Ending, Message, trace_error
from dashboard_trust.ingestion.connections import Stream

SQL_TYPES = {"integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN", "object": "JSON", "array": "JSON"}


@dataclass(frozen=True, slots=True)
class StreamRead:
    """What one stream delivered: the records heard, COMPLETE or INCOMPLETE or neither, and its columns' SQL types."""

    name: str
    emitted: int
    status: str | None
    errors: tuple[str, ...]
    columns: Mapping[str, str]
    bytes: int = 0

    @property
    def complete(self) -> bool:
        """Whether the connector said that this is all of it, and nothing against it."""
        return self.status == "COMPLETE" and not self.errors


@dataclass(frozen=True, slots=True)
class ConnectorRead:
    """What a connector delivered; ``errors`` are those that it gave no stream for."""

    streams: tuple[StreamRead, ...]
    errors: tuple[str, ...]
    ending: Ending

    @property
    def problem(self) -> str | None:
        """Why this may not be believed, naming stream and cause; None if it may."""
        bad = [stream for stream in self.streams if not stream.complete]
        code = f"(connector exit code {self.ending.exit_code})"
        if bad:
            # A stream that said something says more than one that was never reached.
            first = min(bad, key=lambda stream: not (stream.errors or stream.status))
            others = ", ".join(repr(stream.name) for stream in bad if stream is not first)
            also = f"; not complete either: {others}" if others else ""
            return f"stream {first.name!r} {self._cause(first)} {code}{also}"
        if self.ending.malformed:
            return f"the connector wrote a line that is no message: {self.ending.malformed} {code}"
        if self.errors or self.ending.exit_code:
            return f"the connector failed after every stream said COMPLETE{self._why()} {code}"
        return None

    def _cause(self, stream: StreamRead) -> str:
        said = f"said {stream.status}" if stream.status else "never said COMPLETE"
        return f"{said}: {stream.errors[0]}" if stream.errors else f"{said}{self._why()}"

    def _why(self) -> str:
        words = self.ending.last_words if self.ending.exit_code else ""
        why = self.errors[0] if self.errors else words
        return f": {why}" if why else ""


@dataclass(slots=True)
class _Reception:
    """The records of one stream on their way into its file."""

    file: IO[str]
    columns: dict[str, str]
    open_ended: bool
    emitted: int = 0
    bytes: int = 0
    status: str | None = None
    errors: list[str] = field(default_factory=list)

    def land(self, data: Mapping[str, Any]) -> None:
        if self.open_ended:
            # Delivered but not in the catalog: kept, so that a check can name it.
            for name in data.keys() - self.columns.keys():
                self.columns[name] = "VARCHAR"
            kept = dict(data)
        else:
            kept = {name: data[name] for name in self.columns if name in data}
        self.bytes += self.file.write(json.dumps(kept) + "\n")
        self.emitted += 1


def land_file(folder: Path, stream: str) -> Path:
    """Return the file that ``stream`` is landed in, one JSON object per line."""
    return folder / f"{quote(stream, safe='')}.jsonl"


def read_connector(connector: Connector, streams: Sequence[Stream], folder: Path) -> ConnectorRead:
    """Discover, then read ``streams`` in full into files in ``folder``.

    Raises:
        SyncFailedError: No catalog, or a stream that is not in it.
    """
    catalog = _catalog(connector, streams)
    with ExitStack() as files:
        receptions = {
            stream.name: _Reception(
                files.enter_context(land_file(folder, stream.name).open("w", encoding="utf-8")),
                _columns(stream, catalog[stream.name]["json_schema"]),
                open_ended=stream.columns is None,
            )
            for stream in streams
        }
        errors: list[str] = []
        ending = connector.read(
            [catalog[stream.name] for stream in streams],
            lambda message: _hear(message, receptions, errors),
        )
    reads = [
        StreamRead(name, heard.emitted, heard.status, tuple(heard.errors), heard.columns, heard.bytes)
        for name, heard in receptions.items()
    ]
    return ConnectorRead(tuple(reads), tuple(errors), ending)


def _catalog(connector: Connector, streams: Sequence[Stream]) -> Mapping[str, Mapping[str, Any]]:
    catalog = connector.discover()
    for stream in streams:
        if stream.name not in catalog:
            known = nearest(stream.name, catalog)
            raise SyncFailedError(f"stream {stream.name!r} is not in the connector's catalog; {known}")
    return catalog


def _hear(message: Message, receptions: Mapping[str, _Reception], errors: list[str]) -> None:
    kind = message["type"]
    if kind == "RECORD":
        record = message["record"]
        if record["stream"] in receptions:
            receptions[record["stream"]].land(record["data"])
        return
    stream, error = trace_error(message)
    if error:
        (receptions[stream].errors if stream and stream in receptions else errors).append(error)
    elif kind == "TRACE" and message["trace"]["type"] == "STREAM_STATUS":
        word = message["trace"]["stream_status"]
        name = word["stream_descriptor"]["name"]
        if name in receptions and word["status"] in ("COMPLETE", "INCOMPLETE"):
            receptions[name].status = word["status"]


def _columns(stream: Stream, schema: Mapping[str, Any]) -> dict[str, str]:
    types = {name: _sql_type(found) for name, found in schema.get("properties", {}).items()}
    if stream.columns is None:
        return types
    # A selected column that is not delivered any more is absent, not a column of nulls.
    return {name: types[name] for name in stream.columns if name in types}


def _sql_type(found: Any) -> str:
    named = found.get("type", ()) if isinstance(found, dict) else ()
    names = {named} if isinstance(named, str) else set(named)
    kinds = {SQL_TYPES.get(name, "VARCHAR") for name in names - {"null"}}
    # Times stay text: raw keeps what was delivered, staging types it.
    return kinds.pop() if len(kinds) == 1 else "VARCHAR"
