"""Whether what one sync brought of one stream may be believed: facts in, an outcome out.

Nothing here asks anything. What is not known is None, and makes the outcome `unverified`, which holds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from dashboard_trust.contracts.streams import StreamContract

OVERWRITES = ("overwrite", "overwrite_dedup")
CDC_DELETED_AT = "_ab_cdc_deleted_at"
EXACT = ("overwrite", "append")
APPENDS = ("append", "append_dedup")
KNOWN_MODES = ("overwrite", "append", "append_dedup", "overwrite_dedup")


@dataclass(frozen=True, slots=True)
class StreamConfiguration:
    """A stream as Airbyte's catalog has it; ``fields`` are the selected ones with their JSON types."""

    selected: bool
    sync_mode: str
    destination_sync_mode: str
    cursor: str = ""
    primary_key: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        """What tells two states of the catalog apart."""
        word = [self.selected, self.sync_mode, self.destination_sync_mode, self.cursor, self.primary_key]
        text = json.dumps([*word, sorted(self.fields.items())])
        return hashlib.sha256(text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class StreamCount:
    """What one attempt says of a stream, in records; ``bytes`` are those committed."""

    emitted: int
    committed: int
    bytes: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What Airbyte says of one stream of one job.

    ``counts`` has one entry per attempt, oldest first (None: the attempt has no statistics at all; a stream without
    records has zeros). ``status`` is the last one the stream had: COMPLETE, INCOMPLETE, RUNNING; None: nobody said.
    """

    name: str
    configuration: StreamConfiguration
    counts: tuple[StreamCount | None, ...] = ()
    status: str | None = None
    cause: str = ""

    @property
    def emitted(self) -> int:
        """The records that the source emitted in the last attempt."""
        return self.counts[-1].emitted if self.counts and self.counts[-1] else 0

    @property
    def committed(self) -> int:
        """The records that the destination committed in the last attempt."""
        return self.counts[-1].committed if self.counts and self.counts[-1] else 0

    @property
    def committed_in_all(self) -> int:
        """The records that the destination committed in all attempts together."""
        return sum(count.committed for count in self.counts if count is not None)

    @property
    def bytes(self) -> int:
        """The bytes that the destination committed in the last attempt."""
        return self.counts[-1].bytes if self.counts and self.counts[-1] else 0


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What the warehouse says of a stream's table after the sync; None: it cannot tell.

    ``since`` are the rows extracted since the job began, ``changed`` those that say in ``_airbyte_meta`` that they
    were changed on the way, ``unread`` those that say nothing there, ``doubled`` those whose key another row has too.
    """

    rows: int
    columns: Mapping[str, str] = field(default_factory=dict)
    since: int | None = None
    changed: int | None = None
    unread: int = 0
    soft_deleted: int | None = None
    doubled: int | None = None
    generation: int | None = None


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """All that is known of one stream of one job: Airbyte's word, and the warehouse's.

    ``table`` is None where there is no such table. ``rows_before`` are those that it had when it last had any, or
    was to have (None: nobody has looked before, so that nothing can be missed, and an empty table is not believed).
    ``newer_job`` is one that began after this job, and may have written to the table.
    """

    connection: str
    job_id: int
    job_status: str
    report: StreamReport
    table: TableFacts | None
    rows_before: int | None = None
    newer_job: int | None = None


@dataclass(frozen=True, slots=True)
class StreamOutcome:
    """Whether a stream is complete, and why not: each reason names connection, stream and what was missing."""

    word: Literal["complete", "failed", "unverified"]
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether it may not be believed."""
        return self.word != "complete"

    @property
    def reason(self) -> str:
        """Everything that is said of it, in one line."""
        said = "; ".join((*self.reasons, *self.warnings))
        return f"unverified: {said}" if self.word == "unverified" else said


def judge_stream(facts: StreamFacts, declared: StreamContract) -> StreamOutcome:
    """Judge one stream of one job by all of its evidence.

    What is wrong makes it ``failed``; what is not known makes it ``unverified``, where nothing is wrong.
    """
    name = f"connection {facts.connection!r}, stream {facts.report.name!r}: "
    wrong = tuple(name + why for why in _wrong(facts, declared))
    unknown = tuple(name + why for why in _unknown(facts, declared))
    attempts = len(facts.report.counts)
    warnings = (f"{name}job {facts.job_id} took {attempts} attempts",) if attempts > 1 else ()
    if wrong:
        return StreamOutcome("failed", wrong + unknown, warnings)
    return StreamOutcome("unverified" if unknown else "complete", unknown, warnings)


def _wrong(facts: StreamFacts, declared: StreamContract) -> Iterator[str]:
    report, job = facts.report, f"job {facts.job_id}"
    if not report.configuration.selected:
        yield f"it is not selected in Airbyte, so that {job} did not bring it"
    if facts.job_status != "succeeded":
        yield f"{job} ended {facts.job_status}"
    if report.status is not None and report.status != "COMPLETE":
        cause = f" ({report.cause})" if report.cause else ""
        yield f"it never said COMPLETE in {job}: its last status is {report.status}{cause}"
    yield from _lost_records(report, job)
    if facts.table is None:
        yield f"its table {declared.table or report.name!r} is not in the warehouse"
    else:
        yield from _wrong_rows(facts, facts.table, declared)


def _lost_records(report: StreamReport, job: str) -> Iterator[str]:
    """Tell what got lost within Airbyte."""
    counts = [count for count in report.counts if count is not None]
    if not counts:
        return
    last, committed = counts[-1], sum(count.committed for count in counts)
    if last.committed != last.emitted:
        missing = f"{last.emitted - last.committed} are missing" if last.committed < last.emitted else "too many"
        yield f"{job} emitted {_records(last.emitted)} and committed {last.committed}: {missing}"
    if any(count.rejected for count in counts):
        yield f"the destination rejected {_records(sum(count.rejected for count in counts))} of {job}"
    dead = max((count.emitted for count in counts[:-1]), default=0)
    if dead > committed:
        # The attempt died with what it had read, and the next one did not read it again.
        yield f"an attempt of {job} emitted {_records(dead)}, and all of them together committed {committed}"


def _wrong_rows(facts: StreamFacts, table: TableFacts, declared: StreamContract) -> Iterator[str]:
    mode, report = facts.report.configuration.destination_sync_mode, facts.report
    committed = report.committed_in_all
    there = table.rows if mode in OVERWRITES else table.since
    brought = f"job {facts.job_id} committed {_records(committed)}"
    if there is not None and None not in report.counts and report.counts:
        # Of several attempts an overwrite may keep the rows of all, or of the last alone.
        right = {committed, report.committed} if mode == "overwrite" else {committed}
        if (mode in EXACT and there not in right) or there > committed:
            yield f"{brought}, and the warehouse has {_rows(there)} of it"
        elif committed and not there and declared.deletes != "hard":
            yield f"{brought}, and the warehouse has none of it"
    if table.rows == 0 and facts.rows_before and not declared.may_be_empty:
        # Where nothing was overwritten, somebody emptied it: a reset, a person.
        emptied = (
            f"job {facts.job_id} brought no rows, and replaced" if mode in OVERWRITES else "its table is empty, of"
        )
        yield f"{emptied} {_rows(facts.rows_before)}"
    yield from _gone_rows(facts, table, declared)
    if mode.endswith("_dedup") and table.doubled:
        yield f"{_rows(table.doubled)} share a primary key with another, though it is deduplicated"
    if declared.changed_records is not None and (table.changed or 0) > declared.changed_records:
        changed = f"{_rows(table.changed or 0)}, and {declared.changed_records} may be"
        yield f"changed or nulled on the way (_airbyte_meta.changes): {changed}"


def _gone_rows(facts: StreamFacts, table: TableFacts, declared: StreamContract) -> Iterator[str]:
    """Tell what is missing of the rows that were there before, and that no sync takes out."""
    mode, before = facts.report.configuration.destination_sync_mode, facts.rows_before or 0
    if not table.rows or mode not in APPENDS or declared.may_shrink or _takes_rows_out(facts, declared):
        return
    # What is new is known where nothing is replaced.
    kept = table.rows - (table.since or 0) if mode == "append" else table.rows
    if kept < before:
        yield f"{_rows(before - kept)} of the {before} that were to be in its table before are gone"


def _takes_rows_out(facts: StreamFacts, declared: StreamContract) -> bool:
    """Whether the sync deletes rows; where nobody declared it, change data capture may."""
    seen = {*facts.report.configuration.fields, *(facts.table.columns if facts.table else ())}
    captured = CDC_DELETED_AT in {name.lower() for name in seen}
    return declared.deletes == "hard" or (declared.deletes is None and captured)


def _unknown(facts: StreamFacts, declared: StreamContract) -> Iterator[str]:
    report, table, mode = facts.report, facts.table, facts.report.configuration.destination_sync_mode
    if report.status is None:
        yield f"Airbyte has no status of it for job {facts.job_id}"
    if not report.counts or None in report.counts:
        yield f"Airbyte has no statistics of it for job {facts.job_id}"
    if mode not in KNOWN_MODES:
        yield f"how many rows its destination sync mode {mode!r} leaves is not known"
    if facts.newer_job is not None:
        yield f"job {facts.newer_job} began before the rows of job {facts.job_id} were counted"
    if table is None:
        return
    if mode not in OVERWRITES and table.since is None:
        yield "its table has no _airbyte_extracted_at, so that the rows of this sync cannot be counted"
    if mode.endswith("_dedup") and table.doubled is None:
        yield "it is deduplicated, and its table lacks the columns of its primary key to see that by"
    if table.rows == 0 and facts.rows_before is None and not declared.may_be_empty:
        yield "its table has no rows, and nobody knows whether there were any before"
    if declared.changed_records is not None and (table.changed is None or table.unread):
        lacking = "its table has" if table.changed is None else f"{_rows(table.unread)} have"
        yield f"{lacking} no list of changes in _airbyte_meta, so that nobody knows what was changed on the way"


def _records(number: int) -> str:
    return "1 record" if number == 1 else f"{number} records"


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number} rows"
