"""What is declared of an Airbyte connection: its streams, how each is synced, and what of it may be odd."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal, get_args

from dashboard_trust.errors import ContractError, nearest

SyncMode = Literal["full_refresh", "incremental"]
DestinationSyncMode = Literal["overwrite", "append", "append_dedup", "overwrite_dedup"]
Deletes = Literal["hard", "soft", "unseen"]
WORDS = {"sync_mode": SyncMode, "destination_sync_mode": DestinationSyncMode, "deletes": Deletes}


@dataclass(frozen=True, slots=True)
class FullList:
    """A table that lists every key there is at the source: what it lacks was deleted there.

    ``columns`` are its key columns, in the order of the stream's primary key (None: the same names). ``every`` is how
    often the two are compared at least. ``sample_failures`` is how many of the missing keys are shown; by default none,
    as they are data.
    """

    table: str
    every: dt.timedelta = dt.timedelta(days=1)
    columns: tuple[str, ...] | None = None
    sample_failures: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.sample_failures < 0:
            raise ContractError(
                f"Full list {self.table!r}: sample_failures is {self.sample_failures}: a number from 0."
            )


@dataclass(frozen=True, slots=True)
class StreamContract:
    """What is declared of a stream; None leaves it to Airbyte, and what it was at the newest load has to stay.

    Args:
        name: As Airbyte has it.
        asset: Its asset key with slashes; by default ``schema/<prefix><name>``.
        table: Its table in the warehouse; by default ``schema.<prefix><name>``.
        sync_mode: How the source is read.
        destination_sync_mode: What becomes of rows that were there.
        cursor: The path of the cursor, its parts joined by dots.
        primary_key: The paths of the key's columns.
        columns: The selected fields, all of them.
        time_column: Says to which UTC day a row belongs: each day then has a version of its own, and what changed late
            is told by day.
        fingerprint: A load that brought the same rows is no new version; the table is read once more to tell. A time
            column says it as well.
        deletes: Rows deleted at the source are taken out (``hard``), marked (``soft``), or the sync does not see it.
        deleted_at: The column that marks them.
        full_list: What its keys are compared with from time to time.
        may_be_empty: No rows where there were rows is no finding.
        may_shrink: Rows that go from a table which no sync takes any from (a retention, a refresh) are no finding.
        changed_records: So many rows may say in ``_airbyte_meta`` that they were changed on the way; None for a
            destination that keeps no such column.
        catalog: The hash of the catalog that a person accepted.
        owner: Who acts on its findings: an e-mail address or ``team:name``.
    """

    name: str
    asset: str = ""
    table: str = ""
    sync_mode: SyncMode | None = None
    destination_sync_mode: DestinationSyncMode | None = None
    cursor: str | None = None
    primary_key: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None
    time_column: str = ""
    fingerprint: bool = False
    deletes: Deletes | None = None
    deleted_at: str = "_ab_cdc_deleted_at"
    full_list: FullList | None = None
    may_be_empty: bool = False
    may_shrink: bool = False
    changed_records: int | None = 0
    catalog: str = ""
    owner: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not self.name.strip():
            raise ContractError("A stream needs a name: the one Airbyte has for it.")
        for field, words in WORDS.items():
            if (said := getattr(self, field)) is not None and said not in get_args(words):
                raise ContractError(f"Stream {self.name!r}: {field} has no {said!r}: {nearest(said, get_args(words))}")
        for field in ("primary_key", "columns"):
            if isinstance(said := getattr(self, field), str):
                raise ContractError(f"Stream {self.name!r}: {field} is a tuple of columns: write ({said!r},).")
        if self.time_column and not self.time_column.strip():
            raise ContractError(f"Stream {self.name!r}: time_column names a column, or is left out.")
        if self.changed_records is not None and self.changed_records < 0:
            raise ContractError(f"Stream {self.name!r}: changed_records is a number of rows, 0 or more.")
        if self.full_list is not None and not self.primary_key:
            raise ContractError(f"Stream {self.name!r}: a full list is compared by its primary_key. Declare it.")
        listed = self.full_list.columns if self.full_list else None
        if listed is not None and len(listed) != len(self.primary_key or ()):
            raise ContractError(f"Stream {self.name!r}: the full list needs a column for each of its primary_key.")


@dataclass(frozen=True, slots=True)
class ConnectionContract:
    """A connection of Airbyte, by its id, with the streams that are to be assets.

    ``schema`` is where its tables are in the warehouse, and ``database`` what Dagster shows before it; ``prefix`` is
    the connection's own. ``owner`` is of streams that name none.
    """

    id: str
    name: str
    streams: tuple[StreamContract, ...]
    schema: str
    prefix: str = ""
    database: str = ""
    owner: str = ""

    def __post_init__(self) -> None:
        """Refuse a connection without streams, or with one twice."""
        names = [stream.name for stream in self.streams]
        if not names:
            raise ContractError(f"Connection {self.name!r} declares no stream: name those that are to be assets.")
        if len(set(names)) < len(names):
            raise ContractError(f"Connection {self.name!r} declares a stream twice: {', '.join(sorted(names))}.")
        for what, of in (("asset", self.asset_of), ("table", self.table_of)):
            known: dict[str, str] = {}
            for stream in self.streams:
                other = known.setdefault(of(stream), stream.name)
                if other != stream.name:
                    both = f"{other!r} and {stream.name!r}"
                    raise ContractError(
                        f"Connection {self.name!r}: streams {both} have one {what}, {of(stream)}. Declare one for each."
                    )

    def stream(self, name: str) -> StreamContract:
        """Return the stream ``name``; raise `ContractError` if it is not declared."""
        for stream in self.streams:
            if stream.name == name:
                return stream
        known = nearest(name, (stream.name for stream in self.streams))
        raise ContractError(f"Connection {self.name!r} declares no stream {name!r}: {known}")

    def asset_of(self, stream: StreamContract) -> str:
        """Return the asset key of a stream, with slashes."""
        return stream.asset or f"{self.schema}/{self.prefix}{stream.name}"

    def table_of(self, stream: StreamContract) -> str:
        """Return the table of a stream, ``schema.name`` with its parts in double quotes."""
        return stream.table or f'"{self.schema}"."{self.prefix}{stream.name}"'
