"""The days of the demo: from the first in the source to the last one anybody asked for."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import dagster as dg

from dashboard_trust.demo.home import Home
from dashboard_trust.demo.source import first_day, last_day
from dashboard_trust.errors import InvalidInputError

WINDOW = dt.timedelta(days=14)


def today() -> dt.date:
    """Return the current day, UTC."""
    return dt.datetime.now(dt.UTC).date()


def default_as_of(home: Home) -> dt.date:
    """Return the last day in the source, else yesterday."""
    return last_day(home) or today() - dt.timedelta(days=1)


def ask_for(home: Home, as_of: dt.date) -> None:
    """Make ``as_of`` a partition of the demo; raise `InvalidInputError` where it cannot be one."""
    first = first_day(home)
    last = max(today(), last_day(home) or today())
    if first is not None and not first <= as_of <= last:
        raise InvalidInputError(
            f"{as_of} is not a day of this demo: its source goes from {first}, and today is {today()}."
        )
    if as_of > (_horizon(home) or dt.date.min):
        _horizon_file(home).write_text(json.dumps({"last_asked_for": as_of.isoformat()}))


def build_partitions(home: Home) -> dg.DailyPartitionsDefinition:
    """Return the days as partitions, UTC; a home without a source has the last two weeks.

    They end with the last day in the source or asked for; where that is yesterday or today, they go on
    with the calendar, so that a Dagster that stays up sees the days to come.
    """
    yesterday = today() - dt.timedelta(days=1)
    last = max((day for day in (last_day(home), _horizon(home)) if day), default=yesterday)
    first = first_day(home) or last - WINDOW + dt.timedelta(days=1)
    end = (last + dt.timedelta(days=1)).isoformat() if last < yesterday else None
    # The present day is a partition only where somebody has data for it, or asked for it.
    return dg.DailyPartitionsDefinition(first.isoformat(), end_date=end, end_offset=1 if last >= today() else 0)


def _horizon(home: Home) -> dt.date | None:
    try:
        return dt.date.fromisoformat(json.loads(_horizon_file(home).read_text())["last_asked_for"])
    except (OSError, ValueError, KeyError):
        return None


def _horizon_file(home: Home) -> Path:
    return home.path / "demo.json"
