"""``dashboard-trust explain``: why one dashboard stands where it stands, and what to do."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

from dashboard_trust.cli.answer import Answer, DebugOption, JsonOption, answer
from dashboard_trust.cli.location import (
    FilesOption,
    HomeOption,
    Location,
    ModulesOption,
    WorkspacesOption,
    open_project,
)

DashboardArgument = Annotated[str, typer.Argument(help="The contract's key, or the asset key; also key@partition.")]
PartitionOption = Annotated[
    str | None, typer.Option("--partition", "-p", help="By default the last one.", show_default=False)
]

if TYPE_CHECKING:
    from dashboard_trust.cli.location import Project


def explain(  # noqa: PLR0913, PLR0917 - one argument per option
    dashboard: DashboardArgument,
    partition: PartitionOption = None,
    home: HomeOption = None,
    modules: ModulesOption = None,
    files: FilesOption = None,
    workspaces: WorkspacesOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Say why a dashboard stands where it stands: causes, what waits for them, and the next step."""
    location = Location(home, tuple(modules or ()), tuple(files or ()), tuple(workspaces or ()))

    def report() -> Answer:
        with open_project(location) as project:
            return _explain(project, dashboard, partition)

    answer(report, as_json=as_json, debug=debug)


def _explain(project: Project, dashboard: str, partition: str | None) -> Answer:
    from dashboard_trust.cli.explanations import describe_explanation, read_explanation, render_explanation
    from dashboard_trust.cli.standings import partitions_of

    if partition is None and "@" in dashboard and dashboard not in project.dashboards:
        dashboard, _, partition = dashboard.partition("@")  # as findings name it
    gate = project.find(dashboard)
    if partition is not None and gate.binding is not None:
        gate.binding.check_partition(partition, project.instance)
    asked = [partition] if partition is not None else partitions_of(gate, project.instance, every=False)
    explanation = read_explanation(gate, project.instance, asked, dt.datetime.now(dt.UTC))
    return Answer(describe_explanation(explanation), render_explanation(explanation))
