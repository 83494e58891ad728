from __future__ import annotations

import re
import traceback

import dagster as dg
import pytest
from dagster.components.core.component_tree import ComponentTreeException

from dashboard_trust.components.scaffold import TrustedFilesScaffolder
from dashboard_trust.errors import InvalidInputError

ATTRIBUTES = """\
key: raw/orders
owner: team:orders
store: {store}
pattern: "orders/{{day:%Y-%m-%d}}.csv"
partitions: {{day: {{schedule: daily, start: "2026-01-01"}}}}
columns: [{{name: id, type: integer, required: true}}, {{name: amount, type: "decimal(18, 2)"}}]
complete: {{settled_seconds: 0}}
"""
LANDED = dg.AssetKey(["raw", "landed"])


@pytest.fixture
def landing(tmp_path):
    folder = tmp_path / "landing" / "orders"
    folder.mkdir(parents=True)
    return folder.parent


WAREHOUSE = """\
from pathlib import Path

import dagster as dg

from dashboard_trust import TrustedIOManager
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse


@dg.definitions
def resources() -> dg.Definitions:
    return dg.Definitions(resources={{"warehouse_io": TrustedIOManager(DuckDBWarehouse(Path("{}")))}})
"""


def write_resources(project, tmp_path) -> None:
    file = project.folder / "src" / project.package / "defs" / "warehouse.py"
    file.write_text(WAREHOUSE.format(tmp_path / "warehouse.duckdb"))


def load(project, tmp_path) -> dg.Definitions:
    write_resources(project, tmp_path)
    return project.load()


def test_files_from_yaml_are_loaded_as_they_arrive(project, landing, tmp_path, instance, run):
    project.declare(ATTRIBUTES.format(store=landing) + "audit: [unique: id]\n", kind="TrustedFiles")
    (landing / "orders" / "2026-01-02.csv").write_text("id,amount\n1,1.50\n")
    defs = load(project, tmp_path)
    sensor = defs.resolve_sensor_def("raw__orders_arrivals")

    context = dg.build_sensor_context(instance, repository_def=defs.get_repository_def())
    (request,) = sensor.evaluate_tick(context).run_requests

    assert request.partition_key == "2026-01-02"
    result = run(defs, "raw/orders", day=request.partition_key)
    assert result.success
    assert {found.check_name for found in result.get_asset_check_evaluations()} == {"rows_fit", "unique_id"}
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("encoding: utf-9", "'utf-9' is no encoding"),
        ("format: parquet\ndelimiter: ';'", "files of format parquet have no 'delimiter'"),
        ("max_refused: -1", "max_refused counts rows, from 0"),
        ("expected: {time: '25:00'}", "'25:00' is not a time of day"),
        ("transform: orders", "package.module:function"),
        ("frame: spark", "frame"),
        ("colums: []", "colums"),
    ],
)
def test_what_cannot_be_meant_is_an_error_that_names_it(project, landing, line, named):
    project.declare(f"{ATTRIBUTES.format(store=landing)}{line}\n", kind="TrustedFiles")

    with pytest.raises((InvalidInputError, ComponentTreeException)) as caught:
        project.load()

    assert named in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("{day:%Y-%m-%d}", "{customer}", "partitions 'day' is no field"),
        ("partitions: {day:", "partitions: {da:", "partitions 'da' is no field"),
        ("%Y-%m-%d", "%Y-%q", "%q in {day} is not known"),
        ('{schedule: daily, start: "2026-01-01"}', "{schedule: daily}", "a schedule with its start"),
        ('{schedule: daily, start: "2026-01-01"}', "{values: [a]}", "does not say the partition"),
        ("type: integer", "type: int", "'int' is no type to fit"),
        ("{settled_seconds: 0}", "{marker: '{region}.done'}", "{region} is no field of"),
        ("{settled_seconds: 0}", "{settled_seconds: 0, marker: 'x'}", "by one of settled_seconds, marker"),
        ("name: amount", "name: day", "'day' is a field of the path"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_an_error(project, landing, old, new, named):
    project.declare(ATTRIBUTES.format(store=landing).replace(old, new), kind="TrustedFiles")

    with pytest.raises((InvalidInputError, ComponentTreeException)) as caught:
        project.load()

    assert named in "".join(traceback.format_exception(caught.value))


def test_every_line_of_a_scaffold_can_be_used(project, landing, tmp_path):
    folder = project.folder / "src" / project.package / "defs" / "landed"
    folder.mkdir()
    (project.folder / "src" / project.package / "files.py").write_text("def landed(rows):\n    return rows\n")
    request = dg.ScaffoldRequest("dashboard_trust.components.TrustedFiles", folder, "yaml", project.folder, None)
    TrustedFilesScaffolder().scaffold(request)
    text = re.sub(r"(?m)^  # (?=\w+: )", "  ", (folder / "defs.yaml").read_text())
    (folder / "defs.yaml").write_text(
        text.replace("s3://my-bucket/landing", str(landing)).replace("{anon: true}", "{}")
    )

    asset = load(project, tmp_path).resolve_assets_def(LANDED)

    assert {key.name for key in asset.check_keys} == {"rows_fit", "unique_id"}
    assert asset.metadata_by_key[LANDED]["dashboard_trust/expected"]["time"] == "06:00:00"


@pytest.mark.long
@pytest.mark.timeout(900)  # three starts of dg
def test_dg_scaffolds_and_checks_it(project, tmp_path):
    code, said = project.dg("scaffold", "defs", "dashboard_trust.components.TrustedFiles", "landed")
    file = project.folder / "src" / project.package / "defs" / "landed" / "defs.yaml"
    assert code == 0, said
    assert 'pattern: "landed/{day:%Y-%m-%d}.csv"' in file.read_text()
    assert f"# transform: {project.package}.files:landed" in file.read_text()

    # What was scaffolded is valid; where its rows are written is the project's to say.
    code, said = project.dg("check", "defs")
    assert code != 0
    assert "All component YAML validated successfully" in said
    assert "warehouse_io" in said

    write_resources(project, tmp_path)
    code, said = project.dg("check", "defs")
    assert (code, "All definitions loaded successfully" in said) == (0, True), said
