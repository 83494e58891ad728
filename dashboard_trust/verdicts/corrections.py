"""What is said of a partition that is published anew, since what it was made from changed after it was shown. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from dashboard_trust.contracts.model import Promise, Requirement
from dashboard_trust.evidence.facts import Evidence, Materialization
from dashboard_trust.verdicts.trace import upstream_assets
from dashboard_trust.verdicts.verdict import Verdict
from dashboard_trust.verdicts.wording import listed, moment


def find_corrected(shown: Materialization, verdict: Verdict) -> list[str]:
    """Return the inputs of which something else was shown than would be now.

    What comes in addition, as a section does that was labelled, corrects nothing that was shown.
    """
    now = dict(verdict.consumed)
    return [name for name, version in shown.consumed.items() if now.get(name, version) != version]


def correction(promise: Promise, evidence: Evidence, shown: Materialization | None, verdict: Verdict) -> str:
    """Return when and why a partition is corrected; "" where it is not.

    It is, where it was shown after its period had ended and is now made from another version of something. What was
    said of it before stays where nothing changed.

    Args:
        promise: Of the partition.
        evidence: What is known now.
        shown: What the dashboard delivered of it last.
        verdict: What it is about to be made from.
    """
    if shown is None or promise.period is None or shown.at < promise.period.end:
        return ""
    others = find_corrected(shown, verdict)
    if not others:
        return shown.corrected
    above = upstream_assets(promise.requirements)
    read = {one.asset for one in promise.dashboard_inputs if one.name in others}
    # What stands under nothing that changed was loaded again, and is what it was.
    under = read.union(*(above.get(asset, ()) for asset in read))
    whys = ((requirement.asset, _why(requirement, evidence, shown.at)) for requirement in promise.requirements)
    changed = {asset: why for asset, why in whys if why and (asset in under or not under)}
    # What came is the cause; a step that builds several builds those again too of which nothing came.
    came = [why for asset, why in changed.items() if not above[asset]]
    built = [why for asset, why in changed.items() if not above[asset] & changed.keys()]
    because = "; ".join(came or built) or f"{listed(others)} changed"
    return f"corrected on {moment(evidence.as_of)} because {because}; other figures were shown from {moment(shown.at)}"


def _why(requirement: Requirement, evidence: Evidence, since: dt.datetime) -> str:
    """Say what happened to what is read of an asset since a moment, if anything did."""
    load = evidence.materializations.get((requirement.asset, requirement.partition))
    if load is None or load.at <= since:
        return ""
    if not requirement.days or load.days is None:
        return f"{_place(requirement)} was loaded on {moment(load.at)}"
    late = [day for day in requirement.days if load.changed.get(day, since) > since]
    return _late(requirement.asset, late, load) if late else ""


def _late(asset: str, days: Sequence[str], load: Materialization) -> str:
    seen = max(load.changed[day] for day in days)
    return f"data of {listed(days)} in {asset} came late, or changed ({moment(seen)})"


def _place(requirement: Requirement) -> str:
    return f"{requirement.asset} {requirement.partition}" if requirement.partition else requirement.asset
