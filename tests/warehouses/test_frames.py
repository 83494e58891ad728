from __future__ import annotations

import datetime as dt
import subprocess
import sys
import uuid
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from dashboard_trust.errors import InvalidInputError, WriteRefusedError
from dashboard_trust.warehouses import frames
from dashboard_trust.warehouses.frames import from_arrow, to_arrow

NAIVE = dt.datetime(2024, 3, 1, 23, 30)
BERLIN = NAIVE.replace(tzinfo=ZoneInfo("Europe/Berlin"))
UTC = dt.datetime(2024, 3, 1, 22, 30, tzinfo=dt.UTC)
MICROS, MOMENT = pa.timestamp("us"), pa.timestamp("us", "UTC")


def column(data: object) -> tuple[pa.DataType, list]:
    table = to_arrow(data)
    return table.schema.field("c").type, table.column("c").to_pylist()


def objects(*values: object) -> pd.DataFrame:
    return pd.DataFrame({"c": pd.Series(values, dtype=object)})


# What must not be kept


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((1, "a"), "mixes int and str"),
        ((b"a", "b"), "mixes bytes and str"),  # Arrow makes bytes of both
        ((1, 2.5), "mixes float and int"),
        ((1, True), "mixes bool and int"),
        ((dt.date(2024, 1, 1), NAIVE), "mixes date and datetime"),  # Arrow makes days of both, without their times
        ((NAIVE, UTC), "mixes datetime with and without a zone"),  # Arrow drops the zone
        ((Decimal("1.5"), 1), "mixes Decimal and int"),
        (("a", float("nan"), 1.5), "mixes float and str"),
        (("a", ["a"]), "mixes list and str"),
    ],
)
def test_a_column_of_mixed_values_is_refused_by_name(values, said):
    with pytest.raises(WriteRefusedError, match=f"Column 'c' {said}: make it one type"):
        to_arrow(objects(*values))


def test_mixed_categories_are_refused_by_name():
    with pytest.raises(WriteRefusedError, match="Column 'c' mixes int and str"):
        to_arrow(pd.DataFrame({"c": pd.Categorical([1, "a"])}))


ODD = {
    "nanoseconds": pd.DataFrame({"c": pd.to_datetime(["2024-03-01"]).as_unit("ns") + pd.Timedelta(1, "ns")}),
    "nanoseconds of polars": pl.DataFrame({"c": pl.Series([1], dtype=pl.Datetime("ns"))}),
    "nanoseconds of a time": pa.table({"c": pa.array([1], pa.time64("ns"))}),
    "times of a date": pa.table({"c": pa.array([5], pa.date64())}),
    "seconds past the end of time": pa.table({"c": pa.array([2**62], pa.timestamp("s"))}),
    "durations": pd.DataFrame({"c": pd.to_timedelta([1])}),
    "durations of polars": pl.DataFrame({"c": [dt.timedelta(1)]}),
    "periods": pd.DataFrame({"c": pd.period_range("2024", "2025", freq="M")}),
    "intervals": pd.DataFrame({"c": pd.interval_range(0, 2)}),
    "sparse": pd.DataFrame({"c": pd.Series([0, 1], dtype="Sparse[int]")}),
    "complex": pd.DataFrame({"c": [1j]}),
    "large integers": objects(2**64),
    "large integers of polars": pl.DataFrame({"c": pl.Series([1], dtype=pl.Int128)}),
    "wide decimals": pa.table({"c": pa.array([Decimal(1)], pa.decimal256(39, 2))}),
    "infinite decimals": objects(Decimal("Infinity")),
    "uuids": objects(uuid.uuid4()),
    "uuids of arrow": pa.table({"c": pa.array([b"1" * 16], pa.uuid())}),
    "objects": objects(object()),
    "objects of polars": pl.DataFrame({"c": pl.Series([object()], dtype=pl.Object)}),
    "broken text": objects("\ud800"),
    "empty lists": pa.table({"c": [[]]}),
    "empty maps": pa.table({"c": pa.array([[]], pa.map_(pa.string(), pa.null()))}),
    "unions": pa.table({"c": pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])}),
    "list views": pa.table({"c": pa.array([[1]], pa.list_view(pa.int64()))}),
}


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_what_not_every_engine_keeps_is_refused_by_name(odd):
    with pytest.raises(WriteRefusedError, match=r"Column 'c' (\(.*\) cannot be kept as it is|holds Python objects)"):
        to_arrow(odd)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a", "b", "a"], "Two columns are named 'a'"),
        (["Id", "ID"], "'Id' and 'ID' are one name to some engines"),
        (["straße", "STRASSE"], "one name to some engines"),
        (["a", 0], "The column name 0 is no text"),
        (["a", None], "The column name None is no text"),
        ([("a", "b"), ("a", "c")], "is no text"),
        (["a", ""], "'' cannot be the name of a column"),
        (["a\0b"], "cannot be the name of a column"),
    ],
)
def test_names_that_not_every_engine_tells_apart_are_refused(names, said):
    data = pd.DataFrame([range(len(names))])
    data.columns = pd.Index(names, dtype=object, tupleize_cols=False)
    with pytest.raises(WriteRefusedError, match=said):
        to_arrow(data)

    if all(isinstance(name, str) for name in names):
        with pytest.raises(WriteRefusedError, match=said):
            to_arrow(pa.Table.from_arrays([pa.array([1])] * len(names), names=names))


