"""Stores that files arrive in, each a real one, and a landing: an asset and a sensor on one of them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import requests

from dashboard_trust.arrivals.arriving_files import arriving_files
from dashboard_trust.arrivals.completeness import Settled
from dashboard_trust.arrivals.declaration import FileColumn, FileSource
from dashboard_trust.arrivals.file_arrivals import file_arrival_sensor
from dashboard_trust.arrivals.patterns import PathPattern
from dashboard_trust.arrivals.stores import Store
from dashboard_trust.enforcement.io_manager import TrustedIOManager
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

AZURITE = "azurite@3.35.0"  # the newest that does with the Node of Debian and of Ubuntu, 18
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-10")
COLUMNS = (FileColumn("id", "integer", required=True), FileColumn("amount", "decimal(18, 2)"))


class Bucket:
    """A folder of a store, and what other teams do in it."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def put(self, path: str, content: str | bytes) -> None:
        """Write a file, as whoever delivers it does."""
        fs, root = self.store.open_fs()
        if fs.protocol == ("file", "local"):
            Path(root, path).parent.mkdir(parents=True, exist_ok=True)
        with fs.open(f"{root}/{path}", "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)

    def remove(self, path: str) -> None:
        """Delete a file."""
        fs, root = self.store.open_fs()
        fs.rm_file(f"{root}/{path}")


@pytest.fixture
def local_bucket(tmp_path: Path) -> Bucket:
    folder = tmp_path / "landing"
    folder.mkdir()
    return Bucket(Store(str(folder)))


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_bucket(s3_server: str) -> Bucket:
    options = {
        "key": "test",
        "secret": "test",
        "client_kwargs": {"endpoint_url": s3_server, "region_name": "us-east-1"},
    }
    name = f"b{uuid.uuid4().hex[:12]}"
    store = Store(f"s3://{name}/landing", options)
    requests.put(f"{s3_server}/{name}", timeout=30).raise_for_status()
    return Bucket(store)


@pytest.fixture(scope="session")
def azure_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Azurite, installed by npm into a folder of its own; ``DASHBOARD_TRUST_AZURITE`` names one to keep."""
    kept = os.environ.get("DASHBOARD_TRUST_AZURITE")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("azurite")
    program = folder / "node_modules" / ".bin" / "azurite-blob"
    if not program.exists():
        npm = shutil.which("npm")
        assert npm, f"npm is not on the PATH, and {AZURITE} is installed by it: apt-get install npm, or Node from 18 on"
        install = [npm, "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder), AZURITE]
        subprocess.run(install, check=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = tmp_path_factory.mktemp("blobs")
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", data, "--silent"]
    server = subprocess.Popen([*command, "--skipApiVersionCheck", "--disableTelemetry"])
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}/devstoreaccount1"
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def azure_bucket(azure_server: str) -> Bucket:
    connection = f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={AZURE_KEY};BlobEndpoint={azure_server};"  # noqa: E501
    name = f"b{uuid.uuid4().hex[:12]}"
    store = Store(f"abfs://{name}/landing", {"connection_string": connection})
    store.open_fs()[0].mkdir(name)
    return Bucket(store)


def _wait_for(port: int) -> None:
    for _ in range(600):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nothing answers on port {port}")


STORES = ["local", "s3", pytest.param("azure", marks=pytest.mark.azurite)]


@pytest.fixture(params=STORES)
def bucket(request: pytest.FixtureRequest) -> Bucket:
    """A bucket of each store: whatever is promised of one is asked of all."""
    found: Bucket = request.getfixturevalue(f"{request.param}_bucket")
    return found


class Landing:
    """Orders that arrive, a file a day unless said otherwise; ticks of their sensor, and what is in their table."""

    def __init__(self, bucket: Bucket, instance: dg.DagsterInstance, folder: Path, **options) -> None:
        self.bucket, self.instance, self.cursor = bucket, instance, None
        partitions = options.pop("partitions", DAYS)
        metadata, together = options.pop("metadata", None), options.pop("together", 1)
        defaults = {"complete": Settled(0), "columns": COLUMNS, "pattern": PathPattern("orders/{day:%Y-%m-%d}.csv")}
        self.source = FileSource(bucket.store, **{**defaults, **options})
        self.asset = arriving_files("raw/orders", self.source, partitions_def=partitions, metadata=metadata)
        self.sensor = file_arrival_sensor(self.asset, self.source, together=together)
        self.warehouse = DuckDBWarehouse(folder / "warehouse.duckdb")
        resources = {"warehouse_io": TrustedIOManager(self.warehouse)}
        self.defs = dg.Definitions([self.asset], resources=resources, sensors=[self.sensor])
        self.said = ""
        self.observed: list[dg.AssetObservation] = []

    def put(self, day: str, *rows: str, header: str = "id,amount") -> None:
        """Deliver the file of a day."""
        self.bucket.put(f"orders/{day}.csv", "\n".join([header, *rows]) + "\n")

    def tick(self) -> list[dg.RunRequest]:
        """Evaluate the sensor once, as the daemon does."""
        context = dg.SensorEvaluationContext(
            instance_ref=self.instance.get_ref(),
            last_tick_completion_time=None,
            last_run_key=None,
            cursor=self.cursor,
            repository_name=None,
            repository_def=self.defs.get_repository_def(),
            instance=self.instance,
        )
        found = self.sensor.evaluate_tick(context)
        self.cursor, self.said = found.cursor or self.cursor, found.skip_message or ""
        self.observed = list(found.asset_events)
        for request in found.dynamic_partitions_requests or ():
            self.instance.add_dynamic_partitions(request.partitions_def_name, request.partition_keys)
        return found.run_requests or []

    def launch(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """Do what a tick asked for."""
        job = self.defs.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=self.instance,
            partition_key=request.partition_key,
            tags=dict(request.tags),
            asset_selection=list(request.asset_selection),
            raise_on_error=False,
        )

    def work(self) -> list[tuple[str | None, bool | str]]:
        """Tick once and do what was asked for; return the partitions, and whether their runs succeeded, else why not."""  # noqa: E501
        return [(request.partition_key, self.told(self.launch(request))) for request in self.tick()]

    @staticmethod
    def told(result: dg.ExecuteInProcessResult) -> bool | str:
        """Return whether a run succeeded, else why not."""
        errors = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
        return result.success or " ".join((error.cause or error).message for error in errors)

    def rows(self, columns: str = "day, id, amount") -> list[tuple]:
        """What is in the table."""
        with self.warehouse.connect("test") as connection:
            return connection.execute(f"SELECT {columns} FROM raw.orders ORDER BY ALL").fetchall()


@pytest.fixture
def make_landing(instance: dg.DagsterInstance, tmp_path: Path):
    return lambda bucket, **options: Landing(bucket, instance, tmp_path, **options)


@pytest.fixture
def landing(make_landing, local_bucket: Bucket) -> Landing:
    return make_landing(local_bucket)
