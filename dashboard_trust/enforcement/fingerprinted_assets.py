"""A fingerprint of what a step built, taken in the step itself: for tables that others write (dbt, SQL, a tool)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import dagster as dg

from dashboard_trust.contracts.table_names import SAY_WHICH, name_table
from dashboard_trust.enforcement.airbyte_results import SYNC_EVIDENCE
from dashboard_trust.enforcement.gated_step import add_checks, body_of, keys_of
from dashboard_trust.enforcement.slices import partition_slice
from dashboard_trust.enforcement.time_columns import TimeColumns, describe_days, read_time_columns
from dashboard_trust.errors import InvalidInputError
from dashboard_trust.evidence.names import CHANGED_AT, FINGERPRINT
from dashboard_trust.warehouses.fingerprints import Fingerprint
from dashboard_trust.warehouses.parts import WHOLE, Parts, fingerprint_parts
from dashboard_trust.warehouses.session import Warehouse

FINGERPRINT_WHEN = "dashboard_trust/fingerprint_when"
"""On an asset's definition: ``changed`` takes the fingerprint of the load before where the engine says that the table
has not changed since (Snowflake does, by its metadata); else the rows are read at every build."""


def fingerprinted(
    assets: dg.AssetsDefinition,
    warehouse: Callable[[], Warehouse],
    tables: Mapping[str, str] | None = None,
) -> dg.AssetsDefinition:
    """Record with each materialization what its table holds, so that it can be published as it was checked.

    The fingerprint is taken when the step's body yields the materialization: what is built and checked in one step
    is fingerprinted between the two. An asset without partitions that declares a ``time_column`` gets a version for
    each of its days too.

    Args:
        assets: One with a step of its own; where it is partitioned, its assets name their ``partition_expr``.
        warehouse: Returns where the tables are.
        tables: Those to fingerprint, table (``schema.name``) by asset key with slashes; by default every asset,
            its own table (`name_table`).
    """
    body, specs = body_of(assets), {spec.key: spec for spec in assets.specs}
    if tables is None:
        wanted = {key: name_table(key.path, spec.metadata) for key, spec in specs.items()}
    else:
        wanted = {dg.AssetKey.from_user_string(asset): table for asset, table in tables.items()}
    for key in wanted.keys() - specs.keys():
        raise InvalidInputError(
            f"{key.to_user_string()} is not made by this step, so it cannot be fingerprinted in it."
        )

    for key in wanted:
        if dg.AssetCheckKey(key, SYNC_EVIDENCE) in assets.check_keys:
            # A second count would speak for syncs that no check looked at too.
            raise InvalidInputError(
                f"{key.to_user_string()} is a stream of `trusted_airbyte`, which takes its fingerprint itself: declare "
                "fingerprint=True or a time_column in its StreamContract."
            )
    times = {key: read_time_columns(specs[key]) for key in wanted}

    def compute(own_context: Any, inputs: Mapping[str, Any]) -> Iterator[Any]:
        context = dg.AssetExecutionContext.get()
        for event in body(own_context, inputs):
            for key in keys_of(context, event) & wanted.keys():
                _record(context, specs[key], wanted[key], times[key], warehouse())
            yield event

    return add_checks(assets, (), compute)


def _record(
    context: dg.AssetExecutionContext, spec: dg.AssetSpec, table: str, times: TimeColumns | None, warehouse: Warehouse
) -> None:
    if times is not None:
        with warehouse.session(f"fingerprint of {table} by day") as session:
            context.add_asset_metadata(describe_days(context, spec.key, session, table, times), spec.key)
        return
    keys = context.partition_keys if spec.partitions_def is not None else []
    by_metadata = spec.metadata.get(FINGERPRINT_WHEN) == "changed"
    with warehouse.session(f"fingerprint of {table}") as session:
        types = session.columns(table)
        if types is None:
            raise InvalidInputError(
                f"{spec.key.to_user_string()}: there is no table {table} to fingerprint: {SAY_WHICH}."
            )
        what = partition_slice(table, spec.partitions_def, keys, spec.metadata, types, session.dialect)
        # Asked before the rows are read: what changes meanwhile is then a change to the next build.
        changed_at = session.changed_at(table) if by_metadata else None
        parts: Parts = what.parts or {WHOLE: None}
        known = _read_unchanged(context.instance, spec.key, parts, changed_at, session.engine)
        found = known | fingerprint_parts(session, table, {part: parts[part] for part in parts if part not in known})
    for part, fingerprint in found.items():
        metadata = {FINGERPRINT: str(fingerprint), "dagster/row_count": fingerprint.rows}
        metadata |= {CHANGED_AT: changed_at} if changed_at else {}
        context.add_asset_metadata(metadata, spec.key, part or None)


def _read_unchanged(
    instance: dg.DagsterInstance, key: dg.AssetKey, parts: Iterable[str], changed_at: str | None, engine: str
) -> dict[str, Fingerprint]:
    """Return the fingerprints of newest loads that were taken when the table last changed at that same moment."""
    known = {}
    for part in parts if changed_at else ():
        newest = dg.AssetRecordsFilter(key, asset_partitions=[part] if part else None)
        for record in instance.fetch_materializations(newest, limit=1).records:
            load = record.asset_materialization
            said = load.metadata if load else {}
            if CHANGED_AT in said and FINGERPRINT in said and said[CHANGED_AT].value == changed_at:
                known[part] = Fingerprint.parse(str(said[FINGERPRINT].value))
    return {part: found for part, found in known.items() if found.engine == engine}
