"""Rows into Snowflake ahead of a transaction: as Parquet to a stage, and from there into a table that nobody reads.

DDL, PUT and COPY have no place in a transaction: what is to be written is brought to the warehouse before it, and
an INSERT within it is all that is left to do.
"""

from __future__ import annotations

import datetime as dt
import re
import tempfile
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq
from sqlglot import exp, parse_one

from dashboard_trust.errors import WarehouseError
from dashboard_trust.warehouses.column_types import NULLS
from dashboard_trust.warehouses.session import Session, column, drop_table, make_table, table

SCHEMA = "trust_staging"
KEPT = dt.timedelta(days=1)
"""Longer than any write takes; what is older was left by a process that was killed."""
ROWS_PER_FILE = 500_000
"""Snowflake loads as many files at once as it has threads, and each in one of them."""

NAMED_AT = "%Y%m%dt%H%M%S"
STAGED = re.compile(r"rows_(\d{8}t\d{6})_[0-9a-f]{12}")
COPY = (
    "COPY INTO {into} FROM @{stage}"
    " FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE)"
    " MATCH_BY_COLUMN_NAME = CASE_INSENSITIVE ON_ERROR = ABORT_STATEMENT"
)


class Loader(Session, Protocol):
    """A session that can load files."""

    def load(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a PUT or a COPY, and return what it says of each file."""


def stage_rows(session: Loader, data: pa.Table) -> str:
    """Load rows into a new table, and return its name.

    Raises:
        WarehouseError: They could not be loaded, or something else than them was.
    """
    stamp = f"{dt.datetime.now(dt.UTC).strftime(NAMED_AT)}_{uuid.uuid4().hex[:12]}"
    name, stage = f"{SCHEMA}.rows_{stamp}", f'"{SCHEMA}"."files_{stamp}"'
    # A column without a value has to be of some type until it is written.
    known = {name: "TEXT" if kind == NULLS else kind for name, kind in session.types(data.schema).items()}
    make_table(session, name, _create(name, known))
    if len(data):
        # It goes with the session, and its files with it.
        session.query(parse_one(f"CREATE TEMPORARY STAGE {stage}", dialect="snowflake"))
        with tempfile.TemporaryDirectory(prefix="dashboard_trust_") as folder:
            _write_files(Path(folder), data)
            files = exp.Literal.string(f"file://{folder}/*.parquet").sql("snowflake")
            session.load(f"PUT {files} @{stage} AUTO_COMPRESS = FALSE PARALLEL = 8")
        session.load(COPY.format(into=table(name).sql("snowflake"), stage=stage))
        _compare(session, name, data)
    return name


def collect_staged(session: Session, now: dt.datetime) -> list[str]:
    """Drop what killed processes left staged, told by the time in its name; return the tables."""
    tables = exp.table_("TABLES", db="INFORMATION_SCHEMA")
    known = exp.select("TABLE_NAME").from_(tables).where(exp.column("TABLE_SCHEMA").eq(SCHEMA))
    names = [str(name) for (name,) in session.query(known)]
    over = [f"{SCHEMA}.{name}" for name in names if _is_over(name, now)]
    drop(session, over)
    return over


def drop(session: Session, names: Iterable[str]) -> None:
    """Drop staged tables."""
    for name in names:
        session.query(drop_table(name))


def _is_over(name: str, now: dt.datetime) -> bool:
    found = STAGED.fullmatch(name)
    return found is not None and dt.datetime.strptime(f"{found[1]}+0000", f"{NAMED_AT}%z") < now - KEPT


def _create(name: str, types: dict[str, str]) -> exp.Create:
    """Neither time travel nor fail-safe for rows that are in their own table a moment later."""
    columns = [
        exp.ColumnDef(this=column(name).this, kind=exp.DataType.build(kind, dialect="snowflake"))
        for name, kind in types.items()
    ]
    kept = exp.Property(this=exp.var("DATA_RETENTION_TIME_IN_DAYS"), value=exp.Literal.number(0))
    properties = exp.Properties(expressions=[exp.TransientProperty(), kept])
    schema = exp.Schema(this=table(name), expressions=columns)
    return exp.Create(this=schema, kind="TABLE", properties=properties)


def _write_files(folder: Path, data: pa.Table) -> None:
    for start in range(0, len(data), ROWS_PER_FILE):
        rows = data.slice(start, ROWS_PER_FILE)
        for i, field in enumerate(rows.schema):
            if pa.types.is_null(field.type):
                rows = rows.set_column(i, field.name, rows.column(i).cast(pa.string()))
        pq.write_table(rows, folder / f"{start}.parquet", version="2.6", store_schema=False)


def _compare(session: Session, name: str, data: pa.Table) -> None:
    """A column that COPY finds in no file is NULL without a word."""
    names: Sequence[str] = data.column_names
    counts = [exp.Count(this=exp.Star()), *(exp.Count(this=column(name)) for name in names)]
    found = [int(count) for count in session.query(exp.select(*counts).from_(table(name)))[0]]
    given = [len(data), *(len(data) - data.column(name).null_count for name in names)]
    if found != given:
        wrong = [name for name, here, there in zip(("rows", *names), found, given, strict=True) if here != there]
        raise WarehouseError(f"Snowflake did not load what was given: {', '.join(wrong)}. Nothing was written.")
