"""What a source of files is: where they arrive, what their names say, and what their rows must be."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from dashboard_trust.arrivals.completeness import Complete, Settled
from dashboard_trust.arrivals.patterns import PathPattern
from dashboard_trust.arrivals.stores import Place, Store
from dashboard_trust.contracts.model import ReadyBy
from dashboard_trust.contracts.row_rules import Fits
from dashboard_trust.errors import ContractError, InvalidInputError, nearest

TEXT = "text"


def _refuse_encoding(name: str) -> None:
    try:
        codecs.lookup(name)
    except LookupError:
        raise InvalidInputError(f"{name!r} is no encoding; write one like utf-8 or cp1252.") from None


@dataclass(frozen=True, slots=True)
class FileColumn:
    """A column of the files, and of the table.

    Args:
        name: What it is called in the table.
        type: ``text``, or what `Fits` reads a text as: ``integer``, ``decimal(18, 2)``, ``number``, ``date``,
            ``timestamp`` (a moment; without an offset it is in UTC) or ``boolean``.
        required: A row without a value does not fit.
        source: What it is called in the files, where that is another name; of JSON, dots lead into objects.
        missing: Texts that stand for no value. Of a column that is no text, nothing at all always does.
    """

    name: str
    type: str = TEXT
    required: bool = False
    source: str = ""
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a type that no text is read as."""
        if not self.name.strip():
            raise InvalidInputError("A column of files has no name.")
        if self.type != TEXT:
            try:
                Fits(column=self.name, type=self.type)
            except ContractError as error:
                raise InvalidInputError(f"Column {self.name!r}: {error}") from None

    @property
    def told_by(self) -> str:
        """What it is called in the files."""
        return self.source or self.name


@dataclass(frozen=True, slots=True)
class Csv:
    """Text with a delimiter, quoted as RFC 4180 has it; without a header, its columns are in the declared order."""

    delimiter: str = ","
    quote: str = '"'
    header: bool = True
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        """Refuse what cannot be read."""
        _refuse_encoding(self.encoding)
        if len(self.delimiter) != 1 or len(self.quote) != 1 or self.delimiter == self.quote:
            raise InvalidInputError(f"A CSV has a delimiter and a quote of one character each, not {self!r}.")


@dataclass(frozen=True, slots=True)
class JsonLines:
    """A JSON object a line. A number with a point is read as JSON readers do, as a double; text keeps every digit."""

    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        """Refuse what cannot be read."""
        _refuse_encoding(self.encoding)


@dataclass(frozen=True, slots=True)
class Parquet:
    """Parquet files."""


Format = Csv | JsonLines | Parquet


MINUTE = Settled(60)


@dataclass(frozen=True, slots=True)
class FileSource:
    """Files that arrive, and become an asset's partitions.

    Args:
        store: The folder they arrive in, or what returns it when it is needed.
        pattern: What their paths below it look like.
        columns: What is read of them; other columns of theirs are left out.
        format: How they are written. What ends in ``.gz`` or ``.xz`` is unpacked.
        complete: When one is all there.
        expected: By when the files of a partition of time are expected, counted from its end.
        max_refused: How many rows of a file may be kept aside because they do not fit; with more it is refused.
        ignored: What else arrives among them and is nobody's mistake: files of another source, a readme.
        accept_empty: A file without rows is no error.
        frame: What ``transform`` gets and returns.
        transform: Called with the rows of a run, before they are written.
    """

    store: Place | Callable[[], Place]
    pattern: PathPattern
    columns: Sequence[FileColumn]
    format: Format = Csv()
    complete: Complete = MINUTE
    expected: ReadyBy | None = None
    max_refused: int = 0
    ignored: Sequence[PathPattern] = ()
    accept_empty: bool = False
    frame: Literal["pandas", "polars", "pyarrow"] = "pyarrow"
    transform: Callable[..., object] | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not isinstance(self.pattern, PathPattern):
            raise InvalidInputError(f"The pattern of files is no PathPattern: write PathPattern({self.pattern!r}).")
        names = [one.name for one in self.columns]
        if not names:
            raise InvalidInputError(f"Files {self.pattern.text!r} have no columns: declare what is read of them.")
        for name in names:
            if names.count(name) > 1:
                raise InvalidInputError(f"Files {self.pattern.text!r} have two columns {name!r}.")
            if name in self.pattern.fields:
                raise InvalidInputError(
                    f"Files {self.pattern.text!r}: {name!r} is a field of the path, and becomes a column by itself; "
                    "give the field or the column another name."
                )
        if self.max_refused < 0:
            raise InvalidInputError(f"Files {self.pattern.text!r}: max_refused counts rows, from 0.")
        if self.beside is not None:
            self._refuse_beside(self.beside)

    def _refuse_beside(self, other: PathPattern) -> None:
        for name in other.fields:
            if name not in self.pattern.fields:
                raise InvalidInputError(
                    f"{other.text!r}: {{{name}}} is no field of {self.pattern.text!r}: "
                    f"{nearest(name, self.pattern.fields)}"
                )
        if "*" in other.text or other.text == self.pattern.text:
            raise InvalidInputError(
                f"{other.text!r} is to lie beside files {self.pattern.text!r}: it needs a name of its own, without *."
            )

    @property
    def beside(self) -> PathPattern | None:
        """What lies beside a file that is all there: its marker or manifest."""
        return None if isinstance(self.complete, Settled) else self.complete.pattern

    def read(self, path: str) -> dict[str, str] | None:
        """Return the fields of a file's path; None: it is named otherwise, or is a manifest named like a file."""
        fields, other = self.pattern.read(path), self.beside
        narrower = fields is not None and other is not None and len(other.fields) < len(self.pattern.fields)
        return None if narrower and other is not None and other.read(path) is not None else fields

    def open_store(self) -> Store:
        """Return where the files arrive."""
        return Store.of(self.store() if callable(self.store) else self.store)

    @property
    def packed(self) -> str:
        """How the files are packed, by the end of the pattern: ``gz``, ``xz`` or not at all."""
        found = re.search(r"\.(gz|xz)$", self.pattern.text)
        return found[1] if found else ""
