"""YAML values that know where they stand, so that every mistake can be pointed at."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import yaml

from dashboard_trust.errors import ContractError, nearest

PLAIN_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("str", "int", "float", "bool", "null", "timestamp", "map", "seq", "merge", "value")
)
HALVES = re.compile("[\ud800-\udfff]")
MOST_VALUES = 100_000  # with every alias spelled out
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Entry:
    """One value; ``name`` is the way to it from the document's root: ``sections[2].assets``."""

    source: str
    name: str
    node: yaml.Node

    @property
    def is_mapping(self) -> bool:
        """Whether it has keys."""
        return isinstance(self.node, yaml.MappingNode)

    @property
    def place(self) -> str:
        """Where it is written: ``file:line``."""
        return f"{self.source}:{self.node.start_mark.line + 1}"

    def error(self, problem: str) -> ContractError:
        """Return the error that says what is wrong here."""
        return ContractError(
            f"{self.source}, line {self.node.start_mark.line + 1}: {self.name or 'contract'} {problem}."
        )

    def text(self) -> str:
        """Return a scalar as it is written; nothing at all is not a text."""
        if not isinstance(self.node, yaml.ScalarNode):
            raise self.error("must be a plain value, not a mapping or a list")
        text = str(self.node.value).strip()
        if not text or self.node.tag == "tag:yaml.org,2002:null":
            raise self.error("is empty: give it a value, or leave the key out")
        return text

    def items(self) -> list[Entry]:
        """Return the values of a list."""
        if not isinstance(self.node, yaml.SequenceNode):
            raise self.error("must be a list")
        name = self.name or "contract"
        return [Entry(self.source, f"{name}[{n}]", node) for n, node in enumerate(self.node.value, start=1)]

    def items_or_self(self) -> list[Entry]:
        """Return the values of a list, or what is no list as the one value."""
        return self.items() if isinstance(self.node, yaml.SequenceNode) else [self]

    def fields(self, known: Collection[str] = ()) -> dict[str, Entry]:
        """Return the values of a mapping by key; ``known`` are the keys it may have (empty: any)."""
        if not isinstance(self.node, yaml.MappingNode):
            keys = f" with the keys {', '.join(known)}" if known else ""
            raise self.error(f"must be a mapping{keys}")
        found: dict[str, Entry] = {}
        for key_node, value in self.node.value:
            key = Entry(self.source, f"a key of {self.name or 'contract'}", key_node)
            name = key.text()
            if known and name not in known:
                raise Entry(self.source, self.name, key_node).error(
                    f"has an unknown key {name!r}: {nearest(name, known)}"
                )
            if name in found:
                raise Entry(self.source, self.name, key_node).error(f"has the key {name!r} twice")
            found[name] = Entry(self.source, f"{self.name}.{name}" if self.name else name, value)
        return found

    def build(self, kind: Callable[..., Value], readers: Mapping[str, Reader], required: Collection[str]) -> Value:
        """Return ``kind`` called with every key that is given, each read by its own reader."""
        fields = self.fields(readers)
        for name in required:
            if name not in fields:
                raise self.error(f"has no {name!r}")
        values = {name: readers[name](field) for name, field in fields.items()}
        try:
            return kind(**values)
        except ContractError as error:
            raise self.error(f"cannot be: {str(error).removesuffix('.')}") from error


Reader = Callable[[Entry], Any]


def compose(text: str, source: str) -> Iterator[Entry]:
    """Yield the root of each document that is not empty; raise `ContractError` where it is not plain YAML."""
    try:
        # Nodes only: nothing is constructed, so no tag can run code.
        roots = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise ContractError(f"{source}{line}: is not valid YAML: {_explain(error)}.") from error
    except RecursionError as error:
        raise ContractError(f"{source}: is nested too deeply.") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise ContractError(f"{source}: is not valid YAML: {' '.join(str(error).split())}.") from error
    for root in roots:
        if root is None or root.tag == "tag:yaml.org,2002:null":
            continue
        entry = Entry(source, "", root)
        if _weigh(entry, {}) > MOST_VALUES:
            raise entry.error(f"comes to more than {MOST_VALUES:,} values")
        yield entry


def _weigh(entry: Entry, known: dict[int, float]) -> float:
    """Return how many values a tree holds, each alias counted in full; one inside itself is endless."""
    node = entry.node
    if id(node) not in known:
        if node.tag not in PLAIN_TAGS:
            raise entry.error(f"has the tag {node.tag!r}; contracts are plain YAML")
        if isinstance(node, yaml.ScalarNode) and HALVES.search(node.value):
            raise entry.error("has half of a character, a lone surrogate")
        known[id(node)] = float("inf")  # until its own children are counted
        known[id(node)] = 1 + sum(_weigh(Entry(entry.source, entry.name, child), known) for child in _children(node))
    return known[id(node)]


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _explain(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or error.context or "it cannot be parsed"
    return f"{problem}; indent with spaces, not tabs" if "\\t" in problem else problem
