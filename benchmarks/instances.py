"""An instance full of history: bodies made once by Dagster itself, rows written in bulk."""

from __future__ import annotations

import datetime as dt
import io
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import sqlalchemy as db

from dashboard_trust.evidence.names import CONSUMED

SAMPLE, DAY, INPUT = "sample_asset", "1999-09-09", "sample_input"
EVENT_COLUMNS = ("id", "run_id", "event", "dagster_event_type", "timestamp", "step_key", "asset_key", "partition")
CHECK_COLUMNS = (
    "asset_key",
    "check_name",
    "partition",
    "run_id",
    "execution_status",
    "evaluation_event",
    "evaluation_event_timestamp",
    "evaluation_event_storage_id",
    "materialization_event_storage_id",
)


@dataclass(frozen=True, slots=True)
class Shape:
    """How much history: assets in layers, each with its inputs; checks per asset; days."""

    inputs: dict[str, tuple[str, ...]]
    checks: tuple[str, ...]
    days: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bodies:
    """What Dagster stored for one asset, to be told again of others."""

    run_id: str
    planned: str
    load: str
    check: str

    def tell(self, body: str, asset: str, day: str, run_id: str) -> str:
        return body.replace(self.run_id, run_id).replace(SAMPLE, asset).replace(DAY, day)


@contextmanager
def open_instance(*, postgres: bool) -> Iterator[dg.DagsterInstance]:
    """Open an empty instance on SQLite, or on a PostgreSQL server of its own."""
    with tempfile.TemporaryDirectory() as folder:
        config = "telemetry: {enabled: false}\n"
        if postgres:
            import pgserver

            server = pgserver.get_server(str(Path(folder, "postgres")))
            url = server.get_uri().replace("postgresql://", "postgresql+psycopg2://", 1)
            config += f"storage: {{postgres: {{postgres_url: {json.dumps(url)}}}}}\n"
        home = Path(folder, "home")
        home.mkdir()
        (home / "dagster.yaml").write_text(config)
        try:
            with dg.DagsterInstance.from_config(str(home)) as instance:
                yield instance
        finally:
            if postgres:
                server.cleanup()


def make_bodies() -> Bodies:
    """Run one asset with an input and a check, and return what was stored."""
    days = dg.DailyPartitionsDefinition(DAY, end_date="1999-09-20")

    @dg.asset(name=INPUT, partitions_def=days)
    def above(): ...

    @dg.asset(
        name=SAMPLE,
        deps=[INPUT],
        partitions_def=days,
        check_specs=[dg.AssetCheckSpec("sample_check", asset=SAMPLE, partitions_def=days)],
    )
    def sample():
        yield dg.MaterializeResult(metadata={"rows": 1200, CONSUMED: dg.MetadataValue.json({"sample": "consumed"})})
        yield dg.AssetCheckResult(check_name="sample_check", passed=True, description="1200 rows", metadata={"rows": 3})

    with dg.instance_for_test() as instance:
        result = dg.materialize([above, sample], partition_key=DAY, instance=instance)
        with instance.event_log_storage.index_connection() as connection:
            events = connection.execute(
                db.text("select dagster_event_type, event from event_logs where asset_key like '%sample_asset%'")
            ).fetchall()
            check = connection.execute(db.text("select evaluation_event from asset_check_executions")).scalar_one()
    stored = dict(events)
    return Bodies(result.run_id, stored["ASSET_MATERIALIZATION_PLANNED"], stored["ASSET_MATERIALIZATION"], check)


