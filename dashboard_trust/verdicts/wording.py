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
    present = [day for day in load.days or () if day]
    since = f" any more (seen {moment(max(gone))})" if len(gone) == len(days) else ""
    nothing = "none of its rows has a readable time" if load.days else "it is empty"
    reach = f"it reaches {max(present)}" if present else nothing
    return f"its newest load holds no rows for {listed(days)}{since}; {reach}"


def describe_missing(requirement: Requirement, evidence: Evidence) -> str:
    """Say that nothing was ever loaded, of which file, by when it was to come, and which came under another name."""
    said = "was never materialized"
    arrival = requirement.arrival or "its input"
    if requirement.expected is not None:
        expected = moment(requirement.expected)
        late = f": {arrival} is late, it was expected by {expected}"
        said += late if evidence.as_of >= requirement.expected else f"; {arrival} is expected by {expected}"
    elif requirement.arrival:
        said += f": no {arrival} was loaded"
    return said + _describe_unexpected(requirement, evidence)


def _describe_unexpected(requirement: Requirement, evidence: Evidence) -> str:
    """Name the files of unexpected names that came since the time began of which a file is missing."""
    since = requirement.period.start if requirement.period is not None else None
    seen = [one for one in evidence.unexpected.get(requirement.asset, ()) if since is None or one.at >= since]
    if not seen:
        return ""
    files = {path: why for one in seen for path, why in one.files.items()}
    told = listed([f"{path} {why}" for path, why in files.items()])
    return f"; unexpected files came, the last {moment(seen[-1].at)}: {told}"


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
