"""Which table an asset is: the one place that says so, to whoever writes it, checks it or takes its fingerprint."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dashboard_trust.errors import InvalidInputError

SCHEMA = "schema"
"""On an asset's definition, as with Dagster's own IO managers: the schema of its table."""

TABLE_NAME = "dagster/table_name"
"""On an asset's definition, as Dagster has it (and dagster-dbt sets it): the table, ``schema.name``."""

DEFAULT_SCHEMA = "public"
"""Where the table of a key of one part is, as with Dagster's own IO managers."""

SAY_WHICH = f"if another table is meant, say which: metadata {TABLE_NAME!r} or {SCHEMA!r} of the asset, or 'table'"
"""What to do where the table is not there that was looked for."""

PART = re.compile(r'"((?:[^"]|"")+)"|([^".]+)')


def name_table(path: Sequence[str], metadata: Mapping[str, object]) -> str:
    """Return the table of an asset as ``"schema"."name"``, from the parts of its key and its definition's metadata.

    `TABLE_NAME` says it, without a database (the warehouse has one); else it is the key's last two parts, with
    `SCHEMA` in place of the first of them, and `DEFAULT_SCHEMA` where there is neither.

    Raises:
        InvalidInputError: What the metadata says is no name.
    """
    said, schema = metadata.get(TABLE_NAME), metadata.get(SCHEMA)
    if said:
        return _quote(_split(said, path)[-2:])
    if not schema:
        return _quote([DEFAULT_SCHEMA, *path][-2:])
    if not isinstance(schema, str):
        raise InvalidInputError(f"{'/'.join(path)}: {SCHEMA!r} has to name the schema of its table, and is {schema!r}.")
    return _quote([schema, path[-1]])


def _split(said: object, path: Sequence[str]) -> list[str]:
    """Return the parts of a name; dots between double quotes are its own."""
    found = list(PART.finditer(said)) if isinstance(said, str) else []
    parts = [one[1].replace('""', '"') if one[1] else one[2] for one in found]
    if not 2 <= len(parts) <= 3 or ".".join(one[0] for one in found) != said:
        raise InvalidInputError(f"{'/'.join(path)}: {TABLE_NAME!r} has to be schema.name, and is {said!r}.")
    return parts


def _quote(parts: Sequence[str]) -> str:
    return ".".join('"' + part.replace('"', '""') + '"' for part in parts)
