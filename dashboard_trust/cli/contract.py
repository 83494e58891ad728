"""``dashboard-trust contract``: contract files looked at by themselves, and held against a warehouse."""

from __future__ import annotations

import typer

from dashboard_trust.cli.contract_lint import lint
from dashboard_trust.cli.contract_test import run_rules

contract = typer.Typer(
    name="contract",
    help="Contract files: is one right, and does a table keep it?",
    no_args_is_help=True,
    rich_markup_mode=None,
)
contract.command("lint")(lint)
contract.command("test")(run_rules)
