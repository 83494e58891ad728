"""What a write must satisfy before it is let be seen: conditions counted in the scan that fingerprints it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from dashboard_trust.errors import InvalidInputError, WriteRefusedError, nearest
from dashboard_trust.warehouses.replace import Slice
from dashboard_trust.warehouses.session import column, function, quote_columns

DIALECTS = ("duckdb", "postgres", "snowflake")
WITH_NAN = ("DOUBLE", "FLOAT", "REAL", "NUMERIC")
"""Types whose values may be NaN, which no engine takes for NULL."""


@dataclass(frozen=True, slots=True)
class AuditResult:
    """What one condition found in one partition (``""``: the whole table)."""

    name: str
    partition: str
    passed: bool
    reason: str = ""


class AuditFailedError(WriteRefusedError):
    """A write that its audit refused, with every result of it."""

    def __init__(self, message: str, results: Sequence[AuditResult]) -> None:
        super().__init__(message)
        self.results = tuple(results)


@dataclass(frozen=True, slots=True)
class Audit:
    """Conditions on every partition of a table.

    Args:
        not_null: Columns that every row has; NaN is none.
        unique: Columns, or groups of columns, no two rows of a partition share.
        accepted: The values a column may have, by column; NULL is one only if it is listed.
        min_rows: The fewest rows a partition may have. Without it an empty one is refused where
            there were rows before; 0 accepts that too.
        max_rows: The most rows a partition may have.
        conditions: SQL of the engine that must be true of every row, by name; where it is NULL it is not
            true. To the engines NaN is larger than every number.
    """

    not_null: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    accepted: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    min_rows: int | None = None
    max_rows: int | None = None
    conditions: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> Audit:
        """Read an audit from an asset's metadata; raise `InvalidInputError` for what cannot be meant."""
        for name in said:
            if name not in cls.__dataclass_fields__:
                raise InvalidInputError(f"An audit has no {name!r}: {nearest(name, cls.__dataclass_fields__)}")
        for name, condition in said.get("conditions", {}).items():
            if not any(_is_sql(condition, dialect) for dialect in DIALECTS):
                raise InvalidInputError(f"The audit's condition {name!r} is not SQL: {condition}")
        groups = ((group,) if isinstance(group, str) else tuple(group) for group in said.get("unique", ()))
        return cls(
            not_null=tuple(said.get("not_null", ())),
            unique=tuple(groups),
            accepted={name: tuple(values) for name, values in said.get("accepted", {}).items()},
            min_rows=said.get("min_rows"),
            max_rows=said.get("max_rows"),
            conditions=dict(said.get("conditions", {})),
        )

    @property
    def names(self) -> list[str]:
        """The conditions, as asset checks are named."""
        return ["row_count", *(condition.name for condition in self._conditions())]

    def measures(self, columns: Mapping[str, str], dialect: str) -> list[exp.Expr]:
        """Return a count of the rows, and one of the rows that each condition does not hold of."""
        wanted: list[exp.Expr] = [exp.Count(this=exp.Star())]
        for condition in self._conditions():
            for name in condition.columns:
                if name not in columns:
                    raise WriteRefusedError(f"The audit asks for column {name!r}: {nearest(name, columns)}")
            try:
                wanted.append(quote_columns(condition.violations(columns, dialect), columns))
            except SqlglotError as error:
                raise WriteRefusedError(
                    f"The audit's {condition.name!r} is not SQL of {dialect}: {condition.sql}"
                ) from error
        return wanted

    def conclude(self, what: Slice, counted: Mapping[str, Sequence[Any]]) -> None:
        """Raise `AuditFailedError` where a condition does not hold of a partition."""
        results = self.results(counted)
        failed = [result for result in results if not result.passed]
        if failed:
            first = "; ".join(f"{r.partition + ': ' if r.partition else ''}{r.name}: {r.reason}" for r in failed[:3])
            more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
            raise AuditFailedError(f"{what} was not written, the old rows stand: {first}{more}.", results)

    def results(self, counted: Mapping[str, Sequence[Any]]) -> list[AuditResult]:
        """Return what every condition found, by partition."""
        return [result for part, counts in counted.items() for result in self._judge(part, counts)]

    def _judge(self, part: str, counts: Sequence[Any]) -> Iterator[AuditResult]:
        rows, *violations = (int(count or 0) for count in counts)
        few, many = (
            self.min_rows is not None and rows < self.min_rows,
            self.max_rows is not None and rows > self.max_rows,
        )
        wanted = f"at least {self.min_rows}" if few else f"at most {self.max_rows}"
        yield AuditResult(
            "row_count", part, not few and not many, f"{rows} rows, {wanted} expected" if few or many else ""
        )
        for condition, bad in zip(self._conditions(), violations, strict=True):
            yield AuditResult(condition.name, part, bad == 0, f"{bad} of {rows} rows {condition.fault}" if bad else "")

    def _conditions(self) -> Iterator[_Condition]:
        for name in self.not_null:
            yield _Condition(f"not_null_{name}", (name,), partial(_count_missing, name), "have none")
        for group in self.unique:
            distinct = exp.Distinct(expressions=[function("ROW", *map(column, group))])
            doubled = exp.Count(this=exp.Star()) - exp.Count(this=distinct)
            yield _Condition(f"unique_{'_'.join(group)}", group, _always(doubled), "repeat another's")
        for name, values in self.accepted.items():
            strangers = _count_unless(_is_one_of(name, values))
            yield _Condition(f"accepted_{name}", (name,), _always(strangers), "have another value")
        for name, sql in self.conditions.items():
            yield _Condition(name, (), partial(_count_violations, sql), "do not satisfy it", sql)


@dataclass(frozen=True, slots=True)
class _Condition:
    name: str
    columns: tuple[str, ...]
    violations: Callable[[Mapping[str, str], str], exp.Expr]  # of a table with these columns, in this dialect
    fault: str
    sql: str = ""


def _always(violations: exp.Expr) -> Callable[[Mapping[str, str], str], exp.Expr]:
    return lambda _, __: violations


def _count_missing(name: str, columns: Mapping[str, str], _: str) -> exp.Expr:
    there: exp.Expr = column(name).is_(exp.null()).not_()
    if columns[name].upper().startswith(WITH_NAN):
        there = exp.and_(there, exp.Lower(this=exp.cast(column(name), "TEXT")).neq("nan"))
    return _count_unless(there)


def _count_violations(sql: str, _: Mapping[str, str], dialect: str) -> exp.Expr:
    return _count_unless(parse_one(sql, dialect=dialect))


def _is_sql(text: str, dialect: str) -> bool:
    try:
        parse_one(text, dialect=dialect)
    except SqlglotError:
        return False
    return True


def _count_unless(condition: exp.Expr) -> exp.Expr:
    """Count the rows of which a condition is not true; where it is NULL, it is not."""
    held = exp.Case(ifs=[exp.If(this=exp.paren(condition), true=exp.convert(0))], default=exp.convert(1))
    return exp.Sum(this=held)


def _is_one_of(name: str, values: Sequence[Any]) -> exp.Expr:
    named = [value for value in values if value is not None]
    found = column(name).isin(*named) if named else exp.false()
    return exp.or_(found, column(name).is_(exp.null())) if None in values else found
