"""Releases of a static page: written whole, named by their content, swapped in with one rename."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection
from pathlib import Path


def release_id(page: bytes) -> str:
    """Return the name of the release that holds exactly this page."""
    return hashlib.sha256(page).hexdigest()[:16]


def write_release(site: Path, page: bytes) -> str:
    """Write ``releases/<id>/index.html`` durably and return its id; the same bytes write nothing."""
    release = release_id(page)
    folder = site / "releases" / release
    if holds(site, release):
        return release
    building = folder.with_name(f".building-{release}")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    write_durably(building / "index.html", page)
    # Only a damaged release can stand here, for a whole one was found above.
    shutil.rmtree(folder, ignore_errors=True)
    building.rename(folder)
    _sync_folder(folder.parent)
    return release


def holds(site: Path, release: str) -> bool:
    """Whether the release is there and is what its name says."""
    return _read_id(site / "releases" / release) == release


def point_current(site: Path, release: str) -> None:
    """Make ``current`` a relative link to the release, in one atomic step."""
    current = site / "current"
    if not current.is_symlink() and current.is_dir():
        # A copy that followed the link left a folder, which no link can replace.
        shutil.rmtree(current)
    temporary = site / ".current"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(Path("releases") / release, target_is_directory=True)
    temporary.replace(current)
    _sync_folder(site)


def read_current(site: Path) -> str | None:
    """Return the id of the page shown, by its content; None if no page is shown."""
    return _read_id(site / "current")


def collect_releases(site: Path, keep: Collection[str]) -> None:
    """Delete releases that are neither kept nor shown, and what killed processes left half-written."""
    wanted = {*keep, read_current(site)}
    for folder in (site / "releases").glob("*"):
        if folder.is_dir() and folder.name not in wanted:
            shutil.rmtree(folder)


def write_durably(path: Path, content: bytes) -> None:
    """Replace the file in one atomic step, on disk before this returns."""
    temporary = path.with_name(f".{path.name}.partial")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync_folder(path.parent)


def _read_id(folder: Path) -> str | None:
    try:
        return release_id((folder / "index.html").read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
