"""Where the definitions and the Dagster instance are: a demo's home, or as `dagster` takes them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dashboard_trust.errors import DashboardTrustError, HomeError, InvalidInputError, nearest

if TYPE_CHECKING:
    import dagster as dg

    from dashboard_trust.cli.targets import Target
    from dashboard_trust.enforcement.gate import Gate

HOME = "DASHBOARD_TRUST_HOME"
DEFAULT_HOME = ".dashboard_trust"

HomeOption = Annotated[Path | None, typer.Option("--home", help="Home folder of the demo.", show_default=False)]
ModulesOption = Annotated[
    list[str] | None, typer.Option("--module-name", "-m", help="Module with the Definitions.", show_default=False)
]
FilesOption = Annotated[
    list[Path] | None, typer.Option("--python-file", "-f", help="File with the Definitions.", show_default=False)
]
WorkspacesOption = Annotated[
    list[Path] | None, typer.Option("--workspace", "-w", help="A workspace.yaml.", show_default=False)
]


@dataclass(frozen=True, slots=True)
class Location:
    """What the command line was told; nothing at all means: look around."""

    home: Path | None = None
    modules: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    workspaces: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Project:
    """An open instance, and the gates of the dashboards by asset key."""

    instance: dg.DagsterInstance
    dashboards: Mapping[str, Gate]

    def find(self, name: str) -> Gate:
        """Return a dashboard's gate by asset key or contract key; raise `InvalidInputError`."""
        by_contract = {gate.contract.key: gate for gate in self.dashboards.values()}
        gate = self.dashboards.get(name) or by_contract.get(name)
        if gate is None:
            raise InvalidInputError(f"There is no dashboard {name!r}: {nearest(name, self.dashboards)}")
        return gate


@contextlib.contextmanager
def open_project(location: Location) -> Iterator[Project]:
    """Load the definitions in this process and open the instance they run in.

    Raises:
        InvalidInputError: There is nothing to load where the location points.
        DashboardTrustError: What is there cannot be loaded or opened.
    """
    from dashboard_trust.cli.targets import load_gates

    # Only import when the environment is set: the demo's definitions read it while they load.
    targets = _targets(location)
    dashboards: dict[str, Gate] = {}
    for target in targets:
        for key, gate in load_gates(target).items():
            if key in dashboards:
                raise InvalidInputError(f"{target} defines {key!r}, which another location defines too.")
            dashboards[key] = gate
    with _open_instance() as instance:
        yield Project(instance, dashboards)


def _targets(location: Location) -> list[Target]:
    from dashboard_trust.cli.targets import Target, read_workspace

    named = bool(location.modules or location.files or location.workspaces)
    if location.home is not None and named:
        raise InvalidInputError("Give either --home, or -m, -f or -w, not both.")
    home = None if named else location.home or find_home()
    if home is not None:
        _use_home(home)
        return [Target(module="dashboard_trust.demo.definitions")]
    workspaces = location.workspaces
    if not named:
        if not Path("workspace.yaml").is_file():
            raise InvalidInputError(
                "Nothing says where the dashboards are: pass --home DIR, -m MODULE, -f FILE or -w WORKSPACE, "
                "or run this where a workspace.yaml is."
            )
        workspaces = (Path("workspace.yaml"),)
    return [
        *(Target(module=name) for name in location.modules),
        *(Target(file=file) for file in location.files),
        *(target for workspace in workspaces for target in read_workspace(workspace)),
    ]


def find_home() -> Path | None:
    """Return the home folder of the demo, if the environment or the working folder has one."""
    given = os.environ.get(HOME)
    if given:
        return Path(given)
    return Path(DEFAULT_HOME) if Path(DEFAULT_HOME).is_dir() else None


def _use_home(home: Path) -> None:
    instance = home.resolve() / "dagster"
    if not instance.is_dir():
        raise InvalidInputError(f"{home} holds no demo that has run: start with `dashboard-trust demo --home {home}`.")
    os.environ[HOME] = str(home.resolve())
    os.environ["DAGSTER_HOME"] = str(instance)


@contextlib.contextmanager
def _open_instance() -> Iterator[dg.DagsterInstance]:
    import dagster as dg

    folder = os.environ.get("DAGSTER_HOME", "")
    if not folder:
        raise InvalidInputError("DAGSTER_HOME is not set: set it to the folder of your Dagster instance.")
    if not Path(folder).is_absolute() or not Path(folder).is_dir():
        raise InvalidInputError(f"DAGSTER_HOME must be an existing folder, by its absolute path; it is {folder!r}.")
    try:
        instance = dg.DagsterInstance.get()
    except OSError as error:
        raise HomeError(f"The Dagster instance in {folder} cannot be opened: {error}.") from error
    except Exception as error:
        raise DashboardTrustError(f"The Dagster instance in {folder} cannot be opened: {error}") from error
    with instance:
        yield instance
