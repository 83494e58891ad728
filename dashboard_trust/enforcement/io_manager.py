"""Frames into the warehouse: written, audited and only then let be seen, in one transaction."""

from __future__ import annotations

import datetime as dt
import hashlib
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import dagster as dg
from sqlglot import exp

from dashboard_trust.checks.audit import Audit, AuditFailedError
from dashboard_trust.contracts.sources import Source
from dashboard_trust.contracts.table_names import name_table
from dashboard_trust.enforcement.audited_assets import log_outcomes, read_audit, remember_outcomes
from dashboard_trust.enforcement.calls import calling
from dashboard_trust.enforcement.partition_mappings import period_of
from dashboard_trust.enforcement.slices import partition_columns, partition_slice
from dashboard_trust.errors import DashboardTrustError, InvalidInputError
from dashboard_trust.evidence.names import FINGERPRINT
from dashboard_trust.warehouses.frames import from_arrow, to_arrow
from dashboard_trust.warehouses.rejected import collect_rejected, keep_rejected
from dashboard_trust.warehouses.replace import Slice, Ticket, Written, draw_ticket, replace_slice
from dashboard_trust.warehouses.session import Warehouse

if TYPE_CHECKING:
    import pyarrow as pa

NEW_COLUMNS = "dashboard_trust/new_columns"
"""On an asset's definition: ``accept`` adds the columns that data has and its table lacks; else it is refused."""

KEEP_REJECTED = dt.timedelta(days=7)


