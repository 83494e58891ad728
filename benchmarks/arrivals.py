"""Files that arrive: a tick over 100,000 of them with 10 new ones, and loading a stream of a million records.

``python benchmarks/arrivals.py tick [--files N] [--store local|s3]``
``python benchmarks/arrivals.py load [--records N] [--repeats 5]``

The bare listing is what fsspec's ``find(detail=True)`` takes in the same process and store; of local files also
``os.scandir`` with a ``stat`` of each. The memory of a tick is the most that it held beyond what was there before, next
to that of the listing. The stream is lines as a connector writes them (``{"type": "RECORD", "record": {"data": …}}``),
read by our loader as five declared columns, and by DuckDB's own ``read_json`` of the same lines, which guesses. Ours
also hashes the file, and compares every value with its type.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg

from dashboard_trust.arrivals.completeness import Settled
from dashboard_trust.arrivals.declaration import FileColumn, FileSource, JsonLines
from dashboard_trust.arrivals.loading import load_files
from dashboard_trust.arrivals.look import look_for_arrivals
from dashboard_trust.arrivals.memory import Memory, add_to, new_sums, part_of
from dashboard_trust.arrivals.partitions import Partitioning
from dashboard_trust.arrivals.patterns import PathPattern
from dashboard_trust.arrivals.stores import Store
from dashboard_trust.evidence.names import FILES

ASSET = dg.AssetKey(["raw", "orders"])
CUSTOMERS, START = 100, dt.date(2020, 1, 1)
PARTITIONS = dg.MultiPartitionsDefinition(
    {
        "customer": dg.StaticPartitionsDefinition([f"c{n}" for n in range(CUSTOMERS)]),
        "day": dg.DailyPartitionsDefinition(START.isoformat()),
    }
)
PATTERN = PathPattern("{customer}/{day:%Y-%m-%d}.csv")


def path_of(n: int) -> str:
    """Return the path of the n-th file."""
    return f"c{n % CUSTOMERS}/{START + dt.timedelta(n // CUSTOMERS)}.csv"


def put(store: Store, n: int, content: str = "id\n1\n") -> None:
    """Write the n-th file."""
    fs, root = store.open_fs()
    path = f"{root}/{path_of(n)}"
    if root.startswith("/"):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    fs.pipe_file(path, content.encode())


def measure(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return the seconds that a piece of work takes, and in a second go the MiB it holds at most."""
    start = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - start
    tracemalloc.start()
    work()
    held = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    return seconds, held, found


def scan(folder: str) -> int:
    """List a local folder as fast as Python can."""
    found, folders = 0, [folder]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    folders.append(entry.path)
                else:
                    entry.stat()
                    found += 1
    return found


def tick(store: Store, files: int, repeats: int) -> None:
    """Time a tick over files that were loaded, but for ten."""
    source = FileSource(store, PATTERN, [FileColumn("id", "integer")], complete=Settled(0))
    told = Partitioning.tell(PATTERN, PARTITIONS)
    for n in range(files):
        put(store, n)
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.local_temp(folder) as instance:
        memory = learned(store, source, told, instance, range(files, files + 10))
        for n in range(files, files + 10):
            put(store, n)
        fs, root = store.open_fs()

        def bare() -> int:
            fs.invalidate_cache()
            return len(fs.find(root, detail=True))

        def look_once() -> Any:
            return look_for_arrivals(source, told, ASSET, instance, memory, dt.datetime.now(dt.UTC))

        rounds = [(measure(bare), measure(look_once)) for _ in range(repeats)]
        assert all(len(found.due) == 10 for _, (_, _, found) in rounds)
        listing, ours = (statistics.median(one[n][0] for one in rounds) for n in (0, 1))
        held = [statistics.median(one[n][1] for one in rounds) for n in (0, 1)]
        print(f"{files} files, 10 new; cursor {len(memory.dump())} bytes")
        print(f"bare listing {listing:.2f} s, {held[0]:.0f} MiB; a tick {ours:.2f} s, {held[1]:.0f} MiB")
        print(f"ratio {ours / listing:.2f}, memory {held[1] / held[0]:.2f}")
        if root.startswith("/"):
            plain = statistics.median(measure(lambda: scan(root))[0] for _ in range(repeats))
            print(f"scandir and stat {plain:.2f} s: ratio {ours / plain:.2f}")


