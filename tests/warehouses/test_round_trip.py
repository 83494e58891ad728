"""Whatever is written is read back, whichever library it came from and whichever engine kept it."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dashboard_trust.warehouses.column_types import NULLS, compare_columns
from dashboard_trust.warehouses.fingerprints import fingerprint
from dashboard_trust.warehouses.frames import from_arrow, to_arrow

# Postgres has no text with a zero byte; that it says so is tested where it is.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
UTC = st.just(dt.UTC)


def in_utc(moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC)


def decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    most = 10**precision - 1
    return st.integers(-most, most).map(lambda n: Decimal(f"{n}E-{scale}"))


VALUES: list[tuple[pa.DataType, st.SearchStrategy]] = [
    (pa.bool_(), st.booleans()),
    *[(kind, st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)) for kind, bits in (
        (pa.int8(), 8), (pa.int16(), 16), (pa.int32(), 32), (pa.int64(), 64)
    )],
    *[(kind, st.integers(0, 2**bits - 1)) for kind, bits in (
        (pa.uint8(), 8), (pa.uint16(), 16), (pa.uint32(), 32), (pa.uint64(), 64)
    )],
    (pa.float32(), st.floats(width=32)),
    (pa.float64(), st.floats()),
    (pa.string(), TEXT),
    (pa.large_string(), TEXT),
    (pa.dictionary(pa.int32(), pa.string()), TEXT),
    (pa.binary(), st.binary(max_size=8)),
    (pa.date32(), st.dates()),
    (pa.time64("us"), st.times()),
    (pa.timestamp("us"), st.datetimes()),
    (pa.timestamp("ms"), st.datetimes().map(lambda moment: moment.replace(microsecond=0))),
    (pa.timestamp("us", "UTC"), st.datetimes(timezones=UTC)),
    (pa.timestamp("us", "America/New_York"), st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1)).map(in_utc)),
    *[(pa.decimal128(p, s), decimals(p, s)) for p, s in ((1, 0), (10, 2), (18, 18), (38, 0), (38, 10), (38, 38))],
    (pa.null(), st.none()),
]  # fmt: skip
NAMES = st.lists(
    st.one_of(st.sampled_from(["select", "Id", "a b", 'quo"te', "dot.ted", "ü"]), TEXT.filter(bool)),
    min_size=1,
    max_size=5,
    unique_by=str.casefold,
).filter(lambda names: all(len(name.encode()) <= 63 for name in names))


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 4))
    columns = {}
    for name in draw(NAMES):
        kind, values = draw(st.sampled_from(VALUES))
        held = draw(st.lists(st.one_of(st.none(), values), min_size=rows, max_size=rows))
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        columns[name] = pa.array(held, plain).cast(kind)
    return pa.table(columns)


LIBRARIES = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.Table}
NUMBERS = itertools.count()


@pytest.mark.parametrize("library", LIBRARIES.values(), ids=LIBRARIES)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tables())
@example(pa.table({"f": [0.0, -0.0, float("nan"), float("inf"), None]}))
@example(pa.table({"d": pa.array([Decimal("0.00"), Decimal("-0.01"), Decimal("10000000.00")], pa.decimal128(10, 2))}))
def test_what_is_written_is_what_is_read(session, library, given):
    data = to_arrow(from_arrow(to_arrow(given), library))
    types = session.types(data.schema)
    known = [name for name, kind in types.items() if kind != NULLS]
    name = f"t.n{next(NUMBERS)}"
    typed = data.select(known) if known else data.append_column("a column", pa.array([1] * len(data), pa.int64()))
    typed = typed.select(known or ["a column"])
    session.create(name, typed.schema)

    with session.transaction():
        session.append(name, typed)

    read = to_arrow(session.read(name))
    assert read.schema == typed.schema
    assert same(read, typed)
    assert same(to_arrow(from_arrow(read, library)), typed)
    assert (
        compare_columns(name, session.columns(name), {c: types.get(c, k) for c, k in session.columns(name).items()})
        == []
    )
    before = fingerprint(session, name)
    session.create(f"{name}_copy", typed.schema)
    session.append(f"{name}_copy", read.slice(len(read) // 2))
    session.append(f"{name}_copy", read.slice(0, len(read) // 2))
    assert fingerprint(session, f"{name}_copy") == before


def same(one: pa.Table, other: pa.Table) -> bool:
    """Whether the values are the same, in any order; NaN is itself, and 0.0 is not -0.0."""
    rows, others = one.to_pylist(), other.to_pylist()
    return sorted(map(repr, rows)) == sorted(map(repr, others))
