"""Checks that are defined elsewhere, on an asset that is made here: they count where they have spoken."""

from __future__ import annotations

from dataclasses import replace

from dashboard_trust.contracts.model import Promise, Requirement
from dashboard_trust.evidence.facts import Evidence


def heed_others(promise: Promise, evidence: Evidence) -> Promise:
    """Require of each asset also those of its other checks that have a word on its newest load, or are to have one.

    Nobody here knows whether they are still run at all, so one that is silent does not hold.
    """
    return replace(promise, requirements=tuple(_heeding(requirement, evidence) for requirement in promise.requirements))


def _heeding(requirement: Requirement, evidence: Evidence) -> Requirement:
    spoken = tuple(check for check in requirement.others if _has_spoken(requirement, check, evidence))
    return replace(requirement, checks=(*requirement.checks, *spoken)) if spoken else requirement


def _has_spoken(requirement: Requirement, check: str, evidence: Evidence) -> bool:
    newest = evidence.materializations.get((requirement.asset, requirement.partition))
    for partition in dict.fromkeys((requirement.partition, None)):
        result = evidence.checks.get((requirement.asset, check, partition))
        if result is None or result.status == "skipped" or newest is None:
            continue
        looked = result.target_id == newest.storage_id or (result.run_id and result.run_id == newest.run_id)
        if looked or result.status == "pending" or (result.status == "errored" and result.at >= newest.at):
            return True
    return False
