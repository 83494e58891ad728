"""``dashboard-trust hold``, ``release``, ``waive``, ``accept``: a person's word, kept as an event with who and when."""

from __future__ import annotations

import datetime as dt
import getpass
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dashboard_trust.cli.answer import Answer, DebugOption, JsonOption, answer
from dashboard_trust.cli.explain import DashboardArgument
from dashboard_trust.cli.location import (
    FilesOption,
    HomeOption,
    Location,
    ModulesOption,
    WorkspacesOption,
    open_project,
)
from dashboard_trust.errors import InvalidInputError, nearest

if TYPE_CHECKING:
    from dashboard_trust.cli.location import Project
    from dashboard_trust.enforcement.gate import Gate
    from dashboard_trust.verdicts.verdict import Finding

ReasonOption = Annotated[str, typer.Option("--reason", help="Why; whoever reads it later will ask.")]
ByOption = Annotated[str | None, typer.Option("--by", help="Who says so.", show_default="the user logged in")]
OnlyOption = Annotated[
    str | None, typer.Option("--partition", "-p", help="Only this partition; by default all.", show_default=False)
]
FindingArgument = Annotated[str, typer.Argument(help="As explain names it: asset@partition:check.")]
UntilOption = Annotated[str, typer.Option("--until", help="A day or a moment, ISO 8601; without an offset UTC.")]


def hold(  # noqa: PLR0913, PLR0917 - one argument per option
    dashboard: DashboardArgument,
    reason: ReasonOption,
    partition: OnlyOption = None,
    by: ByOption = None,
    home: HomeOption = None,
    modules: ModulesOption = None,
    files: FilesOption = None,
    workspaces: WorkspacesOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Hold a dashboard until it is released, whatever its evidence says."""

    def say(project: Project) -> Answer:
        from dashboard_trust.enforcement.words import hold as say_hold

        gate = _find(project, dashboard, partition)
        say_hold(project.instance, gate.contract, name_of(by), reason, partition)
        return _done("held", gate, partition, name_of(by))

    answer_in(say, Location(home, *targets(modules, files, workspaces)), as_json, debug)


def release(  # noqa: PLR0913, PLR0917 - one argument per option
    dashboard: DashboardArgument,
    reason: ReasonOption,
    partition: OnlyOption = None,
    by: ByOption = None,
    home: HomeOption = None,
    modules: ModulesOption = None,
    files: FilesOption = None,
    workspaces: WorkspacesOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Release what a person holds; what the evidence holds stays held."""

    def say(project: Project) -> Answer:
        from dashboard_trust.enforcement.words import release as say_release

        gate = _find(project, dashboard, partition)
        say_release(project.instance, gate.contract, name_of(by), reason, partition)
        return _done("released", gate, partition, name_of(by))

    answer_in(say, Location(home, *targets(modules, files, workspaces)), as_json, debug)


def waive(  # noqa: PLR0913, PLR0917 - one argument per option
    finding: FindingArgument,
    reason: ReasonOption,
    until: UntilOption,
    by: ByOption = None,
    home: HomeOption = None,
    modules: ModulesOption = None,
    files: FilesOption = None,
    workspaces: WorkspacesOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Live with one finding for a while: for the version it was found on, and no longer than told."""
    moment = _moment(until)

    def say(project: Project) -> Answer:
        from dashboard_trust.enforcement.words import waive as say_waive

        found = _find_finding(project, finding)
        say_waive(project.instance, found, name_of(by), reason, moment)
        document = {"waived": found.name, "version": found.version, "until": moment.isoformat(), "by": name_of(by)}
        return Answer(
            document, f"{found.name} is waived for version {found.version}, until {moment:%Y-%m-%d %H:%M} UTC."
        )

    answer_in(say, Location(home, *targets(modules, files, workspaces)), as_json, debug)


def accept(  # noqa: PLR0913, PLR0917 - one argument per option
    finding: FindingArgument,
    reason: ReasonOption,
    by: ByOption = None,
    home: HomeOption = None,
    modules: ModulesOption = None,
    files: FilesOption = None,
    workspaces: WorkspacesOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Accept the columns that a table has now instead of the declared ones, until either changes."""

    def say(project: Project) -> Answer:
        from dashboard_trust.enforcement.words import accept_schema

        found = _find_finding(project, finding)
        shape = accept_schema(project.instance, found, name_of(by), reason)
        document = {"accepted": found.name, "schema": shape, "by": name_of(by)}
        return Answer(document, f"Schema {shape} of {found.asset} is accepted: run the check {found.check} again.")

    answer_in(say, Location(home, *targets(modules, files, workspaces)), as_json, debug)


def answer_in(say: Callable[[Project], Answer], location: Location, as_json: bool, debug: bool) -> None:
    """Answer with what ``say`` makes of the project."""

    def work() -> Answer:
        with open_project(location) as project:
            return say(project)

    answer(work, as_json=as_json, debug=debug)


def targets(
    modules: list[str] | None, files: list[Path] | None, workspaces: list[Path] | None
) -> tuple[tuple[str, ...], tuple[Path, ...], tuple[Path, ...]]:
    """Return what the options name, as a `Location` takes it."""
    return tuple(modules or ()), tuple(files or ()), tuple(workspaces or ())


def _find(project: Project, dashboard: str, partition: str | None) -> Gate:
    gate = project.find(dashboard)
    if partition is not None and gate.binding is not None:
        gate.binding.check_partition(partition, project.instance)
    return gate


def _find_finding(project: Project, name: str) -> Finding:
    """Return the finding of this name that holds something now, in any partition of any dashboard."""
    from dashboard_trust.cli.standings import partitions_of

    known: dict[str, Finding] = {}
    for gate in project.dashboards.values():
        partitions = partitions_of(gate, project.instance, every=True)
        for verdict in gate.judge(project.instance, partitions, dt.datetime.now(dt.UTC)).values():
            known |= {finding.name: finding for finding in (*verdict.causes, *verdict.consequences)}
    if name not in known:
        raise InvalidInputError(f"Nothing is held by {name!r}: {nearest(name, known)}")
    return known[name]


def _moment(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(f"--until {text!r} is not a moment: write 2026-11-22 or 2026-11-22T08:00.") from None
    return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def name_of(by: str | None) -> str:
    """Return who says so: by default the user logged in."""
    return by if by is not None else getpass.getuser()


def _done(what: str, gate: Gate, partition: str | None, by: str) -> Answer:
    document = {"dashboard": gate.contract.key, "partition": partition, what: True, "by": by}
    where = f"{gate.contract.key} {partition}" if partition else gate.contract.key
    return Answer(document, f"{where} is {what} by {by}.")
