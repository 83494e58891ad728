from pathlib import Path

import pytest
import yaml

from dashboard_trust.demo.home import VARIABLE, Home
from dashboard_trust.errors import HomeError


def test_a_home_that_cannot_be_made_is_named_with_the_next_step(tmp_path: Path):
    occupied = tmp_path / "home"
    occupied.write_text("a file of somebody else")

    with pytest.raises(HomeError, match=r"home cannot be used as a home: .*--home"):
        Home(occupied).create()

    assert occupied.read_text() == "a file of somebody else"


def test_a_home_below_a_file_writes_nothing(tmp_path: Path):
    (tmp_path / "file").write_text("")

    with pytest.raises(HomeError):
        Home(tmp_path / "file" / "home").create()

    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_creating_again_keeps_the_settings_somebody_changed(tmp_path: Path):
    home = Home(tmp_path / "home")
    home.create()
    settings = home.dagster / "dagster.yaml"
    settings.write_text("telemetry: {enabled: false}\n# mine\n")

    home.create()

    assert "# mine" in settings.read_text()


def test_no_file_of_a_new_home_names_where_it_stands(tmp_path: Path):
    home = Home(tmp_path / "home")
    home.create()

    files = [path for path in home.path.rglob("*") if path.is_file()]

    assert files
    assert not [path for path in files if str(tmp_path).encode() in path.read_bytes()]


def test_dagster_sends_nothing(tmp_path: Path):
    home = Home(tmp_path / "home")
    home.create()

    settings = yaml.safe_load((home.dagster / "dagster.yaml").read_text())

    assert settings == {"telemetry": {"enabled": False}, "nux": {"enabled": False}}


def test_the_environment_names_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "elsewhere"))
    assert Home.from_environment() == Home(tmp_path / "elsewhere")

    monkeypatch.delenv(VARIABLE)
    monkeypatch.chdir(tmp_path)
    assert Home.from_environment() == Home(tmp_path / ".dashboard_trust")
