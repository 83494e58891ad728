"""``dashboard-trust contract test``: whether a table keeps what a contract file promises of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dashboard_trust.cli.answer import Answer, DebugOption, JsonOption, answer
from dashboard_trust.cli.contract_lint import describe
from dashboard_trust.cli.location import HomeOption
from dashboard_trust.errors import InvalidInputError, nearest

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator, Sequence

    from dashboard_trust.checks.outcomes import RuleOutcome
    from dashboard_trust.contracts.model import DashboardContract
    from dashboard_trust.contracts.remarks import Remark
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
    from dashboard_trust.contracts.yaml import parse_contracts

    text, source = read_text(file), str(file)
    if is_data_contract(text, source):
        found = parse_data_contract(text, source)
        rules, name = found.table_rules(schema, asset, table), found.find(schema)
        # Of when it was loaded a table says nothing.
        return rules, (*rules.unchecked, *([found.due[name]] if name in found.due else []))
    if schema:
        raise InvalidInputError(f"--schema is a table of a data contract, and {file} is the contract of a dashboard.")
    contracts = parse_contracts(text, source)
    rules = _find_rules(contracts, asset, source)
    late = [_due(contract.freshness[asset], source) for contract in contracts if asset in contract.freshness]
    return replace(rules, table=table or rules.table), (*rules.unchecked, *dict.fromkeys(late))


def _find_rules(contracts: Sequence[DashboardContract], asset: str, source: str) -> TableRules:
    tables: dict[str, TableRules] = {}
    for rules in (rules for contract in contracts for rules in contract.tables):
        if tables.setdefault(rules.asset, rules) != rules:
            raise InvalidInputError(
                f"{source}: two contracts have rules of {rules.asset!r}, other ones: keep them in one."
            )
    if asset not in tables:
        raise InvalidInputError(f"{source} has no rules of {asset!r}: {nearest(asset, tables)}")
    return tables[asset]


def _due(window: dt.timedelta, source: str) -> Remark:
    from dashboard_trust.contracts.remarks import Remark, in_words

    due = f"a load is due within {in_words(window)}, which the dashboard's gate checks"
    return Remark(source, 0, "", due, severity="warning")


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
    said = (f"{'unchecked':<9} {remark.place}: {remark.words}" for remark in unchecked)
    lines = [*_lines(outcomes), *said, _summary(outcomes, rules, unchecked)]
    return Answer(document, "\n".join(lines), exit_code=3 if failed else 0, whole_lines=True)


def _summary(outcomes: Sequence[RuleOutcome], rules: TableRules, unchecked: Sequence[Remark]) -> str:
    """Return how many rules pass, and how many do not: "raw/payments: 3 of 5 rules pass, 1 failed, 1 errored"."""
    words = Counter(map(_word, outcomes))
    passed = f"{words['passed']} of {len(outcomes)} rules pass"
    others = [f"{words[word]} {word}" for word in ("failed", "errored", "warned") if words[word]]
    besides = f"; not checked here: {len(unchecked)}" if unchecked else ""
    return f"{rules.asset}: {', '.join((passed, *others))}{besides}"


def _describe(outcome: RuleOutcome, rules: TableRules) -> dict[str, str]:
    return {
        "rule": outcome.rule.check,
        "outcome": _word(outcome),
        "severity": outcome.rule.severity,
        "reason": outcome.reason,
        "owner": rules.owner_of(outcome.rule, errored=bool(outcome.error)),
    }


def _lines(outcomes: Sequence[RuleOutcome]) -> Iterator[str]:
    """Yield a line for each rule; for all that could not be looked at for one reason, one."""
    found: dict[tuple[str, str], list[RuleOutcome]] = {}
    for outcome in outcomes:
        found.setdefault((outcome.error, "" if outcome.error else outcome.rule.check), []).append(outcome)
    for alike in found.values():
        reason = " ".join(alike[0].reason.split())
        names = ", ".join(outcome.rule.check for outcome in alike)
        yield f"{_word(alike[0]):<9} {names}" + (f": {reason}" if reason else "")


def _word(outcome: RuleOutcome) -> str:
    if outcome.error:
        return "errored"
    if outcome.passed:
        return "passed"
    return "failed" if outcome.rule.severity == "error" else "warned"
