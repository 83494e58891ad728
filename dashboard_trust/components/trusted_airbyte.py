"""Airbyte connections declared in a ``defs.yaml``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster.components import DefsStateConfig, DefsStateConfigArgs, ResolvedDefsStateConfig

from dashboard_trust.components.airbyte_fields import ConnectionField, WorkspaceField
from dashboard_trust.components.scaffold import TrustedAirbyteScaffolder

if TYPE_CHECKING:
    from dagster_airbyte.resources import BaseAirbyteWorkspace

    from dashboard_trust.warehouses.session import Warehouse


def keep_on_disk() -> DefsStateConfigArgs:
    """Return where the state is kept by default: a file, refreshed when a person asks for it, so that no load waits."""
    kept = DefsStateConfigArgs.local_filesystem()
    return kept.model_copy(update={"refresh_if_dev": False})


@dg.scaffold_with(TrustedAirbyteScaffolder)
class TrustedAirbyte(dg.StateBackedComponent, dg.Model, dg.Resolvable):
    """Streams of Airbyte connections as assets that are believed by their evidence: see `trusted_airbyte`.

    What is not declared of a connection (its schema, its selected streams) is read from Airbyte by
    ``dg utils refresh-defs-state`` and kept; loading asks no server. A connection of which too little is known has no
    assets yet, so that whatever stands on them holds.
    """

    workspace: WorkspaceField
    warehouse: str
    connections: list[ConnectionField]
    timeout_minutes: float = 360
    sensor: bool = True
    defs_state: ResolvedDefsStateConfig = keep_on_disk()

    @property
    def defs_state_config(self) -> DefsStateConfig:
        """Where what Airbyte said of the connections is kept."""
        ids = ",".join(sorted(connection.id for connection in self.connections))
        key = f"{type(self).__name__}[{self.workspace.workspace_id}:{ids}]"
        return DefsStateConfig.from_args(self.defs_state, default_key=key)

    def write_state_to_path(self, state_path: Path) -> None:
        """Ask Airbyte for the connections, and keep what it says."""
        from dashboard_trust.enforcement.airbyte_memory import open_workspace

        with open_workspace(self.open_workspace) as workspace:
            found = {connection.id: read_connection(workspace, connection.id) for connection in self.connections}
        state_path.write_text(json.dumps(found), "utf-8")

    def build_defs_from_state(self, context: dg.ComponentLoadContext, state_path: Path | None) -> dg.Definitions:
        """Return the assets, and a sensor for each connection."""
        known = json.loads(state_path.read_text("utf-8")) if state_path is not None and state_path.exists() else {}
        return self.build(known)

    def build(self, known: Mapping[str, Any]) -> dg.Definitions:
        """Return the definitions, with what is ``known`` of each connection by its id."""
        import datetime as dt

        from dashboard_trust.enforcement.airbyte_assets import trusted_airbyte
        from dashboard_trust.enforcement.airbyte_sensor import airbyte_sensor
        from dashboard_trust.ingestion.airbyte_sync import Patience

        built = [connection.build(known.get(connection.id)) for connection in self.connections]
        contracts = [contract for contract in built if contract is not None]
        patience = Patience(sync=dt.timedelta(minutes=self.timeout_minutes))
        return dg.Definitions(
            assets=[
                trusted_airbyte(one, self.open_workspace, self.open_warehouse, patience=patience) for one in contracts
            ],
            sensors=[airbyte_sensor(one, self.open_workspace) for one in contracts] if self.sensor else [],
        )

    def open_workspace(self) -> BaseAirbyteWorkspace:
        """Return dagster-airbyte's resource; nothing is asked of the server yet."""
        from dagster_airbyte import AirbyteCloudWorkspace, AirbyteWorkspace

        said = {name: value for name, value in self.workspace.model_dump().items() if value is not None}
        return AirbyteWorkspace(**said) if "rest_api_base_url" in said else AirbyteCloudWorkspace(**said)

    def open_warehouse(self) -> Warehouse:
        """Return where the tables are."""
        from dashboard_trust.warehouses.addresses import open_warehouse

        return open_warehouse(self.warehouse)


def read_connection(workspace: BaseAirbyteWorkspace, connection_id: str) -> dict[str, Any]:
    """Return what Airbyte says of a connection: name, prefix, database, schema, selected streams and odd tables."""
    from dashboard_trust.ingestion.airbyte_api import AirbyteApi
    from dashboard_trust.ingestion.airbyte_report import read_configurations, read_places

    client = workspace.get_client()
    connection = AirbyteApi(client).connection(connection_id)
    destination = client.get_destination_details(connection["destinationId"]).get("configuration") or {}
    streams = [name for name, found in read_configurations(connection).items() if found.selected]
    return {
        "name": connection.get("name"),
        "prefix": connection.get("prefix"),
        "database": destination.get("database"),
        "schema": destination.get("schema"),
        "streams": streams,
        "places": read_places(connection, destination.get("schema")),
    }
