"""Sources from YAML."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from dashboard_trust.contracts.entries import Entry, Reader
from dashboard_trust.contracts.scalars import read_asset, read_hours, read_owner
from dashboard_trust.contracts.sources import Source
from dashboard_trust.errors import FailureClass, nearest
from dashboard_trust.failures.policy import Budget, Policy, Retries

HOUR = dt.timedelta(hours=1)


def read_sources(entry: Entry) -> tuple[Source, ...]:
    """Read what data comes from: a list, each with a ``key`` and its ``assets``."""
    sources = tuple(_source(item) for item in entry.items())
    keys = [source.key for source in sources]
    if len(set(keys)) < len(keys):
        raise entry.error("names a source twice")
    return sources


def _source(entry: Entry) -> Source:
    return entry.build(Source, SOURCE, required=("key", "assets"))


def _assets(entry: Entry) -> tuple[str, ...]:
    assets = tuple(read_asset(item) for item in entry.items())
    if not assets:
        raise entry.error("names no asset, so nothing would ever call it")
    return assets


def _by_class(entry: Entry, read: Reader) -> dict[str, object]:
    found = {}
    for name, value in entry.fields().items():
        if name not in [*FailureClass]:
            raise value.error(f"{name!r} is no failure class: {nearest(name, FailureClass)}")
        found[name] = read(value)
    return found


def _owners(entry: Entry) -> dict[str, object]:
    return _by_class(entry, read_owner)


def _policies(entry: Entry) -> dict[str, object]:
    return _by_class(entry, _policy)


def _policy(entry: Entry) -> Policy:
    if entry.is_mapping:
        return entry.build(_retries, RETRIES, required=())
    text = entry.text()
    if text == "stop":
        return "stop"
    if text == "ask":
        return "ask"
    raise entry.error(f"{text!r} is neither stop nor ask; retries are a mapping, as in {{limit: 10}}")


def _retries(**said: Any) -> Retries:
    return Retries(**{RETRIES_FIELDS.get(name, name): value for name, value in said.items()})


def _budget(entry: Entry) -> Budget:
    return entry.build(_calls, {"calls": _number, "per_hours": _hours}, required=("calls",))


def _calls(calls: int, per_hours: dt.timedelta = HOUR) -> Budget:
    return Budget(calls, per_hours)


def _number(entry: Entry) -> int:
    text = entry.text()
    if not text.isdecimal() or not 0 < int(text) <= 10_000:
        raise entry.error(f"{text!r} is not a number from 1 to 10000")
    return int(text)


def _hours(entry: Entry) -> dt.timedelta:
    return dt.timedelta(hours=read_hours(entry))


def _minutes(entry: Entry) -> dt.timedelta:
    return dt.timedelta(minutes=read_hours(entry))


RETRIES_FIELDS = {
    "first_pause_minutes": "first_pause",
    "longest_pause_minutes": "longest_pause",
    "give_up_after_hours": "give_up_after",
}
RETRIES: Mapping[str, Reader] = {
    "limit": _number,
    "first_pause_minutes": _minutes,
    "longest_pause_minutes": _minutes,
    "give_up_after_hours": _hours,
}
SOURCE: Mapping[str, Reader] = {
    "key": Entry.text,
    "assets": _assets,
    "owner": read_owner,
    "owners": _owners,
    "budget": _budget,
    "policies": _policies,
}
