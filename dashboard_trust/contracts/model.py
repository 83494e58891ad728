"""Contracts as plain frozen values.

A `DashboardContract` is what somebody wrote down. A `Promise` is that contract spelled out for one
partition: every asset it requires, with the inputs and the checks of each.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dashboard_trust.contracts.sources import Source
from dashboard_trust.contracts.table_rules import TableRules
from dashboard_trust.errors import ContractError

NOTHING: Mapping[str, dt.timedelta] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ReadyBy:
    """When a partition is promised: a local time, some days after the partition's end."""

    time: dt.time
    timezone: str = "UTC"
    days_after_end: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be a moment."""
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ContractError(f"ready_by: {self.timezone!r} is not a known time zone.") from error
        if self.days_after_end < 0:
            raise ContractError("ready_by: days_after_end cannot be negative.")

    def deadline(self, end: dt.datetime) -> dt.datetime:
        """Return the promised moment (aware) for a partition that ends at ``end`` (aware)."""
        zone = ZoneInfo(self.timezone)
        day = end.astimezone(zone).date() + dt.timedelta(days=self.days_after_end)
        return dt.datetime.combine(day, self.time, zone)


@dataclass(frozen=True, slots=True)
class PartitionSchedule:
    """The partitions of a dashboard declared without Dagster: ``daily`` and the like, from a day on."""

    schedule: Literal["hourly", "daily", "weekly", "monthly"]
    start: dt.date
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class RequiredAsset:
    """An asset a contract names, with the checks it asks for (None: every one)."""

    asset: str
    checks: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a dashboard, standing on its own assets.

    ``when_unmet`` says whether the dashboard is held (``block``) or published with that section
    labelled and left at its last good version (``label``). With ``at_least`` so many of its assets are enough: what
    is missing of the rest is left out, and named in a label.
    """

    key: str
    title: str
    assets: tuple[str, ...]
    when_unmet: Literal["block", "label"] = "block"
    at_least: int | None = None

    def __post_init__(self) -> None:
        """Refuse a minimum of nothing, or of more than there are."""
        if self.at_least is not None and not 1 <= self.at_least <= len(set(self.assets)):
            raise ContractError(
                f"Section {self.key!r}: at_least is {self.at_least}, of {len(set(self.assets))} assets."
            )


@dataclass(frozen=True, slots=True)
class DashboardContract:
    """What a dashboard is promised.

    Args:
        key: The asset key, with slashes: ``dashboards/daily_revenue``.
        owner: Who acts when it is held: an e-mail address or ``team:name``.
        requires: The assets it stands on; None is everything upstream, transitively, with every
            check of ERROR severity.
        freshness: Asset key to the age from which its newest load is overdue. For a partition of time
            that load must also have come after the partition's end.
        window: Of a dashboard without partitions on partitioned inputs, how many of the newest ones
            that are due it stands on; None is every one.
        wait_for_checks: How long a step waits for checks of its own run that are still to come.
        enforce: False judges and shows, and never holds.
        accept_reported: Believe materializations and check results reported without a run.
        at_most_once: The step sends something that its receiver cannot tell from a repetition: it is sent
            once per version of its inputs, and where nobody knows whether it arrived, a person decides.
        late_inputs: Whether a partition that was delivered after its end is made anew by itself where its inputs
            change (``rerun``), or only said to be behind (``propose``), for a person to launch.
        message: What business users read while it is held.
        tables: The rules of tables it stands on; each rule becomes an asset check.
        sources: What its inputs come from: what is done, and who acts, where that does not answer.
    """

    key: str
    owner: str
    title: str = ""
    url: str = ""
    partitions: PartitionSchedule | None = None
    ready_by: ReadyBy | None = None
    requires: tuple[RequiredAsset, ...] | None = None
    freshness: Mapping[str, dt.timedelta] = field(default_factory=lambda: NOTHING)
    sections: tuple[Section, ...] = ()
    window: int | None = None
    wait_for_checks: dt.timedelta = dt.timedelta(minutes=30)
    enforce: bool = True
    accept_reported: bool = False
    at_most_once: bool = False
    late_inputs: Literal["rerun", "propose"] = "rerun"
    message: str = ""
    tables: tuple[TableRules, ...] = ()
    sources: tuple[Source, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a contract that names nobody, or that requires nothing."""
        if not self.key.strip("/ "):
            raise ContractError("A contract needs a key: the dashboard's asset key.")
        if not self.owner.strip():
            raise ContractError(f"Contract {self.key!r} has no owner: name an e-mail address or team:name.")
        if self.requires is not None and not self.requires:
            raise ContractError(
                f"Contract {self.key!r} requires nothing, so anything would satisfy it. "
                "Leave `requires` out to require everything upstream."
            )
        if not all(window > dt.timedelta(0) for window in self.freshness.values()):
            raise ContractError(f"Contract {self.key!r}: a freshness window must be longer than nothing.")
        if self.window is not None and self.window < 1:
            raise ContractError(f"Contract {self.key!r}: a window covers one partition or more.")
        keys = [section.key for section in self.sections]
        if len(set(keys)) < len(keys):
            raise ContractError(f"Contract {self.key!r} has two sections of one key: {', '.join(keys)}.")

    @property
    def name(self) -> str:
        """The title, else the key."""
        return self.title or self.key


@dataclass(frozen=True, slots=True)
class Period:
    """The stretch of time a partition reports on, from its start up to (not including) its end."""

    start: dt.datetime
    end: dt.datetime


@dataclass(frozen=True, slots=True)
class Input:
    """What one partition of an asset reads of an upstream asset.

    ``days`` (ISO days, UTC) narrow an unpartitioned upstream to the rows of those days; empty means
    the whole of each partition.
    """

    asset: str
    partitions: tuple[str | None, ...]
    days: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The asset and what is read of it: ``raw/payments 2026-11-20``."""
        parts = [part for part in (*self.partitions, *self.days) if part]
        if len(parts) > 2:
            digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
            return f"{self.asset} {parts[0]}..{parts[-1]} ({len(parts)}, {digest})"
        return " ".join([self.asset, *parts])


@dataclass(frozen=True, slots=True)
class Requirement:
    """One partition of one asset that must be there, be built from the newest inputs, and pass.

    ``period`` is the time it is asked to cover: that of its own partition, or where it has none, of the
    latest partition built from it. ``read_now`` says that something without any time reads it too, so
    that it never stops growing old. ``blocks`` is False when it serves only sections that may be
    labelled; ``sections`` names them all. ``others`` are checks that are not defined here, and count where
    they have spoken. ``owners`` are those of single checks: who acts when it failed, and when it errored.
    ``expected`` is by when what it is loaded from (``arrival``) was to have come.
    """

    asset: str
    partition: str | None
    owner: str
    days: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = ()
    checks: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    blocks: bool = True
    period: Period | None = None
    read_now: bool = False
    owners: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    expected: dt.datetime | None = None
    arrival: str = ""

    @property
    def part(self) -> str | None:
        """What of the asset is asked for: its partition, or the days of a table without any, first to last.

        What people say of a week is not said of another one.
        """
        first_and_last = dict.fromkeys((*self.days[:1], *self.days[-1:]))
        return self.partition or "..".join(first_and_last) or None


@dataclass(frozen=True, slots=True)
class Promise:
    """A contract spelled out for one partition; ``dashboard_inputs`` is what its own step reads."""

    contract: DashboardContract
    partition: str | None
    period: Period | None
    requirements: tuple[Requirement, ...]
    dashboard_inputs: tuple[Input, ...] = ()
