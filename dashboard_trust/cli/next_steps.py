"""What to do about a verdict, in order: the causes, what waits for them, the dashboard."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard_trust.readers.serving import Serving
from dashboard_trust.verdicts.verdict import Finding, Outcome, Verdict

WAYS = {
    Outcome.FAILED: "{owner}: put right what {check} found in {asset}, then materialize {where}",
    Outcome.ERRORED: "{owner}: find out why {what} broke (see its run), then materialize {where}",
    Outcome.NOT_RUN: "{owner}: run {what} on the newest load, by materializing {where} with its checks",
    Outcome.PENDING: "Wait for the run that is making {where}",
    Outcome.MISSING: "{owner}: deliver {where}, then materialize it",
    Outcome.OUTDATED: "{owner}: materialize {where}",
    Outcome.OVERDUE: "{owner}: load {where} anew",
    Outcome.UNVERIFIED: "{owner}: materialize {where} in a run, so that there is something to believe",
    Outcome.UNAPPROVED: "{owner}: approve {where}",
}


def next_steps(verdict: Verdict, serving: Serving | None, behind: Sequence[str] = ()) -> list[str]:
    """Return the steps that lead to the partition being shown; none where it or a later one is.

    What it was published from (``behind``) may have changed since: then it is to be published anew.
    """
    dashboard = f"{verdict.dashboard} {verdict.partition}" if verdict.partition else verdict.dashboard
    steps = list(dict.fromkeys(_step(finding, verdict) for finding in verdict.causes))
    waiting = _assets(verdict.consequences)
    if waiting:
        steps.append(f"Materialize what waits for that: {', '.join(waiting)}")
    shown = serving is not None and (serving.partition or "") >= (verdict.partition or "")
    if steps or behind or not shown:
        steps.append(f"Materialize {dashboard}")
    return steps


def _step(finding: Finding, verdict: Verdict) -> str:
    if finding.outcome is Outcome.UNAPPROVED:
        return f"Ask whoever holds it, then: dashboard-trust release {finding.asset} --reason TEXT"
    if finding.asset == verdict.dashboard:
        return f"{finding.owner}: make it possible to judge {finding.asset}: {finding.reason}"
    where = f"{finding.asset} {finding.partition}" if finding.partition else finding.asset
    if finding.failure is not None:
        return finding.failure.next_step(finding.owner, where)
    what = f"{finding.check} of {finding.asset}" if finding.check else where
    return WAYS[finding.outcome].format(
        owner=finding.owner, asset=finding.asset, check=finding.check or "its checks", where=where, what=what
    )


def _assets(findings: Sequence[Finding]) -> list[str]:
    return list(dict.fromkeys(finding.asset for finding in findings if finding.outcome.holds))
