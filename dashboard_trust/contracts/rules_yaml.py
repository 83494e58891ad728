"""Rules of tables from YAML: a list of rules, each under the name of its kind."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from dashboard_trust.contracts import row_rules, table_rules
from dashboard_trust.contracts.entries import Entry, Reader, compose
from dashboard_trust.contracts.odcs.contract import DataContract, read_data_contract
from dashboard_trust.contracts.rules import Rule, Value, is_same
from dashboard_trust.contracts.scalars import read_asset, read_boolean, read_hours, read_owner, read_word
from dashboard_trust.contracts.table_rules import CONCERNS, EMPTY, Freshness, TableRules
from dashboard_trust.errors import ContractError, nearest

Table = tuple[TableRules, dt.timedelta | None]
# A postcode, an account: as a number it would be another one.
LEADING_ZERO = re.compile(r"[-+]?0\d")
NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?")


def parse_rules(said: object, source: str) -> tuple[Rule, ...]:
    """Return the rules of plain values (lists and mappings, as in YAML); ``source`` is what errors call them.

    Raises:
        ContractError: Something in them cannot be meant.
    """
    try:
        # JSON is YAML too, and says what is text; a value a line, so that an error's line tells.
        written = json.dumps(said, indent=0, ensure_ascii=False, default=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise ContractError(f"{source}: rules are lists and mappings of plain values: {error}") from error
    return tuple(rule for root in compose(written, source) for rule in read_rules(replace(root, name="rules")))


def read_tables(entry: Entry) -> tuple[Table, ...]:
    """Read the tables of a contract, each with the age from which its data contract calls a load overdue."""
    tables: tuple[Table, ...] = tuple(item.build(_table, TABLE, required=("asset",)) for item in entry.items())
    assets = [table.asset for table, _ in tables]
    for asset in assets:
        if assets.count(asset) > 1:
            raise entry.error(f"names {asset!r} twice; put its rules under one entry")
    return tables


def _table(
    asset: str,
    rules: tuple[Rule, ...] = (),
    data_contract: DataContract | None = None,
    schema: str = "",
    owners: Mapping[str, str] = EMPTY,
    **said: Any,
) -> Table:
    """Return the rules of a table: those said beside it, and those of its data contract."""
    if data_contract is None:
        if schema:
            raise ContractError("schema is a table of a data_contract, and there is none")
        if not rules:
            raise ContractError("it has neither rules nor a data_contract")
        return TableRules(asset, rules, owners=owners, **said), None
    name = data_contract.find(schema)
    has_more = bool(rules) or name in data_contract.windows
    promised = data_contract.table_rules(name, asset, said.get("table", ""), may_be_empty=has_more)
    # What it says again is not another rule.
    further = [rule for rule in rules if not any(is_same(rule, one) for one in promised.rules)]
    found = replace(promised, rules=(*promised.rules, *further), owners={**promised.owners, **owners}, **said)
    return found, data_contract.windows.get(name)


def _data_contract(entry: Entry) -> DataContract:
    """Read a file of the Open Data Contract Standard; its path is relative to the contract's own."""
    try:
        return read_data_contract(Path(entry.source).parent / entry.text())
    except ContractError as error:
        raise entry.error(f"cannot be used: {str(error).removesuffix('.')}") from error


def read_rules(entry: Entry) -> tuple[Rule, ...]:
    """Read a list of rules; ``not_null: [a, b]`` is a rule for each column."""
    return tuple(replace(rule, place=item.place) for item in entry.items() for rule in _rules(item))


def _rules(entry: Entry) -> Iterator[Rule]:
    said = entry.fields()
    if len(said) != 1:
        raise entry.error("must be one rule, under the name of its kind, as in `- not_null: order_id`")
    name, value = next(iter(said.items()))
    if name not in KINDS:
        raise entry.error(f"has an unknown rule {name!r}: {nearest(name, KINDS)}")
    kind, readers = KINDS[name], {**COMMON, **OPTIONS[name]}
    short = SHORT.get(name)
    if value.is_mapping or short is None:
        yield value.build(BUILDERS.get(name, kind), readers, REQUIRED.get(name, ()))
        return
    columns = value.items_or_self() if name == "not_null" else [value]
    if not columns:
        raise value.error("names no column")
    for said_of in columns:
        try:
            yield kind(**{short: readers[short](said_of)})
        except ContractError as error:
            raise error if str(error).startswith(entry.source) else value.error(f"cannot be: {error}") from error


def _columns(entry: Entry) -> tuple[str, ...]:
    return tuple(item.text() for item in entry.items_or_self())


def _value(entry: Entry) -> Value:
    """Read a value as it is written: numbers and booleans are what they are, all else is text.

    What it is to a column (a day, a moment) is told by the column's type.
    """
    text = entry.text()
    quoted = isinstance(entry.node, yaml.ScalarNode) and entry.node.style is not None
    if not quoted and NUMBER.fullmatch(text):
        if LEADING_ZERO.match(text):
            raise entry.error(f"{text} would be a number, without its zero: quote it where it is text, as '{text}'")
        return Decimal(text)
    return text == "true" if not quoted and text in ("true", "false") else text


def _values(entry: Entry) -> tuple[Value, ...]:
    return tuple(_value(item) for item in entry.items())


