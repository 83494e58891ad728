"""Tables without partitions that have days all the same: a version for each, and which of them a load changed late."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg

from dashboard_trust.errors import InvalidInputError
from dashboard_trust.evidence.names import CHANGED_DAYS, DAY_RECORD, DAYS, FINGERPRINT, TIME_COLUMN
from dashboard_trust.warehouses.days import DayColumns, DayCount, DayRecord, count_days
from dashboard_trust.warehouses.session import Session

EXTRACTED_AT = "dashboard_trust/extracted_at"
"""On the definition of an asset with a ``time_column``: the column that says when a row was extracted.

Then only days with newly extracted rows are counted. Whatever changes a row has to give it a new time.
"""

COMPARE_ALL_HOURS = "dashboard_trust/compare_all_hours"
"""On the same: after how many hours everything is counted again all the same; by default 24."""

COMPARE_ALL = dt.timedelta(hours=24)
LATE_DAYS = "late_days"
"""On a materialization, for whoever looks at it: which days are not what they were at the load before."""

KEPT = dt.timedelta(days=30)
"""How long it is said of a day that it changed."""

LOOKED_BACK = 20
"""How many loads may lie in between that say nothing of their days: reported by hand, or by another writer."""
SPELLED_OUT = 10
OTHER_COLUMNS = "not compared, since its columns or the engine are not what they were"


@dataclass(frozen=True, slots=True)
class TimeColumns:
    """What an asset declares of its table: how it has days, and how often all of them are compared."""

    told_by: DayColumns
    compare_all: dt.timedelta = COMPARE_ALL


def read_time_columns(spec: dg.AssetSpec) -> TimeColumns | None:
    """Return what an asset declares of the days of its table; None where it declares none.

    Raises:
        InvalidInputError: It has partitions, names a column that is no text, or an interval that is no number.
    """
    said, name = spec.metadata, spec.key.to_user_string()
    own = [key for key in (TIME_COLUMN, EXTRACTED_AT, COMPARE_ALL_HOURS) if key in said]
    if not own:
        return None
    if spec.partitions_def is not None:
        raise InvalidInputError(f"{name} is partitioned: its partitions are its days. Take out {', '.join(own)}.")
    time, extracted_at = said.get(TIME_COLUMN), said.get(EXTRACTED_AT)
    hours = said.get(COMPARE_ALL_HOURS, COMPARE_ALL / dt.timedelta(hours=1))
    if not isinstance(time, str):
        raise InvalidInputError(f"{name}: {TIME_COLUMN!r} has to name the column of its days, and is {time!r}.")
    if extracted_at is not None and not isinstance(extracted_at, str):
        raise InvalidInputError(f"{name}: {EXTRACTED_AT!r} has to name a column, and is {extracted_at!r}.")
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 <= hours < 24 * 366:
        raise InvalidInputError(f"{name}: {COMPARE_ALL_HOURS!r} has to be hours, up to a year, and is {hours!r}.")
    return TimeColumns(DayColumns(time, extracted_at), dt.timedelta(hours=hours))


@dataclass(frozen=True, slots=True)
class _Load:
    """What a load says of the days of its table; ``changed`` says of some when they were first seen to be others."""

    days: Mapping[str, str]
    record: DayRecord
    changed: Mapping[str, dt.datetime]


@dataclass(frozen=True, slots=True)
class _Before:
    """The newest load before one that says something of its days, when it came, and how many since say nothing."""

    load: _Load | None = None
    at: dt.datetime | None = None
    silent: int = 0

    @property
    def known(self) -> DayRecord | None:
        """What the count goes on from: whoever loaded in between may have left the time of extraction alone."""
        return self.load.record if self.load and not self.silent else None

    def describe_late(self, load: _Load) -> str:
        """Say in a line which days are not what they were, and beside which load that is said."""
        if self.load is None:
            return f"not compared, since none of the last {self.silent} loads says what its days held"
        if not _comparable(self.load, load):
            return OTHER_COLUMNS
        since = f" (beside the load of {self.at:%Y-%m-%d %H:%M} UTC: {self.silent} since say nothing of their days)"
        return describe_late(self.load.days, load.days) + (since if self.silent else "")


def describe_days(
    context: dg.AssetExecutionContext, key: dg.AssetKey, session: Session, table: str, columns: TimeColumns
) -> dict[str, Any]:
    """Count a table by day, and return what its coming materialization says of it.

    It goes on from the newest materialization that says something of its days: a step that failed or was killed left
    none, and a load by another writer says nothing. After such a one everything is counted.
    """
    before, now = _read_before(context.instance, key), dt.datetime.now(dt.UTC)
    found = count_days(session, table, columns.told_by, now=now, known=before.known, compare_all=columns.compare_all)
    load = _follow(before.load, found, now)
    is_first = before.load is None and not before.silent
    late = "" if is_first else before.describe_late(load)
    looked = f"all {len(load.days)} days, since {found.reason}" if found.reason else _listed(sorted(found.looked_at))
    context.log.info(
        f"{key.to_user_string()}: counted {looked}." + (f" Other than at the load before: {late}." if late else "")
    )
    keep_sums = columns.told_by.extracted_at is not None
    return {
        FINGERPRINT: str(found.whole),
        "dagster/row_count": found.whole.rows,
        DAYS: dg.MetadataValue.json(dict(load.days)),
        DAY_RECORD: dg.MetadataValue.json(load.record.dump(sums=keep_sums)),
        CHANGED_DAYS: dg.MetadataValue.json({day: at.isoformat() for day, at in load.changed.items()}),
        **({LATE_DAYS: late} if late else {}),
    }


def describe_late(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Say in a line which days are not what they were."""
    words = {
        "changed": [day for day in now if day in before and before[day] != now[day]],
        "gone": [day for day in before if day not in now],
        "new": [day for day in now if day not in before],
    }
    return "; ".join(f"{word}: {_listed(sorted(days))}" for word, days in words.items() if days) or "none"


