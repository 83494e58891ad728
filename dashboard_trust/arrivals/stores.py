"""Where files arrive: a folder of any store that fsspec knows, and what it says of the files in it."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeAlias

from fsspec.core import url_to_fs

from dashboard_trust.errors import InvalidInputError

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem
    from upath import UPath


UNFINISHED = (".tmp", ".part", ".filepart", "~")
"""What names of files end in that somebody is still writing; those that begin with a dot are nobody's data either."""

CHECKSUMS = ("md5Hash", "crc32c", "ETag", "etag")
"""What stores call the mark of a file's content, or of its version."""

TIMES = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")


class Entry(NamedTuple):
    """A file as a listing tells it: its path below the folder, its bytes, and when it was written.

    ``token`` changes whenever the file is written anew, and seldom otherwise: the store's own mark, else what its
    disk says. ``modified`` is in seconds since 1970; None: the store does not say.
    """

    path: str
    size: int
    token: str
    modified: float | None


@dataclass(frozen=True, slots=True)
class Store:
    """A folder, as fsspec names it (``s3://bucket/folder``, ``abfs://…``, ``gs://…``, a path), with its options."""

    url: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, place: Place) -> Store:
        """Return the store that a URL, a path or a `UPath` names."""
        if isinstance(place, Store):
            return place
        return cls(str(place), dict(getattr(place, "storage_options", {})))

    def open_fs(self) -> tuple[AbstractFileSystem, str]:
        """Return the file system and the folder in it.

        Raises:
            InvalidInputError: fsspec has no such store, or what it needs is not installed.
        """
        try:
            # A listing that is remembered is an old one.
            fs, root = url_to_fs(self.url, **{"use_listings_cache": False, **self.options})
        except (ImportError, ValueError) as error:
            raise InvalidInputError(f"Store {self.url} cannot be opened: {error}") from error
        return fs, str(root).rstrip("/")

    def files(self, start: str = "") -> Iterator[Entry]:
        """Yield the files whose path below the folder begins with ``start``, in no order, without `UNFINISHED` ones.

        Raises:
            FileNotFoundError: There is no such folder.
        """
        fs, root = self.open_fs()
        folder = start.rpartition("/")[0]
        top = f"{root}/{folder}" if folder else root
        found = _walk(top) if _is_local(fs) else _find(fs, top)
        skip = len(root) + 1
        for path, size, token, modified in found:
            name = path[skip:]
            if name.startswith(start) and not _is_ignored(name):
                yield Entry(name, size, token, modified)

    def entry(self, path: str) -> Entry | None:
        """Return one file as the store tells it now; None: there is none."""
        fs, root = self.open_fs()
        fs.invalidate_cache()
        try:
            said = fs.info(f"{root}/{path}")
        except FileNotFoundError:
            return None
        if said["type"] != "file":
            return None
        return Entry(path, *(_local(Path(said["name"]).stat()) if _is_local(fs) else _told(said)))

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading, as it is."""
        fs, root = self.open_fs()
        opened: BinaryIO = fs.open(f"{root}/{path}", "rb")
        return opened

    def local_path(self, path: str) -> Path | None:
        """Return where a file lies on this machine; None: it lies elsewhere."""
        fs, root = self.open_fs()
        return Path(root, path) if _is_local(fs) else None

    def __str__(self) -> str:
        return self.url


Place: TypeAlias = "str | os.PathLike[str] | UPath | Store"


def _is_local(fs: AbstractFileSystem) -> bool:
    return bool(getattr(fs, "local_file", False)) and "file" in (*fs.protocol,)


def _walk(top: str) -> Iterator[tuple[str, int, str, float | None]]:
    """Yield the files below a folder of this machine: without the many words that fsspec has for each."""
    folders = [top]
    while folders:
        with os.scandir(folders.pop()) as found:
            for one in found:
                try:
                    if one.is_dir(follow_symlinks=False):
                        if not one.name.startswith("."):
                            folders.append(one.path)
                    elif one.is_file():
                        yield (one.path, *_local(one.stat()))
                except FileNotFoundError:
                    continue  # gone since the folder was read


def _local(stat: os.stat_result) -> tuple[int, str, float | None]:
    return stat.st_size, f"{stat.st_size}-{stat.st_mtime_ns}-{stat.st_ino}", stat.st_mtime


def _find(fs: AbstractFileSystem, top: str) -> Iterator[tuple[str, int, str, float | None]]:
    fs.invalidate_cache()
    found = fs.find(top, detail=True)
    if not found and not fs.exists(top):
        raise FileNotFoundError(top)
    while found:  # let go of what was told: a listing of many files is large
        path, said = found.popitem()
        if said.get("type") == "file" and not path.endswith("/"):
            yield (path, *_told(said))


def _told(said: Mapping[str, Any]) -> tuple[int, str, float | None]:
    size = int(said.get("size") or 0)
    when = next((said[name] for name in TIMES if said.get(name) is not None), None)
    modified = _seconds(when)
    settings = said.get("content_settings") or {}
    checksum = settings.get("content_md5") if hasattr(settings, "get") else None
    mark = bytes(checksum).hex() if checksum else next((said[name] for name in CHECKSUMS if said.get(name)), None)
    return size, f"{size}-{str(mark).strip(chr(34))}" if mark else f"{size}-{modified}", modified


def _seconds(when: object) -> float | None:
    if isinstance(when, str):
        try:
            when = dt.datetime.fromisoformat(when)
        except ValueError:
            return None
    if isinstance(when, dt.datetime):
        return (when if when.tzinfo else when.replace(tzinfo=dt.UTC)).timestamp()
    return float(when) if isinstance(when, int | float) else None


def _is_ignored(path: str) -> bool:
    return path.startswith(".") or "/." in path or path.endswith(UNFINISHED)
