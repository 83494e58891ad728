"""What `dashboard_trust.checks.expectations` assumes of Great Expectations, which promises none of it."""

import json
import tempfile

import pytest

from dashboard_trust.checks.expectations import load_great_expectations, open_context

UNIQUE, BETWEEN = "expect_column_values_to_be_unique", "expect_column_values_to_be_between"


@pytest.fixture(scope="module")
def gx():
    return load_great_expectations()


@pytest.fixture
def batch(gx):
    import pandas as pd

    frame = pd.DataFrame({"id": [1, 1, 2], "text": ["a", "SECRET", "b"]})
    with open_context() as context:
        asset = context.data_sources.add_pandas("p").add_dataframe_asset("a")
        yield asset.add_batch_definition_whole_dataframe("b").get_batch({"dataframe": frame})


def build(kind, name="one", severity="critical", **arguments):
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    configuration = ExpectationConfiguration(type=kind, kwargs=arguments, meta={"name": name}, severity=severity)
    return configuration.to_domain_obj()


def validate(gx, batch, *expectations, **options):
    return batch.validate(gx.ExpectationSuite("s", expectations=list(expectations)), **options).results


def test_results_come_in_another_order_than_the_suite_and_keep_the_meta(gx, batch):
    broken = build(UNIQUE, "broken", column="nowhere")
    results = validate(gx, batch, build(UNIQUE, "first", column="id"), broken)

    assert [result.expectation_config.meta["name"] for result in results] == ["broken", "first"]


def test_a_metric_that_raised_is_told_by_metric_and_is_no_success(gx, batch):
    (result,) = validate(gx, batch, build(UNIQUE, column="nowhere"))

    assert result.success is False
    assert result.result == {}
    assert "raised_exception" not in result.exception_info
    assert {entry["raised_exception"] for entry in result.exception_info.values()} == {True}
    assert all('The column "nowhere"' in entry["exception_message"] for entry in result.exception_info.values())


def test_an_expectation_that_raised_is_told_as_one_error(gx, batch):
    (result,) = validate(gx, batch, build("expect_column_max_to_be_between", column="text", min_value=1))

    assert result.success is False
    assert result.exception_info["raised_exception"] is True
    first = next(line for line in result.exception_info["exception_traceback"].splitlines()[1:] if line[0] != " ")
    assert first.startswith("TypeError: ")


def test_one_that_did_not_raise_says_so(gx, batch):
    (result,) = validate(gx, batch, build(UNIQUE, column="id"))

    assert result.exception_info["raised_exception"] is False


def test_failing_values_are_in_the_result_unless_none_are_asked_for(gx, batch):
    wrong = build("expect_column_values_to_be_in_set", column="text", value_set=["a", "b"])
    (loud,) = validate(gx, batch, wrong)
    (still,) = validate(gx, batch, wrong, result_format={"result_format": "BASIC", "partial_unexpected_count": 0})

    assert "SECRET" in str(loud.result)
    assert "SECRET" not in str(still.result)
    assert (still.result["element_count"], still.result["unexpected_count"]) == (3, 1)


def test_a_suite_leaves_out_in_silence_what_it_cannot_build(gx):
    with open_context():
        suite = gx.ExpectationSuite("s", expectations=[{"type": UNIQUE, "kwargs": "column"}])

    assert suite.expectations == []


def test_arguments_that_no_expectation_has_are_refused():
    with open_context(), pytest.raises(ValueError, match="extra fields not permitted"):
        build(BETWEEN, column="id", min_value=1, max_valeu=2)


@pytest.mark.parametrize("severity", ["critical", "warning", "info"])
def test_a_severity_is_a_text_of_a_suites_json_and_a_value_in_python(gx, severity):
    with open_context():
        suite = gx.ExpectationSuite("s", expectations=[build(UNIQUE, column="id", severity=severity)])
        said = json.loads(json.dumps(suite.to_json_dict()))

    assert suite.expectation_configurations[0].severity.value == severity
    assert said["expectations"][0]["severity"] == severity
    assert (said["name"], said["expectations"][0]["type"]) == ("s", UNIQUE)


def test_column_expectations_are_met_by_no_rows(gx, batch):
    asset = batch.data_asset
    empty = asset.add_batch_definition_whole_dataframe("empty").get_batch({"dataframe": batch.data.dataframe.iloc[:0]})
    rows = build("expect_table_row_count_to_be_between", "rows", min_value=1)

    found = {
        r.expectation_config.meta["name"]: r.success for r in validate(gx, empty, build(UNIQUE, column="id"), rows)
    }

    assert found == {"one": True, "rows": False}


def test_a_context_leaves_nothing_behind_and_draws_nothing(gx, batch, capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with open_context() as context:
        assert context.config.analytics_enabled is False
        validate(gx, batch, build(UNIQUE, column="id"))

    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_the_context_that_was_current_is_current_again(gx):
    from great_expectations.data_context.data_context.context_factory import project_manager

    before = project_manager._ProjectManager__project
    try:
        ours = gx.get_context(mode="ephemeral")
        with open_context():
            assert project_manager.get_current_project() is not ours
        assert project_manager.get_current_project() is ours
    finally:
        project_manager.set_project(before)