def fill(instance: dg.DagsterInstance, shape: Shape) -> None:
    """Write the history: for each day one run plans, loads and checks everything, inputs first."""
    bodies, events, checks = make_bodies(), [], []
    next_id, moment = 1, dt.datetime(2024, 1, 1)
    for n, day in enumerate(shape.days):
        ids: dict[str, int] = {}
        for step, (asset, above) in enumerate(shape.inputs.items()):
            run_id = f"{n:08d}-0000-4000-8000-{step:012d}"  # each asset is built by a run of its own
            key, told = json.dumps([asset]), (asset, day, run_id)
            at = moment + dt.timedelta(days=n, seconds=step)
            ids[asset] = next_id + 1
            load = _consumed(bodies.tell(bodies.load, *told), [(name, day, ids[name]) for name in above])
            plan = bodies.tell(bodies.planned, *told)
            events.append((next_id, run_id, plan, "ASSET_MATERIALIZATION_PLANNED", at, None, key, day))
            events.append((next_id + 1, run_id, load, "ASSET_MATERIALIZATION", at, asset, key, day))
            for check in shape.checks:
                word = bodies.tell(bodies.check, *told).replace("sample_check", check)
                checks.append((key, check, day, run_id, "SUCCEEDED", word, at, next_id + 2, next_id + 1))
            next_id += 2 + len(shape.checks)
    _write(instance, "event_logs", EVENT_COLUMNS, events)
    _write(instance, "asset_check_executions", CHECK_COLUMNS, checks)
    _write(instance, "asset_keys", ("asset_key",), [(json.dumps([asset]),) for asset in shape.inputs])


def plan_again(instance: dg.DagsterInstance, shape: Shape, day: str) -> None:
    """Let a run of its own plan each asset anew, with its checks, and go on."""
    with instance.event_log_storage.index_connection() as connection:
        next_id = connection.execute(db.text("select max(id) from event_logs")).scalar_one() + 1000
    moment, events, checks = dt.datetime(2025, 12, 1), [], []
    for n, asset in enumerate(shape.inputs):
        run_id, key = f"going-on-{n}", json.dumps([asset])
        instance.add_run(dg.DagsterRun("job", run_id=run_id, status=dg.DagsterRunStatus.STARTED))
        events.append((next_id + n, run_id, "{}", "ASSET_MATERIALIZATION_PLANNED", moment, asset, key, day))
        for check in shape.checks:
            checks.append((key, check, day, run_id, "PLANNED", '{"step_key": "step"}', moment, next_id, None))
    _write(instance, "event_logs", EVENT_COLUMNS, events)
    _write(instance, "asset_check_executions", CHECK_COLUMNS, checks)


def _consumed(body: str, inputs: list[tuple[str, str, int]]) -> str:
    """Name in a load what it was built from: by its gate's word, and by Dagster's own pointers."""
    event = json.loads(body)
    said = event["dagster_event"]["event_specific_data"]["materialization"]
    tags = {tag: value for tag, value in said["tags"].items() if INPUT not in tag}
    said["tags"] = tags | {f"dagster/input_event_pointer/{name}": str(id_) for name, _, id_ in inputs}
    for entry in said["metadata_entries"]:
        if entry["label"] == CONSUMED:
            entry["entry_data"]["data"] = {f"{name} {day}": f"event {id_}" for name, day, id_ in inputs}
    return json.dumps(event)


def _write(instance: dg.DagsterInstance, table: str, columns: tuple[str, ...], rows: list[tuple]) -> None:
    named = ", ".join(f'"{column}"' for column in columns)
    with instance.event_log_storage.index_connection() as connection:
        raw = connection.connection.driver_connection
        if isinstance(raw, sqlite3.Connection):
            texts = [tuple(str(v) if isinstance(v, dt.datetime) else v for v in row) for row in rows]
            raw.executemany(f"insert into {table} ({named}) values ({', '.join('?' * len(columns))})", texts)
            raw.commit()
            return
        with closing(raw.cursor()) as cursor:
            cursor.copy_expert(f"copy {table} ({named}) from stdin", _copied(rows))
            raw.commit()
            cursor.execute(f"analyze {table}")
            raw.commit()


def _copied(rows: list[tuple]) -> io.StringIO:
    def field(value: object) -> str:
        return "\\N" if value is None else str(value).replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t")

    return io.StringIO("".join("\t".join(map(field, row)) + "\n" for row in rows))
