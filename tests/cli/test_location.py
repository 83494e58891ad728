from __future__ import annotations

from pathlib import Path

import pytest

from dashboard_trust.cli.location import Location, open_project
from dashboard_trust.cli.targets import Target, load_gates, read_workspace
from dashboard_trust.errors import InvalidInputError

PLAIN = "import dagster as dg\n"


def keys(location):
    with open_project(location) as project:
        return sorted(project.dashboards)


def test_a_module_a_file_and_a_workspace_lead_to_the_same_dashboards(in_shop):
    (in_shop / "workspace.yaml").write_text("load_from: [{python_file: trust_shop.py}]")

    assert keys(Location(modules=("trust_shop",))) == ["dashboards/sales"]
    assert keys(Location(files=(Path("trust_shop.py"),))) == ["dashboards/sales"]
    assert keys(Location(workspaces=(Path("workspace.yaml"),))) == ["dashboards/sales"]
    assert keys(Location()) == ["dashboards/sales"]


def test_a_model_behind_a_gate_is_no_dashboard(in_shop):
    assert "mart" not in keys(Location(modules=("trust_shop",)))


def test_one_dashboard_in_two_locations_is_refused(in_shop):
    with pytest.raises(InvalidInputError, match="another location defines too"):
        keys(Location(modules=("trust_shop",), files=(Path("trust_shop.py"),)))


def test_a_home_comes_before_a_workspace_and_must_have_run(place, monkeypatch):
    (place / "workspace.yaml").write_text("load_from: [{python_module: trust_shop}]")
    (place / ".dashboard_trust").mkdir()
    with pytest.raises(InvalidInputError, match=r"\.dashboard_trust holds no demo that has run"):
        keys(Location())

    monkeypatch.setenv("DASHBOARD_TRUST_HOME", "elsewhere")
    with pytest.raises(InvalidInputError, match="elsewhere holds no demo that has run"):
        keys(Location())


class TestWorkspace:
    def read(self, place, text):
        (place / "workspace.yaml").write_text(text)
        return read_workspace(place / "workspace.yaml")

    def test_modules_packages_and_files_are_read_with_their_attributes(self, place):
        here = (place, Path())

        assert self.read(
            place,
            "load_from:\n"
            "  - python_module: a.b\n"
            "  - python_module: {module_name: a, attribute: defs, location_name: x, working_directory: sub}\n"
            "  - python_package: c\n"
            "  - python_file: {relative_path: d/e.py}\n",
        ) == [
            Target(module="a.b", folders=here),
            Target(module="a", attribute="defs", folders=(place / "sub", Path())),
            Target(module="c", folders=here),
            Target(file=place / "d/e.py", folders=here),
        ]

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "5",
            "\0",
            "load_from:",
            "load_from: []",
            "load_from: [",
            "load_from: [a]",
            "load_from: [{a: b, c: d}]",
            "load_from: [{5: x}]",
            "load_from: [{python_modul: x}]",
            "load_from: [{python_file: {}}]",
            "load_from: [{python_file: 5}]",
            "load_from: [{grpc_server: {port: 1}}]",
        ],
    )
    def test_what_cannot_be_loaded_is_named(self, place, text):
        with pytest.raises(InvalidInputError, match=r"workspace\.yaml"):
            self.read(place, text)


class TestDefinitions:
    def load(self, place, text, attribute=""):
        (place / "some.py").write_text(PLAIN + text)
        return load_gates(Target(file=place / "some.py", attribute=attribute))

    def test_one_under_two_names_is_one(self, place):
        assert self.load(place, "defs = also = dg.Definitions()") == {}

    def test_a_function_that_builds_them_is_called(self, place):
        assert self.load(place, "@dg.definitions\ndef defs(): return dg.Definitions()") == {}
        assert self.load(place, "def build(): return dg.Definitions()", "build") == {}

    def test_a_module_beside_it_can_be_imported(self, place):
        (place / "beside_some.py").write_text(PLAIN + "defs = dg.Definitions()")

        assert self.load(place, "from beside_some import defs") == {}

    @pytest.mark.parametrize(
        ("text", "attribute"),
        [
            ("", ""),
            ("a = dg.Definitions()\nb = dg.Definitions()", ""),
            ("defs = dg.Definitions()", "dfes"),
            ("def build(): return 5", "build"),
            ("word = 5", "word"),
        ],
    )
    def test_none_several_or_another_thing_is_refused(self, place, text, attribute):
        with pytest.raises(InvalidInputError, match=r"some\.py"):
            self.load(place, text, attribute)


def test_nothing_is_created_where_there_is_nothing(place):
    with pytest.raises(InvalidInputError):
        keys(Location(home=Path("new")))

    assert [*place.iterdir()] == []
