"""What the loopback Airbyte server is told: a workspace, its connections, their streams."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dashboard_trust.errors import InvalidInputError, nearest


@dataclass(frozen=True, slots=True)
class Stream:
    """A selected stream, read in full at every sync.

    ``json_schema`` is what Airbyte's API shows; what is loaded follows the connector's catalog at the time of
    the sync. ``columns`` projects; None lands every column that is delivered. ``cursor`` and ``primary_key``
    are shown in the catalog.
    """

    name: str
    json_schema: Mapping[str, Any]
    columns: tuple[str, ...] | None = None
    cursor: str = ""
    primary_key: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Connection:
    """A source program and where its streams go.

    ``command`` starts the connector, without the protocol's own arguments; ``landing`` is a folder
    for this connection alone; a stream's table is ``schema.<prefix><stream>``.
    """

    id: str
    name: str
    command: tuple[str, ...]
    config: Mapping[str, Any]
    streams: tuple[Stream, ...]
    landing: Path
    prefix: str = ""
    database: str = "warehouse"
    schema: str = "raw"

    def stream(self, name: str) -> Stream:
        """Return the stream ``name``; raise `InvalidInputError` if it is not selected."""
        for stream in self.streams:
            if stream.name == name:
                return stream
        known = nearest(name, (stream.name for stream in self.streams))
        raise InvalidInputError(f"Connection {self.name!r} has no stream {name!r}: {known}.")


@dataclass(frozen=True, slots=True)
class Workspace:
    """All that one server answers for; as JSON it has these very fields, nested."""

    id: str
    connections: tuple[Connection, ...] = field(default=())

    def to_json(self) -> str:
        """Return one line of JSON; it holds the connectors' configuration, secrets included."""
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> Workspace:
        """Read what `to_json` wrote; raise `InvalidInputError` for anything else."""
        try:
            word = json.loads(text)
            return cls(word["id"], tuple(_connection(entry) for entry in word["connections"]))
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidInputError(
                f"The Airbyte workspace cannot be read ({type(error).__name__}: {error}). "
                "Write it with `Workspace.to_json`."
            ) from None


def _connection(word: Mapping[str, Any]) -> Connection:
    streams = tuple(_stream(entry) for entry in word["streams"])
    changed = {"command": tuple(word["command"]), "streams": streams, "landing": Path(word["landing"])}
    return Connection(**{**word, **changed})


def _stream(word: Mapping[str, Any]) -> Stream:
    columns, key = word.get("columns"), tuple(word.get("primary_key", ()))
    return Stream(**{**word, "columns": None if columns is None else tuple(columns), "primary_key": key})
