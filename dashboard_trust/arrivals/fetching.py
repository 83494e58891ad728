"""A file of a store, copied to this machine: unpacked, as UTF-8, with the hash of what the store had."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import lzma
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from dashboard_trust.arrivals.declaration import FileSource, Parquet
from dashboard_trust.arrivals.stores import Entry, Store
from dashboard_trust.errors import FailureClass, FileRefusedError, SourceError

CHUNK = 1 << 20
UTF8 = ("utf-8", "utf-8-sig")
SHA256 = "sha256"


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that can be read on this machine; ``hashed`` are the bytes that the store has."""

    path: Path
    hashed: Future[dict[str, str]]

    @property
    def hashes(self) -> dict[str, str]:
        """The hashes of the file by name; waited for, where the file can be read meanwhile."""
        return self.hashed.result()


def fetch(  # noqa: PLR0913  # a file, and where to put and to hash it
    store: Store, entry: Entry, source: FileSource, kinds: Sequence[str], *, folder: Path, beside: Executor
) -> Fetched:
    """Copy a file into a folder, unless it can be read where it is; ``kinds`` are the hashes wanted of it.

    Whoever has read it calls `refuse_changed`: until then another may have been put in its place. What can be read
    where it is, is hashed ``beside``.

    Raises:
        FileRefusedError: It is cut off, or not of its encoding.
    """
    target, place = folder / "file", store.local_path(entry.path)
    if place is not None and _is_plain(place, source):
        return Fetched(place, beside.submit(hash_file, store, entry.path, kinds))
    with store.open(entry.path) as raw:
        hashing = _Hashing(raw, kinds)
        with target.open("wb") as out:
            try:
                for chunk in _decoded(_unpacked(hashing, source), source, entry.path):
                    out.write(chunk)
                hashing.drain()
            except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
                raise FileRefusedError(f"{entry.path} cannot be unpacked, it is cut off or damaged: {error}") from None
    hashed: Future[dict[str, str]] = Future()
    hashed.set_result(hashing.digests())
    return Fetched(target, hashed)


def refuse_changed(store: Store, entry: Entry) -> None:
    """Raise `SourceError` where a file is not any more what was listed."""
    now = store.entry(entry.path)
    if now is None or now.token != entry.token:
        raise SourceError(f"{entry.path} changed while it was read; load it again", FailureClass.TRANSIENT)


def _is_plain(place: Path, source: FileSource) -> bool:
    if source.packed:
        return False
    if isinstance(source.format, Parquet):
        return True
    with place.open("rb") as file:
        marked = file.read(3) == codecs.BOM_UTF8
    return codecs.lookup(source.format.encoding).name in UTF8 and not marked


def hash_file(store: Store, path: str, kinds: Sequence[str] = (SHA256,)) -> dict[str, str]:
    """Return the hashes of a file's content by name."""
    with store.open(path) as raw:
        hashing = _Hashing(raw, kinds)
        hashing.drain()
    return hashing.digests()


class _Hashing:
    """A file that hashes what is read of it."""

    def __init__(self, raw: BinaryIO, kinds: Sequence[str]) -> None:
        self._raw = raw
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in kinds}

    def read(self, size: int = -1) -> bytes:
        chunk = self._raw.read(size)
        for one in self._hashes.values():
            one.update(chunk)
        return chunk

    def drain(self) -> None:
        while self.read(CHUNK):
            pass

    def digests(self) -> dict[str, str]:
        return {name: one.hexdigest() for name, one in self._hashes.items()}


def _unpacked(raw: Any, source: FileSource) -> Any:
    if source.packed == "gz":
        return gzip.GzipFile(fileobj=raw)
    return lzma.LZMAFile(raw) if source.packed == "xz" else raw


def _decoded(packed: Any, source: FileSource, name: str) -> Iterator[bytes]:
    """Yield the content as UTF-8; what is UTF-8 already is looked at by whoever reads its rows."""
    chunks = iter(lambda: packed.read(CHUNK), b"")
    if isinstance(source.format, Parquet):
        yield from chunks
        return
    encoding = codecs.lookup(source.format.encoding).name
    if encoding in UTF8:
        first = next(chunks, b"")
        yield first.removeprefix(codecs.BOM_UTF8)
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for chunk in chunks:
            yield decoder.decode(chunk).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError as error:
        raise FileRefusedError(f"{name} is not {source.format.encoding}: {error}") from None
