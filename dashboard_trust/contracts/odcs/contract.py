"""A data contract of the Open Data Contract Standard, read into rules of tables."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from dashboard_trust.contracts.odcs.attempts import Found
from dashboard_trust.contracts.odcs.columns import column_of, column_rules, column_type, is_column
from dashboard_trust.contracts.odcs.document import Document, Part, parse_document, read_document
from dashboard_trust.contracts.odcs.judging import judge
from dashboard_trust.contracts.odcs.keys import primary_key, references
from dashboard_trust.contracts.odcs.owners import find_owner
from dashboard_trust.contracts.odcs.quality import quality_rules
from dashboard_trust.contracts.odcs.service_levels import Level, service_levels, tables_meant
from dashboard_trust.contracts.remarks import Remark
from dashboard_trust.contracts.row_rules import References
from dashboard_trust.contracts.rules import Rule, is_same
from dashboard_trust.contracts.table_rules import CONCERNS, Columns, RowCount, TableRules
from dashboard_trust.errors import ContractError, nearest


@dataclass(frozen=True, slots=True)
class DataContract:
    """What a data contract promises of its tables.

    Args:
        source: The file.
        id: Its identifier; ``version`` is that of the contract.
        owner: An e-mail address or ``team:name``; "" where it names nobody.
        tables: The rules of each table, by the name of its schema object.
        windows: The age from which a table's newest load is overdue, where a service level says it.
        remarks: What is wrong with the file, or right and not checked.
        unchecked: What is asked of each table and is not checked.
        due: What says each window, as that which no look at a table can tell.
    """

    source: str
    id: str
    version: str
    owner: str
    tables: Mapping[str, tuple[Rule, ...]]
    windows: Mapping[str, dt.timedelta]
    remarks: tuple[Remark, ...]
    unchecked: Mapping[str, tuple[Remark, ...]]
    due: Mapping[str, Remark]

    def find(self, name: str = "") -> str:
        """Return the name of a table; the only one need not be named.

        Raises:
            ContractError: There is no such table, or several to choose from.
        """
        if not name and len(self.tables) == 1:
            return next(iter(self.tables))
        if name not in self.tables:
            if not self.tables:
                raise ContractError(f"{self.source}: it has no table: it promises nothing under `schema`.")
            several = f"it has {len(self.tables)} tables, name one of them as schema: {', '.join(self.tables)}"
            word = f"there is no table {name!r}: {nearest(name, self.tables)}" if name else several
            raise ContractError(f"{self.source}: {word}.")
        return name

    def table_rules(self, name: str, asset: str, table: str = "", *, may_be_empty: bool = False) -> TableRules:
        """Return the rules of a table (see `find`) as those of an asset.

        Other tables are looked for in the same database schema, if the contract does not say another: where the
        asset's metadata says it, and not its key, pass ``table``.

        Raises:
            ContractError: The contract promises nothing of it that can be checked, and not ``may_be_empty``.
        """
        name = self.find(name)
        rules = self.tables[name]
        if not rules and not may_be_empty:
            raise ContractError(f"{self.source}: nothing that it promises of {name!r} can be checked.")
        owners = dict.fromkeys(CONCERNS, self.owner) if self.owner else {}
        found = TableRules(asset, rules, table, owners=owners, unchecked=self.unchecked[name])
        schema = found.name.rpartition("." if table else '."')[0]
        return replace(found, rules=tuple(_placed(rule, schema) for rule in rules))


def read_data_contract(path: str | Path) -> DataContract:
    """Read a file of the Open Data Contract Standard, v3.0 or newer.

    Raises:
        ContractError: It cannot be read, or breaks the standard, or promises what cannot be meant.
    """
    return _believed(read_document(path))


def parse_data_contract(text: str, source: str = "data contract") -> DataContract:
    """Parse a data contract from YAML or JSON; see `read_data_contract`."""
    return _believed(parse_document(text, source))


def lint(document: Document) -> tuple[Remark, ...]:
    """Return what is to be said of a file, errors first."""
    judged = judge(document)
    is_wrong = any(remark.severity == "error" for remark in judged)
    remarks = judged if is_wrong else (*judged, *_translate(document).remarks)
    return tuple(sorted(remarks, key=lambda remark: (remark.severity != "error", remark.line)))


def _believed(document: Document) -> DataContract:
    wrong = [remark for remark in judge(document) if remark.severity == "error"]
    found = None if wrong else _translate(document)
    if found is not None:
        wrong = [remark for remark in found.remarks if remark.severity == "error"]
    if found is None or wrong:
        more = f" (and {len(wrong) - 1} more: dashboard-trust contract lint {document.source})" if wrong[1:] else ""
        raise ContractError(f"{wrong[0].place}: {wrong[0].words}{more}.")
    return found


def _translate(document: Document) -> DataContract:
    """Return what a file that is of the standard promises."""
    root = document.root
    tables = root.parts("schema")
    found = tuple(service_levels(root, tables))
    levels = [level for level in found if isinstance(level, Level)]
    remarks = [*_twice(tables, "table"), *(remark for remark in found if isinstance(remark, Remark))]
    rules = {table.text("name"): _rules(table, tables, levels, remarks) for table in tables}
    owner = find_owner(root)
    if not owner:
        remarks.append(root.unsupported("names nobody who can be reached: neither an e-mail address nor a team's name"))
    remarks.sort(key=lambda remark: remark.line)
    meant = tables_meant(root, tables)
    shortest = {level.table: level for level in sorted(levels, key=lambda level: level.window, reverse=True)}
    return DataContract(
        document.source,
        root.text("id"),
        root.text("version"),
        owner,
        rules,
        windows={name: level.window for name, level in shortest.items()},
        remarks=tuple(remarks),
        unchecked={
            table.text("name"): tuple(remark for remark in remarks if _is_about(remark, table, meant))
            for table in tables
        },
        due={name: level.due for name, level in shortest.items()},
    )


def _is_about(remark: Remark, table: Part, meant: Mapping[str, Set[str]]) -> bool:
    """Whether a remark is about what is asked of a table, there or by a service level that means it."""
    if remark.pointer in meant:
        return table.text("name") in meant[remark.pointer]
    return f"{remark.pointer}/".startswith(f"{table.pointer}/")


def _rules(table: Part, tables: Sequence[Part], levels: Iterable[Level], remarks: list[Remark]) -> tuple[Rule, ...]:
    rules: list[Rule] = []
    remarks += _twice(table.parts("properties"), f"property of {table.text('name')!r}")
    for found in _found(table, tables):
        if isinstance(found, Remark):
            remarks.append(found)
        else:
            rules.append(found)
    rules += [level.rule for level in levels if level.rule is not None and level.table == table.text("name")]
    if not rules:
        remarks.append(table.unsupported("promises nothing that can be checked"))
    return named_apart(rules)


def _found(table: Part, tables: Sequence[Part]) -> Found:
    props = table.parts("properties")
    columns = {prop.text("name"): column_of(prop) for prop in props if is_column(prop)}
    types = {column_of(prop): column_type(prop) for prop in props if is_column(prop)}
    if types:
        yield Columns(types=types, place=table.place)
    yield from primary_key(table)
    for prop in props:
        yield from column_rules(prop, columns)
    yield from references(table, tables)
    for rule in table.parts("quality"):
        yield from quality_rules(rule, columns)


def _twice(parts: Sequence[Part], what: str) -> Iterable[Remark]:
    seen: set[str] = set()
    for part in parts:
        name = part.text("name")
        if name in seen:
            yield part.remark(f"is a second {what} by the name {name!r}", "each name once")
        seen.add(name)


def named_apart(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return each rule once, and no two of one name: the second is told apart by what it asks."""
    rules = tuple(rules)
    # Every table has a row count, also where none is said.
    implied = RowCount()
    found: dict[str, Rule] = {} if any(isinstance(rule, RowCount) for rule in rules) else {implied.check: implied}
    for rule in rules:
        name = rule.check
        if name in found and not is_same(rule, found[name]):
            digest = hashlib.sha256(repr(replace(rule, description="")).encode()).hexdigest()[:6]
            rule = replace(rule, name=f"{name}_{digest}")  # noqa: PLW2901 - the same rule by another name
        found.setdefault(rule.check, rule)
    return tuple(rule for rule in found.values() if rule is not implied)


def _placed(rule: Rule, schema: str) -> Rule:
    """Return a rule whose other table is in this schema of the database, if it does not say in which."""
    if isinstance(rule, References) and schema and '"."' not in rule.table:
        return replace(rule, table=f"{schema}.{rule.table}")
    return rule
