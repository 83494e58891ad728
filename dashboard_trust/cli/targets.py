"""What to load: modules and files with a `Definitions`, named one by one or by a workspace file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import yaml
from dagster.components.definitions import LazyDefinitions

from dashboard_trust.enforcement.gate import Gate
from dashboard_trust.enforcement.gated_assets import gates
from dashboard_trust.errors import DashboardTrustError, InvalidInputError, nearest

NAMES = {"python_module": "module_name", "python_package": "package_name", "python_file": "relative_path"}


@dataclass(frozen=True, slots=True)
class Target:
    """A module or a file, with the attribute that holds its definitions (empty: the only one there is)."""

    module: str = ""
    file: Path | None = None
    attribute: str = ""
    folders: tuple[Path, ...] = (Path(),)

    def __str__(self) -> str:
        """Return how people call it."""
        return str(self.file) if self.file is not None else self.module


def load_gates(target: Target) -> dict[str, Gate]:
    """Import a target and return the gates of its dashboards by asset key.

    Raises:
        InvalidInputError: It is not there, or its definitions cannot be meant.
        DashboardTrustError: Importing it failed.
    """
    try:
        definitions = _find_definitions(_import(target), target)
    except DashboardTrustError:
        raise
    except (Exception, SystemExit) as error:
        raise DashboardTrustError(f"{target} could not be loaded: {type(error).__name__}: {error}") from error
    try:
        dg.Definitions.validate_loadable(definitions)  # finds cycles, too
        found = gates(definitions)
    except Exception as error:
        raise InvalidInputError(f"The definitions in {target} do not fit together: {error}") from error
    return {key.to_user_string(): gate for key, gate in found.items() if gate.is_dashboard}


def read_workspace(path: Path) -> list[Target]:
    """Return the targets of a workspace file; raise `InvalidInputError` for what cannot be loaded in process."""
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InvalidInputError(f"{path} cannot be read: {' '.join(str(error).split())}.") from error
    entries = document.get("load_from") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise InvalidInputError(f"{path} has no load_from with a list of locations.")
    return [_read_entry(entry, path) for entry in entries]


def _read_entry(entry: object, path: Path) -> Target:
    if not isinstance(entry, dict) or len(entry) != 1:
        raise InvalidInputError(f"{path}: each location of load_from is one of {', '.join(NAMES)}.")
    ((kind, said),) = entry.items()
    if kind not in NAMES:
        raise InvalidInputError(f"{path}: a location {kind!r} cannot be loaded in process: {nearest(str(kind), NAMES)}")
    said = {NAMES[kind]: said} if isinstance(said, str) else said
    name = said.get(NAMES[kind]) if isinstance(said, dict) else None
    if not isinstance(name, str):
        raise InvalidInputError(f"{path}: {kind} has no {NAMES[kind]}.")
    folders = (path.parent / str(said.get("working_directory", "")), Path())
    attribute = str(said.get("attribute", ""))
    if kind == "python_file":
        return Target(file=path.parent / name, attribute=attribute, folders=folders)
    return Target(module=name, attribute=attribute, folders=folders)


def _import(target: Target) -> ModuleType:
    for folder in reversed(target.folders):
        place = str(folder.resolve())
        if place not in sys.path:
            sys.path.insert(0, place)
    if target.file is not None:
        return _import_file(target.file)
    if not all(part.isidentifier() for part in target.module.split(".")):
        raise InvalidInputError(f"{target.module!r} is not a module's name; for a file, pass -f.")
    try:
        return importlib.import_module(target.module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{target.module}.".startswith(f"{error.name}."):
            raise InvalidInputError(f"There is no module {target.module!r} here or in this environment.") from error
        raise


def _import_file(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise InvalidInputError(f"There is no Python file {str(file)!r}.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def _find_definitions(module: ModuleType, target: Target) -> dg.Definitions:
    found: Mapping[str, Any] = {
        name: value for name, value in vars(module).items() if isinstance(value, dg.Definitions | LazyDefinitions)
    }
    if target.attribute:
        if not hasattr(module, target.attribute):
            raise InvalidInputError(f"{target} has no {target.attribute!r}: {nearest(target.attribute, found)}")
        found = {target.attribute: getattr(module, target.attribute)}
    distinct = {id(value): value for value in found.values()}
    if len(distinct) != 1:
        words = f"several: {', '.join(sorted(found))}" if distinct else "none"
        raise InvalidInputError(f"{target} must hold one Definitions; it holds {words}.")
    (value,) = distinct.values()
    definitions = value() if callable(value) else value
    if not isinstance(definitions, dg.Definitions):
        raise InvalidInputError(f"{target}: {target.attribute!r} is not a Definitions.")
    return definitions
