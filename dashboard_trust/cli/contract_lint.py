"""``dashboard-trust contract lint``: what is wrong with contract files, a line each."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dashboard_trust.cli.answer import Answer, DebugOption, JsonOption, answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard_trust.contracts.odcs.document import Remark

FilesArgument = Annotated[
    list[Path], typer.Argument(help="Contracts of dashboards, or of the Open Data Contract Standard.")
]


def lint(files: FilesArgument, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Say what is wrong with contract files: 0 nothing but warnings, 3 errors, 2 a file that cannot be read.

    A warning is what is right and is not checked, or wrong by one version of the standard only.
    """
    answer(lambda: _report(files), as_json=as_json, debug=debug)


def _report(files: Sequence[Path]) -> Answer:
    from dashboard_trust.contracts.linting import lint_file

    remarks = [remark for file in files for remark in lint_file(file)]
    errors = sum(remark.severity == "error" for remark in remarks)
    document = [describe(remark) for remark in remarks]
    summary = f"{_count(len(files), 'file')}: {_count(errors, 'error')}, {_count(len(remarks) - errors, 'warning')}"
    text = "\n".join([*map(str, remarks), summary])
    return Answer(document, text, exit_code=3 if errors else 0, whole_lines=True)


def describe(remark: Remark) -> dict[str, object]:
    """Return a remark as JSON."""
    said = asdict(remark)
    return {"file": said.pop("source"), **said}


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
