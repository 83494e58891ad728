"""From findings to their causes: what is wrong in itself, and what only waits for that."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard_trust.contracts.model import Requirement
from dashboard_trust.verdicts.verdict import Finding, Outcome

FOLLOWS = frozenset({Outcome.MISSING, Outcome.OUTDATED, Outcome.PENDING, Outcome.NOT_RUN, Outcome.OVERDUE})
"""Outcomes that need no cause of their own where something upstream holds."""


def separate_causes(
    requirements: Sequence[Requirement], findings: Sequence[Finding]
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Return the findings that are causes, and those that only follow from one upstream.

    A finding never follows from one of a section that may be labelled while it blocks itself.
    """
    by_place: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.outcome.holds:
            by_place.setdefault(finding.asset, []).append(finding)
    upstream = upstream_assets(requirements)
    causes: list[Finding] = []
    consequences: list[Finding] = []
    for finding in findings:
        above = [cause for asset in upstream.get(finding.asset, ()) for cause in by_place.get(asset, ())]
        follows = finding.outcome in FOLLOWS and any(cause.blocks >= finding.blocks for cause in above)
        (consequences if follows else causes).append(finding)
    return tuple(causes), tuple(consequences)


def upstream_assets(requirements: Sequence[Requirement]) -> dict[str, set[str]]:
    """Return every asset upstream of each required asset, transitively, within the requirements."""
    direct: dict[str, set[str]] = {}
    for requirement in requirements:
        direct.setdefault(requirement.asset, set()).update(asked.asset for asked in requirement.inputs)
    closed = {}
    for asset, nearest in direct.items():
        above, waiting = set[str](), [*nearest]
        while waiting:
            if (name := waiting.pop()) not in above:
                above.add(name)
                waiting.extend(direct.get(name, ()))
        closed[asset] = above - {asset}  # one that reads its own past is no excuse
    return closed
