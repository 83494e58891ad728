"""Facts as plain frozen values; nothing here reads anything."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dashboard_trust.evidence.failures import Failure
from dashboard_trust.evidence.words import Word

Place = tuple[str, str | None]
"""An asset key and one of its partitions (None: the asset is not partitioned)."""


@dataclass(frozen=True, slots=True)
class FileVersion:
    """A file as it was loaded: what the store called this version of it, its content, and its bytes."""

    token: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Materialization:
    """A version of one partition of one asset.

    ``version`` is what its author gave, else the storage id. ``days`` are the versions of its slices
    by ISO day (None: it has no slices; empty: it holds no rows). ``consumed`` maps an input's name to the
    version its step recorded; ``pointers`` maps an upstream to the newest storage id its run had seen;
    ``planned_id`` is when its run was planned; ``data_at`` is the newest moment its data speaks of;
    ``corrected`` says when and why it took the place of one that was shown before; ``fingerprint`` is what its step
    saw in the table; ``changed`` are days that were there before and changed or went, each with when the last such
    change was seen; ``files`` are what it was loaded from, by path; ``left_out`` are the assets
    that its step did without.
    """

    asset: str
    partition: str | None
    storage_id: int
    at: dt.datetime
    run_id: str
    version: str
    days: Mapping[str, str] | None = None
    consumed: Mapping[str, str] = field(default_factory=dict)
    pointers: Mapping[str, int] = field(default_factory=dict)
    planned_id: int | None = None
    in_range: bool = False
    data_at: dt.datetime | None = None
    fingerprint: str = ""
    changed: Mapping[str, dt.datetime] = field(default_factory=dict)
    corrected: str = ""
    files: Mapping[str, FileVersion] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()

    def version_of(self, days: Sequence[str]) -> str:
        """Return the version of these days' slices, or of the whole where no days are asked for.

        A day without rows has a version too: absence is a value.
        """
        if not days or self.days is None:
            return self.version
        return join_versions([self.days.get(day, "absent") for day in days])


@dataclass(frozen=True, slots=True)
class Attempt:
    """A run that planned a partition after its newest materialization, and has not delivered it.

    ``held`` tells a step that its own gate stopped from one that broke; ``not_started``, one whose
    run ended before it was reached. ``failure`` is what the step said of its newest failure, if anything.
    """

    asset: str
    partition: str | None
    storage_id: int
    run_id: str
    at: dt.datetime
    state: Literal["running", "failed", "not_started"]
    reason: str = ""
    held: bool = False
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class DayResult:
    """What a check on a table sliced by day says of one day."""

    passed: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The newest word of one check on one partition; ``target_id`` is the load it looked at.

    Without one it counts only for a load its own run had made before it (``storage_id``). From ``until`` on it says
    nothing any more.
    """

    asset: str
    check: str
    partition: str | None
    status: Literal["passed", "failed", "errored", "pending", "skipped"]
    at: dt.datetime
    run_id: str
    target_id: int | None = None
    storage_id: int | None = None
    warns: bool = False
    reason: str = ""
    days: Mapping[str, DayResult] | None = None
    until: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class UnexpectedFiles:
    """Files that were seen where an asset's files arrive and are of no partition of it: why, by path."""

    at: dt.datetime
    files: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A run that began to send a version of the dashboard; settled if it delivered, or was released.

    ``consumed`` are the versions of the inputs it sent, by name.
    """

    partition: str | None
    consumed: Mapping[str, str]
    run_id: str
    storage_id: int
    at: dt.datetime
    settled: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything known at one instant.

    ``materializations`` holds the newest per place, ``earlier`` older ones that checks and consumers
    refer to, by storage id. ``words`` are what people said, ``receipts`` what was begun to be sent, both
    oldest first. ``unexpected`` are files of unexpected names, by asset, where a load is missing.
    ``unreadable`` says why nothing could be read; it holds everything.
    """

    as_of: dt.datetime
    materializations: Mapping[Place, Materialization] = field(default_factory=dict)
    earlier: Mapping[int, Materialization] = field(default_factory=dict)
    attempts: Mapping[Place, Attempt] = field(default_factory=dict)
    checks: Mapping[tuple[str, str, str | None], CheckResult] = field(default_factory=dict)
    words: Sequence[Word] = ()
    receipts: Sequence[Receipt] = ()
    unexpected: Mapping[str, Sequence[UnexpectedFiles]] = field(default_factory=dict)
    unreadable: str = ""


def join_versions(versions: Sequence[str]) -> str:
    """Return one version that stands for several, in their order."""
    return versions[0] if len(versions) == 1 else hashlib.sha256("\n".join(versions).encode()).hexdigest()[:16]