@pytest.mark.parametrize(
    "data", [pd.DataFrame({"c": [1], "d": [2]}).set_index("d"), pd.DataFrame({"c": [1, 1]}).groupby("c").sum()]
)
def test_an_index_with_a_name_is_neither_lost_nor_guessed_at(data):
    with pytest.raises(
        WriteRefusedError, match=r"The index is named [cd]: call reset_index\(\) to write it as a column"
    ):
        to_arrow(data)


def test_an_index_of_several_levels_is_refused_by_the_name_it_has():
    data = pd.DataFrame({"c": [1]}, index=pd.MultiIndex.from_tuples([(1, 2)], names=[None, "level"]))

    with pytest.raises(WriteRefusedError, match="The index is named level"):
        to_arrow(data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ([{"c": 1}], "A builtins.list is no data"),
        (None, "A builtins.NoneType is no data"),
        (pd.Series([1]), "Series is no data"),
        (pl.DataFrame({"c": [1]}).lazy(), r"LazyFrame is no data: .* Call collect\(\) on it"),
    ],
)
def test_what_is_no_table_is_refused(data, said):
    with pytest.raises(WriteRefusedError, match=said):
        to_arrow(data)


# What is kept, and as what

KEPT = {
    "int8": (pa.table({"c": pa.array([-128], pa.int8())}), pa.int16(), [-128]),
    "uint8": (pa.table({"c": pa.array([255], pa.uint8())}), pa.int16(), [255]),
    "uint16": (pl.DataFrame({"c": pl.Series([2**16 - 1], dtype=pl.UInt16)}), pa.int32(), [2**16 - 1]),
    "uint32": (pd.DataFrame({"c": np.array([2**32 - 1], "uint32")}), pa.int64(), [2**32 - 1]),
    "uint64": (pd.DataFrame({"c": np.array([2**64 - 1], "uint64")}), pa.decimal128(20), [Decimal(2**64 - 1)]),
    "float16": (pd.DataFrame({"c": np.array([1.5], "float16")}), pa.float32(), [1.5]),
    "large text": (pa.table({"c": pa.array(["ä"], pa.large_string())}), pa.string(), ["ä"]),
    "text views": (pa.table({"c": pa.array(["ä"], pa.string_view())}), pa.string(), ["ä"]),
    "text of pandas": (pd.DataFrame({"c": ["ä", None]}), pa.string(), ["ä", None]),
    "text of polars": (pl.DataFrame({"c": ["ä", None]}), pa.string(), ["ä", None]),
    "bytes": (pa.table({"c": pa.array([b"ab"], pa.binary(2))}), pa.binary(), [b"ab"]),
    "large bytes": (pl.DataFrame({"c": [b"ab"]}), pa.binary(), [b"ab"]),
    "categories": (pd.DataFrame({"c": pd.Categorical(["b", "a", None])}), pa.string(), ["b", "a", None]),
    "numeric categories": (pd.DataFrame({"c": pd.Categorical([2, 1])}), pa.int64(), [2, 1]),
    "categories of polars": (pl.DataFrame({"c": pl.Series(["b"], dtype=pl.Categorical)}), pa.string(), ["b"]),
    "enums": (pl.DataFrame({"c": pl.Series(["b"], dtype=pl.Enum(["b"]))}), pa.string(), ["b"]),
    "dictionaries": (pa.table({"c": pa.array(["b", None]).dictionary_encode()}), pa.string(), ["b", None]),
    "runs": (pa.table({"c": pa.RunEndEncodedArray.from_arrays([2], ["b"])}), pa.string(), ["b", "b"]),
    "whole nanoseconds": (pd.DataFrame({"c": pd.to_datetime([NAIVE]).as_unit("ns")}), MICROS, [NAIVE]),
    "naive": (pl.DataFrame({"c": [NAIVE]}), MICROS, [NAIVE]),
    "aware": (pd.DataFrame({"c": [BERLIN]}), MOMENT, [UTC]),
    "aware of polars": (pl.DataFrame({"c": [BERLIN]}), MOMENT, [UTC]),
    "aware objects": (objects(BERLIN, None), MOMENT, [UTC, None]),
    "two zones": (objects(BERLIN, UTC), MOMENT, [UTC, UTC]),
    "dates": (objects(NAIVE.date(), None), pa.date32(), [NAIVE.date(), None]),
    "dates of polars": (pl.DataFrame({"c": [NAIVE.date()]}), pa.date32(), [NAIVE.date()]),
    "date64": (pa.table({"c": pa.array([NAIVE.date()], pa.date64())}), pa.date32(), [NAIVE.date()]),
    "times": (pl.DataFrame({"c": [NAIVE.time()]}), pa.time64("us"), [NAIVE.time()]),
    "nullable integers": (pd.DataFrame({"c": pd.array([1, None], "Int64")}), pa.int64(), [1, None]),
    "nullable booleans": (pd.DataFrame({"c": pd.array([True, None], "boolean")}), pa.bool_(), [True, None]),
    "arrow-backed": (
        pd.DataFrame({"c": pd.array([Decimal("1.50")], pd.ArrowDtype(pa.decimal128(10, 2)))}),
        pa.decimal128(10, 2),
        [Decimal("1.50")],
    ),
    "declared decimals": (
        pl.DataFrame({"c": pl.Series([Decimal("1.50")], dtype=pl.Decimal(10, 2))}),
        pa.decimal128(10, 2),
        [Decimal("1.50")],
    ),
    "narrow decimals": (
        pa.table({"c": pa.array([Decimal("1.5")], pa.decimal256(10, 2))}),
        pa.decimal128(10, 2),
        [Decimal("1.50")],
    ),
    "no number, of polars": (pl.DataFrame({"c": [1.0, float("inf"), None]}), pa.float64(), [1.0, float("inf"), None]),
    "missing number, of pandas": (pd.DataFrame({"c": [1.0, np.nan, np.inf]}), pa.float64(), [1.0, None, float("inf")]),
    "missing values": (objects(None, pd.NA, pd.NaT, np.nan), pa.null(), [None] * 4),
    "nothing at all": (pl.DataFrame({"c": [None]}), pa.null(), [None]),
    "lists": (pl.DataFrame({"c": [["a"], None]}), pa.list_(pa.string()), [["a"], None]),
    "structs": (
        pa.table({"c": pa.array([{"a": 1}], pa.struct([("a", pa.int8())]))}),
        pa.struct([("a", pa.int16())]),
        [{"a": 1}],
    ),
    "an index without a name": (pd.DataFrame({"c": [1, 2]}, index=[7, 9]), pa.int64(), [1, 2]),
}


