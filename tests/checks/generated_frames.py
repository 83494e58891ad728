"""Frames and rules of them, drawn from what engines are known to disagree about, and from anything else."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from plain_rules import Plain, day_of

from dashboard_trust.checks.scopes import Days, Partitions, Scope, Whole
from dashboard_trust.contracts import row_rules as r
from dashboard_trust.contracts import table_rules as t
from dashboard_trust.warehouses.session import column

NAME, OTHER = "shop.orders", "shop.others"
UTC = dt.UTC
EDGES = [dt.date.min, dt.date.max, dt.date(1970, 1, 1), dt.date(2024, 2, 29), dt.date(2024, 3, 9), dt.date(2024, 3, 10)]
MOMENTS = [
    *(dt.datetime(*day) for day in ((1, 1, 1), (999, 12, 31, 23), (1969, 12, 31, 23, 59, 59, 999999))),
    dt.datetime.max,
    dt.datetime(2024, 2, 29, 23, 30),
    dt.datetime(2024, 3, 1),
    dt.datetime(2024, 3, 10, 11, 59, 59, 999999),
    dt.datetime(2024, 3, 10, 12),
    dt.datetime(2024, 3, 10, 12, 0, 0, 1),
    dt.datetime(2024, 3, 31, 1, 30),
]
TEXTS = [
    *("", " ", "\t", "\u00a0", " \u00a0\n", "a", "A", "\u00e4", "a\u0308", "\u00df", "SS", "\U0001f600", "a\nb", "b\n"),
    *("1", "01", "1.50", "-3", " 7 ", "+1.005", "1e3", "1E-12", ".5", "5.", ".", "1,5", "12345678901234567890", "0x1F"),
    *("\u0661", "99.995", "-0", "true", "TRUE", "tRUE", "yes", "NaN", "infinity", "now", "epoch", "NULL", "\\N"),
    *("O'Brien", "a\\b", "%_", '"', "\ufeffa", "a\u200b"),
    *("2024-02-29", "2023-02-29", "2024-2-9", "0000-01-01", "2024-13-01", "20240229", " 2024-03-09 ", "\t2024-03-09"),
    *("2024-02-29T23:59:59Z", "2024-03-09 10:00:00 UTC", "2024-03-09 10:00:00UTC", "2024-03-09 23:30:00-02:00"),
    *("2024-03-09 00:30:00+0200", "2024-03-09 10:00:00.1234567", "2024-03-09 24:00:00", "2024-03-09 10:00"),
    *("2024-03-09 10:00:00 Z", "2024-03-09 10:00:00 +02", "2024-03-09 10:00:00 Europe/Berlin", "2024-03-09 10"),
]
FLOATS = [
    0.0,
    -0.0,
    1.0,
    0.1,
    0.30000000000000004,
    123456789.12345679,
    1e300,
    5e-324,
    math.inf,
    -math.inf,
    math.nan,
    -2.5,
]
WHOLE = [0, 1, -1, 2, 7, 2**31, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)]
WIDE = [0, 1, -1, 2**64, 10**38 - 1, 1 - 10**38]
CENTS = [Decimal(text) for text in ("0.00", "0.10", "1.00", "-1.00", "1.01", "99.99", "9999999999.99")]
PLAIN_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)


@dataclass(frozen=True)
class Held:
    """What a column holds: its kind, its type, and values of it."""

    kind: str
    type: pa.DataType
    values: st.SearchStrategy[Any]


def often(pool: list[Any], others: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.sampled_from(pool), st.sampled_from(pool), others)


def aware(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=UTC)


COLUMNS: Mapping[str, Held] = {
    "id": Held("number", pa.int64(), often(WHOLE, st.integers(-5, 5))),
    "Amount": Held("number", pa.decimal128(12, 2), often(CENTS, st.decimals("-5", "5", places=2))),
    "wide one": Held("number", pa.decimal128(38, 0), st.sampled_from([Decimal(number) for number in WIDE])),
    "ratio": Held("float", pa.float64(), often(FLOATS, st.floats(-1e6, 1e6))),
    "text": Held("text", pa.string(), often(TEXTS, PLAIN_TEXT)),
    "Stra\u00dfe": Held("text", pa.string(), st.sampled_from(["a", "b", "A", "\u00e4", ""])),
    "day": Held("date", pa.date32(), often(EDGES, st.dates(dt.date(2024, 3, 5), dt.date(2024, 3, 12)))),
    "at": Held("timestamp", pa.timestamp("us"), st.sampled_from(MOMENTS)),
    'zoned"at': Held("timestamptz", pa.timestamp("us", "UTC"), st.sampled_from(list(map(aware, MOMENTS)))),
    "flag": Held("boolean", pa.bool_(), st.booleans()),
}
NAMES = list(COLUMNS)
ASKED = [*NAMES, *NAMES, "id2"]
"""Now and then a column that is not there."""

SCHEMA = pa.schema([(name, held.type) for name, held in COLUMNS.items()])
ROWS = st.fixed_dictionaries({name: st.none() | held.values for name, held in COLUMNS.items()})
PATTERNS = [r"^a", r"\d", r"^\w+$", r"[^a-z]", r"^.{1,3}$", r"(a|1)+", r"\s", r"^\S*$", r"\.5", "[\u00e4\u00df]", r"^$"]
FITS = ["integer", "number", "date", "timestamp", "boolean", "decimal(4, 2)", "decimal(2, 2)", "decimal(38, 0)"]
CONDITIONS: Mapping[str, Callable[[Any], bool]] = {
    "id > 0": lambda row: row["id"] is not None and row["id"] > 0,
    '"Amount" IS NULL OR "Amount" >= 0': lambda row: row["Amount"] is None or row["Amount"] >= 0,
    "ratio < 1": lambda row: row["ratio"] is not None and row["ratio"] < 1,
    "text <> ''": lambda row: row["text"] is not None and row["text"] != "",
    "flag": lambda row: row["flag"] is True,
    "no_such_column > 1": None,  # type: ignore[dict-item]
    "id + ": None,  # type: ignore[dict-item]
}
ALLOWED = st.sampled_from([{}, {}, {"allowed_rows": 1}, {"allowed_percent": 50.0}, {"allowed_percent": 0}])


@st.composite
def bounds(draw: st.DrawFn, name: str) -> dict[str, Any]:
    values = st.sampled_from([0.5, 1e300, 1, -1]) if COLUMNS[name].kind == "float" else COLUMNS[name].values
    if COLUMNS[name].kind == "number":
        values |= st.sampled_from([Decimal("0.5"), Decimal("-0.005"), Decimal("1e40"), Decimal("-1e39"), 2**63])
    low, high = sorted((draw(values), draw(values)))
    said = {draw(st.sampled_from(["min", "above"])): low, draw(st.sampled_from(["max", "below"])): high}
    if low == high:
        return {"min": low, "max": high}
    return draw(st.sampled_from([said, *({name: bound} for name, bound in said.items())]))


@st.composite
def rules(draw: st.DrawFn) -> t.TableRules:
    """Draw a rule of every kind, some of columns that are not there or are of another kind."""
    column_of = lambda *kinds: draw(st.sampled_from([n for n in NAMES if not kinds or COLUMNS[n].kind in kinds]))  # noqa: E731
    ranged, listed = column_of("number", "float", "text", "date", "timestamp", "timestamptz"), column_of()
    finite = COLUMNS[listed].values.filter(lambda value: value == value and abs_finite(value))
    times = ("date", "timestamp", "timestamptz", "text")
    asked = [
        r.NotNull(draw(st.sampled_from(ASKED)), draw(st.booleans()), **draw(ALLOWED)),
        r.Unique((draw(st.sampled_from(ASKED)),), draw(st.booleans()), **draw(ALLOWED)),
        r.Unique(tuple(draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=3, unique=True)))),
        r.AcceptedValues(listed, tuple(draw(st.lists(finite, min_size=1, max_size=3))), **draw(ALLOWED)),
        r.Range(ranged, **draw(bounds(ranged)), **draw(ALLOWED)),
        r.Pattern(draw(st.sampled_from(["text", "text", "Stra\u00dfe", "id"])), draw(st.sampled_from(PATTERNS))),
        r.Length(draw(st.sampled_from(["text", "text", "Stra\u00dfe", "day"])), draw(st.integers(0, 2)), 3),
        r.Fits(draw(st.sampled_from(["text", "text", "text", *NAMES])), draw(st.sampled_from(FITS)), **draw(ALLOWED)),
        r.Fits("text", draw(st.sampled_from(FITS))),
        r.Monotonic(draw(st.sampled_from(ASKED)), column_of(), draw(st.booleans()), draw(st.booleans())),
        r.References((column_of(),), OTHER),
        r.References(tuple(draw(st.lists(st.sampled_from(NAMES), min_size=2, max_size=2, unique=True))), OTHER),
        r.Condition(draw(st.sampled_from(list(CONDITIONS))), **draw(ALLOWED), name="condition"),
        t.RowCount(min=draw(st.sampled_from([None, 0, 2])), max=draw(st.sampled_from([None, 3]))),
        t.Freshness(column_of(*times), draw(st.sampled_from([dt.timedelta(hours=1), dt.timedelta(days=3)]))),
        t.Query("SELECT COUNT(*) FROM {table}", max=Decimal(3), name="query"),
        t.Reconciliation(
            OTHER,
            tuple(draw(st.lists(st.sampled_from(["id", "Stra\u00dfe", "ratio", "at"]), max_size=2, unique=True))),
            draw(st.sampled_from(["", "Amount", "id", "ratio", "text"])),
            tolerance=draw(st.sampled_from([Decimal(0), Decimal("0.5")])),
        ),
    ]
    named = [replace(rule, name=f"{rule.kind}_{n}") for n, rule in enumerate(asked)]
    return t.TableRules(NAME.replace(".", "/"), tuple(named), table=NAME)


def abs_finite(value: Any) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


@dataclass(frozen=True)
class Case:
    """A table and another one, rules of the first, and how its rows are told."""

    rows: list[dict[str, Any]]
    others: list[dict[str, Any]]
    rules: t.TableRules
    told: str

    @property
    def tables(self) -> dict[str, pa.Table]:
        return {
            NAME: pa.Table.from_pylist(self.rows, SCHEMA),
            OTHER: pa.Table.from_pylist(self.others, SCHEMA),
        }

    @property
    def scope(self) -> Scope:
        if self.told == "":
            return Whole()
        if self.told != "Stra\u00dfe":
            return Days(self.told)
        return Partitions(("a", "b"), lambda *_: {key: column(self.told).eq(key) for key in ("a", "b")})

    @property
    def plain(self) -> Plain:
        told = {"kinds": {name: held.kind for name, held in COLUMNS.items()}, "others": self.others}
        told["conditions"] = {sql: holds for sql, holds in CONDITIONS.items() if holds}
        if self.told == "":
            return Plain(self.rows, part_of=lambda row: "", names=("",), **told)
        if self.told != "Stra\u00dfe":
            return Plain(self.rows, part_of=lambda row: day_of(row[self.told]), by_day=True, **told)
        parts = {"a": "a", "b": "b"}
        return Plain(self.rows, part_of=lambda row: parts.get(row[self.told]), names=("a", "b"), **told)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    rows = draw(st.lists(ROWS, max_size=6))
    # The other table is mostly the same one, with rows more and less.
    kept = [row for row in rows if draw(st.integers(0, 3))]
    again = [row for row in rows if not draw(st.integers(0, 4))]
    others = [*kept, *draw(st.lists(ROWS, max_size=2))]
    told = draw(st.sampled_from(["", "", "Stra\u00dfe", "day", "at", 'zoned"at', "text"]))
    return Case([*rows, *again], others, draw(rules()), told)
