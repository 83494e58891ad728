"""JSON a line: what its objects look like to DuckDB, and which lines are none."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlglot import exp

from dashboard_trust.errors import FileRefusedError

Paths = Sequence[Sequence[str]]
MOST_TEXT = 10_000


def struct_type(paths: Paths) -> str:
    """Return DuckDB's ``columns={…}`` for what these paths lead to; all of it is read as text."""
    tree: dict[str, Any] = {}
    for path in paths:
        inner = tree
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
        inner[path[-1]] = None
    fields = ", ".join(f"{_text(name)}: {_text(_type(inner))}" for name, inner in tree.items())
    return f"columns={{{fields}}}"


def without_malformed(file: Path, name: str, paths: Paths) -> tuple[Path, list[tuple[str, str, str]]]:
    """Write the lines that are objects to a file of their own; return it, and the others with their place and fault.

    Raises:
        FileRefusedError: The last line is none, and has no end.
    """
    good, bad = file.with_suffix(".good"), []
    with file.open("rb") as lines, good.open("wb") as out:
        for number, line in enumerate(lines, start=1):
            fault = _fault(line, paths) if line.strip() else ""
            if not fault:
                out.write(line)
            elif not line.endswith(b"\n") and "is no JSON" in fault:
                raise FileRefusedError(f"{name} is cut off: it ends within line {number}")
            else:
                bad.append((f"line {number}", fault, line.decode(errors="replace").strip()[:MOST_TEXT]))
    return good, bad


def _fault(line: bytes, paths: Paths) -> str:
    try:
        found = json.loads(line.decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        return f"is no JSON: {str(error).partition(':')[0]}"
    if not isinstance(found, dict):
        return f"is no JSON object but a {type(found).__name__}"
    for path in paths:
        inner: Any = found
        for part in path[:-1]:
            inner = inner.get(part)
            if inner is None:
                break
            if not isinstance(inner, dict):
                return f"has no object in {part}"
    return ""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _type(inner: dict[str, Any] | None) -> str:
    if inner is None:
        return "VARCHAR"
    fields = (f"{exp.to_identifier(name, quoted=True).sql('duckdb')} {_type(one)}" for name, one in inner.items())
    return f"STRUCT({', '.join(fields)})"


def _text(text: str) -> str:
    return exp.Literal.string(text).sql("duckdb")
