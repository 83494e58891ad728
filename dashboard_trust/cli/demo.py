"""`dashboard-trust demo`: the daily revenue dashboard, end to end, in a folder of one's own."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dashboard_trust.cli.answer import Answer, DebugOption, JsonOption, answer
from dashboard_trust.errors import HomeError, InvalidInputError

if TYPE_CHECKING:
    from dashboard_trust.demo.chain import DemoResult
    from dashboard_trust.demo.home import Home

HELD = 3
HOME_VARIABLE = "DASHBOARD_TRUST_HOME"
MARKS = ("source", "dagster", "warehouse.duckdb", "demo.json")
"""What a folder that is a demo's home has at least one of."""

FolderOption = Annotated[
    Path | None, typer.Option("--home", help="The folder everything lives in.", show_default=False)
]
AsOfOption = Annotated[str, typer.Option(help="The day to publish, YYYY-MM-DD.", show_default="the source's last day")]
PrepareOption = Annotated[bool, typer.Option("--prepare", help="Write the source data if there is none, and stop.")]
ResetOption = Annotated[bool, typer.Option("--reset", help="Delete the demo in this folder first.")]


def demo(  # noqa: PLR0913, PLR0917 - one argument per option
    home: FolderOption = None,
    as_of: AsOfOption = "",
    prepare: PrepareOption = False,
    reset: ResetOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Land, model, check and publish the daily revenue dashboard, or say why not.

    Exit code: 0 published, 3 not published for that day, 1 our own failure, 2 not a valid request.
    """
    folder = (home or Path(os.environ.get(HOME_VARIABLE) or ".dashboard_trust")).absolute()
    answer(lambda: _demo(folder, _parse_day(as_of), prepare, reset), as_json=as_json, debug=debug)


def _demo(folder: Path, day: dt.date | None, prepare_only: bool, reset: bool) -> Answer:
    from dashboard_trust.demo.home import Home

    # The definitions, the runs and their children find the home by these.
    os.environ[HOME_VARIABLE], os.environ["DAGSTER_HOME"] = str(folder), str(folder / "dagster")
    home = Home(folder)
    if reset:
        _delete(folder)
    home.create()
    day = _prepare(home, day)
    if prepare_only:
        document = {"home": str(folder), "as_of": day.isoformat(), "prepared": True}
        return Answer(document, f"The source data is in {home.source}, up to {day}.")
    from dashboard_trust.demo.chain import run_demo

    started = time.monotonic()

    def report(stage: str) -> None:
        sys.stderr.write(f"{time.monotonic() - started:6.1f} s  {stage}\n")
        sys.stderr.flush()

    return _answer_with(home, run_demo(home, day, report))


def _parse_day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        raise InvalidInputError(f"--as-of {text!r} is not a day: write it as YYYY-MM-DD.") from None


def _prepare(home: Home, asked: dt.date | None) -> dt.date:
    from dashboard_trust.demo.days import default_as_of, today
    from dashboard_trust.demo.source import prepare

    day = asked or default_as_of(home)
    if not home.source.exists():
        if day > today():
            raise InvalidInputError(f"--as-of {day} is in the future; today is {today()} (UTC).")
        prepare(home, day)
    return day


def _delete(folder: Path) -> None:
    """Delete a demo, and nothing that does not look like one."""
    from dashboard_trust.demo.chain import sole_use

    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not any((folder / name).exists() for name in MARKS):
        raise HomeError(f"{folder} does not look like a demo's home, so --reset leaves it alone. Name another --home.")
    try:
        with sole_use(folder):
            for entry in folder.iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
    except OSError as error:
        raise HomeError(f"{folder} cannot be reset: {error.strerror}: {error.filename}.") from None


def _answer_with(home: Home, result: DemoResult) -> Answer:
    from rich.console import Group
    from rich.text import Text

    from dashboard_trust.cli.standings import Standing, describe
    from dashboard_trust.cli.status import render_standings

    standing = Standing(result.contract, result.verdict, result.serving)
    page = home.site / "current" / "index.html"
    lines = [Text(f"The page: {page}", no_wrap=True)] if page.exists() else []
    if result.failure:
        lines.append(Text(f"Not published: {result.failure}"))
    elif not result.published:
        lines.append(Text(f"Not published. Why, and what to do: dashboard-trust explain {result.contract.key}"))
    document = {
        **describe(standing),
        "published": result.published,
        "failure": result.failure,
        "page": str(page) if page.exists() else None,
    }
    return Answer(document, Group(render_standings([standing]), *lines), 0 if result.published else HELD)
