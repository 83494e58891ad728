"""The rows a write was refused with, kept aside for a while so that somebody can look at them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from sqlglot import exp, parse_one

from dashboard_trust.warehouses.replace import Ticket
from dashboard_trust.warehouses.session import Session, Warehouse, drop_table, make_table, table

if TYPE_CHECKING:
    import pyarrow as pa

REJECTIONS = "trust.rejections"
SCHEMA = "trust_rejected"
COLUMNS = ("write_id", "table_name", "slice", "kept_in", "written_by", "reason", "rejected_at", "keep_until")
CREATE_REJECTIONS = f"""
    CREATE TABLE IF NOT EXISTS {REJECTIONS} (write_id TEXT PRIMARY KEY, table_name TEXT, slice TEXT, kept_in TEXT,
    written_by TEXT, reason TEXT, rejected_at TEXT, keep_until TEXT)
"""


def keep_rejected(  # noqa: PLR0913  # a refused write, and for how long
    warehouse: Warehouse, ticket: Ticket, data: pa.Table, reason: str, *, now: dt.datetime, keep: dt.timedelta
) -> str:
    """Keep the rows of a refused write in a table of their own, and return its name.

    Those that an earlier try of the same write kept give way to them.
    """
    what, kept_in = ticket.slice, f"{SCHEMA}.rows_{ticket.write_id}"
    values = (ticket.write_id, what.table, ", ".join(what.names), kept_in, ticket.by, reason)
    data = _with_types(data)
    with warehouse.session(f"keeping what was refused of {what}") as session:
        if session.columns(REJECTIONS) is None:
            make_table(session, REJECTIONS, parse_one(CREATE_REJECTIONS, dialect="duckdb"))
        session.query(exp.delete(table(REJECTIONS), where=exp.column("write_id").eq(ticket.write_id)))
        # On record before it is there: whoever is killed in between leaves nothing that is never collected.
        row = exp.Tuple(expressions=[exp.convert(v) for v in (*values, now.isoformat(), (now + keep).isoformat())])
        session.query(exp.insert(exp.values([row]), table(REJECTIONS), columns=COLUMNS))
        session.query(drop_table(kept_in))
        session.create(kept_in, data.schema)
        rows = session.stage(data)
        with session.transaction():
            session.append(kept_in, rows)
    return kept_in


def _with_types(data: pa.Table) -> pa.Table:
    """Return the rows with columns that have no value as text: no engine makes a table of a column without a type."""
    import pyarrow as pa

    untyped = [field.name for field in data.schema if pa.types.is_null(field.type)]
    for name in untyped:
        data = data.set_column(data.schema.get_field_index(name), name, data[name].cast(pa.string()))
    return data


def collect_rejected(session: Session, now: dt.datetime) -> list[str]:
    """Drop what was kept long enough, and return the names of the tables."""
    if session.columns(REJECTIONS) is None:
        return []
    rows = session.query(exp.select("write_id", "kept_in", "keep_until").from_(table(REJECTIONS)))
    over = [(write_id, kept_in) for write_id, kept_in, until in rows if dt.datetime.fromisoformat(str(until)) <= now]
    for write_id, kept_in in over:
        session.query(drop_table(kept_in))
        session.query(exp.delete(table(REJECTIONS), where=exp.column("write_id").eq(write_id)))
    return [kept_in for _, kept_in in over]
