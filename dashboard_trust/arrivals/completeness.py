"""When a file is all there: how a source says so, and whether it has."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dashboard_trust.arrivals.patterns import PathPattern
from dashboard_trust.arrivals.stores import Entry, Store
from dashboard_trust.errors import InvalidInputError

SUM_LINE = re.compile(r"(?P<sum>[0-9a-fA-F]{32}|[0-9a-fA-F]{64}) [ *](?P<name>.+)")
KINDS = {32: "md5", 64: "sha256"}

Named = tuple[Entry, Mapping[str, str]]
"""A file, and the fields of its path."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A file is complete once it has not been written to for a while, by the store's own clock."""

    seconds: float = 60.0

    def __post_init__(self) -> None:
        """Refuse what is no time."""
        if not 0 <= self.seconds <= 7 * 86400:
            raise InvalidInputError(f"A file settles for 0 seconds to 7 days, not {self.seconds}.")


@dataclass(frozen=True, slots=True)
class Marker:
    """A file is complete once a marker lies beside it that is not older: ``{day:%Y-%m-%d}.done``.

    The pattern's fields are those of the file's.
    """

    pattern: PathPattern


@dataclass(frozen=True, slots=True)
class Manifest:
    """Files are complete once a manifest names them, with their checksums, and they are as large as it says.

    It is JSON (``{"files": [{"name", "sha256" or "md5", "size", "rows"}]}``; all but the name may be left out) or what
    ``sha256sum`` and ``md5sum`` write. A name is of its own folder. Checksums and rows are compared in the load.
    """

    pattern: PathPattern


Complete = Settled | Marker | Manifest


@dataclass(frozen=True, slots=True)
class Listed:
    """What a manifest says of one file."""

    path: str
    size: int | None = None
    checksum: str = ""
    rows: int | None = None

    @property
    def kind(self) -> str:
        """How the checksum was counted: ``sha256`` or ``md5``."""
        return KINDS[len(self.checksum)]


class ManifestError(Exception):
    """A manifest that cannot be read; the message says why."""


def parse_manifest(path: str, text: str) -> tuple[Listed, ...]:
    """Return what a manifest lists, with paths as the store has them.

    Raises:
        ManifestError: It is of neither form, or lists nothing.
    """
    folder = path.rpartition("/")[0]
    try:
        listed = _parse_json(text) if text.lstrip()[:1] in "{[" and text.strip() else _parse_sums(text)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ManifestError(f"manifest {path} cannot be read: {type(error).__name__}: {error}") from None
    if not listed:
        raise ManifestError(f"manifest {path} lists no file")
    return tuple(
        Listed(f"{folder}/{one.path}" if folder else one.path, one.size, one.checksum.lower(), one.rows)
        for one in listed
    )


def read_listed(
    store: Store, complete: Complete, files: Sequence[Named], beside: Callable[[str], Entry | None]
) -> dict[str, Listed]:
    """Return what the manifests of these files list, by path; ``beside`` returns what lies at a path, if anything.

    Raises:
        ManifestError: One cannot be read.
    """
    listed: dict[str, Listed] = {}
    if not isinstance(complete, Manifest):
        return listed
    paths = {complete.pattern.start(fields) for _, fields in files}
    for path in sorted(path for path in paths if beside(path) is not None):
        try:
            with store.open(path) as file:
                listed |= {one.path: one for one in parse_manifest(path, file.read().decode("utf-8-sig"))}
        except (FileNotFoundError, UnicodeError) as error:
            raise ManifestError(f"manifest {path} cannot be read: {error}") from None
    return listed


def why_incomplete(
    files: Sequence[Named],
    complete: Complete,
    now: dt.datetime,
    beside: Callable[[str], Entry | None],
    listed: Mapping[str, Listed],
) -> str:
    """Return what the files of one partition wait for; empty: they are all there.

    ``listed`` is what their manifests list.
    """
    for entry, fields in files:
        if isinstance(complete, Settled):
            if entry.modified is None:
                return f"{entry.path}: its store does not say when it was written; declare a marker or a manifest"
            if now.timestamp() - entry.modified < complete.seconds:
                return f"{entry.path} was written less than {complete.seconds:g} s ago"
            continue
        path = complete.pattern.start(fields)
        other = beside(path)
        if other is None:
            return f"{entry.path} waits for its {type(complete).__name__.lower()} {path}"
        if isinstance(complete, Marker) and other.modified is not None and (entry.modified or 0) > other.modified:
            return f"{entry.path} is newer than its marker {path}"
    return _why_unlike([entry for entry, _ in files], listed) if isinstance(complete, Manifest) else ""


def _why_unlike(entries: Sequence[Entry], listed: Mapping[str, Listed]) -> str:
    there = {entry.path: entry for entry in entries}
    for path, one in listed.items():
        if path not in there:
            return f"{path} is in the manifest and has not arrived"
        if one.size is not None and there[path].size != one.size:
            return f"{path} has {there[path].size} of {one.size} bytes"
    extra = there.keys() - listed.keys()
    return f"{min(extra)} is not in its manifest" if extra else ""


def _parse_json(text: str) -> list[Listed]:
    said = json.loads(text)
    files = said["files"] if isinstance(said, dict) else said
    found = []
    for one in files:
        checksum = str(one.get("sha256") or one.get("md5") or "")
        if checksum and len(checksum) not in KINDS:
            raise ValueError(f"{checksum!r} is neither sha256 nor md5")
        size, rows = (None if one.get(name) is None else int(one[name]) for name in ("size", "rows"))
        found.append(Listed(str(one["name"]), size, checksum, rows))
    return found


def _parse_sums(text: str) -> list[Listed]:
    lines = [line for line in text.splitlines() if line.strip()]
    found = [SUM_LINE.fullmatch(line) for line in lines]
    for line, match in zip(lines, found, strict=True):
        if match is None:
            raise ValueError(f"{line[:80]!r} is no line of sha256sum")
    return [Listed(match["name"], checksum=match["sum"]) for match in found if match]
