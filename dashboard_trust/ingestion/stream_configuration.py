"""Where a stream is not what was declared: contract, Airbyte's catalog and the warehouse's columns side by side."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from dashboard_trust.contracts.streams import StreamContract
from dashboard_trust.ingestion.stream_tables import find_columns
from dashboard_trust.ingestion.sync_evidence import CDC_DELETED_AT, OVERWRITES, StreamConfiguration

OWN = ("_airbyte_", "_ab_")
"""How columns begin that Airbyte adds itself."""


def find_drift(
    declared: StreamContract,
    found: StreamConfiguration,
    columns: Mapping[str, str] | None,
    accepted: str = "",
) -> tuple[str, ...]:
    """Return what of a stream is not as it was declared, or not as it was accepted; nothing if all of it is.

    Args:
        declared: The stream's contract.
        found: What Airbyte's catalog has.
        columns: Those of its table by name; None where there is no table.
        accepted: The hash of the catalog at the newest load whose configuration was found right; empty: there is none.
    """
    return (
        *_settings(declared, found),
        *_columns(declared, found, columns),
        *_days(declared, columns),
        *_deletes(declared, found, columns or {}),
        *_catalog(declared, found, accepted),
    )


def _settings(declared: StreamContract, found: StreamConfiguration) -> Iterator[str]:
    if not found.selected:
        yield "Airbyte has it not selected"
        return
    for name in ("sync_mode", "destination_sync_mode", "cursor", "primary_key"):
        wanted, has = getattr(declared, name), getattr(found, name)
        if wanted is not None and wanted != has:
            yield f"its {name} is declared {_shown(wanted)}, and Airbyte has {_shown(has)}"


def _columns(declared: StreamContract, found: StreamConfiguration, columns: Mapping[str, str] | None) -> Iterator[str]:
    wanted = declared.columns if declared.columns is not None else found.fields
    selected = {_folded(name): name for name in wanted}
    if declared.columns is not None and found.selected:
        yield from _compare(declared.columns, found.fields, "declared", "selected in Airbyte")
    if columns is None:
        yield "its table is not in the warehouse"
    else:
        # A field that is not selected any more stays a column: that is told by the catalog, once.
        there = columns if declared.columns is not None else [name for name in columns if _folded(name) in selected]
        yield from _compare(selected.values(), there, "selected", "in the table")


def _days(declared: StreamContract, columns: Mapping[str, str] | None) -> Iterator[str]:
    wanted = declared.time_column
    if wanted and columns is not None and not columns.keys() & {*find_columns(columns, [wanted])}:
        yield f"its days cannot be told, since its table has no column {wanted}"


def _compare(wanted: Iterable[str], there: Iterable[str], wanted_word: str, there_word: str) -> Iterator[str]:
    first = {_folded(name): name for name in wanted if not name.lower().startswith(OWN)}
    second = {_folded(name): name for name in there if not name.lower().startswith(OWN)}
    lacking = sorted(first[name] for name in first.keys() - second.keys())
    more = sorted(second[name] for name in second.keys() - first.keys())
    if lacking:
        yield f"{wanted_word} and not {there_word}: {', '.join(lacking)}"
    if more:
        yield f"{there_word} and not {wanted_word}: {', '.join(more)}"


def _deletes(declared: StreamContract, found: StreamConfiguration, columns: Mapping[str, str]) -> Iterator[str]:
    marks = {_folded(name) for name in (*columns, *found.fields)}
    if declared.deletes == "soft" and _folded(declared.deleted_at) not in {_folded(name) for name in columns}:
        yield f"its deletes are declared soft, and its table has no column {declared.deleted_at}"
    replaces = found.destination_sync_mode in OVERWRITES
    if declared.deletes == "hard" and not replaces and CDC_DELETED_AT not in marks:
        yield f"its deletes are declared hard, and a {found.sync_mode} sync by a cursor does not see them"


def _catalog(declared: StreamContract, found: StreamConfiguration, accepted: str) -> Iterator[str]:
    wanted = declared.catalog or accepted
    if wanted and wanted != found.hash:
        yield (
            f"its catalog is {found.hash}, and {wanted} was accepted: look at what changed in Airbyte, and declare "
            f"catalog: {found.hash} to accept it"
        )


def _folded(name: str) -> str:
    """Return a name as destinations may write it: in any case, with odd characters as underscores."""
    return re.sub(r"[^a-z0-9]", "_", name.lower())


def _shown(value: object) -> str:
    return ", ".join(value) or "none" if isinstance(value, tuple) else str(value) or "none"
