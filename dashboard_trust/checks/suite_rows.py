"""The rows a suite looks at: read from a warehouse into pandas, and asked there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from sqlglot import exp

from dashboard_trust.checks.expectations import ExpectationResult, open_context, validate
from dashboard_trust.checks.suites import Expectation, Suite
from dashboard_trust.contracts.table_names import SAY_WHICH
from dashboard_trust.errors import InvalidInputError
from dashboard_trust.warehouses.fingerprints import Fingerprint
from dashboard_trust.warehouses.frames import from_arrow
from dashboard_trust.warehouses.parts import Parts, fingerprint_parts
from dashboard_trust.warehouses.session import Session, Warehouse

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from great_expectations.core.batch_definition import BatchDefinition

FLOAT_DIGITS = 15
"""As many digits a float keeps, whichever they are."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a suite found: in how many rows, and each expectation's result by name."""

    rows: int
    results: Mapping[str, ExpectationResult]


class SuiteRows(Protocol):
    """A table that suites can be asked of, some of its rows at a time."""

    @property
    def types(self) -> Mapping[str, str]:
        """The engine's column types by name."""

    @property
    def dialect(self) -> str:
        """The engine, by the name sqlglot has for its SQL."""

    def look(self, where: exp.Expr | None, suite: Suite, samples: int) -> Look:
        """Ask a suite of the rows for which ``where`` holds."""

    def fingerprints(self, parts: Parts) -> Mapping[str, Fingerprint]:
        """Return what each of these parts holds now."""


@dataclass(frozen=True, slots=True)
class FrameRows:
    """A table of a warehouse, whose rows are asked in pandas."""

    session: Session
    table: str
    types: Mapping[str, str]
    definition: BatchDefinition[Any]

    @property
    def dialect(self) -> str:
        """See `SuiteRows.dialect`."""
        return self.session.dialect

    def look(self, where: exp.Expr | None, suite: Suite, samples: int) -> Look:
        """See `SuiteRows.look`."""
        data = self.session.read(self.table, where)
        vain = {one.name: reason for one in suite.expectations if (reason := _in_vain(one, data))}
        asked = replace(suite, expectations=tuple(one for one in suite.expectations if one.name not in vain))
        batch = self.definition.get_batch({"dataframe": to_frame(data)})
        errored = {name: ExpectationResult("errored", reason) for name, reason in vain.items()}
        return Look(data.num_rows, errored | validate(batch, asked, samples))

    def fingerprints(self, parts: Parts) -> Mapping[str, Fingerprint]:
        """See `SuiteRows.fingerprints`."""
        return fingerprint_parts(self.session, self.table, parts)


@contextmanager
def open_frame_rows(warehouse: Warehouse, table: str) -> Iterator[FrameRows]:
    """Open a table of a warehouse.

    Raises:
        InvalidInputError: There is no such table.
    """
    with open_context() as context, warehouse.session(f"expectations of {table}") as session:
        types = session.columns(table)
        if types is None:
            raise InvalidInputError(f"There is no table {table} to look at: {SAY_WHICH}.")
        asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
        yield FrameRows(session, table, types, asset.add_batch_definition_whole_dataframe("rows"))


def to_frame(data: pa.Table) -> pd.DataFrame:
    """Return rows as pandas has them, but decimals as floats: as what a suite compares them with.

    Where a column has more digits than a float keeps, they stay decimals, and what is missing is NaN.
    """
    frame: pd.DataFrame = from_arrow(data, "pandas")
    for column in data.schema:
        if _is_decimal(column.type):
            values = frame[column.name]
            kept = values.where(values.notna(), float("nan"))
            frame[column.name] = kept.astype(float) if _are_floats(data.column(column.name)) else kept
    return frame


def _is_decimal(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_decimal(kind))


def _are_floats(decimals: pa.ChunkedArray) -> bool:
    """Whether each of these decimals has a float of its own, which is written as it is."""
    import pyarrow.compute as pc

    most = Decimal(10) ** (FLOAT_DIGITS - decimals.type.scale)
    return all(value is None or abs(value) < most for value in pc.min_max(decimals).as_py().values())


def _in_vain(expectation: Expectation, data: pa.Table) -> str:
    """Say why an expectation would pass whatever the rows are: pandas finds no text among dates, nor 0.1 in decimals.

    Of all others what cannot be compared raises, or is unexpected.
    """
    import pyarrow as pa

    name, values = expectation.arguments.get("column"), expectation.arguments.get("value_set") or ()
    if expectation.kind != "expect_column_values_to_not_be_in_set" or name not in data.column_names:
        return ""
    kind = data.column(name).type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    are_decimals = _is_decimal(kind) and not _are_floats(data.column(name))
    for value in values:
        inexact = are_decimals and isinstance(value, float) and Decimal(value) != Decimal(str(value))
        if value is not None and (isinstance(value, str) != is_text or inexact):
            return f"column {name!r} is {kind}, which no {type(value).__name__} of its value_set can equal"
    return ""
