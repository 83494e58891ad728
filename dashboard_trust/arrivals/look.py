"""One look at a store: which files arrived or changed, which are waited for, which nobody expects."""

from __future__ import annotations

import datetime as dt
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import dagster as dg

from dashboard_trust.arrivals.asked import read_asked
from dashboard_trust.arrivals.completeness import ManifestError, Named, read_listed, why_incomplete
from dashboard_trust.arrivals.declaration import FileSource
from dashboard_trust.arrivals.fetching import SHA256, hash_file
from dashboard_trust.arrivals.memory import PARTS, Memory, add_to, mark_of, new_sums, part_of
from dashboard_trust.arrivals.partitions import Key, NotYetError, Partitioning, UnexpectedNameError
from dashboard_trust.arrivals.stores import Entry, Store
from dashboard_trust.evidence.facts import FileVersion
from dashboard_trust.readers.event_log import read_newest

MOST_FILES = 2_000
"""How many files a look looks at more closely; the next look goes on from there."""

MOST_RUNS = 100
MOST_BYTES = 256 << 20
"""How much a look reads to tell whether a file that was written again holds the same."""

NO_MATCH = "is not named like "


@dataclass(frozen=True, slots=True)
class Arrival:
    """A version of a partition's files that is to be loaded; ``attempt`` counts from 0."""

    key: Key
    files: tuple[Entry, ...]
    version: str
    attempt: int = 0


@dataclass(frozen=True, slots=True)
class Look:
    """What a look found: what is to be loaded, what waits and why, what nobody expects and why, by path."""

    due: Sequence[Arrival]
    waiting: Mapping[str, str]
    unexpected: Mapping[str, str]
    memory: Memory
    files: int = 0


@dataclass(slots=True)
class _Seen:
    """The files of the parts that changed: by what those of one partition have in common, and what is beside them."""

    groups: dict[int, list[Named]] = field(default_factory=lambda: defaultdict(list))
    strangers: dict[int, list[Entry]] = field(default_factory=lambda: defaultdict(list))
    beside: dict[str, Entry] = field(default_factory=dict)


def look_for_arrivals(  # noqa: PLR0913, PLR0917  # what is looked at, what is known, and when
    source: FileSource,
    partitioning: Partitioning,
    asset: dg.AssetKey,
    instance: dg.DagsterInstance,
    memory: Memory,
    now: dt.datetime,
) -> Look:
    """List the store, and look closer at what is not as it was.

    Raises:
        FileNotFoundError: The store has no such folder.
    """
    store = source.open_store()
    entries, parts, sums = _list(store, source, partitioning)
    chosen = _choose(memory.changed(sums), parts)
    seen = _sort(source, partitioning, zip(entries, parts, strict=True), chosen)
    files = len(entries)
    del entries
    closer = _Closer(source, partitioning, asset, instance, store, now, seen, list(memory.same))
    found = closer.look(chosen)
    due = [arrival for _, arrival in found.due[:MOST_RUNS]]
    unsettled = {part for part, _ in found.due} | set(found.waiting_in)
    remembered = memory.sums[:]
    for part in chosen:
        # What is waited for or asked for is looked at again, until a materialization says that it is there.
        remembered[part] = 0 if part in unsettled else sums[part]
    unexpected = found.unexpected
    fresh = {path: why for path, why in unexpected.items() if mark_of(path, why) not in memory.told}
    told = (*memory.told, *(mark_of(path, why) for path, why in fresh.items()))
    after = (chosen[-1] + 1) % PARTS if chosen else memory.next
    memory = replace(memory, sums=remembered, told=told, same=tuple(closer.same), next=after)
    return Look(due, found.waiting, fresh, memory, files)


def _list(store: Store, source: FileSource, partitioning: Partitioning) -> tuple[list[Entry], array[int], array[int]]:
    """Return the files, the part of each, and the sums of the parts."""
    entries, parts, sums = [], array("H"), new_sums()
    group_of = _grouping(source, partitioning)
    for entry in store.files(_common_start(source)):
        part = part_of(group_of(entry.path))
        add_to(sums, part, entry.path, entry.token)
        entries.append(entry)
        parts.append(part)
    return entries, parts, sums


def _grouping(source: FileSource, partitioning: Partitioning) -> Callable[[str], str]:
    other = source.beside
    told_by, group = set(partitioning.fields.values()), partitioning.grouping()

    def group_of(path: str) -> str:
        fields = source.read(path) or (other.read(path) if other is not None else None)
        return group(fields) if fields is not None and told_by <= fields.keys() else f"/{path}"

    return group_of


def _common_start(source: FileSource) -> str:
    """Return what the paths of files begin with, and of what lies beside them: a folder, so that others are found."""
    patterns = [source.pattern, *([source.beside] if source.beside is not None else [])]
    folders = {pattern.start({}).rpartition("/")[0] for pattern in patterns}
    return f"{folders.pop()}/" if len(folders) == 1 and folders != {""} else ""


def _choose(changed: Sequence[int], parts: array[int]) -> list[int]:
    """Return as many of the changed parts as one look may look at."""
    sizes = [0] * PARTS
    for part in parts:
        sizes[part] += 1
    chosen: list[int] = []
    files = 0
    for part in changed:
        if chosen and files + sizes[part] > MOST_FILES:
            break
        chosen.append(part)
        files += sizes[part]
    return chosen


