"""The files of one partition as one table: found, fetched, read, and what does not fit set apart."""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard_trust.arrivals.completeness import Listed, ManifestError, Named, read_listed, why_incomplete
from dashboard_trust.arrivals.declaration import FileSource
from dashboard_trust.arrivals.fetching import SHA256, fetch, refuse_changed
from dashboard_trust.arrivals.partitions import NotYetError, Partitioning, UnexpectedNameError
from dashboard_trust.arrivals.reading import Refused, Rows, read_rows
from dashboard_trust.arrivals.stores import Entry, Store
from dashboard_trust.errors import FailureClass, FileRefusedError, SourceError
from dashboard_trust.evidence.facts import FileVersion

if TYPE_CHECKING:
    import pyarrow as pa

NOTHING: Mapping[str, Listed] = {}


@dataclass(frozen=True, slots=True)
class Loaded:
    """The rows of a partition's files, what is said of each file, and the rows that do not fit, by file.

    ``came`` are the files that were not loaded before, each with when it came.
    """

    data: pa.Table
    files: Mapping[str, Mapping[str, Any]]
    refused: Mapping[str, Sequence[Refused]] = field(default_factory=dict)

    came: Mapping[str, dt.datetime] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All rows of the files."""
        return len(self.data) + sum(len(rows) for rows in self.refused.values())


class TooManyRefusedError(FileRefusedError):
    """More rows of a file than its source allows do not fit; ``refused`` are those, by file."""

    def __init__(self, message: str, refused: Mapping[str, Sequence[Refused]]) -> None:
        super().__init__(message)
        self.refused = refused


def find_files(store: Store, source: FileSource, partitioning: Partitioning, key: str | None) -> list[Named]:
    """Return the files of a partition and the fields of their paths, in the order of their paths.

    No more of the store is listed than the partition's paths have in common.
    """
    pattern = partitioning.pattern
    known, starts = partitioning.known_fields(key)
    start = pattern.start(known, starts)
    if pattern.is_filled_by(known):
        only = store.entry(start)
        return [(only, known)] if only is not None and _is_of(partitioning, known, key) else []
    found: list[Named] = []
    try:
        for entry in store.files(start):
            fields = source.read(entry.path)
            if fields is not None and _is_of(partitioning, fields, key):
                found.append((entry, fields))
    except FileNotFoundError:
        return []  # its folder comes with its first file
    return sorted(found, key=lambda each: each[0].path)


def load_files(
    store: Store, source: FileSource, partitioning: Partitioning, key: str | None, before: Mapping[str, FileVersion]
) -> Loaded:
    """Read the files of a partition; ``before`` are those it was loaded from last.

    Whoever asks for it, what a sensor would wait for is not loaded.

    Raises:
        SourceError: There is none, or they are not all there yet.
        FileRefusedError: One may not be believed.
        TooManyRefusedError: Too many rows of one do not fit.
    """
    import pyarrow as pa

    found = find_files(store, source, partitioning, key)
    if not found:
        raise SourceError(f"{expected_path(partitioning, key)} has not arrived in {store}", FailureClass.CONTRACT)
    gone = before.keys() - {entry.path for entry, _ in found}
    if gone and not partitioning.pattern.is_filled_by(partitioning.known_fields(key)[0]):
        raise FileRefusedError(
            f"{key or 'it'} was loaded from {min(gone)} too, which is no longer in {store}: put it back, or wipe the "
            "materialization if it is to be loaded without it"
        )
    listed = _read_listed(store, source, found)
    tables, files, refused = [], {}, {}
    for entry, fields in found:
        with tempfile.TemporaryDirectory(prefix="arrival-") as folder:
            hashes, rows = _read(store, source, entry, listed.get(entry.path), Path(folder))
        tables.append(_with_fields(rows.data, partitioning, fields))
        files[entry.path] = {
            "token": entry.token,
            "sha256": hashes[SHA256],
            "size": entry.size,
            "rows": rows.total,
            "refused": len(rows.refused),
        }
        if rows.refused:
            refused[entry.path] = rows.refused
    _refuse_too_many(source, files, refused)
    new = [entry for entry, _ in found if entry.path not in before and entry.modified is not None]
    came = {entry.path: dt.datetime.fromtimestamp(entry.modified or 0, dt.UTC) for entry in new}
    return Loaded(pa.concat_tables(tables), files, refused, came)


def _read_listed(store: Store, source: FileSource, files: Sequence[Named]) -> dict[str, Listed]:
    """Return what the manifests of these files list; raise where the files are not all there."""
    try:
        listed = read_listed(store, source.complete, files, store.entry)
    except ManifestError as error:
        raise FileRefusedError(str(error)) from None
    why = why_incomplete(files, source.complete, dt.datetime.now(dt.UTC), store.entry, listed)
    if why:
        raise SourceError(f"{why}; it is loaded once it is complete, not before", FailureClass.CONTRACT)
    return listed


def _read(
    store: Store, source: FileSource, entry: Entry, listed: Listed | None, folder: Path
) -> tuple[Mapping[str, str], Rows]:
    """Return the hashes of a file, and its rows."""
    if not entry.size:
        raise FileRefusedError(f"{entry.path} is empty: it has no bytes")
    try:
        with ThreadPoolExecutor(1) as beside:
            kinds = {SHA256, listed.kind} if listed is not None and listed.checksum else {SHA256}
            fetched = fetch(store, entry, source, sorted(kinds), folder=folder, beside=beside)
            if listed is not None and listed.checksum and fetched.hashes[listed.kind] != listed.checksum:
                raise FileRefusedError(
                    f"{entry.path} is not what its manifest lists: {listed.kind} {fetched.hashes[listed.kind][:12]}…, "
                    f"not {listed.checksum[:12]}…"
                )
            rows = read_rows(fetched.path, entry.path, source)
    finally:
        # After both, so that what was hashed is what was read; and what is wrong with half a file is no word on it.
        refuse_changed(store, entry)
    if listed is not None and listed.rows is not None and listed.rows != rows.total:
        raise FileRefusedError(f"{entry.path} has {rows.total} rows, and its manifest lists {listed.rows}")
    if not rows.total and not source.accept_empty:
        raise FileRefusedError(f"{entry.path} is empty: it has no rows")
    return fetched.hashes, rows


def _refuse_too_many(
    source: FileSource, files: Mapping[str, Mapping[str, Any]], refused: Mapping[str, Sequence[Refused]]
) -> None:
    for path, rows in refused.items():
        if len(rows) > source.max_refused:
            raise TooManyRefusedError(
                f"{path}: {len(rows)} of {files[path]['rows']} rows do not fit, and at most {source.max_refused} may "
                f"be kept aside: {reasons(rows)}",
                refused,
            )


def reasons(rows: Sequence[Refused]) -> str:
    """Return why rows do not fit, the most frequent reasons first, each with where it was first found."""
    counted: dict[str, tuple[int, str]] = {}
    for where, why, _ in rows:
        number, first = counted.get(why, (0, where))
        counted[why] = (number + 1, first)
    most = sorted(counted.items(), key=lambda one: -one[1][0])
    more = f"; and {len(most) - 3} other reasons" if len(most) > 3 else ""
    return "; ".join(f"{why} ({number}, first in {first})" for why, (number, first) in most[:3]) + more


def as_table(refused: Mapping[str, Sequence[Refused]]) -> pa.Table:
    """Return rows that do not fit as a table: the file, where in it, why, and what is written there."""
    import pyarrow as pa

    rows = [(path, *row) for path, found in refused.items() for row in found]
    columns = zip(*rows, strict=True)
    return pa.table(dict(zip(("file", "place", "reason", "content"), map(list, columns), strict=True)))


def _with_fields(data: pa.Table, partitioning: Partitioning, fields: Mapping[str, str]) -> pa.Table:
    """Return rows with the fields of their path that tell the partition, as columns."""
    import pyarrow as pa

    pattern = partitioning.pattern
    for _, name, _ in partitioning.dimensions:
        value: Any = fields[name]
        kind = pa.string()
        if name in pattern.formats:
            value = pattern.moment(name, value)
            kind = pa.date32() if pattern.is_of_days(name) else pa.timestamp("us")
            value = value.date() if pattern.is_of_days(name) else value
        data = data.append_column(pa.field(name, kind), pa.repeat(pa.scalar(value, kind), len(data)))
    return data


def _is_of(partitioning: Partitioning, fields: Mapping[str, str], key: str | None) -> bool:
    if partitioning.partitions is None:
        return True
    try:
        return partitioning.key(fields).text == key
    except (UnexpectedNameError, NotYetError):
        return False


def expected_path(partitioning: Partitioning, key: str | None) -> str:
    """Return the path of a partition's file, or what is known of it and the pattern."""
    known, starts = partitioning.known_fields(key)
    start = partitioning.pattern.start(known, starts)
    return start if partitioning.pattern.is_filled_by(known) else f"{start}… ({partitioning.pattern.text})"
