import datetime as dt
import json
import logging
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal

import pyarrow as pa
import pytest

from dashboard_trust.checks.expectations import load_great_expectations, open_context, validate
from dashboard_trust.checks.suite_rows import open_frame_rows, to_frame
from dashboard_trust.checks.suites import read_suite
from dashboard_trust.errors import InvalidInputError
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

COLUMN = "expect_column_values_to_"
SECRET = "Jane Doe"


def expect(kind, meta=None, severity=None, **kwargs):
    said = {"type": kind, "kwargs": kwargs, "meta": meta or {}}
    return said if severity is None else {**said, "severity": severity}


def suite_of(*expectations):
    return read_suite({"name": "sales", "expectations": list(expectations)})


def names(*expectations):
    return [expectation.name for expectation in suite_of(*expectations).expectations]


def find(table, *expectations, samples=0):
    """Return the result of each expectation on these rows, in the suite's order."""
    suite = suite_of(*expectations)
    with open_context() as context:
        asset = context.data_sources.add_pandas("p").add_dataframe_asset("a")
        batch = asset.add_batch_definition_whole_dataframe("b").get_batch({"dataframe": to_frame(table)})
        found = validate(batch, suite, samples)
    return [found[one.name] for one in suite.expectations]


def outcomes(table, *expectations):
    return [result.outcome for result in find(table, *expectations)]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "expects nothing"),
        ({"expectations": []}, "expects nothing"),
        ({"expectations": "expect_x"}, "expects nothing"),
        ({"expectations": ["expect_x"]}, "expectation 1 is no object"),
        ({"expectations": [{"kwargs": {}}]}, "expectation 1 has no 'type'"),
        ({"expectations": [{"type": "expect_x", "kwargs": [1]}]}, "must be objects"),
        ({"expectations": [expect("expect_x", severity="loud")]}, "severity 'loud': known: critical, info, warning"),
        ({"expectations": [expect("expect_x", {"name": "my check"})]}, "named 'my check'"),
        ({"expectations": [expect("expect_x", {"name": "a"}), expect("expect_y", {"name": "a"})]}, "'a' 2 times"),
        ({"expectations": [expect("expect_x", column="a")] * 2}, "2 times: remove one"),
        (7, "not a int"),
    ],
)
def test_a_suite_that_cannot_be_meant_is_refused(said, message):
    with pytest.raises(InvalidInputError, match=message):
        read_suite(said)


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "is not JSON"), ("[1]", "is a JSON list"), ("\xff", "is not JSON"), (None, "No such file")],
)
def test_a_file_that_is_no_suite_is_refused_by_its_name(tmp_path, text, message):
    path = tmp_path / "sales.json"
    if text is not None:
        path.write_bytes(text.encode("latin-1"))

    with pytest.raises(InvalidInputError, match=rf"sales\.json.*{message}"):
        read_suite(path)


def test_names_are_of_type_and_columns():
    assert names(
        expect("expect_column_values_to_be_unique", column="order id"),
        expect("expect_column_pair_values_to_be_equal", column_A="a", column_B="b"),
        expect("expect_compound_columns_to_be_unique", column_list=["a", "b"]),
        expect("expect_table_row_count_to_be_between", min_value=1),
        expect("expect_column_max_to_be_between", {"name": "not_in_the_future"}, column="paid_at", max_value=1),
    ) == [
        "column_values_to_be_unique_order_id",
        "column_pair_values_to_be_equal_a_b",
        "compound_columns_to_be_unique_a_b",
        "table_row_count_to_be_between",
        "not_in_the_future",
    ]


def test_expectations_that_would_be_named_alike_keep_their_names_in_any_order():
    small, large = (expect(COLUMN + "match_regex", column="a", regex=regex) for regex in ("^s", "^l"))
    other = expect(COLUMN + "be_unique", column="a")

    first, second = names(small, large)
    assert first != second
    assert names(other, large, small) == ["column_values_to_be_unique_a", second, first]


def test_a_given_name_stands_even_where_another_would_be_named_so():
    given, made = names(expect(COLUMN + "be_null", {"name": "column_values_to_be_unique_a"}, column="b"),
                        expect(COLUMN + "be_unique", column="a"))  # fmt: skip

    assert given == "column_values_to_be_unique_a"
    assert made.startswith("column_values_to_be_unique_a_")


