"""A standing in full: with everything it stands on, and the way out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dashboard_trust.cli.next_steps import next_steps
from dashboard_trust.cli.standings import Standing, describe, describe_finding, read_standings
from dashboard_trust.cli.words import behind_line, finding_line, moment, printable, readiness_word, serving_line
from dashboard_trust.contracts.model import Requirement
from dashboard_trust.enforcement.gate import Gate
from dashboard_trust.evidence.facts import Materialization
from dashboard_trust.readers.event_log import read_evidence
from dashboard_trust.verdicts.verdict import Readiness


@dataclass(frozen=True, slots=True)
class Ground:
    """A requirement, and the newest load it can stand on (None: there is none)."""

    requirement: Requirement
    newest: Materialization | None

    @property
    def partition(self) -> str | None:
        """The partition, or the days of an unpartitioned table that are read."""
        return self.requirement.part

    @property
    def version(self) -> str | None:
        """The version of what is read of it."""
        return self.newest.version_of(self.requirement.days) if self.newest else None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A standing and the grounds it stands on; none where the evidence could not be read."""

    standing: Standing
    grounds: tuple[Ground, ...]

    @property
    def steps(self) -> list[str]:
        """What to do, in order."""
        return next_steps(self.standing.verdict, self.standing.serving, self.standing.behind)


def read_explanation(
    gate: Gate, instance: dg.DagsterInstance, partitions: Sequence[str | None], as_of: dt.datetime
) -> Explanation:
    """Judge a partition now, and read what it stands on."""
    (standing,) = read_standings(gate, instance, partitions, as_of)
    if gate.binding is None or standing.verdict.readiness is Readiness.UNKNOWN:
        return Explanation(standing, ())
    promise = gate.binding.promise(standing.verdict.partition, instance)
    loads = read_evidence(instance, [promise], as_of).materializations
    grounds = (Ground(asked, loads.get((asked.asset, asked.partition))) for asked in promise.requirements)
    return Explanation(standing, tuple(grounds))


def describe_explanation(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON: what ``status --json`` says, and more."""
    standing = explanation.standing
    contract, verdict = standing.contract, standing.verdict
    return {
        **describe(standing),
        "url": contract.url,
        "message": contract.message,
        "ready_by": verdict.deadline and verdict.deadline.isoformat(timespec="seconds"),
        "unmet_sections": list(verdict.unmet),
        "labels": list(verdict.labels),
        "consequences": [describe_finding(finding) for finding in verdict.consequences],
        "requirements": [_describe_ground(ground) for ground in explanation.grounds],
        "next_steps": explanation.steps,
    }


def render_explanation(explanation: Explanation) -> RenderableType:
    """Return an explanation as people read it."""
    verdict = explanation.standing.verdict
    causes = [finding_line(finding) for finding in verdict.findings]
    waiting = [finding_line(finding) for finding in verdict.consequences]
    steps = [Text(printable(f"{n}. {step}")) for n, step in enumerate(explanation.steps, start=1)]
    return Group(
        *_head(explanation.standing),
        *_block("Why", causes),
        *_block("What waits for these", waiting),
        *_block("What it stands on", [_grounds_table(explanation.grounds)] if explanation.grounds else []),
        *_block("Next", steps),
    )


def _head(standing: Standing) -> Iterator[Text]:
    contract, verdict = standing.contract, standing.verdict
    title = f"{contract.title} ({contract.key})" if contract.title else contract.key
    yield Text(printable(f"{title} {verdict.partition or ''}".strip()), style="bold")
    yield readiness_word(verdict.readiness).append(f" as of {moment(verdict.as_of)}", style="not bold default")
    if verdict.deadline:
        missed = " (missed)" if verdict.holds and verdict.as_of >= verdict.deadline else ""
        yield Text(f"promised by {moment(verdict.deadline)}{missed}")
    yield Text(serving_line(standing.serving))
    if standing.corrected:
        yield Text(printable(standing.corrected))
    if standing.behind:
        yield Text(behind_line(standing.behind))
    if verdict.unmet:
        yield Text(printable(f"shown without: {'; '.join(verdict.labels)}"))


def _block(title: str, lines: Sequence[RenderableType]) -> Iterator[RenderableType]:
    if lines:
        yield Text(f"\n{title}", style="bold")
        yield from (Padding(line, (0, 0, 0, 2)) for line in lines)


def _grounds_table(grounds: Sequence[Ground]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    # Where it is tight the version gives way, since nobody looks an asset up by half a name.
    widest = max(len(ground.requirement.asset) for ground in grounds)
    table.add_column("asset", overflow="fold", header_style="dim", min_width=min(widest, 30))
    for name in ("partition", "newest load (UTC)", "version"):
        table.add_column(name, overflow="fold", header_style="dim")
    for ground in grounds:
        loaded = f"{ground.newest.at:%Y-%m-%d %H:%M}" if ground.newest else "never"
        cells = (ground.requirement.asset, ground.partition or "", loaded, ground.version or "")
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _describe_ground(ground: Ground) -> dict[str, Any]:
    requirement, newest = ground.requirement, ground.newest
    return {
        "asset": requirement.asset,
        "partition": ground.partition,
        "owner": requirement.owner,
        "checks": list(requirement.checks),
        "sections": list(requirement.sections),
        "blocks": requirement.blocks,
        "version": ground.version,
        "loaded_at": newest and newest.at.isoformat(timespec="seconds"),
        "run_id": newest and newest.run_id,
    }
