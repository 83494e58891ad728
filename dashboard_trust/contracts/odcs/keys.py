"""Keys of a table, and what they refer to in others."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard_trust.contracts.odcs.attempts import Found, UnsupportedError, attempt, guarded
from dashboard_trust.contracts.odcs.columns import column_of
from dashboard_trust.contracts.odcs.document import Part
from dashboard_trust.contracts.odcs.quality import quote
from dashboard_trust.contracts.row_rules import References, Unique
from dashboard_trust.contracts.rules import as_check_name
from dashboard_trust.errors import nearest

Target = tuple[Part, str]
"""A table, and a column of it."""


def primary_key(table: Part) -> Found:
    """Yield that the columns of the primary key are unique together; that each has a value is theirs to say."""
    parts = [prop for prop in table.parts("properties") if prop.flag("primaryKey")]
    if parts:
        yield attempt(table, Unique, key=tuple(column_of(prop) for prop in sorted(parts, key=_position)))


def _position(prop: Part) -> int:
    position = prop.part("primaryKeyPosition")
    return position.value if position is not None and isinstance(position.value, int) else -1


def references(table: Part, tables: Sequence[Part]) -> Found:
    """Yield that keys are there in the tables they refer to, which are those of the same contract."""
    for prop in table.parts("properties"):
        for relationship in prop.parts("relationships"):
            yield from guarded(relationship, _reference(relationship, [(table, column_of(prop))], tables))
    for relationship in table.parts("relationships"):
        yield from guarded(relationship, _of_table(relationship, table, tables))


def _of_table(relationship: Part, table: Part, tables: Sequence[Part]) -> Found:
    key = _resolved(relationship, "from", tables)
    if any(of.pointer != table.pointer for of, _ in key):
        raise UnsupportedError(f"it is from another table than {table.text('name')!r}, under which it stands")
    yield from _reference(relationship, key, tables)


def _reference(relationship: Part, key: Sequence[Target], tables: Sequence[Part]) -> Found:
    other = _resolved(relationship, "to", tables)
    if len({of.pointer for of, _ in other}) != 1:
        raise UnsupportedError("it is to more than one table")
    columns, table = tuple(column for _, column in key), other[0][0]
    yield attempt(
        relationship,
        References,
        name=as_check_name("_".join(("references", *columns, table.text("name")))),
        key=columns,
        table=table_of(table),
        other_key=tuple(column for _, column in other),
    )


def table_of(table: Part) -> str:
    """Return the name that a schema object has in its database, its parts quoted."""
    name = table.text("physicalName") or table.text("name")
    return name if '"' in name else ".".join(quote(part) for part in name.split("."))


def _resolved(relationship: Part, name: str, tables: Sequence[Part]) -> list[Target]:
    said = relationship.part(name)
    texts = [] if said is None else [said.value] if isinstance(said.value, str) else [part.value for part in said]
    return [_resolve(str(text), tables) for text in texts]


def _resolve(reference: str, tables: Sequence[Part]) -> Target:
    """Return the table and the column of ``table.column``, or of ``schema/id/properties/id``."""
    if "#" in reference:
        raise UnsupportedError(f"{reference!r} is of another contract")
    by = "id" if "/" in reference else "name"
    parts = reference.strip("/").split("/") if by == "id" else reference.split(".")
    if by == "id":
        if len(parts) != 4 or parts[::2] != ["schema", "properties"]:
            raise UnsupportedError(f"{reference!r} is no column of a table")
        parts = parts[1::2]
    if len(parts) != 2:
        raise UnsupportedError(f"{reference!r} is within a column, or none")
    table = _find(tables, by, parts[0], "table")
    return table, column_of(_find(table.parts("properties"), by, parts[1], f"property of {parts[0]!r}"))


def _find(parts: Sequence[Part], by: str, name: str, what: str) -> Part:
    for part in parts:
        if part.text(by) == name:
            return part
    known = nearest(name, [part.text(by) for part in parts if part.text(by)])
    raise UnsupportedError(f"{name!r} is no {what} in this contract: {known}")
