"""How dashboards stand, as a table in the warehouse (``trust.readiness``): for BI tools to show beside the numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime

import dagster as dg
from sqlglot import exp, parse_one

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.errors import WarehouseBusyError
from dashboard_trust.readers.serving import read_corrections, read_serving
from dashboard_trust.verdicts.verdict import Verdict
from dashboard_trust.warehouses.session import Session, Warehouse, create_schema, table

TABLE = "trust.readiness"
COLUMNS = ("dashboard", "partition_key", "readiness", "message", "owner", "shown_as_of", "evaluated_at")
NOTHING: Mapping[str | None, str] = {}
CREATE = f"""
    CREATE TABLE IF NOT EXISTS {TABLE} (dashboard TEXT, partition_key TEXT, readiness TEXT, message TEXT, owner TEXT,
    shown_as_of TEXT, evaluated_at TEXT, PRIMARY KEY (dashboard, partition_key))
"""


def readiness_writer(
    contract: DashboardContract, warehouse: Callable[[], Warehouse]
) -> Callable[[dg.DagsterInstance, Sequence[Verdict]], None]:
    """Return what `readiness_sensor` is to tell its verdicts (``evaluated``), for them to stand in the warehouse.

    Where that is busy, the next look says it.
    """

    def write(instance: dg.DagsterInstance, verdicts: Sequence[Verdict]) -> None:
        key = dg.AssetKey.from_user_string(contract.key)
        serving = read_serving(instance, key, None)
        since = serving.since if serving else None
        corrected = read_corrections(instance, key, [verdict.partition for verdict in verdicts])
        with suppress(WarehouseBusyError), warehouse().session(f"saying how {contract.key} stands") as session:
            write_states(
                session, contract, verdicts, shown_as_of=since, evaluated_at=datetime.now(UTC), corrected=corrected
            )

    return write


def write_states(  # noqa: PLR0913  # what is written of each, column by column
    session: Session,
    contract: DashboardContract,
    verdicts: Sequence[Verdict],
    *,
    shown_as_of: datetime | None,
    evaluated_at: datetime,
    corrected: Mapping[str | None, str] = NOTHING,
) -> None:
    """Say how these partitions of a dashboard stand; others keep what was said of them.

    ``message`` is what a business user reads: the contract's own word, what holds it, what was ``corrected`` (by
    partition). Moments are ISO 8601 texts in UTC: ``shown_as_of`` is since when readers have what they see,
    ``evaluated_at`` when this was said, also of a past day; a reader takes a row that is hours old for UNKNOWN.
    """
    if session.columns(TABLE) is None:
        session.query(create_schema("trust"))
        session.query(parse_one(CREATE, dialect="duckdb"))
    names = [verdict.partition or "" for verdict in verdicts]
    if not names:
        return
    moments = [exp.convert(at and at.astimezone(UTC).isoformat()) for at in (shown_as_of, evaluated_at)]
    with session.transaction():
        of_these = exp.and_(exp.column("dashboard").eq(contract.key), exp.column("partition_key").isin(*names))
        session.query(exp.delete(table(TABLE), where=of_these))
        rows = [
            exp.Tuple(expressions=[*_row(contract, verdict, corrected.get(verdict.partition, "")), *moments])
            for verdict in verdicts
        ]
        session.query(exp.insert(exp.values(rows), table(TABLE), columns=COLUMNS))


def _row(contract: DashboardContract, verdict: Verdict, corrected: str) -> list[exp.Expr]:
    reasons = [f"{finding.place}: {finding.told}" for finding in verdict.causes]
    owners = dict.fromkeys(finding.owner for finding in verdict.causes) or {contract.owner: None}
    values = (
        contract.key,
        verdict.partition or "",
        str(verdict.readiness),
        " ".join(word for word in (contract.message, "; ".join(reasons), corrected) if word),
        ", ".join(owners),
    )
    return [exp.convert(value) for value in values]
