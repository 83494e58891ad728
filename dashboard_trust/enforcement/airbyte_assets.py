"""The streams of an Airbyte connection as assets: synced, counted in the warehouse, and judged by both."""

# No postponed annotations here: Dagster reads the one of `context` as an object.

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg

from dashboard_trust.contracts.rules import as_check_name
from dashboard_trust.contracts.streams import ConnectionContract, StreamContract
from dashboard_trust.enforcement.airbyte_memory import (
    Earlier,
    OpensWorkspace,
    open_workspace,
    read_asked,
    read_earlier,
    recall,
)
from dashboard_trust.enforcement.airbyte_results import (
    DELETED_KEYS,
    STREAM_CONFIGURATION,
    SYNC_EVIDENCE,
    StreamLoad,
    describe_load,
    results_of,
)
from dashboard_trust.enforcement.airbyte_versions import describe_versions
from dashboard_trust.enforcement.evaluations import PartitionResult, evaluate_unmoved
from dashboard_trust.enforcement.gated_step import check_spec
from dashboard_trust.errors import AirbyteUnreachableError, InvalidInputError, SyncFailedError
from dashboard_trust.evidence.names import DAY_RECORD, OWNERS, TIME_COLUMN
from dashboard_trust.ingestion.airbyte_api import AirbyteApi
from dashboard_trust.ingestion.airbyte_report import SyncReport
from dashboard_trust.ingestion.airbyte_sync import Patience, attach, sync
from dashboard_trust.ingestion.deleted_keys import KeyComparison, compare_keys, is_due
from dashboard_trust.ingestion.stream_configuration import find_drift
from dashboard_trust.ingestion.stream_tables import count_rows, look_at_table
from dashboard_trust.ingestion.sync_evidence import StreamFacts, TableFacts, judge_stream
from dashboard_trust.warehouses.session import Session, Warehouse

