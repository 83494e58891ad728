"""The same rules of the same rows on every engine and on frames of every library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa

from dashboard_trust.checks.evaluate import check_table
from dashboard_trust.checks.frames import check_frame
from dashboard_trust.checks.known import Known
from dashboard_trust.checks.outcomes import TableReport
from dashboard_trust.checks.scopes import Scope
from dashboard_trust.contracts.table_rules import TableRules
from dashboard_trust.warehouses.session import Session, drop_table

Tables = Mapping[str, pa.Table]
ERRORED = "errored"


@dataclass(frozen=True)
class Engines:
    """Open sessions by name; frames need none."""

    sessions: Mapping[str, Session]

    def look(
        self, tables: Tables, rules: TableRules, scope: Scope | None = None, known: Known | None = None
    ) -> dict[str, TableReport]:
        """Look at the first of some tables (by ``schema.name``), everywhere."""
        reports = {}
        for engine, session in self.sessions.items():
            with written(session, tables):
                reports[engine] = check_table(session, rules, scope, known)
        for library, frame in {"pandas": to_pandas, "polars": pl.from_arrow}.items():
            given = {name: frame(data) for name, data in tables.items()}
            reports[library] = check_frame(given.pop(rules.name), rules, scope, known, given)
        return reports


@contextmanager
def written(session: Session, tables: Tables) -> Iterator[Session]:
    """Write tables, and drop them again."""
    try:
        for name, data in tables.items():
            session.create(name, data.schema)
            session.append(name, session.stage(data))
        yield session
    finally:
        for name in tables:
            session.query(drop_table(name))


def to_pandas(data: pa.Table) -> pd.DataFrame:
    """Return a frame of pandas that keeps every type, of columns without any value too."""
    return data.to_pandas(types_mapper=pd.ArrowDtype)


def summary(report: TableReport) -> dict[str, Any]:
    """Return what was found by check and part, in numbers: whether it holds, and what was measured."""
    return {outcome.rule.check: found(outcome) for outcome in report.outcomes}


def found(outcome: Any) -> Any:
    """Return what a rule found in each part."""
    if outcome.error:
        return ERRORED
    return {part: (one.passed, _rounded(one.measured)) for part, one in outcome.parts.items()}


def _rounded(measured: float | None) -> float | None:
    return None if measured is None else round(float(measured), 2)
