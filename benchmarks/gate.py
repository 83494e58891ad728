"""The gate's reading and judging, beside the same reads through Dagster's own API, in one run.

``python benchmarks/gate.py [--postgres]``
"""

from __future__ import annotations

import argparse
import datetime as dt
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from instances import Shape, fill, open_instance, plan_again

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.gated_assets import gates, trust, trusted_dashboard
from dashboard_trust.evidence.facts import Evidence
from dashboard_trust.readers.event_log import read_evidence
from dashboard_trust.verdicts.judge import judge

ASSETS, CHECKS, DAYS, TICK = 200, 5, 400, 50
REPEATS, SLOW_REPEATS = 15, 3
FIRST = dt.date(2024, 1, 1)
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def make_shape() -> Shape:
    """Half raw, three tenths staging on two raw each, two tenths marts on three staging each."""
    raw = [f"raw_{n}" for n in range(ASSETS // 2)]
    staging = [f"staging_{n}" for n in range(ASSETS * 3 // 10)]
    inputs: dict[str, tuple[str, ...]] = dict.fromkeys(raw, ())
    inputs |= {name: (raw[n], raw[n + 40]) for n, name in enumerate(staging)}
    inputs |= {f"mart_{n}": tuple(staging[n : n + 3]) for n in range(ASSETS - len(inputs))}
    days = tuple((FIRST + dt.timedelta(days=n)).isoformat() for n in range(DAYS))
    return Shape(inputs, tuple(f"check_{n}" for n in range(CHECKS)), days)


def make_definitions(shape: Shape) -> dg.Definitions:
    partitions = dg.DailyPartitionsDefinition(shape.days[0], end_date=str(FIRST + dt.timedelta(days=DAYS)))

    def asset(name: str, above: tuple[str, ...]) -> dg.AssetsDefinition:
        specs = [dg.AssetCheckSpec(check, asset=name, partitions_def=partitions) for check in shape.checks]

        @dg.asset(name=name, deps=list(above), partitions_def=partitions, check_specs=specs)
        def one(): ...

        return one

    contract = DashboardContract("dash", "team:dash")
    dash = trusted_dashboard(contract, lambda *_: None, deps=list(shape.inputs), partitions_def=partitions)
    return trust(dg.Definitions([*(asset(*item) for item in shape.inputs.items()), dash]))


@contextmanager
def counted() -> Iterator[list[str]]:
    statements: list[str] = []

    def count(connection: object, cursor: object, statement: str, *_: object) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            statements.append(statement)

    db.event.listen(db.engine.Engine, "before_cursor_execute", count)
    try:
        yield statements
    finally:
        db.event.remove(db.engine.Engine, "before_cursor_execute", count)


def measure(act: Callable[[], object], repeats: int = REPEATS) -> tuple[float, int]:
    """Return the best time in milliseconds, and the number of queries, after one run to warm up."""
    with counted() as statements:
        act()
    took = []
    for _ in range(repeats):
        start = time.perf_counter()
        act()
        took.append((time.perf_counter() - start) * 1000)
    return min(took), len(statements)


def read_through_dagster(instance: dg.DagsterInstance, shape: Shape, day: str) -> None:
    """Newest materialization of one partition of each asset, and the newest word of each check on it."""
    assets = [dg.AssetKey(name) for name in shape.inputs]
    instance.get_asset_records(assets)
    for asset in assets:
        records = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=asset, asset_partitions=[day]), limit=1
        ).records
        assert records
    from dagster._core.event_api import PartitionKeyFilter  # internal, as the read is

    keys = [dg.AssetCheckKey(asset, check) for asset in assets for check in shape.checks]
    storage = instance.event_log_storage
    words = storage.get_latest_asset_check_execution_by_key(keys, partition_filter=PartitionKeyFilter(key=day))
    assert {word.status for word in words.values()} == {AssetCheckExecutionRecordStatus.SUCCEEDED}


def report(name: str, took: float, queries: int, unit: float) -> None:
    print(f"{name:<52}{took:>9.1f} ms {took / unit:>7.2f} x {queries:>6} queries")


def run(instance: dg.DagsterInstance) -> None:
    shape = make_shape()
    start = time.perf_counter()
    fill(instance, shape)
    print(
        f"{ASSETS} assets, {ASSETS * CHECKS} checks, {DAYS} partitions, written in {time.perf_counter() - start:.0f} s"
    )
    gate = gates(make_definitions(shape))[dg.AssetKey("dash")]
    assert gate.binding is not None
    day, tick = shape.days[-1], shape.days[-TICK:]
    promises = {size: [gate.binding.promise(d, instance) for d in tick[-size:]] for size in (1, TICK)}
    evidence = {size: read_evidence(instance, asked, NOW) for size, asked in promises.items()}
    assert not any(judge(promise, evidence[TICK]).findings for promise in promises[TICK])
    assert all(promise.requirements for promise in promises[TICK])

    def read(size: int) -> Evidence:
        return read_evidence(instance, promises[size], NOW)

    old = gate.binding.promise(shape.days[5], instance)
    gated = measure(lambda: judge(promises[1][0], read(1)))
    unit = gated[0]
    report("one partition: evidence and verdict", *gated, unit)
    report("  of that, the evidence", *measure(lambda: read(1)), unit)
    report("  of that, the verdict", *measure(lambda: judge(promises[1][0], evidence[1])), unit)
    report("  the promise", *measure(lambda: gate.binding.promise(day, instance)), unit)
    report("  the gate: promise, evidence, verdict", *measure(lambda: gate.judge(instance, [day], NOW)), unit)
    report("an old partition: evidence", *measure(lambda: read_evidence(instance, [old], NOW)), unit)
    report(f"{TICK} partitions at once: evidence", *measure(lambda: read(TICK), SLOW_REPEATS), unit)
    gate_of_all = measure(lambda: gate.judge(instance, tick, NOW), SLOW_REPEATS)
    report(f"{TICK} partitions at once: the gate", *gate_of_all, unit)
    by_api = measure(lambda: read_through_dagster(instance, shape, day), SLOW_REPEATS)
    report("one partition, read through Dagster's API", *by_api, unit)
    plan_again(instance, shape, day)
    report("one partition, all planned anew: evidence", *measure(lambda: read(1)), unit)


def main() -> None:
    logging.disable()
    warnings.simplefilter("ignore")  # what is in preview is said hundreds of times
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", action="store_true", help="on a PostgreSQL server of its own")
    with open_instance(postgres=parser.parse_args().postgres) as instance:
        run(instance)


if __name__ == "__main__":
    main()