@pytest.mark.parametrize(("data", "kind", "values"), KEPT.values(), ids=KEPT)
def test_values_are_kept_in_a_type_every_engine_has(data, kind, values):
    assert column(data) == (kind, values)


def test_nan_of_polars_and_arrow_is_a_number_like_any_other():
    for data in (pl.DataFrame({"c": [float("nan")]}), pa.table({"c": [float("nan")]})):
        assert to_arrow(data).column("c").null_count == 0
        assert repr(column(data)[1]) == "[nan]"


def test_decimals_of_python_get_room_for_those_to_come():
    """A table made for 9.99 alone would refuse 10.00 tomorrow."""
    one, other = column(objects(Decimal("9.99"))), column(objects(Decimal("1000000.5"), Decimal(10)))

    assert one == (pa.decimal128(20, 2), [Decimal("9.99")])
    assert other == (pa.decimal128(19, 1), [Decimal("1000000.5"), Decimal(10)])
    assert column(objects(Decimal("1E-30")))[0] == pa.decimal128(30, 30)


@pytest.mark.parametrize("data", [pd.DataFrame({"c": [1, 2]}), pl.DataFrame({"c": [1, 2]})])
def test_every_form_of_arrow_is_taken(data):
    table = to_arrow(data)

    assert to_arrow(table.to_batches()[0]) == table
    assert to_arrow(table.to_reader()) == table
    assert to_arrow(table) == table
    assert to_arrow(pa.concat_tables([table, table])).num_rows == 4