TOLD = {
    SYNC_EVIDENCE: "What Airbyte says of the stream, and what the warehouse counts, is all there and fits together.",
    STREAM_CONFIGURATION: "The stream is synced as it was declared, and its table has the selected columns.",
    DELETED_KEYS: "Every key of the table is still in the full list of those at the source.",
}
Streams = Mapping[dg.AssetKey, StreamContract]
Load = Callable[[SyncReport, Sequence[str]], object]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a connection is synced: see `trusted_airbyte`."""

    connection: ConnectionContract
    workspace: OpensWorkspace
    warehouse: Callable[[], Warehouse]
    patience: Patience
    load: Load | None


def trusted_airbyte(
    connection: ConnectionContract,
    workspace: OpensWorkspace,
    warehouse: Callable[[], Warehouse],
    *,
    patience: Patience | None = None,
    load: Load | None = None,
    **asset_options: Any,
) -> dg.AssetsDefinition:
    """Build the assets of a connection's declared streams, each with its evidence as metadata and blocking checks.

    Definitions load without a server. The step syncs, or takes up the sync that an `airbyte_sensor` launched it for.

    Args:
        connection: What is declared of it.
        workspace: Returns dagster-airbyte's workspace, open source or Cloud.
        warehouse: Returns where its tables are.
        patience: How long is waited for a sync, which is then cancelled; by default six hours.
        load: Called with the report and the selected streams, where something else than Airbyte's destination
            brings the rows into the warehouse.
        asset_options: Anything else ``dg.multi_asset`` takes (``retry_policy``, ``name``), and ``group_name``.
    """
    if "partitions_def" in asset_options:
        raise InvalidInputError(
            f"Connection {connection.name!r}: a sync brings whole streams, not partitions. Leave out partitions_def."
        )
    settings = Settings(connection, workspace, warehouse, patience or Patience(), load)
    streams = {dg.AssetKey.from_user_string(connection.asset_of(stream)): stream for stream in connection.streams}
    group, kinds = asset_options.pop("group_name", None), asset_options.pop("kinds", set())
    specs = [_spec(connection, key, stream, group, {"airbyte", *kinds}) for key, stream in streams.items()]
    asset_options.setdefault("name", as_check_name(f"airbyte_{connection.name}"))

    @dg.multi_asset(
        specs=specs,
        check_specs=[check for spec in specs for check in _check_specs(connection, spec, streams[spec.key])],
        can_subset=True,
        **asset_options,
    )
    def airbyte_streams(context: dg.AssetExecutionContext) -> Iterator[Any]:
        chosen = {key: stream for key, stream in streams.items() if key in context.selected_asset_keys}
        if not chosen:
            raise InvalidInputError(f"The checks of {connection.name!r} speak of a sync: materialize the assets too.")
        yield from _sync_streams(context, settings, chosen)

    return airbyte_streams


def _sync_streams(context: dg.AssetExecutionContext, settings: Settings, chosen: Streams) -> Iterator[Any]:
    connection, earlier = settings.connection, {key: read_earlier(context.instance, key) for key in chosen}
    asked = read_asked(context.instance, context.run.run_id, connection.id)
    memory = recall(context.instance, context.run.run_id, connection.id)
    # What a sync that began earlier found there cannot be counted any more.
    before = _count_before(settings, chosen) if asked is None and memory.before is None else {}
    with _naming(connection, chosen), open_workspace(settings.workspace) as workspace:
        if asked is None:
            report = sync(workspace, connection.id, settings.patience, memory)
        else:
            report = attach(workspace, connection.id, asked, settings.patience)
        there = {key: stream for key, stream in chosen.items() if _is_selected(report, stream)}
        if settings.load is not None:
            settings.load(report, [stream.name for stream in there.values()])
        with settings.warehouse().session(f"evidence of {connection.name}") as session:
            seen = {key: _look(session, connection, stream, report, earlier[key]) for key, stream in there.items()}
            versions = _describe_versions(context, session, connection, there, report)
        # Asked after the rows were counted: what began before that may be among them.
        newest = max((job.id for job in AirbyteApi(workspace.get_client()).jobs(connection.id)), default=0)
    if newest > report.job_id:
        # Rows extracted earlier than those counted may still come: no later count goes on from this one.
        for told in versions.values():
            told.pop(DAY_RECORD, None)
    results: dict[dg.AssetCheckKey, Mapping[str | None, PartitionResult]] = {}
    for key, stream in there.items():
        (table, compared), known = seen[key], _largest(before.get(stream.name), earlier[key].rows)
        load = _judge(stream, _facts(report, stream, table, known, newest), earlier[key], compared)
        yield describe_load(key, load, versions[key])
        results |= {dg.AssetCheckKey(key, check): {None: result} for check, result in results_of(load).items()}
    # Here the loads are stored, so that the results can name them; of one that another run has replaced there are none.
    asked_for = {key: found for key, found in results.items() if key in context.selected_asset_check_keys}
    yield from evaluate_unmoved(context.op_execution_context, asked_for, {})
    _refuse_absent(connection, report, [stream.name for key, stream in chosen.items() if key not in there])


@contextmanager
def _naming(connection: ConnectionContract, chosen: Streams) -> Iterator[None]:
    """Let what goes wrong with a whole sync name its connection and the streams that lack it."""
    try:
        yield
    except (SyncFailedError, AirbyteUnreachableError) as error:
        names = ", ".join(repr(stream.name) for stream in chosen.values())
        raise type(error)(f"connection {connection.name!r}, stream {names}: not loaded. {error}") from None


def _count_before(settings: Settings, chosen: Streams) -> dict[str, int]:
    with settings.warehouse().session(f"rows before a sync of {settings.connection.name}") as session:
        return count_rows(session, settings.connection, chosen.values())


def _look(
    session: Session, connection: ConnectionContract, stream: StreamContract, report: SyncReport, earlier: Earlier
) -> tuple[TableFacts | None, KeyComparison | None]:
    """Return what the warehouse says of a stream's table, and of its keys where they are to be compared."""
    configuration, now = report.streams[stream.name].configuration, dt.datetime.now(dt.UTC)
    dedup = configuration.destination_sync_mode.endswith("_dedup")
    table = look_at_table(session, connection, stream, report.started_at, configuration.primary_key if dedup else ())
    if stream.full_list is None or not is_due(earlier.compared, stream.full_list, now):
        return table, earlier.compared
    return table, compare_keys(session, connection, stream, stream.full_list, now)


