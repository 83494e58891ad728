"""Which rows of a table a partition is: as the asset declares it, in the terms of the column's type."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg
from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from dashboard_trust.errors import InvalidInputError, nearest
from dashboard_trust.warehouses.column_types import kind_of
from dashboard_trust.warehouses.replace import Slice
from dashboard_trust.warehouses.session import column, quote_columns

PARTITION_EXPR = "partition_expr"
"""On an asset's definition, as with Dagster's own IO managers: the column its partitions are told by, or for
several dimensions a mapping of dimension to column. An SQL expression is taken for a timestamp (UTC) where the
partitions are of time, else for text."""


def partition_slice(  # noqa: PLR0913, PLR0917  # an asset's declaration, and the table it is about
    table: str,
    partitions: dg.PartitionsDefinition | None,
    keys: Sequence[str],
    metadata: Mapping[str, object],
    types: Mapping[str, str],
    dialect: str,
) -> Slice:
    """Return the rows of a table that these partitions are; all of it where the asset has none.

    Raises:
        InvalidInputError: The asset does not say which column tells its partitions, or there is no such column.
    """
    if partitions is None:
        return Slice(table)
    told_by = metadata.get(PARTITION_EXPR)
    if not told_by:
        raise InvalidInputError(f"{table} is partitioned: name the column of its partitions as {PARTITION_EXPR!r}.")
    told = _Told(table, types, dialect)
    return Slice(table, {key: _condition(told, partitions, key, told_by) for key in keys})


def partition_columns(metadata: Mapping[str, object]) -> tuple[str, ...]:
    """Return the columns by which an asset declares that its partitions are told."""
    told_by = metadata.get(PARTITION_EXPR)
    names = told_by.values() if isinstance(told_by, Mapping) else (told_by,)
    return tuple(name.strip('"') for name in names if isinstance(name, str))


@dataclass(frozen=True, slots=True)
class _Told:
    """A table with its columns' types, and the engine's dialect: what says how a partition can be told."""

    table: str
    types: Mapping[str, str]
    dialect: str

    def by(self, told_by: str) -> tuple[str, exp.Expr]:
        """Return the kind of what tells partitions apart, and itself."""
        if told_by in self.types:
            return kind_of(self.types[told_by]), column(told_by)
        if told_by.isidentifier():
            raise InvalidInputError(
                f"{self.table} has no column {told_by!r} to tell its partitions by: {nearest(told_by, self.types)}"
            )
        try:
            parsed = parse_one(told_by, dialect=self.dialect)
        except SqlglotError as error:
            raise InvalidInputError(
                f"{self.table}: {PARTITION_EXPR!r} is not SQL of {self.dialect}: {told_by}"
            ) from error
        if isinstance(parsed, exp.Column) and parsed.name in self.types:
            return kind_of(self.types[parsed.name]), column(parsed.name)
        return "expression", exp.paren(quote_columns(parsed, self.types))


def _condition(told: _Told, partitions: dg.PartitionsDefinition, key: str, told_by: object) -> exp.Expr:
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        if not isinstance(told_by, Mapping):
            raise InvalidInputError(f"{told.table}: {PARTITION_EXPR!r} must name a column for each dimension.")
        keys = partitions.get_partition_key_from_str(key).keys_by_dimension
        conditions = []
        for dimension in partitions.partitions_defs:
            if dimension.name not in told_by:
                raise InvalidInputError(f"{told.table}: {PARTITION_EXPR!r} names no column for {dimension.name!r}.")
            own = (dimension.partitions_def, keys[dimension.name], told_by[dimension.name])
            conditions.append(_condition(told, *own))
        return exp.and_(*conditions)
    return _of_one(told, partitions, key, str(told_by))


def _of_one(told: _Told, partitions: dg.PartitionsDefinition, key: str, told_by: str) -> exp.Expr:
    kind, value = told.by(told_by)
    if not isinstance(partitions, dg.TimeWindowPartitionsDefinition) or kind == "text":
        return exp.cast(value, "TEXT").eq(key) if kind != "text" else value.eq(key)
    window = partitions.time_window_for_partition_key(key)
    start, end = (_moment(moment, kind) for moment in (window.start, window.end))
    whole_days = window.start.time() == window.end.time() and window.start.date() < window.end.date()
    # Of an hour that is there twice, neither: a plain timestamp says not in which of the two it lies.
    is_twice = start == end or (window.start.fold == 1 and kind not in ("timestamptz", "expression"))
    if is_twice or (kind == "date" and not whole_days):
        raise InvalidInputError(
            f"{told.table}: {told_by!r} ({kind}) cannot tell {key} from its neighbours. "
            "Name a column of moments, with a time zone where clocks are put back."
        )
    return exp.and_(value >= start, value < end)


def _moment(moment: dt.datetime, kind: str) -> exp.Expr:
    """Return a moment as the column counts it: a day and a plain timestamp are the partitions' own, local ones."""
    if kind == "timestamptz":
        return exp.cast(exp.convert(moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M:%S+00")), "TIMESTAMPTZ")
    if kind == "date":
        return exp.cast(exp.convert(moment.date().isoformat()), "DATE")
    plain = moment.astimezone(dt.UTC) if kind == "expression" else moment
    return exp.cast(exp.convert(plain.strftime("%Y-%m-%d %H:%M:%S")), "TIMESTAMP")