def _follow(earlier: _Load | None, found: DayCount, now: dt.datetime) -> _Load:
    """Return what a load says, after an earlier one."""
    load = _Load({day: one.version for day, one in found.days.items()}, found.record, {})
    if earlier is None:
        return load
    changed = {day: at for day, at in earlier.changed.items() if now - at < KEPT}
    # Of other columns, or counted by another engine, every day is another one: that is no news of a day.
    if _comparable(earlier, load):
        changed |= {day: now for day in earlier.days if earlier.days[day] != load.days.get(day)}
        new, reached = load.days.keys() - earlier.days.keys(), _reached(earlier, now)
        # What lies after that only continues the table; what does not may have been published as empty.
        changed |= {day: now for day in new if day in changed or day < reached}
    return replace(load, changed=dict(sorted(changed.items())))


def _comparable(earlier: _Load, load: _Load) -> bool:
    return earlier.record.counted_by == load.record.counted_by


def _reached(earlier: _Load, now: dt.datetime) -> str:
    """Return the newest day of a load; days to come do not count: one mistyped year would make every day late."""
    return max((day for day in earlier.days if day <= now.date().isoformat()), default="")


def _read_before(instance: dg.DagsterInstance, key: dg.AssetKey) -> _Before:
    """Read what there was before a load that is about to come, not further back than `LOOKED_BACK`."""
    records = instance.fetch_materializations(dg.AssetRecordsFilter(key), limit=LOOKED_BACK + 1).records
    for silent, record in enumerate(records):
        load = _read_load(record.asset_materialization)
        if load is not None:
            return _Before(load, dt.datetime.fromtimestamp(record.timestamp, dt.UTC), silent)
    return _Before(silent=len(records))


def _read_load(materialization: dg.AssetMaterialization | None) -> _Load | None:
    """Return what a load says; of one that says nothing that can be read, nothing."""
    metadata = materialization.metadata if materialization else {}
    said: dict[str, Any] = {label: value.value for label, value in metadata.items()}
    record = DayRecord.parse(said.get(DAY_RECORD))
    if record is None:
        return None
    try:
        changed = {day: dt.datetime.fromisoformat(at) for day, at in said[CHANGED_DAYS].items()}
        return _Load(dict(said[DAYS]), record, changed)
    except (KeyError, ValueError, TypeError, AttributeError):
        return None


def _listed(days: Sequence[str]) -> str:
    names = [day or "rows without a time" for day in days]
    more = f" and {len(names) - SPELLED_OUT} more" if len(names) > SPELLED_OUT else ""
    return ", ".join(names[:SPELLED_OUT]) + more
