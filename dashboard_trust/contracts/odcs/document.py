"""A contract file as plain values that know where they stand: by JSON pointer and line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from dashboard_trust.contracts.entries import Entry, compose
from dashboard_trust.contracts.files import read_text
from dashboard_trust.contracts.remarks import Remark
from dashboard_trust.errors import ContractError

WHOLE_NUMBER = re.compile(r"[-+]?\d+")
NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?")
LONGEST_NUMBER = 100  # digits
TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Document:
    """A file's one value: dicts, lists, text, numbers, booleans, None; ``lines`` has the line of every pointer."""

    source: str
    value: Any
    lines: Mapping[str, int]

    @property
    def root(self) -> Part:
        """The whole of it."""
        return Part(self, "", self.value)


@dataclass(frozen=True, slots=True)
class Part:
    """A value of a document, and where it stands."""

    document: Document
    pointer: str
    value: Any

    def part(self, key: str) -> Part | None:
        """Return the value of a key; None where there is none, or it is null."""
        found = self.value.get(key) if isinstance(self.value, dict) else None
        return None if found is None else Part(self.document, f"{self.pointer}/{escape(key)}", found)

    def parts(self, key: str) -> list[Part]:
        """Return the values of a key's list; none where it is no list."""
        of = self.part(key)
        return [] if of is None else list(of)

    def __iter__(self) -> Iterator[Part]:
        """Yield the values of a list."""
        for number, value in enumerate(self.value if isinstance(self.value, list) else ()):
            yield Part(self.document, f"{self.pointer}/{number}", value)

    def text(self, key: str) -> str:
        """Return a key's text, without the space around it; "" where it has none."""
        found = self.part(key)
        return found.value.strip() if found is not None and isinstance(found.value, str) else ""

    def flag(self, key: str) -> bool:
        """Return whether a key is true."""
        found = self.part(key)
        return found is not None and found.value is True

    def remark(self, problem: str, expected: str = "") -> Remark:
        """Return what is wrong here."""
        return Remark(self.document.source, self.line, self.pointer, problem, expected)

    def unsupported(self, problem: str) -> Remark:
        """Return what is right here, and is not checked."""
        return Remark(self.document.source, self.line, self.pointer, problem, severity="warning")

    @property
    def line(self) -> int:
        """The line it begins on."""
        return self.document.lines.get(self.pointer, 1)

    @property
    def place(self) -> str:
        """Where it is written: ``file:line``."""
        return f"{self.document.source}:{self.line}"


def read_document(path: str | Path) -> Document:
    """Read a file of one document.

    Raises:
        ContractError: It cannot be read, or is not plain YAML or JSON.
    """
    return parse_document(read_text(path), str(path))


def parse_document(text: str, source: str) -> Document:
    """Parse one document from YAML or JSON text.

    Raises:
        ContractError: It is not plain YAML or JSON, or not one document.
    """
    roots = list(compose(text, source))
    if len(roots) != 1:
        raise ContractError(f"{source}: holds {len(roots) or 'no'} documents, and a data contract is one.")
    lines: dict[str, int] = {}
    try:
        return Document(source, _plain(roots[0], "", lines), lines)
    except RecursionError as error:
        raise ContractError(f"{source}: is nested too deeply.") from error


def to_pointer(path: Iterable[str | int]) -> str:
    """Return the JSON pointer of a path of keys and positions."""
    return "".join(f"/{escape(str(key))}" for key in path)


def escape(key: str) -> str:
    """Return a key as JSON pointers have it."""
    return key.replace("~", "~0").replace("/", "~1")


def _plain(entry: Entry, pointer: str, lines: dict[str, int]) -> Any:
    lines[pointer] = entry.node.start_mark.line + 1
    if isinstance(entry.node, yaml.MappingNode):
        return {key: _plain(value, f"{pointer}/{escape(key)}", lines) for key, value in _merged(entry).items()}
    if isinstance(entry.node, yaml.SequenceNode):
        return [_plain(value, f"{pointer}/{number}", lines) for number, value in enumerate(entry.items())]
    return _scalar(entry, entry.node)


def _merged(entry: Entry) -> dict[str, Entry]:
    """Return the values of a mapping by key; those of ``<<`` come after its own."""
    fields = entry.fields()
    merged = fields.pop("<<", None)
    for other in merged.items_or_self() if merged is not None else ():
        fields = _merged(other) | fields
    return fields


def _scalar(entry: Entry, node: yaml.Node) -> Any:
    """Return a scalar as YAML 1.2 and JSON have it: ``yes``, ``09:30`` and 2026-11-01 are text."""
    text, kind = str(node.value), node.tag.removeprefix(TAG)
    if kind == "null":
        return None
    if kind == "bool" and text.lower() in ("true", "false"):
        return text.lower() == "true"
    if kind in ("int", "float") and NUMBER.fullmatch(text):
        if len(text) > LONGEST_NUMBER:
            raise entry.error(f"is a number of more than {LONGEST_NUMBER} digits")
        return int(text) if WHOLE_NUMBER.fullmatch(text) else Decimal(text)
    return text