def test_a_suite_reads_the_same_from_json_and_from_python(tmp_path):
    gx = load_great_expectations()
    with open_context():
        suite = gx.ExpectationSuite(
            "sales",
            expectations=[
                gx.expectations.ExpectColumnValuesToNotBeNull(column="id", severity="warning", description="Has one."),
                gx.expectations.ExpectColumnValuesToBeInSet(column="kind", value_set=["a"], meta={"name": "kinds"}),
            ],
        )
    path = tmp_path / "file.json"
    path.write_text(json.dumps(suite.to_json_dict()))

    from_python, from_json = read_suite(suite), read_suite(path)

    assert from_json == from_python
    assert [(e.name, e.severity, e.warns, e.description) for e in from_json.expectations] == [
        ("column_values_to_not_be_null_id", "warning", True, "Has one."),
        ("kinds", "critical", False, ""),
    ]


def test_an_older_file_is_read_too(tmp_path):
    path = tmp_path / "file.json"
    listed = [{"expectation_type": "expect_column_values_to_be_unique", "kwargs": {"column": "id"}, "meta": {}}]
    path.write_text(json.dumps({"expectation_suite_name": "sales", "data_asset_type": None, "expectations": listed}))
    path_without_name = tmp_path / "orders.json"
    path_without_name.write_text(json.dumps({"expectations": listed}))

    assert read_suite(path).expectations[0].kind == "expect_column_values_to_be_unique"
    assert read_suite(str(path_without_name)).name == "orders"


def test_reading_json_does_not_import_great_expectations(tmp_path):
    path = tmp_path / "sales.json"
    path.write_text(json.dumps({"expectations": [expect(COLUMN + "be_unique", column="id")]}))
    code = (
        "import sys; import dagster as dg; from dashboard_trust import GXSource, suite_checks;"
        f"suite_checks(dg.AssetSpec('sales'), {str(path)!r}, GXSource('postgres', str));"
        "print('great_expectations' in sys.modules, 'pandas' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "False"]


ROWS = pa.table({"id": pa.array([1, 1, 3, None], pa.int64()), "name": ["a", SECRET, None, "bb"]})


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (expect("expect_colum_values_to_be_unique", column="id"), "did you mean 'expect_column_values_to_be_unique'?"),
        (expect(COLUMN + "be_unique", colum="id"), "colum: extra fields not permitted"),
        (expect(COLUMN + "be_between", column="id"), "min_value and max_value cannot both be None"),
        (expect(COLUMN + "be_unique", column="nowhere"), 'The column "nowhere" in BatchData does not exist'),
        (expect(COLUMN + "be_between", column="name", min_value=1), "raised TypeError"),
        (expect("unexpected_rows_expectation", unexpected_rows_query="SELECT 1 FROM {batch}"), "No provider found"),
        (
            expect(COLUMN + "be_between", column="id", min_value={"$PARAMETER": "low"}),
            "No value found for $PARAMETER low",
        ),
    ],
)
def test_what_cannot_be_asked_is_errored_and_others_keep_their_results(wrong, reason):
    good, failing = expect(COLUMN + "be_null", {"name": "g"}, column="name"), expect(COLUMN + "be_unique", column="id")
    before, found, after = find(ROWS, good, wrong, failing)

    assert found.outcome == "errored"
    assert reason in found.reason
    assert (before.outcome, after.outcome) == ("failed", "failed")


def test_nothing_of_a_row_is_in_a_result_unless_it_is_asked_for():
    expectations = [
        expect(COLUMN + "be_in_set", column="name", value_set=["a"]),
        expect("expect_column_distinct_values_to_be_in_set", column="name", value_set=["a"]),
        expect("expect_column_most_common_value_to_be_in_set", column="name", value_set=["z"]),
        expect("expect_column_max_to_be_between", column="name", max_value=1),
        expect("expect_column_mean_to_be_between", column="name", max_value=1),
        expect(COLUMN + "match_strftime_format", column="name", strftime_format="%Y"),
        expect("expect_column_kl_divergence_to_be_less_than", column="name", threshold=0.1,
               partition_object={"values": ["a"], "weights": [1.0]}),
    ]  # fmt: skip
    kept_back, asked_for = find(ROWS, *expectations), find(ROWS, *expectations, samples=1)

    assert SECRET not in str(kept_back)
    assert kept_back[0].reason == "2 of 4 rows are unexpected"
    assert asked_for[0].details["sample_failures"] == [SECRET]
    assert kept_back[0].details == {
        "element_count": 4,
        "missing_count": 1,
        "unexpected_count": 2,
        "unexpected_percent": pytest.approx(200 / 3),
    }


