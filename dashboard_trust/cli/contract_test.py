"""``dashboard-trust contract test``: whether a table keeps what a contract file promises of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dashboard_trust.cli.answer import Answer, DebugOption, JsonOption, answer
from dashboard_trust.cli.contract_lint import describe
from dashboard_trust.cli.location import HomeOption
from dashboard_trust.errors import InvalidInputError, nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dashboard_trust.checks.outcomes import RuleOutcome
    from dashboard_trust.contracts.odcs.document import Remark
    from dashboard_trust.contracts.table_rules import TableRules
    from dashboard_trust.warehouses.session import Warehouse

FileArgument = Annotated[Path, typer.Argument(help="A data contract, or the contract of a dashboard with its tables.")]
AssetOption = Annotated[str, typer.Option("--asset", help="The asset key, with slashes: raw/payments.")]
SchemaOption = Annotated[
    str, typer.Option("--schema", help="The table in a data contract that has several.", show_default=False)
]
TableOption = Annotated[
    str, typer.Option("--table", help="schema.name; by default what the key says.", show_default=False)
]
WarehouseOption = Annotated[
    str | None,
    typer.Option("--warehouse", help="duckdb:///path, postgresql://... or snowflake://...", show_default=False),
]


def run_rules(  # noqa: PLR0913, PLR0917 - one argument per option
    file: FileArgument,
    asset: AssetOption,
    schema: SchemaOption = "",
    table: TableOption = "",
    warehouse: WarehouseOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Hold a table against its contract: 0 all rules pass, 3 one failed or could not be looked at.

    A rule of severity warn is said, and fails nothing. What the contract has and no rule checks is named.
    """

    def work() -> Answer:
        rules, unchecked = _read_rules(file, asset, schema, table)
        return _report(_find_warehouse(warehouse, home), rules, unchecked)

    answer(work, as_json=as_json, debug=debug)


def _read_rules(file: Path, asset: str, schema: str, table: str) -> tuple[TableRules, Sequence[Remark]]:
    """Return the rules of an asset, and what the file has that is not checked."""
    from dataclasses import replace

    from dashboard_trust.contracts.files import read_text
    from dashboard_trust.contracts.linting import is_data_contract
    from dashboard_trust.contracts.odcs.contract import parse_data_contract
    from dashboard_trust.contracts.odcs.document import Remark
    from dashboard_trust.contracts.yaml import parse_contracts

    text, source = read_text(file), str(file)
    if is_data_contract(text, source):
        found = parse_data_contract(text, source)
        window = found.windows.get(found.find(schema))
        # Of when it was loaded a table says nothing.
        due = f"a load is due within {window}, which a dashboard's gate checks"
        late = [Remark(source, 1, "/slaProperties", due, severity="warning")] if window else []
        return found.table_rules(schema, asset, table), (*found.remarks, *late)
    if schema:
        raise InvalidInputError(f"--schema is a table of a data contract, and {file} is the contract of a dashboard.")
    tables: dict[str, TableRules] = {}
    for rules in (rules for contract in parse_contracts(text, source) for rules in contract.tables):
        if tables.setdefault(rules.asset, rules) != rules:
            raise InvalidInputError(
                f"{file}: two contracts have rules of {rules.asset!r}, other ones: keep them in one."
            )
    if asset not in tables:
        raise InvalidInputError(f"{file} has no rules of {asset!r}: {nearest(asset, tables)}")
    return replace(tables[asset], table=table or tables[asset].table), ()


def _find_warehouse(uri: str | None, home: Path | None) -> Warehouse:
    from dashboard_trust.cli.location import find_home
    from dashboard_trust.warehouses.addresses import open_warehouse

    if uri is not None and home is not None:
        raise InvalidInputError("Give either --warehouse or --home, not both.")
    if uri is not None:
        return open_warehouse(uri)
    found = home or find_home()
    if found is None:
        raise InvalidInputError("Nothing says where the table is: pass --warehouse URI, or --home DIR of a demo.")
    return open_warehouse(f"duckdb://{found / 'warehouse.duckdb'}")


def _report(warehouse: Warehouse, rules: TableRules, unchecked: Sequence[Remark]) -> Answer:
    from dashboard_trust.checks.evaluate import check_table

    with warehouse.session(f"contract test of {rules.asset}") as session:
        outcomes = check_table(session, rules).outcomes
    document = {
        "asset": rules.asset,
        "table": rules.name,
        "warehouse": warehouse.address,
        "rules": [_describe(outcome, rules) for outcome in outcomes],
        "unchecked": [describe(remark) for remark in unchecked],
    }
    failed = [one for one in outcomes if not one.passed and one.rule.severity == "error"]
    passed = sum(outcome.passed for outcome in outcomes)
    summary = f"{rules.asset}: {passed} of {len(outcomes)} rules pass" + (
        f", {len(unchecked)} not checked" if unchecked else ""
    )
    lines = [*map(_line, outcomes), *(f"unchecked {remark}" for remark in unchecked), summary]
    return Answer(document, "\n".join(lines), exit_code=3 if failed else 0, whole_lines=True)


def _describe(outcome: RuleOutcome, rules: TableRules) -> dict[str, str]:
    return {
        "rule": outcome.rule.check,
        "outcome": _word(outcome),
        "severity": outcome.rule.severity,
        "reason": outcome.reason,
        "owner": rules.owner_of(outcome.rule, errored=bool(outcome.error)),
    }


def _line(outcome: RuleOutcome) -> str:
    reason = " ".join(outcome.reason.split())
    return f"{_word(outcome):<9} {outcome.rule.check}" + (f": {reason}" if reason else "")


def _word(outcome: RuleOutcome) -> str:
    if outcome.error:
        return "errored"
    if outcome.passed:
        return "passed"
    return "failed" if outcome.rule.severity == "error" else "warned"
