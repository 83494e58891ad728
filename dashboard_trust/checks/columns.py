"""Whether a table has the columns it is to have. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from sqlglot import exp
from sqlglot.errors import SqlglotError

from dashboard_trust.checks.values import RuleError
from dashboard_trust.contracts.table_rules import ANY_TEXT, Columns
from dashboard_trust.warehouses.column_types import kind_of

SAME = {"TEXT": "VARCHAR", "CHAR": "VARCHAR", "DECIMAL": "DECIMAL", "TIMESTAMPNTZ": "TIMESTAMP"}


def judge_columns(rule: Columns, types: Mapping[str, str], dialect: str) -> tuple[str, str]:
    """Return what is wrong with a table's columns (types by name, in order), and what is only to be said of them.

    Raises:
        RuleError: A type that is asked for is none of this engine.
    """
    missing = [f"column {name!r} is missing" for name in rule.types if name not in types]
    changed = [
        f"column {name!r} is {types[name]} instead of {wanted}"
        for name, wanted in rule.types.items()
        if wanted and name in types and not same_type(wanted, types[name], dialect)
    ]
    more = [name for name in types if name not in rule.types]
    added = [f"column {name!r} ({types[name]}) is new" for name in more]
    there = [name for name in types if name in rule.types]
    moved = rule.ordered and not missing and there != list(rule.types)
    problems = [*missing, *changed, *(added if rule.added == "refused" else [])]
    problems += [f"columns come in the order {', '.join(there)}"] if moved else []
    return "; ".join(problems), "" if problems or rule.added == "refused" else "; ".join(added)


def shape_of(rule: Columns, types: Mapping[str, str]) -> str:
    """Return a short name for what a table's columns are beside what they were to be: of either changed, another."""
    told = (tuple(rule.types.items()), rule.added, rule.ordered, tuple(types.items()))
    return hashlib.sha256(repr(told).encode()).hexdigest()[:8]


def same_type(wanted: str, found: str, dialect: str) -> bool:
    """Return whether a column's own type is the one that is asked for, under whatever name; digits count if given.

    Raises:
        RuleError: What is asked for is no type of this engine.
    """
    if wanted.casefold() == ANY_TEXT:
        return kind_of(found) in ("text", "other")
    if wanted.casefold() == found.casefold():
        return True
    try:
        asked = exp.DataType.build(wanted, dialect=dialect)
    except (SqlglotError, ValueError) as error:
        raise RuleError(f"{wanted!r} is no type of {dialect}") from error
    try:
        has = exp.DataType.build(found, dialect=dialect)
    except (SqlglotError, ValueError):
        return False  # somebody's own type, which is none that has another name
    if asked == has or _is_nested(asked) or _is_nested(has):
        return bool(asked == has)
    if "(" not in wanted:
        asked.set("expressions", [])  # those that a dialect takes for granted
    names = {SAME.get(kind.this.name, kind.this.name) for kind in (asked, has)}
    # Without digits any will do; text of any length is text.
    return len(names) == 1 and (not asked.expressions or (names == {"VARCHAR"} and not has.expressions))


def _is_nested(kind: exp.DataType) -> bool:
    return any(isinstance(part, exp.DataType | exp.ColumnDef) for part in kind.expressions)
