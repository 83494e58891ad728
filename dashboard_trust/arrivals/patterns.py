"""How the path of a file is read: ``crm/{region}/{day:%Y-%m-%d}.csv`` → region, day. Nothing here looks at a store."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from string import Formatter
from types import MappingProxyType

from dashboard_trust.errors import InvalidInputError, nearest

DIRECTIVES: Mapping[str, str] = {
    "Y": r"\d{4}",
    "m": r"\d{2}",
    "d": r"\d{2}",
    "H": r"\d{2}",
    "M": r"\d{2}",
    "S": r"\d{2}",
    "j": r"\d{3}",
    "y": r"\d{2}",
    "b": r"[A-Za-z]{3}",
}
"""The parts of a date, as `strptime` has them, and what each looks like: of a fixed width, so that a path is read
in one way only."""
TIMES = {"H", "M", "S"}


@dataclass(frozen=True)  # no slots: what is compiled is kept
class PathPattern:
    """A path below a store's folder, with fields in braces.

    A field is any text without a slash, or with a format (``{day:%Y-%m-%d}``) a date. ``*`` is any text without a
    slash that nobody asks for.
    """

    text: str

    def __post_init__(self) -> None:
        """Refuse what could not be read back."""
        if not self.text or self.text.startswith("/") or any(p in ("", ".", "..") for p in self.text.split("/")):
            raise InvalidInputError(f"Pattern {self.text!r} is no path below the store's folder, like '{{day}}.csv'.")
        names = [name for _, name, _ in self._parts if name is not None]
        for name in names:
            if not name.isidentifier():
                raise InvalidInputError(f"Pattern {self.text!r}: {{{name}}} is no field; name it, like {{customer}}.")
            if names.count(name) > 1:
                raise InvalidInputError(f"Pattern {self.text!r} has {{{name}}} twice: name it once.")
        for name, form in self.formats.items():
            self._regex_of(name, form)

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields, in their order."""
        return tuple(name for _, name, _ in self._parts if name is not None)

    @cached_property
    def formats(self) -> Mapping[str, str]:
        """The formats of the fields that are dates."""
        return {name: form for _, name, form in self._parts if name is not None and form}

    @cached_property
    def regex(self) -> re.Pattern[str]:
        """What a path of this pattern looks like; a group is a field as it is written."""
        pieces = []
        for literal, name, form in self._parts:
            pieces.append("[^/]*".join(re.escape(piece) for piece in literal.split("*")))
            if name is not None:
                pieces.append(f"(?P<{name}>{self._regex_of(name, form)})")
        return re.compile("".join(pieces))

    def read(self, path: str) -> dict[str, str] | None:
        """Return the fields of a path as they are written; None: it is of another form."""
        found = self.regex.fullmatch(path)
        return found.groupdict() if found else None

    def moment(self, field: str, written: str) -> dt.datetime:
        """Return the date that a field says; raise ValueError where there is no such day."""
        return dt.datetime.strptime(written, self.formats[field])

    def is_of_days(self, field: str) -> bool:
        """Whether a date has no time of day."""
        return not TIMES & set(re.findall("%(.)", self.formats[field]))

    def is_in_order(self, field: str) -> bool:
        """Whether a later date is written as a later text: the year first, then month and day, then the time."""
        parts = "".join(re.findall("%(.)", self.formats[field]))
        return bool(parts) and ("YmdHMS".startswith(parts) or "YjHMS".startswith(parts))

    def is_filled_by(self, fields: Collection[str]) -> bool:
        """Whether these fields leave one path."""
        return "*" not in self.text and set(self.fields) <= set(fields)

    def start(self, fields: Mapping[str, str], starts: Mapping[str, str] = MappingProxyType({})) -> str:
        """Return what every path with these fields begins with: all of it, or up to what is not given.

        Of a field that is not given, ``starts`` may say what it begins with.
        """
        written = ""
        for literal, name, _ in self._parts:
            before, star, _ = literal.partition("*")
            written += before
            if star or (name is not None and name not in fields):
                return written + ("" if star or name is None else starts.get(name, ""))
            written += fields[name] if name is not None else ""
        return written

    @property
    def _parts(self) -> list[tuple[str, str | None, str]]:
        try:
            return [(literal, name, form or "") for literal, name, form, _ in Formatter().parse(self.text)]
        except ValueError as error:
            raise InvalidInputError(f"Pattern {self.text!r} cannot be read: {error}.") from None

    def _regex_of(self, name: str, form: str) -> str:
        if not form:
            return "[^/]+?"
        pieces = re.split(r"%(.)", form)
        for directive in pieces[1::2]:
            if directive not in DIRECTIVES:
                known = [f"%{one}" for one in DIRECTIVES]
                raise InvalidInputError(
                    f"Pattern {self.text!r}: %{directive} in {{{name}}} is not known: {nearest('%' + directive, known)}"
                )
        if len(pieces) == 1:
            raise InvalidInputError(f"Pattern {self.text!r}: {{{name}:{form}}} is no date like {{{name}:%Y-%m-%d}}.")
        return "".join(DIRECTIVES[p] if n % 2 else re.escape(p) for n, p in enumerate(pieces))