def _decimal(entry: Entry) -> Decimal:
    try:
        number = Decimal(entry.text())
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite():
        raise entry.error(f"{entry.text()!r} is not a number")
    return number


def _count(entry: Entry) -> int:
    text = entry.text()
    if not re.fullmatch(r"\d{1,15}", text):
        raise entry.error(f"{text!r} is not a whole number from 0")
    return int(text)


def _number(entry: Entry) -> float:
    return float(_decimal(entry))


def _shares(entry: Entry) -> tuple[float, float]:
    items = entry.items()
    if len(items) != 2:
        raise entry.error("must be two shares of the median, as in [0.5, 2]")
    return _number(items[0]), _number(items[1])


def _freshness(within_hours: float, **said: Any) -> Freshness:
    return Freshness(within=dt.timedelta(hours=within_hours), **said)


def _types(entry: Entry) -> Mapping[str, str]:
    return {name: "" if _is_empty(value) else value.text() for name, value in entry.fields().items()}


def _is_empty(entry: Entry) -> bool:
    return entry.node.tag == "tag:yaml.org,2002:null" or entry.node.value == ""


def _owners(entry: Entry) -> Mapping[str, str]:
    return {name: read_owner(owner) for name, owner in entry.fields(CONCERNS).items()}


KINDS: Mapping[str, type[Rule]] = {
    kind.kind: kind
    for kind in (
        row_rules.NotNull,
        row_rules.Unique,
        row_rules.AcceptedValues,
        row_rules.Range,
        row_rules.Pattern,
        row_rules.Length,
        row_rules.Fits,
        row_rules.Monotonic,
        row_rules.References,
        row_rules.Condition,
        table_rules.RowCount,
        table_rules.VolumeAnomaly,
        table_rules.Freshness,
        table_rules.Columns,
        table_rules.Query,
        table_rules.Reconciliation,
    )
}
COMMON: Mapping[str, Reader] = {
    "name": Entry.text,
    "severity": read_word("error", "warn"),
    "owner": read_owner,
    "description": Entry.text,
    "unit": Entry.text,
}
ALLOWED: Mapping[str, Reader] = {"allowed_rows": _count, "allowed_percent": _number}
TOO_LITTLE: Mapping[str, Reader] = {"too_little": read_word("hold", "pass"), "weeks": _count}
OPTIONS: Mapping[str, Mapping[str, Reader]] = {
    "row_count": {"min": _count, "max": _count, "of_median": _shares, **TOO_LITTLE},
    "volume_anomaly": {"sensitivity": _number, "least": _count, **TOO_LITTLE},
    "freshness": {"column": Entry.text, "within_hours": read_hours},
    "not_null": {"column": Entry.text, "blank": read_boolean, **ALLOWED},
    "unique": {"key": _columns, "within_day": read_boolean, **ALLOWED},
    "accepted_values": {"column": Entry.text, "values": _values, **ALLOWED},
    "range": {"column": Entry.text, "min": _value, "max": _value, "above": _value, "below": _value, **ALLOWED},
    "pattern": {"column": Entry.text, "regex": Entry.text, **ALLOWED},
    "length": {"column": Entry.text, "min": _count, "max": _count, **ALLOWED},
    "fits": {"column": Entry.text, "type": Entry.text, **ALLOWED},
    "monotonic": {
        "column": Entry.text,
        "by": Entry.text,
        "strictly": read_boolean,
        "falling": read_boolean,
        **ALLOWED,
    },
    "references": {"key": _columns, "table": Entry.text, "other_key": _columns, **ALLOWED},
    "reconciliation": {
        **dict.fromkeys(
            ("table", "amount", "other_amount", "other_time_column", "where", "other_where", "warehouse"), Entry.text
        ),
        "key": _columns,
        "other_key": _columns,
        "tolerance": _decimal,
        "allowed_keys": _count,
    },
    "columns": {"types": _types, "added": read_word("reported", "refused"), "ordered": read_boolean},
    "condition": {"sql": Entry.text, **ALLOWED},
    "query": {"sql": Entry.text, **dict.fromkeys(("min", "max", "above", "below"), _decimal)},
}
"""What may be said of each kind of rule, and how it is read."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "freshness": ("column", "within_hours"),
    "not_null": ("column",),
    "unique": ("key",),
    "accepted_values": ("column", "values"),
    "range": ("column",),
    "pattern": ("column", "regex"),
    "length": ("column",),
    "fits": ("column", "type"),
    "monotonic": ("column", "by"),
    "references": ("key", "table"),
    "reconciliation": ("table",),
    "columns": ("types",),
    "condition": ("name", "sql"),
    "query": ("name", "sql"),
}
BUILDERS: Mapping[str, Callable[..., Rule]] = {"freshness": _freshness}
"""Kinds whose YAML has names of its own: a unit stands in the name."""

SHORT: Mapping[str, str] = {"not_null": "column", "unique": "key"}
"""What a rule that is not written as a mapping says."""

TABLE: Mapping[str, Callable[[Entry], Any]] = {
    "asset": read_asset,
    "table": Entry.text,
    "time_column": Entry.text,
    "owners": _owners,
    "sample_failures": _count,
    "rules": read_rules,
    "data_contract": _data_contract,
    "schema": Entry.text,
}
