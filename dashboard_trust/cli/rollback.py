"""``dashboard-trust rollback``: an earlier version of a dashboard is put back, and the one undone refused."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import typer

from dashboard_trust.cli.answer import Answer, DebugOption, JsonOption
from dashboard_trust.cli.decisions import ByOption, ReasonOption, answer_in, name_of, targets
from dashboard_trust.cli.explain import DashboardArgument
from dashboard_trust.cli.location import FilesOption, HomeOption, Location, ModulesOption, WorkspacesOption
from dashboard_trust.errors import InvalidInputError

if TYPE_CHECKING:
    from dashboard_trust.cli.location import Project

ToOption = Annotated[
    int | None, typer.Option("--to", help="The version; by default the one before.", show_default=False)
]


def rollback(  # noqa: PLR0913, PLR0917 - one argument per option
    dashboard: DashboardArgument,
    reason: ReasonOption,
    to: ToOption = None,
    by: ByOption = None,
    home: HomeOption = None,
    modules: ModulesOption = None,
    files: FilesOption = None,
    workspaces: WorkspacesOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Put an earlier version of a dashboard back: all its tables, and its page."""

    def say(project: Project) -> Answer:
        from dashboard_trust.enforcement.words import take_back
        from dashboard_trust.publication.rollback import roll_back
        from dashboard_trust.publication.swap import Destination

        gate = project.find(dashboard)
        destination = gate.destination() if gate.destination else None
        if not isinstance(destination, Destination):
            raise InvalidInputError(
                f"{gate.contract.key} does not say where it is published: refresh it by a Publisher."
            )
        name = name_of(by)
        restored = roll_back(
            destination,
            dt.datetime.now(dt.UTC),
            to=to,
            note=f"rolled back by {name}: {reason}",
            before_commit=lambda parts: take_back(
                project.instance, gate.contract, name, reason, [part or None for part in parts]
            ),
        )
        document = {
            "dashboard": gate.contract.key,
            "shows": restored.restores,
            "version": restored.number,
            "partitions": list(restored.parts),
            "by": name,
        }
        changed = f" ({', '.join(restored.parts)})" if any(restored.parts) else ""
        return Answer(
            document,
            f"{gate.contract.key} shows version {restored.restores} again{changed}. "
            "What was undone stays refused until its inputs change, or: "
            f"dashboard-trust release {gate.contract.key} --reason TEXT",
        )

    answer_in(say, Location(home, *targets(modules, files, workspaces)), as_json, debug)
