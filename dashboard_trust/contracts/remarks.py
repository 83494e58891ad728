"""What is to be said of a contract file, a line each."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Remark:
    """What is to be said of a place in a contract file.

    ``line`` 0 is no place in it, and ``pointer`` the JSON pointer ("" is the whole file). ``severity`` says whether the
    file is wrong there (``error``) or only not all of it can be held to (``warning``).
    """

    source: str
    line: int
    pointer: str
    problem: str
    expected: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """Return it in a line, the place first, as compilers do."""
        return f"{self.place}: {self.severity}: {self.words}"

    @property
    def place(self) -> str:
        """The file, and the line where there is one."""
        return f"{self.source}:{self.line}" if self.line else self.source

    @property
    def words(self) -> str:
        """What is to be said, after where it stands."""
        expected = f"; expected {self.expected}" if self.expected else ""
        pointer = f"{self.pointer}: " if self.pointer else ""
        return f"{pointer}{self.problem}{expected}"


def in_words(length: dt.timedelta) -> str:
    """Return a length of time in the largest unit of which it is a whole number: "4 days", "26 hours"."""
    for unit in ("day", "hour", "minute"):
        number, rest = divmod(length, dt.timedelta(**{f"{unit}s": 1}))
        if number and not rest:
            return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
    return f"{length.total_seconds():g} seconds"
