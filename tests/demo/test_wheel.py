"""What is shipped: the wheel alone, in an empty folder, is a demo that runs."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SHIPPED = (
    "dashboard_trust/py.typed",
    "dashboard_trust/contracts/odcs/versions/NOTICE",
    "dashboard_trust/contracts/odcs/versions/odcs-v3.0.2.schema.json",
    "dashboard_trust/contracts/odcs/versions/odcs-v3.1.0.schema.json",
    "dashboard_trust/contracts/odcs/versions/odcs-v3.2.0.schema.json",
    "dashboard_trust/demo/contract.yaml",
    "dashboard_trust/demo/static/page.html",
    "dashboard_trust/demo/static/page.css",
    "dashboard_trust/site/static/banner.js",
    "dashboard_trust/demo/dbt_project/dbt_project.yml",
    "dashboard_trust/demo/dbt_project/profiles.yml",
    "dashboard_trust/demo/dbt_project/models/marts/revenue_daily.sql",
)
RUN = """
import dashboard_trust, sys
assert not dashboard_trust.__file__.startswith(sys.argv.pop(1)), dashboard_trust.__file__
from dashboard_trust.cli.app import main
main()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    build = "import sys; from hatchling.build import build_wheel; build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, str(folder)], cwd=CHECKOUT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


def test_it_holds_everything_a_demo_needs_and_no_tests(wheel):
    assert not [name for name in SHIPPED if not (wheel / name).is_file()]
    assert {path.name.split("-")[0] for path in wheel.iterdir()} == {"dashboard_trust"}


def run_from(wheel: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DA")}
    return subprocess.run(
        [sys.executable, "-c", RUN, str(CHECKOUT), *arguments],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        check=False,
    )


def words(told: str) -> str:
    return " ".join(told.split())


@pytest.mark.long
def test_with_every_default_it_publishes_and_then_waits_for_the_end_of_the_present_day(wheel, new_home):
    folder = new_home.home.path
    folder.mkdir()
    demo = type(new_home)(folder / ".dashboard_trust")

    first = run_from(wheel, folder, "demo", "--json")

    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    day = dt.date.fromisoformat(max(demo.expected()))
    assert (told["readiness"], told["partition"], told["published"]) == ("READY", str(day), True)
    assert told["serving"]["partition"] == str(day)
    demo.assert_shows(day)
    assert [path.name for path in folder.iterdir()] == [".dashboard_trust"]

    present = day + dt.timedelta(days=1)
    demo.add_day(present)
    second = run_from(wheel, folder, "demo")

    assert second.returncode == 3, second.stderr
    assert second.stdout.startswith("WAITING")
    assert f"before the end of what it is to cover ({present + dt.timedelta(days=1)} 00:00 UTC)" in words(second.stdout)
    demo.assert_shows(day)
