"""What tells two loads of a stream apart: what its table holds, by day where its contract names a time column."""

from __future__ import annotations

from typing import Any

import dagster as dg

from dashboard_trust.contracts.streams import ConnectionContract, StreamContract
from dashboard_trust.enforcement.time_columns import TimeColumns, describe_days
from dashboard_trust.evidence.names import FINGERPRINT
from dashboard_trust.ingestion.stream_tables import EXTRACTED_AT, find_columns, find_table
from dashboard_trust.ingestion.sync_evidence import APPENDS, StreamConfiguration
from dashboard_trust.warehouses.column_types import kind_of
from dashboard_trust.warehouses.days import DayColumns
from dashboard_trust.warehouses.fingerprints import fingerprint
from dashboard_trust.warehouses.session import Session


def describe_versions(  # noqa: PLR0913  # whose table, where, and what was declared and found of it
    context: dg.AssetExecutionContext,
    key: dg.AssetKey,
    session: Session,
    *,
    connection: ConnectionContract,
    stream: StreamContract,
    found: StreamConfiguration,
) -> dict[str, Any]:
    """Return what a stream's coming materialization says of its rows; nothing where its contract asks for nothing.

    A table without the time column has no days, and is no reason to lose the other streams of the sync: that is a
    finding of its configuration.
    """
    name = find_table(session, connection.table_of(stream))
    if name is None or not (stream.time_column or stream.fingerprint):
        return {}
    types = session.columns(name) or {}
    time, extracted_at = find_columns(types, [stream.time_column, EXTRACTED_AT])
    if time not in types:
        return {FINGERPRINT: str(fingerprint(session, name))}
    # What replaces all rows extracts all of them anew, and a clock without a zone may be put back.
    tells = found.destination_sync_mode in APPENDS and kind_of(types.get(extracted_at, "")) == "timestamptz"
    columns = TimeColumns(DayColumns(time, extracted_at if tells else None))
    return describe_days(context, key, session, name, columns)
