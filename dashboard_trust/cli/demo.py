"""`dashboard-trust demo`: the daily revenue dashboard, end to end, in a folder of one's own."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dashboard_trust.errors import HomeError, InvalidInputError

if TYPE_CHECKING:
    from dashboard_trust.demo.chain import DemoResult
    from dashboard_trust.demo.home import Home

HELD = 3
OURS = ("source", "landing", "dagster", "site", "warehouse.duckdb", "demo.json")


def demo(
    home: Annotated[
        Path, typer.Option(envvar="DASHBOARD_TRUST_HOME", help="The folder everything lives in.", file_okay=False)
    ] = Path(".dashboard_trust"),
    as_of: Annotated[str, typer.Option(help="The day to publish, YYYY-MM-DD; by default the source's last.")] = "",
    prepare: Annotated[
        bool, typer.Option("--prepare", help="Write the source data if there is none, and stop.")
    ] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Delete the demo in this folder first.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")] = False,
) -> None:
    """Land, model, check and publish the daily revenue dashboard, or say why not.

    Exit code: 0 published, 3 not published for that day, 1 our own failure, 2 not a valid request.
    """
    from dashboard_trust.demo.home import Home

    folder = home.absolute()
    os.environ["DASHBOARD_TRUST_HOME"] = str(folder)
    os.environ["DAGSTER_HOME"] = str(folder / "dagster")
    place = Home(folder)
    day = _parse_day(as_of)
    if reset:
        _delete(folder)
    place.create()
    day = _prepare(place, day)
    if prepare:
        return _say_prepared(place, day, as_json)
    from dashboard_trust.demo.chain import run_demo

    started = dt.datetime.now(dt.UTC)

    def report(stage: str) -> None:
        seconds = (dt.datetime.now(dt.UTC) - started).total_seconds()
        print(f"{seconds:6.1f} s  {stage}", file=sys.stderr, flush=True)

    result = run_demo(place, day, report)
    _say_result(place, result, as_json)
    raise typer.Exit(0 if result.published else HELD)


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
            raise InvalidInputError(f"--as-of {day} is in the future; today is {today()}.")
        prepare(home, day)
    return day


def _delete(folder: Path) -> None:
    """Delete a demo, and nothing that does not look like one."""
    if not folder.exists():
        return
    if not any((folder / name).exists() for name in OURS):
        if any(folder.iterdir()):
            raise HomeError(
                f"{folder} does not look like a demo's home, so --reset leaves it alone. Name another --home."
            )
        return
    try:
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
    except OSError as error:
        raise HomeError(f"{folder} cannot be reset: {error.strerror}: {error.filename}.") from None


def _say_prepared(home: Home, day: dt.date, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"home": str(home.path), "as_of": day.isoformat(), "prepared": True}))
    else:
        print(f"{home.path}: source data is there, up to {day}.")


def _say_result(home: Home, result: DemoResult, as_json: bool) -> None:
    from dashboard_trust.cli.status import describe

    page = home.site / "current" / "index.html"
    shown: dict[str, Any] = describe(result.verdict, home)
    if as_json:
        print(json.dumps({**shown, "published": result.published, "page": str(page) if page.exists() else None}))


__all__ = ["demo"]