def test_great_expectations_logs_nothing_while_it_is_asked(caplog):
    """It logs the errors that it catches, and they cite values."""
    said_by_it = logging.getLogger("great_expectations.validator.validation_graph")
    with open_context():
        said_by_it.error(f"Caught exception could not convert {SECRET}")
    said_by_it.error("afterwards")

    assert caplog.messages == ["afterwards"]


D = Decimal
DAY = dt.date(2026, 1, 1)
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
TYPED = pa.table(
    {
        "count": pa.array([2**53 + 1, 2**53 + 2, None], pa.int64()),
        "flag": pa.array([True, False, None]),
        "price": pa.array([D("1.10"), D("2.20"), None], pa.decimal128(18, 2)),
        "long": pa.array([D("1.10"), D("1234567890123456789.01"), None], pa.decimal128(38, 2)),
        "day": pa.array([DAY, DAY + dt.timedelta(1), None]),
        "at": pa.array([NOON, NOON + dt.timedelta(1), None], pa.timestamp("us", "UTC")),
        "text": pa.array(["ab", "abc", None]),
    }
)


@pytest.mark.parametrize("column", TYPED.column_names)
def test_a_missing_value_is_missing_and_no_duplicate_of_any_type(column):
    assert outcomes(
        TYPED,
        expect(COLUMN + "be_unique", column=column),
        expect(COLUMN + "not_be_null", column=column),
        expect(COLUMN + "be_null", column=column),
        expect("expect_column_unique_value_count_to_be_between", column=column, min_value=2, max_value=2),
        expect("expect_column_proportion_of_non_null_values_to_be_between", column=column, min_value=1),
    ) == ["passed", "failed", "failed", "passed", "failed"]


@pytest.mark.parametrize(
    ("met", "unmet"),
    [
        (
            expect(COLUMN + "be_in_set", column="count", value_set=[2**53 + 1, 2**53 + 2]),
            expect(COLUMN + "be_in_set", column="count", value_set=[2**53, 2**53 + 2]),  # a float's neighbours
        ),
        (
            expect(COLUMN + "not_be_in_set", column="count", value_set=[2**53]),
            expect(COLUMN + "not_be_in_set", column="count", value_set=[2**53 + 1]),
        ),
        (
            expect(COLUMN + "be_of_type", column="count", type_="int64"),
            expect(COLUMN + "be_of_type", column="count", type_="float64"),
        ),
        (
            expect(COLUMN + "be_in_set", column="flag", value_set=[True, False]),
            expect(COLUMN + "be_in_set", column="flag", value_set=[True]),
        ),
        (
            expect(COLUMN + "be_between", column="price", min_value=1.1, max_value=2.2),
            expect(COLUMN + "be_between", column="price", min_value=1.2, max_value=2.2),
        ),
        (
            expect("expect_column_mean_to_be_between", column="price", min_value=1.64, max_value=1.66),
            expect("expect_column_mean_to_be_between", column="price", min_value=0, max_value=1.6),
        ),
        (
            expect("expect_column_sum_to_be_between", column="price", min_value=3.2, max_value=3.4),
            expect("expect_column_sum_to_be_between", column="price", min_value=3.4),
        ),
        (
            expect(COLUMN + "be_in_set", column="price", value_set=[1.1, 2.2]),
            expect(COLUMN + "be_between", column="price", min_value=1.1, strict_min=True),
        ),
        (
            expect("expect_column_max_to_be_between", column="long", min_value=10**18, max_value=10**19),
            expect("expect_column_max_to_be_between", column="long", max_value=10**18),
        ),
        (
            expect("expect_column_mean_to_be_between", column="long", min_value=10**17, max_value=10**19),
            expect("expect_column_mean_to_be_between", column="long", max_value=10**17),
        ),
        (
            expect(COLUMN + "be_between", column="day", min_value="2026-01-01", max_value="2026-01-02"),
            expect(COLUMN + "be_between", column="day", min_value="2026-01-02"),
        ),
        (
            expect(COLUMN + "be_between", column="at", min_value="2026-01-01T00:00:00+00:00"),
            expect(COLUMN + "be_between", column="at", min_value="2026-01-02T00:00:00+00:00"),
        ),
        (
            expect(COLUMN + "match_regex", column="text", regex="^ab"),
            expect(COLUMN + "match_regex", column="text", regex="^abc"),
        ),
        (
            expect("expect_column_value_lengths_to_be_between", column="text", min_value=2, max_value=3),
            expect("expect_column_value_lengths_to_be_between", column="text", min_value=3),
        ),
        (
            expect("expect_compound_columns_to_be_unique", column_list=["count", "flag"]),
            expect("expect_column_pair_values_to_be_equal", column_A="count", column_B="flag"),
        ),
        (
            expect("expect_table_row_count_to_equal", value=3),
            expect("expect_table_row_count_to_equal", value=2),
        ),
        (
            expect("expect_table_columns_to_match_set", column_set=list(TYPED.column_names)),
            expect("expect_table_columns_to_match_set", column_set=["count"]),
        ),
        (
            expect(COLUMN + "be_unique", {"name": "a"}, column="text", row_condition='text == "ab"',
                   condition_parser="pandas"),
            expect(COLUMN + "be_in_set", column="count", value_set=[1], row_condition="count > 0",
                   condition_parser="pandas"),
        ),
    ],
)  # fmt: skip
def test_an_expectation_is_met_and_unmet_by_values_of_every_type(met, unmet):
    assert outcomes(TYPED, met, {**unmet, "meta": {"name": "unmet"}}) == ["passed", "failed"]


