"""What a sensor remembers of a store: sums of its parts in which every file was dealt with, and nothing of any file.

Files are dealt out to a fixed number of parts, those of one partition to the same. While the sum of a part's listing
is the remembered one, nothing happened to any file in it. A lost memory costs a look at every file, and no more: what
was loaded is known from the materializations.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import zlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

PARTS = 1024
TURN = dt.timedelta(days=1) / PARTS
"""How long after one part the next is forgotten, so that each is looked at once a day, and never all at once: what
leaves no trace in a listing (a wiped materialization) is found then."""

MOST_MARKS = 200
MASK = (1 << 64) - 1


def part_of(group: str) -> int:
    """Return the part that files of a group belong to."""
    return zlib.crc32(group.encode(errors="surrogateescape")) % PARTS


def add_to(sums: array[int], part: int, path: str, token: str) -> None:
    """Add a file to the sum of its part; the order of files does not matter."""
    digest = hashlib.blake2b(f"{path}\0{token}".encode(errors="surrogateescape"), digest_size=8).digest()
    sums[part] = (sums[part] + int.from_bytes(digest, "little")) & MASK or 1


def new_sums() -> array[int]:
    """Return the sums of a store without files."""
    return array("Q", bytes(8 * PARTS))


def mark_of(*said: str) -> str:
    """Return a short word that stands for what is said."""
    return hashlib.sha256("\0".join(said).encode(errors="surrogateescape")).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Memory:
    """A sensor's cursor: of one size, however many files there are.

    ``source`` is what it is of, ``next`` the part that is looked at first, ``turn`` the one to be forgotten next, and
    ``since`` when the one before it was. Marks of the last few files are kept of
    those that were told of as unexpected, and of those that were written again and hold the ``same``.
    """

    source: str = ""
    since: dt.datetime | None = None
    sums: array[int] = field(default_factory=new_sums)
    told: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    next: int = 0
    turn: int = 0

    @classmethod
    def parse(cls, cursor: str | None, source: str, now: dt.datetime) -> Memory:
        """Read a cursor, without what it is time to forget; one of another source or form remembers nothing."""
        empty = cls(source, now)
        try:
            said = json.loads(cursor or "{}")
            sums = array("Q", base64.b64decode(said["sums"]))
            since = dt.datetime.fromisoformat(said["since"])
            marks = (tuple(said["told"]), tuple(said["same"]))
            turns = (int(said["next"]) % PARTS, int(said["turn"]) % PARTS)
            found = cls(said["source"], since, sums, *marks, *turns)._forget(since, now)
        except (ValueError, KeyError, TypeError, IndexError):
            return empty
        return found if found.source == source and len(sums) == PARTS else empty

    def _forget(self, since: dt.datetime, now: dt.datetime) -> Memory:
        """Return it without the parts whose turn has come."""
        number = min(max((now - since) // TURN, 0), PARTS)
        sums = self.sums[:]
        for n in range(number):
            sums[(self.turn + n) % PARTS] = 0
        last = now if number == PARTS else since + number * TURN
        return replace(self, sums=sums, since=last, turn=(self.turn + number) % PARTS)

    def dump(self) -> str:
        """Return the cursor."""
        sums = base64.b64encode(self.sums.tobytes()).decode()
        since = self.since.isoformat() if self.since else ""
        marks = {"told": self.told[-MOST_MARKS:], "same": self.same[-MOST_MARKS:]}
        turns = {"next": self.next, "turn": self.turn}
        return json.dumps({"source": self.source, "since": since, "sums": sums, **marks, **turns})

    def changed(self, sums: array[int]) -> list[int]:
        """Return the parts that are not as they were, from `next` on."""
        order: Iterable[int] = (*range(self.next, PARTS), *range(self.next))
        return [part for part in order if sums[part] != self.sums[part]]