def learned(store: Store, source: FileSource, told: Partitioning, instance: dg.DagsterInstance, new: range) -> Memory:
    """Return the memory of a sensor that has dealt with every file.

    The event log says so of those that lie in the same parts as the new ones: no tick looks at others.
    """
    group = told.grouping()
    sums, near = new_sums(), {part_of(group(PATTERN.read(path_of(n)) or {})) for n in new}
    for entry in store.files():
        fields = PATTERN.read(entry.path) or {}
        part = part_of(group(fields))
        add_to(sums, part, entry.path, entry.token)
        if part in near:
            key = str(dg.MultiPartitionKey({"customer": fields["customer"], "day": fields["day"]}))
            version = {"token": entry.token, "sha256": "", "size": entry.size, "rows": 1, "refused": 0}
            metadata = {FILES: dg.MetadataValue.json({entry.path: version})}
            instance.report_runless_asset_event(dg.AssetMaterialization(ASSET, partition=key, metadata=metadata))
    return Memory(since=dt.datetime.now(dt.UTC), sums=sums)


def write_stream(path: Path, records: int) -> None:
    """Write what a connector says of payments."""
    with path.open("w") as out:
        for n in range(records):
            data = {
                "payment_id": f"P{n:09d}",
                "customer_id": n % 5000,
                "amount": f"{n % 10_000}.{n % 100:02d}",
                "paid_at": f"2026-01-{n % 28 + 1:02d}T{n % 24:02d}:{n % 60:02d}:00Z",
                "status": ("paid", "failed", "refunded")[n % 3],
            }
            record = {"stream": "payments", "emitted_at": 1767225600000 + n, "data": data}
            out.write(json.dumps({"type": "RECORD", "record": record}) + "\n")


def load(records: int, repeats: int) -> None:
    """Time our loader and DuckDB's own reading on the same lines."""
    import duckdb

    kinds = {
        "payment_id": "text",
        "customer_id": "integer",
        "amount": "decimal(18, 2)",
        "paid_at": "timestamp",
        "status": "text",
    }
    columns = [FileColumn(name, kind, source=f"record.data.{name}") for name, kind in kinds.items()]
    with tempfile.TemporaryDirectory() as folder:
        write_stream(Path(folder) / "2026-01-01.jsonl", records)
        pattern = PathPattern("{day:%Y-%m-%d}.jsonl")
        source = FileSource(folder, pattern, columns, format=JsonLines(), complete=Settled(0))
        told = Partitioning.tell(pattern, dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-05"))

        def ours() -> int:
            return len(load_files(source.open_store(), source, told, "2026-01-01", {}).data)

        def theirs() -> int:
            with duckdb.connect() as connection:
                lines = f"read_json('{folder}/2026-01-01.jsonl', format='newline_delimited')"
                return len(connection.sql(f"FROM {lines}").to_arrow_table())

        took: dict[str, list[float]] = {"ours": [], "theirs": []}
        for n in range(repeats):
            for name, work in (("ours", ours), ("theirs", theirs)) if n % 2 else (("theirs", theirs), ("ours", ours)):
                start = time.perf_counter()
                assert work() == records
                took[name].append(time.perf_counter() - start)
        own, other = (statistics.median(took[name]) for name in ("ours", "theirs"))
        size = (Path(folder) / "2026-01-01.jsonl").stat().st_size / 2**20
        print(f"{records} records, {size:.0f} MiB: read_json {other:.2f} s, ours {own:.2f} s, ratio {own / other:.2f}")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["tick", "load"])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--store", choices=["local", "s3"], default="local")
    asked = parser.parse_args()
    if asked.what == "load":
        load(asked.records, asked.repeats)
    elif asked.store == "local":
        with tempfile.TemporaryDirectory() as folder:
            tick(Store(folder), asked.files, asked.repeats)
    else:
        from moto.server import ThreadedMotoServer

        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        options = {"key": "x", "secret": "x", "client_kwargs": {"endpoint_url": f"http://{host}:{port}"}}
        store = Store("s3://bench/landing", options)
        import requests

        requests.put(f"http://{host}:{port}/bench", timeout=30).raise_for_status()
        tick(store, asked.files, asked.repeats)
        server.stop()


if __name__ == "__main__":
    main()
