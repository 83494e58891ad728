"""What is assumed of dbt's artifacts, and of how dagster-dbt keeps a manifest with its assets."""

# No `from __future__ import annotations`: Dagster reads the annotations of assets, and as strings refuses them.
import json
import subprocess
import sys

import dagster as dg
import pytest
from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation, dbt_assets
from dagster_dbt.asset_utils import get_asset_check_key_for_test, get_manifest_and_translator_from_dbt_assets
from dagster_dbt.utils import select_unique_ids
from dbt.cli.main import cli
from dbt.contracts.results import FreshnessStatus, NodeStatus, TestStatus

from dashboard_trust.enforcement.dbt_nodes import MANIFEST, SELECTION, UNIQUE_ID
from dashboard_trust.enforcement.dbt_results import ANSWERS, BROKEN
from dashboard_trust.enforcement.dbt_run import SAME, SAME_VALUES
from dashboard_trust.enforcement.dbt_sources import FRESH_OR_NOT


@pytest.fixture(scope="module")
def manifest(tmp_path_factory, copy_dbt_words):
    folder = copy_dbt_words(tmp_path_factory.mktemp("dbt") / "words")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORDS_WAREHOUSE", "words.duckdb")
        parse = [sys.executable, "-m", "dbt.cli.main", "--no-version-check", "parse", "--profiles-dir", "."]
        subprocess.run(parse, cwd=folder, check=True, capture_output=True)
    return json.loads((folder / "target" / "manifest.json").read_text())


def test_the_manifest_and_the_translator_are_kept_with_the_assets(manifest):
    translator = DagsterDbtTranslator()

    @dbt_assets(manifest=manifest, select="total", exclude="rated", dagster_dbt_translator=translator)
    def models(context: dg.AssetExecutionContext):
        yield

    (spec,) = models.specs
    assert MANIFEST in spec.metadata
    assert spec.metadata[UNIQUE_ID] == "model.words.total"
    assert all(check.metadata[UNIQUE_ID].startswith("test.") for check in models.check_specs)
    assert get_manifest_and_translator_from_dbt_assets([models]) == (manifest, translator, None)
    assert [models.op.tags.get(name) for name in SELECTION] == ["total", "rated", None]


def test_what_a_selection_runs_are_tests_too_of_two_models_and_of_one_unit(manifest):
    selected = select_unique_ids("total", "", "", None, manifest)

    assert {"test.words.no_part_exceeds_its_total", "unit_test.words.total.amounts_are_summed"} <= selected


def test_dagster_dbt_finds_no_asset_for_a_test_of_two_models_and_none_for_a_unit_test(manifest):
    for test in ("test.words.no_part_exceeds_its_total", "unit_test.words.total.amounts_are_summed"):
        assert get_asset_check_key_for_test(manifest, DagsterDbtTranslator(), test, None) is None


def test_a_unit_test_depends_on_its_model_and_a_generic_test_is_attached_to_one(manifest):
    (unit,) = manifest["unit_tests"].values()
    attached = {node.get("attached_node") for node in manifest["nodes"].values() if node["resource_type"] == "test"}

    assert unit["depends_on"]["nodes"] == ["model.words.total"]
    assert {"model.words.paid", "model.words.total", "model.words.large"} <= attached
    assert unit["unique_id"] in manifest["parent_map"]


def test_a_source_says_from_when_on_it_is_not_fresh(manifest):
    declared = {node["name"]: node["freshness"] for node in manifest["sources"].values()}

    assert declared["payments"]["warn_after"] == {"count": 1, "period": "hour"}
    assert declared["taxes"]["warn_after"] == {"count": None, "period": None}


def test_dbt_has_no_other_words_than_these():
    assert {*map(str, TestStatus)} == {*ANSWERS, "error", "skipped"}
    assert {*map(str, FreshnessStatus)} == {*FRESH_OR_NOT, "runtime error"}
    known = {*ANSWERS, *BROKEN, "success", "skipped", "no-op", "reused"}
    assert {*map(str, NodeStatus)} <= known


def test_a_test_takes_the_options_that_another_look_passes_on():
    known = {name for option in cli.commands["test"].params for name in (*option.opts, *option.secondary_opts)}

    assert {*SAME, *SAME_VALUES} <= known
    assert all(option.is_flag for option in cli.commands["test"].params if set(option.opts) & set(SAME))
    assert not any(
        getattr(option, "is_flag", False)
        for option in cli.commands["test"].params
        if set(option.opts) & set(SAME_VALUES)
    )


def test_an_invocation_has_a_process_and_gives_its_own_artifacts():
    assert {"process", "manifest"} <= set(DbtCliInvocation.__dataclass_fields__)
    assert {"get_artifact", "get_error", "stream", "wait"} <= set(dir(DbtCliInvocation))
