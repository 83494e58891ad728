"""Great Expectations suites as values: read without Great Expectations, which takes seconds to import."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dashboard_trust.errors import InvalidInputError, nearest

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite

SEVERITIES = ("critical", "warning", "info")
OF_A_RUN = ("result_format", "catch_exceptions", "include_config", "batch_id")
"""Arguments that say how to run an expectation, not what is expected."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One expectation: its asset check's name, and what Great Expectations is to be told."""

    name: str
    kind: str
    arguments: Mapping[str, Any]
    severity: str = "critical"
    description: str = ""

    @property
    def warns(self) -> bool:
        """Whether it only warns where it is not met."""
        return self.severity != "critical"


@dataclass(frozen=True, slots=True)
class Suite:
    """Expectations of one table, with the values of the parameters that they name."""

    name: str
    expectations: tuple[Expectation, ...]
    parameters: Mapping[str, Any] = field(default_factory=dict)


def read_suite(source: str | Path | Mapping[str, Any] | ExpectationSuite) -> Suite:
    """Read a suite: a JSON file as Great Expectations writes it (0.x too), what is in one, or a suite in Python.

    An expectation is named by ``meta["name"]``, else by its type and columns; two that would be named alike get a
    digest of what they expect, wherever in the suite they are.

    Raises:
        InvalidInputError: It cannot be read, expects nothing, or something in it cannot be meant.
    """
    said, label = _said(source)
    listed = said.get("expectations")
    if not isinstance(listed, Sequence) or isinstance(listed, str) or not listed:
        raise InvalidInputError(f"{label} expects nothing: list at least one expectation under 'expectations'.")
    name = said.get("name") or said.get("expectation_suite_name") or "suite"
    entries = [_read_entry(entry, f"{label}, expectation {n}") for n, entry in enumerate(listed, 1)]
    parameters = said.get("suite_parameters") or said.get("evaluation_parameters") or {}
    return Suite(str(name), tuple(_named(entries, label)), parameters)


@dataclass(frozen=True, slots=True)
class _Entry:
    """An expectation that has no name yet, unless its author gave it one."""

    kind: str
    arguments: Mapping[str, Any]
    severity: str
    description: str
    given: str | None

    @property
    def base(self) -> str:
        columns = self.arguments.get("column_list") or [
            self.arguments[key] for key in ("column", "column_A", "column_B") if key in self.arguments
        ]
        words = (self.kind.removeprefix("expect_"), *map(str, columns))
        return re.sub(r"[^A-Za-z0-9_]", "_", "_".join(words))

    @property
    def digest(self) -> str:
        said = json.dumps([self.kind, self.arguments], sort_keys=True, default=str)
        return hashlib.sha256(said.encode()).hexdigest()[:8]


def _said(source: object) -> tuple[Mapping[str, Any], str]:
    """Return a suite as its JSON has it, and what to call it."""
    if isinstance(source, str | Path):
        return _read_file(Path(source)), f"The suite {source}"
    if isinstance(source, Mapping):
        return source, "The suite"
    # A type knows its module without that module being imported here.
    known = {(base.__module__.partition(".")[0], base.__name__) for base in type(source).__mro__}
    if ("great_expectations", "ExpectationSuite") in known:
        suite: Any = source
        fields = ("type", "kwargs", "meta", "severity", "description")
        listed = [{name: getattr(one, name) for name in fields} for one in suite.expectation_configurations]
        said = {"name": suite.name, "expectations": listed, "suite_parameters": suite.suite_parameters}
        return said, f"The suite {suite.name!r}"
    raise InvalidInputError(
        f"A suite is a path to its JSON, what is in one, or an ExpectationSuite; not a {type(source).__qualname__}."
    )


def _read_file(path: Path) -> Mapping[str, Any]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInputError(f"The suite {path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise InvalidInputError(f"The suite {path} is not JSON: {error}") from None
    if not isinstance(said, Mapping):
        raise InvalidInputError(f"The suite {path} is a JSON {type(said).__name__}, and an object was expected.")
    return {"name": path.stem, **said}


def _read_entry(entry: object, label: str) -> _Entry:
    if not isinstance(entry, Mapping):
        raise InvalidInputError(f"{label} is no object with a 'type' and 'kwargs'.")
    kind = entry.get("type") or entry.get("expectation_type")
    if not isinstance(kind, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", kind):
        raise InvalidInputError(f"{label} has no 'type' such as 'expect_column_values_to_be_unique'.")
    arguments, meta = entry.get("kwargs") or {}, entry.get("meta") or {}
    if not isinstance(arguments, Mapping) or not isinstance(meta, Mapping):
        raise InvalidInputError(f"{label} ({kind}): 'kwargs' and 'meta' must be objects.")
    # In Python it is a value of an enumeration of texts.
    severity = entry.get("severity") or SEVERITIES[0]
    severity = str(getattr(severity, "value", severity))
    if severity not in SEVERITIES:
        raise InvalidInputError(f"{label} ({kind}) has the severity {severity!r}: {nearest(severity, SEVERITIES)}")
    given = meta.get("name")
    if given is not None and not re.fullmatch(r"[A-Za-z0-9_]+", str(given)):
        raise InvalidInputError(f"{label} ({kind}) is named {given!r}: an asset check's name is letters, digits and _.")
    arguments = {key: value for key, value in arguments.items() if key not in OF_A_RUN}
    return _Entry(kind, arguments, severity, str(entry.get("description") or ""), None if given is None else str(given))


def _named(entries: Sequence[_Entry], label: str) -> Iterator[Expectation]:
    alike = Counter(entry.given or entry.base for entry in entries)
    names = [
        entry.given or (entry.base if alike[entry.base] == 1 else f"{entry.base}_{entry.digest}") for entry in entries
    ]
    for name, times in Counter(names).items():
        if times > 1:
            raise InvalidInputError(f"{label} has {name!r} {times} times: remove one, or name each by its meta 'name'.")
    for name, entry in zip(names, entries, strict=True):
        yield Expectation(name, entry.kind, entry.arguments, entry.severity, entry.description)
