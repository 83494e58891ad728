"""How the judge puts into words what it found: nothing here decides."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from dashboard_trust.contracts.model import Input, Requirement
from dashboard_trust.evidence.facts import Evidence, Materialization


def describe_behind(consumer: Materialization, behind: Sequence[Input], evidence: Evidence) -> str:
    """Say of which inputs a load was not built from the newest version, and of which days, if a load changed them late.

    A day is named only if it changed after the consumer was built.
    """
    late = "".join(_late(consumer, asked, evidence) for asked in behind)
    return f"was not built from the newest version of {listed([asked.asset for asked in behind])}{late}"


def describe_absent(load: Materialization, days: Sequence[str]) -> str:
    """Say that a load holds no rows of these days, and since when, or how far it reaches."""
    gone = [load.changed[day] for day in days if day in load.changed]
    if len(gone) == len(days):
        more = f" any more (seen {moment(max(gone))})"
    else:
        present = [day for day in load.days or () if day]
        more = f" (it reaches {max(present)})" if present else " (it is empty)"
    return f"its newest load holds no rows for {listed(days)}{more}"


def describe_missing(requirement: Requirement, as_of: dt.datetime) -> str:
    """Say that nothing was ever loaded, and by when it was to come, where that is known."""
    if requirement.expected is None:
        return "was never materialized"
    expected, arrival = moment(requirement.expected), requirement.arrival or "its input"
    if as_of >= requirement.expected:
        return f"was never materialized: {arrival} is late, it was expected by {expected}"
    return f"was never materialized; {arrival} is expected by {expected}"


def _late(consumer: Materialization, asked: Input, evidence: Evidence) -> str:
    upstream = evidence.materializations.get((asked.asset, None))
    changed = upstream.changed if upstream is not None else {}
    late = {day: changed[day] for day in asked.days if day in changed and changed[day] > consumer.at}
    if not late:
        return ""
    return f"; a load changed the rows of {listed([*late])} in {asked.asset} late (seen {moment(max(late.values()))})"


def listed(words: Sequence[str]) -> str:
    """Return the first of these words, and how many more there are."""
    return ", ".join(words[:3]) + (f" and {len(words) - 3} more" if len(words) > 3 else "")


def moment(at: dt.datetime) -> str:
    """Return a moment in UTC, to the minute."""
    return f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


def hours(length: dt.timedelta) -> str:
    """Return a length of time in hours."""
    return f"{length.total_seconds() / 3600:.1f} h"
