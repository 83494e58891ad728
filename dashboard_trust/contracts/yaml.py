"""Contracts from YAML: one per document, or a list of them.

Every mistake is a `ContractError` that names the file, the line and the key. Scalars are taken as
they are written, so that an unquoted ``08:00`` is a time (to YAML 1.1 it is the number 480).
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dashboard_trust.contracts.entries import Entry, Reader, compose
from dashboard_trust.contracts.files import read_text
from dashboard_trust.contracts.model import (
    NOTHING,
    DashboardContract,
    PartitionSchedule,
    ReadyBy,
    RequiredAsset,
    Section,
)
from dashboard_trust.contracts.rules_yaml import Table, read_tables
from dashboard_trust.contracts.scalars import read_asset, read_boolean, read_hours, read_owner, read_word
from dashboard_trust.contracts.sources_yaml import read_sources
from dashboard_trust.errors import ContractError


def read_contracts(path: str | Path) -> tuple[DashboardContract, ...]:
    """Read the contracts of one YAML file.

    Raises:
        ContractError: The file cannot be read, or something in it cannot be meant.
    """
    return parse_contracts(read_text(path), str(path))


def parse_contracts(text: str, source: str = "contract") -> tuple[DashboardContract, ...]:
    """Parse contracts from YAML text; ``source`` is what errors call it.

    Raises:
        ContractError: Something in it cannot be meant.
    """
    entries = [entry for document in compose(text, source) for entry in document.items_or_self()]
    if not entries:
        raise ContractError(f"{source}: holds no contract.")
    found: dict[str, DashboardContract] = {}
    for entry in entries:
        contract = _contract(entry)
        if contract.key in found:
            raise entry.error(f"is a second contract for {contract.key!r}; keep one")
        found[contract.key] = contract
    return tuple(found.values())


def _contract(entry: Entry) -> DashboardContract:
    return entry.build(_dashboard, CONTRACT, required=("key", "owner"))


def _dashboard(
    tables: Sequence[Table] = (), freshness: Mapping[str, dt.timedelta] = NOTHING, **said: Any
) -> DashboardContract:
    """Return the contract; what it says of freshness itself counts before what a table's data contract says."""
    windows = {table.asset: window for table, window in tables if window is not None}
    return DashboardContract(tables=tuple(table for table, _ in tables), freshness={**windows, **freshness}, **said)


def _partitions(entry: Entry) -> PartitionSchedule:
    return entry.build(PartitionSchedule, PARTITIONS, required=("schedule", "start"))


def _ready_by(entry: Entry) -> ReadyBy:
    return entry.build(ReadyBy, READY_BY, required=("time",))


def _requires(entry: Entry) -> tuple[RequiredAsset, ...]:
    required = tuple(_required_asset(item) for item in entry.items())
    _refuse_doubles(entry, [one.asset for one in required])
    return required


def _required_asset(entry: Entry) -> RequiredAsset:
    if entry.is_mapping:
        return entry.build(RequiredAsset, REQUIRED_ASSET, required=("asset",))
    return RequiredAsset(read_asset(entry))


def _checks(entry: Entry) -> tuple[str, ...]:
    checks = tuple(item.text() for item in entry.items())
    if not checks:
        raise entry.error("names no check; leave it out to require every one")
    _refuse_doubles(entry, checks)
    return checks


def _freshness(entry: Entry) -> Mapping[str, dt.timedelta]:
    windows = {}
    for name, window in entry.fields().items():
        windows[name] = window.build(_window, {"fail_after_hours": read_hours}, required=("fail_after_hours",))
    return windows


def _window(fail_after_hours: float) -> dt.timedelta:
    return dt.timedelta(hours=fail_after_hours)


def _window_size(entry: Entry) -> int:
    text = entry.text()
    if not text.isdecimal() or int(text) < 1:
        raise entry.error(f"{text!r} is not a number of partitions, one or more")
    return int(text)


def _wait(entry: Entry) -> dt.timedelta:
    wait: dt.timedelta = entry.build(_minutes, {"minutes": _minute_count}, required=("minutes",))
    return wait


def _minutes(minutes: float) -> dt.timedelta:
    return dt.timedelta(minutes=minutes)


def _minute_count(entry: Entry) -> float:
    text = entry.text()
    try:
        minutes = float(text)
    except ValueError:
        minutes = math.nan
    if not 0 <= minutes <= 24 * 60:
        raise entry.error(f"{text!r} is not a number of minutes, at most a day of them")
    return minutes


def _sections(entry: Entry) -> tuple[Section, ...]:
    sections = tuple(item.build(Section, SECTION, required=("key", "title", "assets")) for item in entry.items())
    _refuse_doubles(entry, [section.key for section in sections])
    return sections


def _minimum(entry: Entry) -> int:
    text = entry.text()
    if not text.isdecimal() or int(text) < 1:
        raise entry.error(f"{text!r} is not a number of assets, one or more")
    return int(text)


def _assets(entry: Entry) -> tuple[str, ...]:
    assets = tuple(read_asset(item) for item in entry.items())
    if not assets:
        raise entry.error("names no asset, so the section would stand on nothing")
    _refuse_doubles(entry, assets)
    return assets


def _time(entry: Entry) -> dt.time:
    text = entry.text()
    try:
        return dt.datetime.strptime(text, "%H:%M").time()
    except ValueError as error:
        raise entry.error(f'{text!r} is not a time of day like "08:00"') from error


def _date(entry: Entry) -> dt.date:
    text = entry.text()
    try:
        return dt.datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError as error:
        raise entry.error(f"{text!r} is not a day like 2026-01-31") from error


def _timezone(entry: Entry) -> str:
    name = entry.text()
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise entry.error(f"{name!r} is not a known time zone; write one like Europe/Berlin") from error
    return name


def _days(entry: Entry) -> int:
    text = entry.text()
    if not re.fullmatch(r"[0-9]{1,3}", text):
        raise entry.error(f"{text!r} is not a whole number of days from 0 to 999")
    return int(text)


def _refuse_doubles(entry: Entry, words: list[str] | tuple[str, ...]) -> None:
    seen: set[str] = set()
    for word in words:
        if word in seen:
            raise entry.error(f"names {word!r} twice")
        seen.add(word)


PARTITIONS: Mapping[str, Reader] = {
    "schedule": read_word("hourly", "daily", "weekly", "monthly"),
    "start": _date,
    "timezone": _timezone,
}
READY_BY: Mapping[str, Reader] = {"time": _time, "timezone": _timezone, "days_after_end": _days}
REQUIRED_ASSET: Mapping[str, Reader] = {"asset": read_asset, "checks": _checks}
SECTION: Mapping[str, Reader] = {
    "key": Entry.text,
    "title": Entry.text,
    "assets": _assets,
    "when_unmet": read_word("block", "label"),
    "at_least": _minimum,
}
CONTRACT: Mapping[str, Reader] = {
    "key": read_asset,
    "title": Entry.text,
    "url": Entry.text,
    "owner": read_owner,
    "partitions": _partitions,
    "ready_by": _ready_by,
    "requires": _requires,
    "freshness": _freshness,
    "sections": _sections,
    "tables": read_tables,
    "sources": read_sources,
    "window": _window_size,
    "wait_for_checks": _wait,
    "enforce": read_boolean,
    "accept_reported": read_boolean,
    "at_most_once": read_boolean,
    "late_inputs": read_word("rerun", "propose"),
    "message": Entry.text,
}
