"""The `dashboard-trust` command."""

from __future__ import annotations

import sys
import traceback

import typer

from dashboard_trust.cli.answer import complain
from dashboard_trust.cli.contract import contract
from dashboard_trust.cli.decisions import accept, hold, release, waive
from dashboard_trust.cli.demo import demo
from dashboard_trust.cli.explain import explain
from dashboard_trust.cli.rollback import rollback
from dashboard_trust.cli.status import status
from dashboard_trust.errors import DashboardTrustError

app = typer.Typer(
    name="dashboard-trust",
    help="Dashboards that refresh only when everything upstream may be believed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in (demo, status, explain, hold, release, waive, accept, rollback):
    app.command()(command)
app.add_typer(contract)


def main() -> None:
    """Run the command line; exit codes: 0, 1 our own work failed, 2 bad input, 3 not published."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code; an error is one message, on stderr and in ``--json``.

    A traceback is shown only with ``--debug``.
    """
    as_json = "--json" in arguments
    try:
        code = app(arguments, standalone_mode=False, prog_name="dashboard-trust")
    except (typer.Abort, KeyboardInterrupt):
        complain("stopped.", as_json=as_json)
        return 130
    except Exception as error:  # noqa: BLE001 - nobody is helped by a traceback they did not ask for
        if "--debug" in arguments:
            traceback.print_exc()
        return _report(error, as_json)
    return code if isinstance(code, int) else 0


def _report(error: Exception, as_json: bool) -> int:
    if isinstance(error, DashboardTrustError):
        complain(str(error), as_json=as_json)
        return error.exit_code
    if hasattr(error, "format_message"):  # typer's usage errors, which have no public class in common
        if as_json:
            complain(error.format_message(), as_json=True)
        else:
            error.show()  # type: ignore[attr-defined]
        return int(error.exit_code)  # type: ignore[attr-defined]
    words = " ".join(str(error).split())
    complain(f"Unexpected {type(error).__name__}: {words} (--debug shows where)", as_json=as_json)
    return 1
