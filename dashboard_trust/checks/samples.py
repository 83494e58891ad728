"""Keys of rows that break a rule: data, so only where somebody asked to see them."""

from __future__ import annotations

from sqlglot import exp

from dashboard_trust.checks.row_counts import BAD
from dashboard_trust.checks.row_queries import doubled_keys, is_of_whole, orphans
from dashboard_trust.checks.values import Table
from dashboard_trust.contracts.row_rules import References, Unique
from dashboard_trust.contracts.rules import RowRule, Rule
from dashboard_trust.contracts.table_rules import TableRules
from dashboard_trust.warehouses.parts import Grouping, grouped_rows
from dashboard_trust.warehouses.session import column
from dashboard_trust.warehouses.session import table as as_table


def sample_keys(rule: RowRule, rules: TableRules, table: Table, grouping: Grouping) -> tuple[str, ...]:
    """Return some keys of rows that break a rule: those of the table's first `Unique`, else the rule's own columns.

    Raises:
        WarehouseError: The engine refused.
    """
    rows = grouped_rows(grouping, as_table(table.name)).subquery("given")
    if isinstance(rule, Unique):
        query = doubled_keys(rule, table, rows, within=not is_of_whole(rule, grouping))
        names = rule.key
    elif type(rule) in BAD:
        names = _keys(rules.rules, table) or rule.needs
        if not names:
            return ()
        query = exp.select(*map(column, names)).from_(rows).where(BAD[type(rule)](rule, table))
    elif isinstance(rule, References):
        names = _keys(rules.rules, table) or rule.key
        query = orphans(rule, table, rows, names)
    else:
        return ()
    found = table.session.query(query.limit(rules.sample_failures))
    return tuple(", ".join(f"{name}={value}" for name, value in zip(names, row, strict=True)) for row in found)


def _keys(rules: tuple[Rule, ...], table: Table) -> tuple[str, ...]:
    keys = [rule.key for rule in rules if isinstance(rule, Unique) and set(rule.key) <= set(table.types)]
    return keys[0] if keys else ()