def test_an_empty_batch_meets_what_is_said_of_values_and_not_what_is_said_of_rows():
    assert outcomes(
        TYPED.slice(0, 0),
        expect(COLUMN + "not_be_null", column="price"),
        expect("expect_column_mean_to_be_between", column="price", min_value=0),
        expect("expect_table_row_count_to_be_between", min_value=1),
    ) == ["passed", "failed", "failed"]


@pytest.fixture
def warehouse(tmp_path):
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    with warehouse.connect("test") as connection:
        connection.register("typed", TYPED)
        connection.execute("CREATE TABLE main.typed AS SELECT * FROM typed")
    return warehouse


def test_a_forbidden_amount_is_found(warehouse):
    found, _ = look(warehouse, expect(COLUMN + "not_be_in_set", {"name": "f"}, column="price", value_set=[1.1]))

    assert found.results["f"].outcome == "failed"


def look(warehouse, *expectations):
    suite = suite_of(*expectations)
    with open_frame_rows(warehouse, "main.typed") as rows:
        return rows.look(None, suite, 0), suite


@pytest.mark.parametrize(
    ("column", "values"), [("day", ["2026-01-01"]), ("long", [1.1]), ("count", ["1"]), ("text", [1])]
)
def test_a_forbidden_value_that_no_row_can_equal_is_errored_and_not_passed(warehouse, column, values):
    """As pandas compares them: a JSON suite can only name a date as text, or a decimal as a float."""
    look_, _ = look(warehouse, expect(COLUMN + "not_be_in_set", {"name": "f"}, column=column, value_set=values))

    assert look_.results["f"].outcome == "errored"
    assert f"column {column!r} is " in look_.results["f"].reason


def test_forbidden_values_that_a_row_can_equal_are_looked_for(warehouse):
    forbidden = [
        ("price", [1.5]),
        ("long", [1]),
        ("long", [0.5]),
        ("count", [1.5, None]),
        ("text", ["x", None]),
        ("flag", [7]),
    ]
    expectations = [expect(COLUMN + "not_be_in_set", {"name": f"n{n}"}, column=c, value_set=v)
                    for n, (c, v) in enumerate(forbidden)]  # fmt: skip
    found, suite = look(warehouse, *expectations)

    assert found.rows == 3
    assert {found.results[one.name].outcome for one in suite.expectations} == {"passed"}


def test_a_table_that_is_not_there_is_named(warehouse):
    with pytest.raises(InvalidInputError, match=r"no table main\.nowhere"), open_frame_rows(warehouse, "main.nowhere"):
        pass


def test_parameters_of_a_suite_are_put_in():
    suite = replace(
        suite_of(expect(COLUMN + "be_between", {"name": "b"}, column="id", min_value={"$PARAMETER": "low"})),
        parameters={"low": 2},
    )
    with open_context() as context:
        asset = context.data_sources.add_pandas("p").add_dataframe_asset("a")
        batch = asset.add_batch_definition_whole_dataframe("b").get_batch({"dataframe": to_frame(ROWS)})

        assert validate(batch, suite)["b"].reason == "2 of 4 rows are unexpected"
