"""``dashboard-trust contract lint``: what is wrong with contract files, a line each."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dashboard_trust.cli.answer import Answer, DebugOption, JsonOption, answer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard_trust.contracts.remarks import Remark

FilesArgument = Annotated[
    list[Path], typer.Argument(help="Contracts of dashboards, or of the Open Data Contract Standard.")
]


def lint(files: FilesArgument, as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """Say what is wrong with contract files: 0 nothing but warnings, 3 errors, 2 a file that cannot be read.

    A warning is what is right and is not checked, or wrong by one version of the standard only. Of a dashboard's
    contract the data contracts that it uses are looked at too.
    """
    answer(lambda: _report(files), as_json=as_json, debug=debug)


def _report(files: Sequence[Path]) -> Answer:
    from dashboard_trust.contracts.linting import as_remark, lint_file
    from dashboard_trust.errors import ContractError

    found: list[Remark] = []
    unread = 0
    for file in files:
        try:
            found += lint_file(file)
        except ContractError as error:
            found.append(as_remark(error, str(file)))
            unread += 1
    remarks = list(dict.fromkeys(found))  # of a data contract that several use, once
    errors = sum(remark.severity == "error" for remark in remarks)
    looked = _count(len(files), "file") + (f" ({unread} cannot be read)" if unread else "")
    summary = f"{looked}: {_count(errors, 'error')}, {_count(len(remarks) - errors, 'warning')}"
    exit_code = 2 if unread else 3 if errors else 0
    text = "\n".join([*map(str, remarks), summary])
    return Answer([describe(remark) for remark in remarks], text, exit_code, whole_lines=True)


def describe(remark: Remark) -> dict[str, object]:
    """Return a remark as JSON; the line of what is in no place is null."""
    said = asdict(remark)
    return {"file": said.pop("source"), **said, "line": remark.line or None}


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