def _sort(
    source: FileSource, partitioning: Partitioning, listed: Iterable[tuple[Entry, int]], chosen: Sequence[int]
) -> _Seen:
    seen, wanted = _Seen(), set(chosen)
    other = source.beside
    shared = other is not None and not set(partitioning.fields.values()) <= set(other.fields)
    for entry, part in listed:
        if part not in wanted and not shared:
            continue
        fields = source.read(entry.path)
        if fields is not None:
            if part in wanted:
                seen.groups[part].append((entry, fields))
        elif other is not None and other.read(entry.path) is not None:
            seen.beside[entry.path] = entry
        elif part in wanted and all(one.read(entry.path) is None for one in source.ignored):
            seen.strangers[part].append(entry)
    return seen


@dataclass(slots=True)
class _Found:
    """What is found in parts of the store: each arrival with its part, and by path why others are none."""

    due: list[tuple[int, Arrival]] = field(default_factory=list)
    waiting: dict[str, str] = field(default_factory=dict)
    waiting_in: list[int] = field(default_factory=list)
    unexpected: dict[str, str] = field(default_factory=dict)

    def wait(self, part: int, path: str, why: str) -> None:
        """Note that a file is not ready to be loaded."""
        self.waiting[path] = why
        self.waiting_in.append(part)


@dataclass(slots=True)
class _Closer:
    """The look at single partitions: complete or not, loaded or not, asked for or not."""

    source: FileSource
    partitioning: Partitioning
    asset: dg.AssetKey
    instance: dg.DagsterInstance
    store: Store
    now: dt.datetime
    seen: _Seen
    same: list[str]
    read: int = 0

    def look(self, parts: Sequence[int]) -> _Found:
        """Look at the files of these parts of the store."""
        found, name = _Found(), self.asset.to_user_string()
        partitions = [one for part in parts for one in self._partitions_in(part, found)]
        loads = read_newest(self.instance, {(name, key.text) for _, key, _ in partitions}) if partitions else {}
        arrived: dict[str | None, tuple[int, Arrival]] = {}
        for part, key, files in partitions:
            entries, load = [entry for entry, _ in files], loads.get((name, key.text))
            why = self._why_not_yet(files)
            if why:
                found.wait(part, entries[0].path, why)
            elif load is None or not all(self._is_loaded(entry, load.files.get(entry.path)) for entry in entries):
                arrived[key.text] = part, self._arrival(key, files)
        versions = {key: arrival.version for key, (_, arrival) in arrived.items()}
        asked = read_asked(self.instance, self.asset, versions) if versions else {}
        for text, (part, arrival) in arrived.items():
            if asked[text].unfinished:
                found.wait(part, arrival.files[0].path, f"a run is loading {text or name}")
            elif asked[text].again and asked[text].not_before > self.now:
                again_at = f"{asked[text].not_before:%H:%M:%S} UTC"
                found.wait(part, arrival.files[0].path, f"its runs broke; it is asked for again at {again_at}")
            elif asked[text].again:
                found.due.append((part, replace(arrival, attempt=asked[text].attempts)))
        return found

    def _partitions_in(self, part: int, found: _Found) -> list[tuple[int, Key, list[Named]]]:
        """Return the partitions of a part of the store with their files; say which files are of none."""
        partitions: dict[str | None, tuple[int, Key, list[Named]]] = {}
        for entry in self.seen.strangers[part]:
            found.unexpected[entry.path] = NO_MATCH + self.source.pattern.text
        for entry, fields in sorted(self.seen.groups[part], key=lambda one: one[0].path):
            try:
                key = self.partitioning.key(fields, self.instance)
            except UnexpectedNameError as error:
                found.unexpected[entry.path] = str(error)
            except NotYetError as error:
                found.wait(part, entry.path, str(error))
            else:
                partitions.setdefault(key.text, (part, key, []))[2].append((entry, fields))
        return list(partitions.values())

    def _why_not_yet(self, files: Sequence[Named]) -> str:
        if self.read > MOST_BYTES:
            return "is looked at next time: enough was read in this look"
        complete, beside = self.source.complete, self.seen.beside.get
        try:
            listed = read_listed(self.store, complete, files, beside)
        except ManifestError as error:
            return str(error)
        return why_incomplete(files, complete, self.now, beside, listed)

    def _arrival(self, key: Key, files: Sequence[Named]) -> Arrival:
        """Return the version of these files and of what lies beside them: a manifest is mended without its files."""
        entries, other = [entry for entry, _ in files], self.source.beside
        beside = {other.start(fields) for _, fields in files} if other is not None else set()
        seen = [*entries, *(self.seen.beside[path] for path in sorted(beside))]
        said = [self.asset.to_user_string(), key.text or "", *(f"{one.path}\0{one.token}" for one in seen)]
        return Arrival(key, tuple(entries), mark_of(*said))

    def _is_loaded(self, entry: Entry, was: FileVersion | None) -> bool:
        """Whether what was loaded is this file, or another with the same content."""
        if was is None or was.size != entry.size:
            return False
        if was.token == entry.token:
            return True
        # Written again, as large as before: the same once more, or a correction.
        mark = mark_of(entry.path, entry.token, was.sha256)
        if mark not in self.same:
            if entry.size > MOST_BYTES:
                return False  # reading it takes longer than a tick may: a run of it does no harm
            self.read += entry.size
            if hash_file(self.store, entry.path)[SHA256] != was.sha256:
                return False
            self.same.append(mark)
        return True


def describe(look: Look) -> Iterator[str]:
    """Yield what a look found in words, for whoever reads the tick."""
    if look.waiting:
        path, why = next(iter(sorted(look.waiting.items())))
        yield f"{len(look.waiting)} waiting ({path}: {why})"
    if look.unexpected:
        path, why = next(iter(sorted(look.unexpected.items())))
        yield f"{len(look.unexpected)} unexpected ({path} {why})"
    yield f"{look.files} files"
