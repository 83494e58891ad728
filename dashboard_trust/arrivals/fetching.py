"""A file of a store, copied to this machine: unpacked, as UTF-8, with the hash of what the store had."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO

from dashboard_trust.arrivals.declaration import FileSource, Parquet
from dashboard_trust.arrivals.stores import Entry, Store
from dashboard_trust.errors import DashboardTrustError, FileRefusedError

CHUNK = 1 << 20
UTF8 = ("utf-8", "utf-8-sig")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A copy of a file; ``hashes`` are of the bytes that the store had, by name, ``size`` is of what was unpacked."""

    path: Path
    hashes: dict[str, str]
    size: int


def fetch(store: Store, entry: Entry, source: FileSource, folder: Path) -> Fetched:
    """Copy a file here.

    Raises:
        FileRefusedError: It is cut off, or not of its encoding.
        DashboardTrustError: It changed while it was read.
    """
    target = folder / "file"
    with store.open(entry.path) as raw, target.open("wb") as out:
        hashing = _Hashing(raw)
        try:
            for chunk in _decoded(_unpacked(hashing, source), source, entry.path):
                out.write(chunk)
            hashing.drain()
        except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError) as error:
            raise FileRefusedError(f"{entry.path} cannot be unpacked, it is cut off or damaged: {error}") from None
    now = store.entry(entry.path)
    if hashing.size != entry.size or now is None or now.token != entry.token:
        raise DashboardTrustError(f"{entry.path} changed while it was read; load it again.")
    return Fetched(target, hashing.digests(), target.stat().st_size)


def hash_file(store: Store, path: str) -> str:
    """Return the sha256 of a file's content."""
    with store.open(path) as raw:
        hashing = _Hashing(raw)
        hashing.drain()
    return hashing.digests()["sha256"]


class _Hashing:
    """A file that counts and hashes what is read of it."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw, self.size = raw, 0
        self._hashes = {name: hashlib.new(name, usedforsecurity=False) for name in ("sha256", "md5")}

    def read(self, size: int = -1) -> bytes:
        chunk = self._raw.read(size)
        self.size += len(chunk)
        for one in self._hashes.values():
            one.update(chunk)
        return chunk

    def drain(self) -> None:
        while self.read(CHUNK):
            pass

    def digests(self) -> dict[str, str]:
        return {name: one.hexdigest() for name, one in self._hashes.items()}


def _unpacked(raw: _Hashing, source: FileSource) -> IO[bytes] | _Hashing:
    readable: Any = raw
    if source.packed == "gz":
        return gzip.GzipFile(fileobj=readable)
    return lzma.LZMAFile(readable) if source.packed == "xz" else raw


def _decoded(packed: IO[bytes] | _Hashing, source: FileSource, name: str) -> Iterator[bytes]:
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
