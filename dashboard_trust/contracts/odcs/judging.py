"""Whether a file is of the standard: by its newest 3.x schema, and by that of the version it declares."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from dashboard_trust.contracts.odcs.document import Document
from dashboard_trust.contracts.odcs.wording import MISPLACED, explain
from dashboard_trust.contracts.remarks import Remark

NEWEST = "v3.2.0"
SCHEMAS: Mapping[str, str] = {
    "v3.0.0": "v3.0.2",
    "v3.0.1": "v3.0.2",
    "v3.0.2": "v3.0.2",
    "v3.1.0": "v3.1.0",
    "v3.2.0": "v3.2.0",
}
"""Each version of the standard that is read, and whose schema it is judged by."""

WHOLE = ""
"""The definition of a file as a whole; others are those of the schemas, by name."""

LISTS = ("schema", "properties")
OF_PROPERTIES = {"properties": "SchemaProperty", "items": "SchemaItemProperty"}
NESTED: Mapping[str, Mapping[str, str]] = {
    WHOLE: {"schema": "SchemaObject"},
    "SchemaObject": {"properties": "SchemaProperty"},
    "SchemaProperty": OF_PROPERTIES,
    "SchemaItemProperty": OF_PROPERTIES,
}
"""For each definition the keys under which others are nested, in lists or by themselves."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a file that is judged by itself, by a definition of the schema."""

    pointer: str
    value: Any
    definition: str


def judge(document: Document) -> tuple[Remark, ...]:
    """Return what is wrong with a file.

    What breaks the newest schema and the one it declares is an error, told as the declared one has it; what breaks
    only one of them is a warning.
    """
    refused = _refuse(document)
    if refused is not None:
        return (refused,)
    declared = document.value["apiVersion"]
    by_newest = _broken(document, NEWEST)
    if SCHEMAS[declared] == NEWEST:
        return by_newest
    by_declared = _broken(document, SCHEMAS[declared])
    both = _places(by_newest) & _places(by_declared)
    if by_newest and not both:
        # Where each finds something, and never in the same place, the file is right by neither.
        both = _places(by_declared)
    return (
        *(remark for remark in by_declared if remark.pointer in both),
        *_only_in(f"{NEWEST}; the file declares {declared}", (one for one in by_newest if one.pointer not in both)),
        *_only_in(f"{declared}, which the file declares", (one for one in by_declared if one.pointer not in both)),
    )


def _places(remarks: Iterable[Remark]) -> set[str]:
    return {remark.pointer for remark in remarks}


def _only_in(word: str, remarks: Iterable[Remark]) -> Iterator[Remark]:
    for remark in remarks:
        yield replace(remark, severity="warning", problem=f"{remark.problem} (wrong only in {word})")


def _refuse(document: Document) -> Remark | None:
    """Return why a file is of no version that is read, if it is not."""
    root, said = document.root, document.value
    if not isinstance(said, dict):
        return root.remark("is no mapping", "a data contract: apiVersion, kind, id, version, schema, ...")
    if "dataContractSpecification" in said:
        return root.remark(
            "is of the Data Contract Specification, which has ended", f"the Open Data Contract Standard, {NEWEST}"
        )
    kind, version = root.part("kind"), root.part("apiVersion")
    if kind is None or kind.value != "DataContract":
        return (kind or root).remark("is of another kind" if kind else "has no 'kind'", "kind: DataContract")
    known = f"one of {', '.join(SCHEMAS)}"
    if version is None:
        return root.remark("has no 'apiVersion'", known)
    if not isinstance(version.value, str) or version.value not in SCHEMAS:
        return version.remark(f"{_short(version.value)} is no version of the standard that is read here", known)
    return None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _broken(document: Document, version: str) -> tuple[Remark, ...]:
    try:
        return tuple(_remarks(document, version))
    except RecursionError:
        return (document.root.remark("is nested too deeply"),)


def _remarks(document: Document, version: str) -> Iterator[Remark]:
    found: dict[tuple[str, str], str] = {}
    for piece in _pieces(Piece("", document.value, WHOLE)):
        validator = _validator(version, piece.definition)
        for error in validator.iter_errors(piece.value):
            for within, problem, expected in explain(error, validator.schema["$defs"]):
                said = piece.pointer + within, problem, expected
                pointer, problem, expected = _untyped(said[0], document) or said  # noqa: PLW2901 - the same, better said
                found.setdefault((pointer, problem), expected)
    for (pointer, problem), expected in found.items():
        if problem != MISPLACED or not _follows(pointer, found):
            yield Remark(document.source, document.lines[pointer], pointer, problem, expected)


def _pieces(piece: Piece) -> Iterator[Piece]:
    """Yield a part of a file with nothing nested in it, and then what was.

    To a validator each level of a nested table costs three times as much as the one above it.
    """
    if not isinstance(piece.value, dict):
        yield piece
        return
    own, nested = dict(piece.value), []
    for key, definition in NESTED.get(piece.definition, {}).items():
        nested += _take_out(own, key, piece.pointer, definition)
    if isinstance(own.get("map"), dict):
        own["map"] = dict(own["map"])
        for key in ("key", "value"):
            nested += _take_out(own["map"], key, f"{piece.pointer}/map", "SchemaItemProperty")
    yield Piece(piece.pointer, own, piece.definition)
    for one in nested:
        yield from _pieces(one)


def _take_out(of: dict[str, Any], key: str, pointer: str, definition: str) -> list[Piece]:
    """Return what a key has, as pieces; an empty value stays in its place."""
    value = of.get(key)
    if isinstance(value, list) and key in LISTS:
        of[key] = []
        return [Piece(f"{pointer}/{key}/{number}", one, definition) for number, one in enumerate(value)]
    if isinstance(value, dict) and key not in LISTS:
        of[key] = {}
        return [Piece(f"{pointer}/{key}", value, definition)]
    return []


def _untyped(pointer: str, document: Document) -> tuple[str, str, str] | None:
    """Return what is wrong with options of no type, to which the options of every type are asked of."""
    within = re.fullmatch(r"(.*)/logicalTypeOptions(/.*)?", pointer)
    if within is None or f"{within[1]}/logicalType" in document.lines:
        return None
    return f"{within[1]}/logicalTypeOptions", "belong to no type", "a logicalType beside them"


def _follows(pointer: str, found: Iterable[tuple[str, str]]) -> bool:
    """Whether a key looks misplaced only because something else is wrong with its mapping."""
    parent = pointer.rpartition("/")[0]
    return any(problem != MISPLACED and f"{at}/".startswith(f"{parent}/") for at, problem in found)


@cache
def _validator(version: str, definition: str) -> Any:
    from jsonschema import Draft201909Validator

    schema = _schema(version)
    if definition != WHOLE:
        schema = {"$schema": schema["$schema"], "$defs": schema["$defs"], "$ref": f"#/$defs/{definition}"}
    return Draft201909Validator(schema)


@cache
def _schema(version: str) -> Any:
    return json.loads(
        files(__package__).joinpath("versions", f"odcs-{version}.schema.json").read_text(encoding="utf-8")
    )
