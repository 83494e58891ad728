"""Quality rules of a table or a column, as rules."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

from dashboard_trust.contracts.odcs.attempts import Found, UnsupportedError, attempt, guarded
from dashboard_trust.contracts.odcs.bounds import OPERATORS, read_allowance, read_bounds
from dashboard_trust.contracts.odcs.document import Part
from dashboard_trust.contracts.remarks import Remark
from dashboard_trust.contracts.row_rules import AcceptedValues, Condition, NotNull, Pattern, Unique
from dashboard_trust.contracts.rules import Rule, Value, as_check_name
from dashboard_trust.contracts.table_rules import Query, RowCount
from dashboard_trust.errors import nearest

METRICS = {
    **dict.fromkeys(("nullValues", "nullCheck"), "nullValues"),
    "missingValues": "missingValues",
    **dict.fromkeys(("invalidValues", "validValues"), "invalidValues"),
    **dict.fromkeys(
        ("duplicateValues", "duplicateCount", "duplicateCheck", "unique", "uniqueCheck"), "duplicateValues"
    ),
    **dict.fromkeys(("rowCount", "countCheck"), "rowCount"),
}
"""The library's metrics, and what 3.0 called them under ``rule``."""

MILD = ("info", "information", "warn", "warning", "low", "minor", "notice", "note", "trivial")
PLACEHOLDER = re.compile(r"\$?\{(\w+)\}")
TABLES = ("table", "object", "model")
COLUMNS = ("column", "property", "field")
VARIABLE = re.compile(r"\$\{[^}]*\}")


def quality_rules(rule: Part, columns: Mapping[str, str], column: str = "") -> Found:
    """Return the rules of one entry under ``quality``.

    Args:
        rule: The entry.
        columns: The table's columns by the name of their property.
        column: The column it stands under, if it does under one.
    """
    return guarded(rule, _rules(rule, columns, column))


def _rules(rule: Part, columns: Mapping[str, str], column: str) -> Found:
    match rule.text("type") or "library":
        case "text":
            raise UnsupportedError("it is text, for people")
        case "custom":
            raise UnsupportedError(f"it is for the engine {rule.text('engine')!r}, which is not supported")
        case "sql":
            yield _query(rule, column)
        case _:
            yield from _library(rule, columns, column)


def described(rule: Part) -> dict[str, Any]:
    """Return what every rule has: name, severity and description."""
    dimension = rule.text("dimension")
    words = rule.text("description") or rule.text("name") or rule.text("businessImpact")
    name = rule.text("name") or rule.text("id")
    severity: Literal["error", "warn"] = "warn" if rule.text("severity").lower() in MILD else "error"
    return {
        "name": as_check_name(name) if name else "",
        "severity": severity,
        "description": f"{words} ({dimension})".strip() if dimension else words,
    }


def _library(rule: Part, columns: Mapping[str, str], column: str) -> Found:
    said = rule.text("metric") or rule.text("rule")
    metric = METRICS.get(said)
    if metric is None:
        known = nearest(said, METRICS)
        raise UnsupportedError(f"there is no metric {said!r}: {known}" if said else "it says nothing that can be")
    if metric == "rowCount":
        yield _row_count(rule)
    elif metric == "duplicateValues":
        key = _key(rule, columns, column)
        yield attempt(rule, Unique, key=key, **described(rule), **read_allowance(rule))
    elif not column:
        raise UnsupportedError(f"{said} is of a property, and stands under none")
    elif metric == "nullValues":
        yield attempt(rule, NotNull, column=column, **described(rule), **read_allowance(rule))
    elif metric == "missingValues":
        yield _missing(rule, column)
    else:
        yield from _invalid(rule, column)


def _row_count(rule: Part) -> Rule | Remark:
    if rule.text("unit").lower() not in ("", "row", "rows"):
        raise UnsupportedError(f"a number of rows is not counted in {rule.text('unit')!r}")
    unequal = rule.part("mustNotBe")
    if (
        unequal is not None
        and unequal.value == 0
        and not any(rule.part(one) for one in OPERATORS if one != "mustNotBe")
    ):
        return attempt(rule, RowCount, min=1, **described(rule))
    bounds = read_bounds(rule)
    if bounds is None:
        raise UnsupportedError("it does not say how many rows there are to be: mustBeGreaterThan, or another operator")
    return attempt(rule, RowCount, min=_count(bounds.least), max=bounds.most, **described(rule))