class TrustedIOManager(dg.IOManager):
    """Writes what an asset returns (pandas, polars, pyarrow) to the asset's table (`name_table`).

    The partitions of the run (``partition_expr`` names their column) are replaced in one transaction, within
    which the new rows are audited (`AUDIT`) and fingerprinted. A write that is refused, or killed, leaves the old
    rows; a repetition writes the same ones; of several that hand over rows of a partition at once one wins.

    Args:
        warehouse: Where to, or what returns it when it is needed.
        keep_rejected: How long the rows of a write that its audit refused are kept in ``trust_rejected``.
        load_as: What an input is loaded as where its annotation does not say; by default a pandas frame.
        source: What the warehouse is called as: then the step is tried again where its write failed and may
            succeed, within the budget of that source, and says of which class the failure is.
    """

    def __init__(
        self,
        warehouse: Warehouse | Callable[[], Warehouse],
        *,
        keep_rejected: dt.timedelta = KEEP_REJECTED,
        load_as: type | None = None,
        source: Source | None = None,
    ) -> None:
        self._source = source
        self._warehouse, self._keep_rejected, self._load_as = warehouse, keep_rejected, load_as

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Replace the run's partitions by the rows of the frame, or leave them as they are and raise."""
        with calling(self._source):
            self._write(context, obj)

    def _write(self, context: dg.OutputContext, obj: Any) -> None:
        warehouse, metadata = self._open(), context.definition_metadata or {}
        name, data = name_table(context.asset_key.path, metadata), to_arrow(obj)
        with warehouse.session(f"looking at {name}") as session:
            collect_rejected(session, dt.datetime.now(dt.UTC))
            # Where the table is there, its own types tell its rows apart: data without values has none.
            types, dialect = {**session.types(data.schema), **(session.columns(name) or {})}, session.dialect
        partitions, keys = _partitions_of(context, name)
        what = partition_slice(name, partitions, keys, metadata, types, dialect)
        periods = {key: (period.start, period.end) for key in keys if (period := period_of(partitions, key))}
        audit = Audit(read_audit(context.asset_key, name, metadata), periods, partition_columns(metadata))
        ticket = draw_ticket(warehouse, what, uuid.uuid4().hex, f"run {context.run_id[:8]}")
        accept_new = metadata.get(NEW_COLUMNS) == "accept"
        try:
            written = replace_slice(
                warehouse,
                ticket,
                data,
                audit,
                accept_new_columns=accept_new,
                accept_empty=audit.accepts_empty,
            )
        except AuditFailedError as error:
            log_outcomes(context, error.outcomes)
            now, keep = dt.datetime.now(dt.UTC), self._keep_rejected
            try:
                kept_in = keep_rejected(warehouse, ticket, data, str(error), now=now, keep=keep)
            except DashboardTrustError as other:
                raise AuditFailedError(f"{error} The refused rows could not be kept: {other}", error.outcomes) from None
            raise AuditFailedError(
                f"{error} The refused rows are in {kept_in} for {keep.days} days.", error.outcomes
            ) from None
        remember_outcomes(context, audit.outcomes)
        self._describe(context, warehouse, written, data.nbytes)

    def load_input(self, context: dg.InputContext) -> Any:
        """Return the rows of the partitions the step reads."""
        upstream = context.upstream_output
        metadata = (upstream.definition_metadata if upstream else None) or {}
        name = name_table(context.asset_key.path, metadata)
        with self._open().session(f"reading {name}") as session:
            types = session.columns(name)
            if types is None:
                raise InvalidInputError(f"{name} does not exist. Materialize {context.asset_key.to_user_string()}.")
            partitions = context.asset_partitions_def if context.has_asset_partitions else None
            keys = list(context.asset_partition_keys) if context.has_asset_partitions else []
            what = partition_slice(name, partitions, keys, metadata, types, session.dialect)
            # An input that is mapped to no partition is no rows, not all of them.
            where = exp.false() if partitions is not None and not keys else what.where
            return from_arrow(session.read(name, where), _kind_of(context.dagster_type.typing_type, self._load_as))

    def keep_aside(
        self, asset: dg.AssetSpec, partition: str | None, data: pa.Table, reason: str, written_by: str
    ) -> str:
        """Keep rows that are not written to an asset's table, as those of a refused write; return where they are.

        The same rows are kept once, however often a run is tried again.
        """
        what = Slice(name_table(asset.key.path, asset.metadata), {partition: exp.true()} if partition else {})
        said = f"{what} {data.to_pydict()}".encode(errors="surrogateescape")
        ticket = Ticket(what, hashlib.sha256(said).hexdigest()[:32], written_by, {})
        now = dt.datetime.now(dt.UTC)
        return keep_rejected(self._open(), ticket, data, reason, now=now, keep=self._keep_rejected)

    def _open(self) -> Warehouse:
        return self._warehouse() if callable(self._warehouse) else self._warehouse

    @staticmethod
    def _describe(context: dg.OutputContext, warehouse: Warehouse, written: Written, size: int) -> None:
        """Say on the materialization what was written; of several partitions, on each what it holds."""
        columns = [dg.TableColumn(name, kind) for name, kind in written.columns.items()]
        name = name_table(context.asset_key.path, context.definition_metadata or {})
        common: dict[str, Any] = {
            "dagster/column_schema": dg.TableSchema(columns),
            "dagster/table_name": name,
            "dagster/uri": f"{warehouse.address}#{name}",
            "bytes": size,
        }
        context.add_output_metadata(common)
        for part, found in written.fingerprints.items():
            own = {"dagster/row_count": found.rows, FINGERPRINT: str(found)}
            dg.AssetExecutionContext.get().add_asset_metadata(own, context.asset_key, part or None)


def _partitions_of(context: dg.OutputContext, name: str) -> tuple[dg.PartitionsDefinition | None, list[str]]:
    if context.has_asset_partitions:
        return context.asset_partitions_def, list(context.asset_partition_keys)
    if context.step_context.has_asset_partitions_for_output(context.name):
        raise InvalidInputError(
            f"{name} is partitioned, and this run has no partition; nothing was written. "
            "Launch it for a partition, or for a range of them."
        )
    return None, []


def _kind_of(annotation: Any, otherwise: type | None) -> type:
    """Return the frame an annotation means."""
    if isinstance(annotation, type) and annotation.__module__.partition(".")[0] in ("pandas", "polars", "pyarrow"):
        return annotation
    if otherwise is None:
        import pandas as pd

        return pd.DataFrame
    return otherwise
