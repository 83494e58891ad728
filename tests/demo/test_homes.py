"""A home can be copied, and several demos can run at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long
ENTRY = "from dashboard_trust.cli.app import main; main()"


def start(demo) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", ENTRY, "demo", "--home", str(demo.home.path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def names(path: Path, place: Path) -> bool:
    """Whether a file names a place, but for the addresses that tables were written to."""
    return str(place).encode() in path.read_bytes().replace(f"duckdb://{place}/".encode(), b"")


def test_a_home_names_no_path_and_a_copy_goes_on_where_the_original_is_gone(original, prepared, copy_home):
    found = list(prepared.rglob("*"))
    assert not [str(path) for path in found if path.is_file() and (names(path, original) or names(path, prepared))]
    assert not [path for path in found if path.is_symlink() and path.readlink().is_absolute()]
    copy = copy_home("copy")
    copy.add_day(copy.following)
    away = prepared.rename(prepared.with_name("away"))
    try:
        ended = copy.command("demo")
        assert not prepared.exists()
    finally:
        away.rename(prepared)

    assert ended.returncode == 0, ended.stderr
    copy.assert_shows(copy.following)


def test_two_homes_at_once_are_both_published(copy_home):
    homes = [copy_home("one"), copy_home("other")]
    homes[0].correct_refund(homes[0].day, "1.00")
    homes[1].correct_refund(homes[1].day, "2.00")

    children = [start(demo) for demo in homes]

    for demo, child in zip(homes, children, strict=True):
        said, errors = child.communicate(timeout=120)
        assert child.returncode == 0, errors
        assert said.startswith("READY")
        demo.assert_shows(demo.day)


def test_two_demos_in_one_home_run_one_after_the_other(copy_home):
    demo = copy_home("one")
    demo.add_day(demo.following)

    children = [start(demo), start(demo)]

    for child in children:
        _, errors = child.communicate(timeout=120)
        assert child.returncode == 0, errors
    demo.assert_shows(demo.following)
    log = demo.table("trust.publications")
    assert len(log) == 2  # the second had nothing to publish