def _count(least: int | None) -> int | None:
    return None if least is None else max(least, 0)


def _key(rule: Part, columns: Mapping[str, str], column: str) -> tuple[str, ...]:
    names = [part.value for part in _argument(rule, "properties") or ()]
    unknown = [name for name in names if not isinstance(name, str) or name not in columns]
    if unknown:
        raise UnsupportedError(f"there is no property {unknown[0]!r}: {nearest(str(unknown[0]), columns)}")
    if not names and not column:
        raise UnsupportedError("it does not say of which properties: arguments: {properties: [...]}")
    return tuple(columns[name] for name in names) or (column,)


def _missing(rule: Part, column: str) -> Rule | Remark:
    said = _argument(rule, "missingValues")
    words = [part.value for part in said] if said is not None else [None]
    texts = [literal(word) for word in words if word is not None]
    common = described(rule) | read_allowance(rule)
    if not texts:
        return attempt(rule, NotNull, column=column, **common)
    name = quote(column)
    found = f"CAST({name} AS VARCHAR) NOT IN ({', '.join(texts)})"
    common["name"] = common["name"] or as_check_name(f"missing_values_{column}")
    return attempt(rule, Condition, sql=found if None in words else f"{name} IS NULL OR {found}", **common)


def _invalid(rule: Part, column: str) -> Found:
    valid, pattern = _argument(rule, "validValues"), _argument(rule, "pattern")
    common = described(rule) | read_allowance(rule)
    if valid is None and pattern is None:
        raise UnsupportedError("it does not say what is valid: arguments with validValues or a pattern")
    if valid is not None and pattern is not None:
        raise UnsupportedError("it has both validValues and a pattern; make it two rules")
    if valid is not None:
        values = tuple(scalar(part) for part in valid if part.value is not None)
        yield attempt(rule, AcceptedValues, column=column, values=values, **common)
    elif pattern is not None:
        yield attempt(rule, Pattern, column=column, regex=str(pattern.value), **common)


def _query(rule: Part, column: str) -> Rule | Remark:
    bounds = read_bounds(rule)
    if bounds is None:
        raise UnsupportedError("it does not say what the query is to give: mustBe, or another operator")
    sql = rule.text("query")
    common = described(rule)
    # Without a name of its own it is told by what it asks.
    common["name"] = common["name"] or f"query_{hashlib.sha256(f'{column} {sql}'.encode()).hexdigest()[:6]}"
    return attempt(rule, Query, sql=_filled(sql, column), unit=rule.text("unit"), **bounds.said, **common)


def _filled(sql: str, column: str) -> str:
    """Return a query with the column put in, and ``{table}`` for the table."""

    def fill(found: re.Match[str]) -> str:
        word = found[1].lower()
        if word in TABLES:
            return "{table}"
        if word in COLUMNS and column:
            return quote(column)
        raise UnsupportedError(f"nobody says what {found[0]} stands for; {{object}} and {{property}} are known")

    filled = PLACEHOLDER.sub(fill, sql)
    if variable := VARIABLE.search(filled):
        raise UnsupportedError(f"the variable {variable[0]} is not filled in here")
    return filled


def _argument(rule: Part, name: str) -> Part | None:
    """Return an argument; 3.0 has them beside the rule itself."""
    arguments = rule.part("arguments")
    return (arguments.part(name) if arguments is not None else None) or rule.part(name)


def scalar(part: Part) -> Value:
    """Return a number, a text, true or false.

    Raises:
        UnsupportedError: It is none of them.
    """
    if not isinstance(part.value, str | int | Decimal):
        raise UnsupportedError(f"{part.pointer} is a mapping or a list, and a value is asked for")
    return part.value


def quote(name: str) -> str:
    """Return a name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """Return a value as a text of SQL."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return "'" + text.replace("'", "''") + "'"