def _describe_versions(
    context: dg.AssetExecutionContext,
    session: Session,
    connection: ConnectionContract,
    there: Streams,
    report: SyncReport,
) -> dict[dg.AssetKey, dict[str, Any]]:
    """Return what each coming materialization says of its rows.

    Of a stream that no check looks at now, nothing: what was found of an earlier sync must not stand for this one.
    """
    versions: dict[dg.AssetKey, dict[str, Any]] = {key: {} for key in there}
    for key, stream in there.items():
        if {dg.AssetCheckKey(key, check) for check in _checks_of(stream)} <= context.selected_asset_check_keys:
            found = report.streams[stream.name].configuration
            versions[key] = describe_versions(context, key, session, connection=connection, stream=stream, found=found)
    return versions


def _facts(
    report: SyncReport, stream: StreamContract, table: TableFacts | None, known: int | None, newest: int
) -> StreamFacts:
    newer = newest if newest > report.job_id else None
    found = report.streams[stream.name]
    return StreamFacts(report.connection, report.job_id, report.status, found, table, known, newer)


def _judge(stream: StreamContract, facts: StreamFacts, earlier: Earlier, compared: KeyComparison | None) -> StreamLoad:
    columns = facts.table.columns if facts.table else None
    drift = find_drift(stream, facts.report.configuration, columns, earlier.catalog)
    return StreamLoad(stream, facts, judge_stream(facts, stream), drift, earlier, compared)


def _is_selected(report: SyncReport, stream: StreamContract) -> bool:
    found = report.streams.get(stream.name)
    return found is not None and found.configuration.selected


def _refuse_absent(connection: ConnectionContract, report: SyncReport, absent: Sequence[str]) -> None:
    """Fail for declared streams that Airbyte does not sync: nothing is said to be materialized of them."""
    if absent:
        names = ", ".join(map(repr, absent))
        raise SyncFailedError(
            f"connection {connection.name!r}, stream {names}: job {report.job_id} did not bring it, since it is not "
            "selected in Airbyte. Select it there, or take it out of the contract."
        )


def _largest(*numbers: int | None) -> int | None:
    return max((number for number in numbers if number is not None), default=None)


def _spec(
    connection: ConnectionContract, key: dg.AssetKey, stream: StreamContract, group: str | None, kinds: set[str]
) -> dg.AssetSpec:
    owner = stream.owner or connection.owner
    shown = ".".join(part for part in (connection.database, connection.table_of(stream).replace('"', "")) if part)
    return dg.AssetSpec(
        key,
        group_name=group,
        kinds=kinds,
        owners=[owner] if owner else None,
        description=f"Stream {stream.name!r} of the Airbyte connection {connection.name!r}.",
        metadata={
            "dagster/table_name": shown,
            "dagster-airbyte/connection_id": connection.id,
            "dagster-airbyte/connection_name": connection.name,
            **({"dagster-airbyte/stream_prefix": connection.prefix} if connection.prefix else {}),
            **({TIME_COLUMN: stream.time_column} if stream.time_column else {}),
        },
    )


def _check_specs(
    connection: ConnectionContract, spec: dg.AssetSpec, stream: StreamContract
) -> Iterator[dg.AssetCheckSpec]:
    owner = stream.owner or connection.owner
    metadata = {OWNERS: {"failed": owner, "errored": owner}} if owner else {}
    for name in _checks_of(stream):
        yield check_spec(spec, name, TOLD[name], metadata=metadata)


def _checks_of(stream: StreamContract) -> list[str]:
    return [name for name in TOLD if name != DELETED_KEYS or stream.full_list is not None]
