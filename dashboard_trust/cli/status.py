"""``dashboard-trust status``: where every dashboard stands."""

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

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from dashboard_trust.cli.standings import Standing

AllOption = Annotated[bool, typer.Option("--all", help="Every partition, not only the last one.")]
CAUSES_SHOWN = 3


def status(  # noqa: PLR0913, PLR0917 - one argument per option
    home: HomeOption = None,
    modules: ModulesOption = None,
    files: FilesOption = None,
    workspaces: WorkspacesOption = None,
    every: AllOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Say where every dashboard stands: its readiness, what it shows, and who is on it."""
    location = Location(home, tuple(modules or ()), tuple(files or ()), tuple(workspaces or ()))
    answer(lambda: _report(location, every), as_json=as_json, debug=debug)


def _report(location: Location, every: bool) -> Answer:
    with open_project(location) as project:
        from dashboard_trust.cli.standings import describe, partitions_of, read_standings

        now = dt.datetime.now(dt.UTC)
        standings = [
            standing
            for _, gate in sorted(project.dashboards.items())
            for standing in read_standings(
                gate, project.instance, partitions_of(gate, project.instance, every=every), now
            )
        ]
    return Answer([describe(standing) for standing in standings], render_standings(standings))


def render_standings(standings: list[Standing]) -> RenderableType:
    """Return a row per standing: its readiness, what is shown, and the first causes."""
    from rich.table import Table
    from rich.text import Text

    from dashboard_trust.cli.words import readiness_word

    if not standings:
        return Text("There are no dashboards: build one with dashboard_trust.trusted_dashboard.")
    table = Table.grid(padding=(0, 2), expand=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for standing in standings:
        table.add_row(readiness_word(standing.verdict.readiness), Text("\n").join(_lines(standing)))
    return table


def _lines(standing: Standing) -> list[Text]:
    from rich.text import Text

    from dashboard_trust.cli.words import behind_line, finding_line, printable, serving_line

    contract, verdict = standing.contract, standing.verdict
    title = f"{contract.title} ({contract.key})" if contract.title else contract.key
    head = Text(printable(f"{title} {verdict.partition or ''}".strip()), style="bold")
    causes = [finding_line(finding) for finding in verdict.causes[:CAUSES_SHOWN]]
    more = len(verdict.causes) - CAUSES_SHOWN
    if more > 0:
        causes.append(Text(f"and {more} more: dashboard-trust explain {contract.key}", style="dim"))
    behind = [Text(behind_line(standing.behind))] if standing.behind else []
    corrected = [Text(printable(standing.corrected))] if standing.corrected else []
    return [head, Text(serving_line(standing.serving)), *corrected, *behind, *causes, Text()]
