"""A connection of a shop through a faulty server into DuckDB, and a dashboard that stands on its payments."""

from __future__ import annotations

import dataclasses
import datetime as dt

import dagster as dg
from faulty_airbyte import FaultyAirbyte

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.contracts.sources import Source
from dashboard_trust.contracts.streams import ConnectionContract, StreamContract
from dashboard_trust.enforcement.airbyte_assets import trusted_airbyte
from dashboard_trust.enforcement.airbyte_sensor import airbyte_sensor
from dashboard_trust.enforcement.gated_assets import gates, trust, trusted_dashboard
from dashboard_trust.errors import SyncFailedError
from dashboard_trust.ingestion.airbyte_api import AirbyteApi, Job
from dashboard_trust.ingestion.airbyte_landing import read_landed, remove_landed
from dashboard_trust.ingestion.airbyte_sync import Patience
from dashboard_trust.ingestion.connections import Connection
from dashboard_trust.verdicts.verdict import Verdict
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

TWO = [{"id": 1, "at": "2026-01-01T00:00:00Z"}, {"id": 2, "at": "2026-01-02T00:00:00Z"}]
SECOND = dt.timedelta(seconds=1)
META = "current_timestamp AS _airbyte_extracted_at, '{\"changes\": []}'::JSON AS _airbyte_meta"


def write(connection, table: str, rows: str, mode: str) -> None:
    """Write rows as a destination does in this mode."""
    if mode == "overwrite":
        connection.execute(f"CREATE OR REPLACE TABLE {table} AS {rows}")
        return
    connection.execute(f"CREATE TABLE IF NOT EXISTS {table} AS {rows} LIMIT 0")
    if mode == "append_dedup":
        connection.execute(f"DELETE FROM {table} WHERE id IN (SELECT id FROM ({rows}))")
    connection.execute(f"INSERT INTO {table} BY NAME {rows}")


class Shop:
    """What a destination does is done here, with Airbyte's own columns, as each stream's mode in the catalog says."""

    def __init__(self, run, instance, warehouse: DuckDBWarehouse, connection: Connection, airbyte: FaultyAirbyte):
        self._run, self.instance, self.warehouse = run, instance, warehouse
        self.connection, self.airbyte = connection, airbyte
        self.script = connection.config.get("streams", {})
        self.after_load: list[str] = []
        self.sources: tuple[Source, ...] = ()
        self.names = [stream.name for stream in connection.streams]
        streams = tuple(StreamContract(name) for name in self.names)
        self.contract = ConnectionContract(connection.id, connection.name, streams, schema="raw", owner="team:shop")
        self.patience(sync=30 * SECOND)

    def patience(self, **what: dt.timedelta) -> None:
        self._patience = Patience(**{"incomplete": SECOND, "start": 5 * SECOND, **what})
        self._define()

    def declare(self, **what) -> None:
        """Declare something of the payments."""
        payments, *others = self.contract.streams
        streams = (dataclasses.replace(payments, **what), *others)
        self.contract = dataclasses.replace(self.contract, streams=streams)
        self._define()

    def _define(self, **options) -> None:
        assets = trusted_airbyte(
            self.contract,
            self.airbyte.resource,
            lambda: self.warehouse,
            patience=self._patience,
            load=self.load,
            **options,
        )
        dash = trusted_dashboard(DashboardContract("dash", "team:dash"), lambda *_: None, deps=[f"raw/{self.names[0]}"])
        self.defs = trust(dg.Definitions([assets, dash]), sources=self.sources)
        self.sensor = airbyte_sensor(self.contract, self.airbyte.resource)

    def load(self, report, streams):
        try:
            landed = read_landed(self.connection.landing, report.job_id)
        except SyncFailedError:  # it was loaded before
            return
        with self.warehouse.connect("destination") as connection:
            connection.execute("CREATE SCHEMA IF NOT EXISTS raw")
            for name in streams:
                columns = ", ".join(f"'{column}': '{kind}'" for column, kind in landed[name].columns.items())
                reader = f"read_json('{landed[name].file}', columns = {{{columns}}}, format = 'newline_delimited')"
                extra = f"{META}, {report.job_id} AS _airbyte_generation_id"
                mode = report.streams[name].configuration.destination_sync_mode
                write(connection, f"raw.{name}", f"SELECT *, {extra} FROM {reader}", mode)
            for statement in self.after_load:
                connection.execute(statement)
        remove_landed(self.connection.landing, report.job_id)

    def sync_payments_as(self, mode: str) -> None:
        """Have Airbyte sync the payments incrementally, into this destination sync mode."""

        def change(connection):
            connection["syncCatalog"]["streams"][0]["config"] |= {
                "syncMode": "incremental", "destinationSyncMode": mode, "cursorField": ["at"]
            }  # fmt: skip
            return connection

        self.airbyte.fault("POST", "connections/get", change=change)

    def declare_source(self, **what) -> None:
        """Let Airbyte be a source, with its budget and its retries."""
        self.sources = (Source("airbyte", tuple(f"raw/{name}" for name in self.names), **what),)
        self._define()

    def sync(self, *assets: str, retries: int = 0, **options) -> dg.ExecuteInProcessResult:
        if retries:
            self._define(retry_policy=dg.RetryPolicy(max_retries=retries))
        return self._run(self.defs, *(assets or [f"raw/{name}" for name in self.names]), **options)

    def sync_unchecked(self) -> dg.ExecuteInProcessResult:
        """Sync in a job that leaves the checks out."""
        names = [f"raw/{name}" for name in self.names]
        job = dg.define_asset_job("unchecked", dg.AssetSelection.assets(*names).without_checks())
        defs = dg.Definitions.merge(self.defs, dg.Definitions(jobs=[job]))
        return defs.resolve_job_def("unchecked").execute_in_process(instance=self.instance)

    def tick(self) -> dg.RunRequest | str:
        """Evaluate the sensor once; return the run it asks for, or why it asks for none."""
        with dg.build_sensor_context(instance=self.instance, definitions=self.defs) as context:
            found = self.sensor.evaluate_tick(context)
        if found.run_requests:
            (request,) = found.run_requests
            return request
        return found.skip_message or ""

    def launch(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """Execute the run that the sensor asked for."""
        return self.defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance, asset_selection=request.asset_selection, tags=request.tags, raise_on_error=False
        )

    def sync_elsewhere(self) -> int:
        """Sync as a person does in Airbyte, and wait for its end."""
        api = AirbyteApi(self.airbyte.resource().get_client())
        job = api.start(self.connection.id)
        while job.status == "running":
            job = api.job(job.id)
        return job.id

    def jobs(self) -> list[Job]:
        return AirbyteApi(self.airbyte.resource().get_client()).jobs(self.connection.id)

    def verdict(self) -> Verdict:
        gate = gates(self.defs)[dg.AssetKey("dash")]
        return gate.judge(self.instance, [None], dt.datetime.now(dt.UTC))[None]

    def reasons(self, check: str) -> list[str]:
        """What is found by a check of the payments."""
        found = self.verdict().findings
        return [str(one.outcome) for one in found if one.asset == "raw/payments" and one.check == check]
