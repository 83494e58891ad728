"""Saying it: a person's word becomes an event on the asset, where the judge and the UI find it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.errors import InvalidInputError
from dashboard_trust.evidence.names import WORD
from dashboard_trust.readers.event_log import read_newest
from dashboard_trust.verdicts.verdict import Finding

SHAPE = re.compile(r"\(schema ([0-9a-f]{8})\)")
"""How a check on columns names the shape that it found."""


def hold(
    instance: dg.DagsterInstance, contract: DashboardContract, by: str, reason: str, partition: str | None = None
) -> None:
    """Hold a dashboard (or one of its partitions) until it is released."""
    _say(instance, contract.key, {"kind": "hold", "by": by, "reason": reason, "partition": partition})


def release(
    instance: dg.DagsterInstance, contract: DashboardContract, by: str, reason: str, partition: str | None = None
) -> None:
    """Release what people hold: everything, or one partition. What the evidence holds stays held."""
    _say(instance, contract.key, {"kind": "release", "by": by, "reason": reason, "partition": partition})


def take_back(
    instance: dg.DagsterInstance, contract: DashboardContract, by: str, reason: str, partitions: Sequence[str | None]
) -> None:
    """Refuse what a dashboard shows of these partitions, until its inputs change or it is released."""
    loads = read_newest(instance, {(contract.key, partition) for partition in partitions})
    for partition in partitions:
        load = loads.get((contract.key, partition))
        word: dict[str, Any] = {"kind": "roll_back", "by": by, "reason": reason, "partition": partition}
        _say(instance, contract.key, {**word, "consumed": dict(load.consumed) if load else {}})


def waive(instance: dg.DagsterInstance, finding: Finding, by: str, reason: str, until: dt.datetime) -> None:
    """Waive one finding as it stands, for this version of its asset, until a moment (aware).

    Raises:
        InvalidInputError: The moment is past, or the finding is not of the kind a person can answer for.
    """
    if until <= dt.datetime.now(dt.UTC):
        raise InvalidInputError(f"--until {until.isoformat()} is past: name a moment to come.")
    if not finding.outcome.holds or not finding.version:
        raise InvalidInputError(f"{finding.place} is {finding.outcome}: there is nothing to waive.")
    word: dict[str, str | None] = {
        "kind": "waive",
        "by": by,
        "reason": reason,
        "partition": finding.partition,
        "check": finding.check,
        "outcome": str(finding.outcome),
        "version": finding.version,
        "until": until.astimezone(dt.UTC).isoformat(),
    }
    _say(instance, finding.asset, word)


def accept_schema(instance: dg.DagsterInstance, finding: Finding, by: str, reason: str) -> str:
    """Accept a table's columns as a failed check found them, and return the name of that shape.

    Other columns, or others declared, need another word. What was accepted passes when the check runs again.

    Raises:
        InvalidInputError: The finding is not of a table's columns.
    """
    shape = SHAPE.search(finding.reason)
    if finding.check is None or shape is None:
        raise InvalidInputError(f"{finding.name} is not about the columns of a table: nothing can be accepted.")
    word = {"kind": "accept", "by": by, "reason": reason, "check": finding.check, "version": shape[1]}
    _say(instance, finding.asset, word)
    return shape[1]


def _say(instance: dg.DagsterInstance, asset: str, word: Mapping[str, Any]) -> None:
    kind, by, reason = word["kind"], word["by"], word["reason"]
    if not (by or "").strip() or not (reason or "").strip():
        raise InvalidInputError(f"A {kind} needs a name and a reason: whoever reads it later will ask for both.")
    description = f"{str(kind).replace('_', ' ')} by {by}: {reason}"
    key = dg.AssetKey.from_user_string(asset)
    event = dg.AssetObservation(key, description=description, metadata={WORD: dg.MetadataValue.json(word)})
    instance.report_runless_asset_event(event)