@pytest.mark.parametrize(
    "data",
    [
        pd.DataFrame({"c": pd.Series([], dtype="int64")}),
        pl.DataFrame(schema={"c": pl.Int64}),
        pa.schema([("c", pa.int64())]).empty_table(),
    ],
)
def test_no_rows_are_a_table_too(data):
    table = to_arrow(data)

    assert table.schema == pa.schema([("c", pa.int64())])
    assert table.num_rows == 0


def test_no_columns_are_a_table_too():
    assert to_arrow(pd.DataFrame()).num_columns == to_arrow(pl.DataFrame()).num_columns == 0


def test_what_is_kept_already_is_not_copied():
    table = pa.table({"a": pa.array([1, 2, 3]), "b": ["x", "y", "z"]})
    before = pa.total_allocated_bytes()

    kept = to_arrow(table)

    assert kept.column("a").chunk(0).buffers()[1].address == table.column("a").chunk(0).buffers()[1].address
    assert pa.total_allocated_bytes() == before


def test_text_too_long_for_one_chunk_is_cut_into_several(monkeypatch):
    monkeypatch.setattr(frames, "MOST_BYTES", 100)
    texts = [f"{n:020d}" for n in range(50)]

    kept = to_arrow(pl.DataFrame({"c": texts})).column("c")

    assert kept.to_pylist() == texts
    assert kept.num_chunks > 5


# And back

EVERYTHING = pa.table(
    {
        "flag": pa.array([True, None]),
        "sure": pa.array([True, False]),
        "int": pa.array([2**62 + 1, None], pa.int64()),
        "small": pa.array([1, None], pa.int16()),
        "float": pa.array([1.5, None]),
        "text": pa.array(["ä", None]),
        "bytes": pa.array([b"\0", None]),
        "day": pa.array([dt.date(1000, 1, 1), None]),
        "time": pa.array([dt.time(1, 2, 3, 4), None], pa.time64("us")),
        "naive": pa.array([dt.datetime(1, 1, 1), None], MICROS),
        "aware": pa.array([UTC, None], MOMENT),
        "amount": pa.array([Decimal("1.50"), None], pa.decimal128(20, 2)),
    }
)


@pytest.mark.parametrize(
    "kind", [pd.DataFrame, pl.DataFrame, pa.Table, pa.RecordBatchReader, "pandas", "polars", "pyarrow"]
)
def test_nothing_changes_on_the_way_back_and_forth(kind):
    data = from_arrow(EVERYTHING, kind)

    assert isinstance(kind, str) or isinstance(data, kind)
    assert to_arrow(data) == EVERYTHING


def test_large_integers_beside_missing_ones_stay_whole_in_pandas():
    frame = from_arrow(EVERYTHING, pd.DataFrame)

    assert frame["int"].tolist()[0] == 2**62 + 1
    assert frame["sure"].dtype == bool
    assert frame["day"].tolist()[0] == dt.date(1000, 1, 1)


@pytest.mark.parametrize("kind", [dict, pl.LazyFrame, pd.Series, "duckdb", int])
def test_what_a_table_cannot_be_read_as_is_said(kind):
    with pytest.raises(InvalidInputError, match=r"A table cannot be read as .*: ask for a pandas or polars DataFrame"):
        from_arrow(EVERYTHING, kind)


def test_neither_pandas_nor_polars_is_needed_for_arrow():
    code = """
import sys
class NotInstalled:
    def find_spec(self, name, path=None, target=None):
        if name in ("pandas", "polars"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, NotInstalled())
import pyarrow as pa
from dashboard_trust.warehouses.frames import from_arrow, to_arrow
assert from_arrow(to_arrow(pa.table({"a": [1]})), pa.Table).num_rows == 1
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
