"""What is to be said of a contract file: of a dashboard's contract, or of a data contract."""

from __future__ import annotations

import re
from pathlib import Path

from dashboard_trust.contracts.entries import compose
from dashboard_trust.contracts.files import read_text
from dashboard_trust.contracts.odcs.contract import lint
from dashboard_trust.contracts.odcs.document import parse_document
from dashboard_trust.contracts.remarks import Remark
from dashboard_trust.contracts.yaml import parse_contracts
from dashboard_trust.errors import ContractError

MARKS = frozenset({"apiVersion", "kind", "dataContractSpecification"})
"""Keys that only a data contract has."""


def lint_file(path: str | Path) -> tuple[Remark, ...]:
    """Return what is to be said of a file; what cannot be parsed is said too.

    Raises:
        ContractError: It cannot be read, or is no text.
    """
    return lint_text(read_text(path), str(path))


def lint_text(text: str, source: str) -> tuple[Remark, ...]:
    """Return what is to be said of a contract, errors first; also what data contracts that it uses ask in vain."""
    try:
        if is_data_contract(text, source):
            return lint(parse_document(text, source))
        tables = [table for contract in parse_contracts(text, source) for table in contract.tables]
    except ContractError as error:
        return (as_remark(error, source),)
    return tuple(dict.fromkeys(remark for table in tables for remark in table.unchecked))


def is_data_contract(text: str, source: str) -> bool:
    """Return whether a text is of the Open Data Contract Standard, or means to be.

    Raises:
        ContractError: It is not plain YAML or JSON.
    """
    return any(root.is_mapping and MARKS & root.fields().keys() for root in compose(text, source))


def as_remark(error: ContractError, source: str) -> Remark:
    """Return an error of a file as what is to be said of it, at the line that it names."""
    said = str(error).removeprefix(source)
    line = re.match(r", line (\d+)", said)
    problem = said[line.end() if line else 0 :].lstrip(": ").removesuffix(".")
    return Remark(source, int(line[1]) if line else 0, "", problem)
