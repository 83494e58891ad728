from __future__ import annotations

import shutil
from pathlib import Path

from dashboard_trust.publication.releases import (
    collect_releases,
    holds,
    point_current,
    read_current,
    write_release,
)


def test_the_same_page_is_the_same_release_and_writes_nothing(tmp_path):
    first = write_release(tmp_path, b"page")
    written = (tmp_path / "releases" / first / "index.html").stat()

    assert write_release(tmp_path, b"page") == first
    assert (tmp_path / "releases" / first / "index.html").stat().st_ino == written.st_ino
    assert write_release(tmp_path, b"other") != first


def test_a_damaged_release_is_not_believed_and_is_written_again(tmp_path):
    release = write_release(tmp_path, b"page")
    (tmp_path / "releases" / release / "index.html").write_bytes(b"pa")

    assert not holds(tmp_path, release)
    assert write_release(tmp_path, b"page") == release
    assert holds(tmp_path, release)


def test_the_link_is_relative_and_a_copied_folder_works(tmp_path):
    site = tmp_path / "site"
    release = write_release(site, b"page")
    point_current(site, release)
    shutil.copytree(site, tmp_path / "copy", symlinks=True)
    shutil.rmtree(site)

    assert (tmp_path / "copy" / "current").readlink() == Path("releases", release)
    assert read_current(tmp_path / "copy") == release


def test_a_dangling_link_shows_nothing(tmp_path):
    point_current(tmp_path, "0123")

    assert read_current(tmp_path) is None


def test_collecting_spares_what_is_shown_and_kept(tmp_path):
    shown, kept, orphan = (write_release(tmp_path, page) for page in (b"1", b"2", b"3"))
    point_current(tmp_path, shown)
    (tmp_path / "releases" / ".building-x").mkdir()

    collect_releases(tmp_path, {kept})

    assert {folder.name for folder in (tmp_path / "releases").iterdir()} == {shown, kept}
    assert orphan not in {shown, kept}
