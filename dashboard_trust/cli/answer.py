"""How a command answers: one document or one text on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show logs, warnings and tracebacks.")]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command found: as JSON (lists, dicts, text, numbers) and as people read it.

    ``whole_lines`` are not broken at the terminal's width, since other tools read them too.
    """

    document: Any
    text: RenderableType
    exit_code: int = 0
    whole_lines: bool = False


def answer(work: Callable[[], Answer], *, as_json: bool, debug: bool) -> None:
    """Do the work in silence, print what it found and end with its exit code."""
    with quiet_stdout(), _quiet_frameworks(debug):
        found = work()
    write(found.document if as_json else found.text, as_json=as_json, whole_lines=found.whole_lines)
    raise typer.Exit(found.exit_code)


def complain(message: str, *, as_json: bool) -> None:
    """Say what went wrong: on stderr and, where it was asked for, as the one JSON document."""
    message = " ".join(message.split())
    sys.stderr.write(f"Error: {message}\n")
    if as_json:
        write({"error": message}, as_json=True)


def write(content: Any, *, as_json: bool, whole_lines: bool = False) -> None:
    """Write to stdout: JSON in ASCII, or text in the width and the colors that the terminal has."""
    if as_json:
        sys.stdout.write(json.dumps(content, indent=2) + "\n")
        return
    from rich.console import Console

    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # a terminal that is not UTF-8 is no reason to fail
    Console(highlight=False, markup=False, emoji=False).print(content, soft_wrap=whole_lines)


@contextlib.contextmanager
def quiet_stdout() -> Iterator[None]:
    """Send to stderr whatever is printed meanwhile, by this process or by one that it starts."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@contextlib.contextmanager
def _quiet_frameworks(debug: bool) -> Iterator[None]:
    """Keep the frameworks' logs and warnings to themselves."""
    before = logging.root.manager.disable
    with warnings.catch_warnings():
        if not debug:
            warnings.simplefilter("ignore")
            logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(before)
