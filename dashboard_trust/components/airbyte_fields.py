"""The parts of a `TrustedAirbyte` as `dg check yaml` knows them."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from dashboard_trust.components.fields import Part
from dashboard_trust.contracts.streams import ConnectionContract, FullList, StreamContract


class WorkspaceField(Part):
    """As `dagster_airbyte.AirbyteWorkspace`; without the two addresses it is Airbyte Cloud."""

    workspace_id: str
    rest_api_base_url: str | None = None
    configuration_api_base_url: str | None = None
    client_id: str | None = None
    client_secret: str | None = None
    username: str | None = None
    password: str | None = None


class FullListField(Part):
    """As `FullList`."""

    table: str
    every_hours: float = 24
    columns: list[str] | None = None
    sample_failures: int = 0

    def build(self) -> FullList:
        """Return what it declares."""
        columns = None if self.columns is None else tuple(self.columns)
        return FullList(self.table, dt.timedelta(hours=self.every_hours), columns, self.sample_failures)


class StreamField(Part):
    """As `StreamContract`."""

    name: str
    asset: str = ""
    table: str = ""
    sync_mode: Literal["full_refresh", "incremental"] | None = None
    destination_sync_mode: Literal["overwrite", "append", "append_dedup", "overwrite_dedup"] | None = None
    cursor: str | None = None
    primary_key: list[str] | None = None
    columns: list[str] | None = None
    time_column: str = ""
    fingerprint: bool = False
    deletes: Literal["hard", "soft", "unseen"] | None = None
    deleted_at: str = "_ab_cdc_deleted_at"
    full_list: FullListField | None = None
    may_be_empty: bool = False
    may_shrink: bool = False
    changed_records: int | None = 0
    catalog: str = ""
    owner: str = ""

    def build(self) -> StreamContract:
        """Return what it declares."""
        said = {name: getattr(self, name) for name in type(self).model_fields}
        listed = {key: None if said[key] is None else tuple(said[key]) for key in ("primary_key", "columns")}
        full = self.full_list.build() if self.full_list else None
        return StreamContract(**{**said, **listed, "full_list": full})


class ConnectionField(Part):
    """As `ConnectionContract`; what is left out is what Airbyte had when its state was refreshed."""

    id: str
    name: str | None = None
    schema_name: str | None = None
    prefix: str | None = None
    database: str | None = None
    owner: str = ""
    streams: list[StreamField] | None = None

    def build(self, known: Mapping[str, Any] | None) -> ConnectionContract | None:
        """Return what it declares, filled up by what is ``known``; None where that is not enough."""
        found = dict(known or {})
        said = {"name": self.name, "schema": self.schema_name, "prefix": self.prefix, "database": self.database}
        found |= {key: value for key, value in said.items() if value is not None}
        streams = tuple(stream.build() for stream in self.streams or ())
        streams = streams or tuple(StreamContract(name) for name in found.get("streams", ()))
        if not streams or not found.get("schema"):
            return None
        prefix = found.get("prefix") or ""
        places = {} if self.schema_name else found.get("places") or {}
        return ConnectionContract(
            id=self.id,
            name=found.get("name") or self.id,
            streams=tuple(_placed(stream, places.get(stream.name), prefix) for stream in streams),
            schema=found["schema"],
            prefix=prefix,
            database=found.get("database") or "",
            owner=self.owner,
        )


def _placed(stream: StreamContract, place: Sequence[str] | None, prefix: str) -> StreamContract:
    """Return a stream with its asset and table where Airbyte puts them; what it declares itself stays."""
    if place is None:
        return stream
    schema, name = place
    asset, table = f"{schema}/{prefix}{name}", f'"{schema}"."{prefix}{name}"'
    return dataclasses.replace(stream, asset=stream.asset or asset, table=stream.table or table)
