"""Where a dashboard stands: what follows for a partition, and what is shown meanwhile."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from dashboard_trust.contracts.model import DashboardContract, Promise
from dashboard_trust.enforcement.gate import Gate
from dashboard_trust.evidence.facts import Materialization, Place
from dashboard_trust.readers.event_log import read_newest
from dashboard_trust.readers.serving import Serving, read_serving
from dashboard_trust.verdicts.judge import unknown
from dashboard_trust.verdicts.verdict import Finding, Verdict


@dataclass(frozen=True, slots=True)
class Standing:
    """A dashboard's contract, the verdict on one partition, and what people see now.

    ``behind`` names the inputs of which the partition was published from another version than the newest;
    ``corrected`` says when and why what was shown of it took the place of something else.
    """

    contract: DashboardContract
    verdict: Verdict
    serving: Serving | None
    behind: tuple[str, ...] = ()
    corrected: str = ""


def read_standings(
    gate: Gate, instance: dg.DagsterInstance, partitions: Sequence[str | None], as_of: dt.datetime
) -> list[Standing]:
    """Judge these partitions now; none at all is UNKNOWN, since a dashboard is never left out."""
    contract = gate.contract
    verdicts = gate.judge(instance, partitions, as_of).values()
    if not partitions:
        nothing = Promise(contract, None, None, ())
        verdicts = {None: unknown(nothing, as_of, "it has no partition yet")}.values()
    key = dg.AssetKey.from_user_string(contract.key)
    serving = read_serving(instance, key, gate.binding.partitions if gate.binding else None)
    published = read_newest(instance, {(contract.key, verdict.partition) for verdict in verdicts})
    return [_standing(contract, verdict, serving, published) for verdict in verdicts]


def _standing(
    contract: DashboardContract, verdict: Verdict, serving: Serving | None, published: Mapping[Place, Materialization]
) -> Standing:
    shown = published.get((contract.key, verdict.partition))
    return Standing(contract, verdict, serving, _behind(verdict, shown), shown.corrected if shown else "")


def _behind(verdict: Verdict, published: Materialization | None) -> tuple[str, ...]:
    made_from = published.consumed if published is not None else {}
    return tuple(name for name, version in verdict.consumed if made_from.get(name, version) != version)


def partitions_of(gate: Gate, instance: dg.DagsterInstance, *, every: bool) -> list[str | None]:
    """Return every partition of a dashboard, or its last one; without partitions, the one that it is."""
    partitions = gate.binding.partitions if gate.binding else None
    if partitions is None:
        return [None]
    with dg.partition_loading_context(dynamic_partitions_store=instance):
        if every:
            return [*partitions.get_partition_keys()]
        last = partitions.get_last_partition_key()
    return [] if last is None else [last]


def describe(standing: Standing) -> dict[str, Any]:
    """Return a standing as JSON, as ``status --json`` lists it."""
    contract, verdict, serving = standing.contract, standing.verdict, standing.serving
    return {
        "dashboard": contract.key,
        "title": contract.title,
        "owner": contract.owner,
        "partition": verdict.partition,
        "readiness": str(verdict.readiness),
        "as_of": verdict.as_of.isoformat(timespec="seconds"),
        "serving": serving and {"partition": serving.partition, "since": serving.since.isoformat(timespec="seconds")},
        "behind": list(standing.behind),
        "corrected": standing.corrected,
        "findings": [describe_finding(finding) for finding in verdict.findings],
    }


def describe_finding(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON."""
    return {
        "name": finding.name,
        "asset": finding.asset,
        "partition": finding.partition,
        "check": finding.check,
        "outcome": str(finding.outcome),
        "reason": finding.reason,
        "owner": finding.owner,
        "failure": finding.failure and finding.failure.dump(),
        "since": finding.since and finding.since.isoformat(timespec="seconds"),
    }
