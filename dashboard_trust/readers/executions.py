"""The stored executions of checks, as far as they have been found."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Set
from typing import NamedTuple

CheckPlace = tuple[str, str, str | None]
"""An asset key, the name of a check, and a partition (None: the check names none)."""

PLANNED = "PLANNED"
SAID = ("SUCCEEDED", "FAILED")


class CheckRow(NamedTuple):
    """One stored execution of one check on one partition; a plain pass comes without its ``body``."""

    id: int
    status: str
    run_id: str
    at: dt.datetime
    target_id: int | None
    storage_id: int | None
    body: str | None


class Executions:
    """What was found of some checks on some partitions: each back to the newest that ended.

    ``ended`` holds the newest execution that was more than planned; ``planned`` those after it, newest
    first: they may never come to a word. Where a partition has no word of its own, what the check says
    without naming one (its general place) counts, and is kept too.
    """

    def __init__(self, wanted: Set[CheckPlace]) -> None:
        self.wanted = wanted
        self.ended: dict[CheckPlace, CheckRow] = {}
        self.planned: dict[CheckPlace, list[CheckRow]] = {}
        self._known = {*wanted, *map(_general, wanted)}

    def add(self, rows: Iterable[tuple[CheckPlace, CheckRow]]) -> None:
        """Add executions, newest first, and older than any that were added before."""
        known, ended = self._known, self.ended
        for place, row in rows:
            if place in known and place not in ended:
                if row.status == PLANNED:
                    self.planned.setdefault(place, []).append(row)
                else:
                    ended[place] = row

    def replace(self, places: Set[CheckPlace], rows: Iterable[tuple[CheckPlace, CheckRow]]) -> None:
        """Put these executions, which are all there are, in the place of what was added of these places."""
        for place in places:
            self.ended.pop(place, None)
            self.planned.pop(place, None)
        self.add(rows)

    def hear(self, rows: Iterable[tuple[CheckPlace, CheckRow]]) -> None:
        """Let what looked later count, though it was planned earlier: runs are not carried out in their order."""
        for place, row in rows:
            ended = self.ended.get(place)
            if ended is not None and (row.storage_id or 0) > (ended.storage_id or 0):
                self.ended[place] = row

    def newest_id(self, place: CheckPlace) -> int:
        """Return the newest execution that ended of a place, else of its general place; 0 where there is none."""
        row = self.ended.get(place) or self.ended.get(_general(place))
        return row.id if row is not None else 0

    def missing(self) -> set[CheckPlace]:
        """Return the places of which no execution has ended."""
        return self.wanted - self.ended.keys()

    def unheard(self) -> int:
        """Return how many of the missing places have nothing general that has ended either."""
        return sum(_general(place) not in self.ended for place in self.missing())

    def missing_general(self) -> set[CheckPlace]:
        """Return the general places that count, and of which no execution has ended."""
        return self._general() - self.ended.keys()

    def places(self) -> Iterator[CheckPlace]:
        """Yield the places that count and of which anything was found."""
        return (place for place in (*self.wanted, *self._general()) if place in self.ended or place in self.planned)

    def _general(self) -> set[CheckPlace]:
        said = {place for place, row in self.ended.items() if row.status in SAID}
        return {_general(place) for place in self.wanted - said} - self.wanted


def choose_newest(stored: Iterable[tuple[int, CheckPlace, bool]], places: Set[CheckPlace]) -> list[int]:
    """Return which executions to read of these places: back to the newest that names a load.

    Given are id, place and whether a load is named. One that is only planned names none, so that nothing
    further back can count.
    """
    known = [one for one in stored if one[1] in places]
    since: dict[CheckPlace, int] = {}
    for id_, place, named in known:
        if named and id_ > since.get(place, 0):
            since[place] = id_
    return [id_ for id_, place, _ in known if id_ >= since.get(place, 0)]


def _general(place: CheckPlace) -> CheckPlace:
    return place[0], place[1], None
