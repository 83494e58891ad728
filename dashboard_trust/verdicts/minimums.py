"""Sections that do with fewer than all of their assets: how many are there, and what is said of the rest. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard_trust.contracts.model import Promise, Section
from dashboard_trust.verdicts.trace import upstream_assets
from dashboard_trust.verdicts.verdict import Finding, Outcome


@dataclass(frozen=True, slots=True)
class Count:
    """Of a section with a minimum: the assets it asks of this partition, and those of them that are missing.

    An asset is missing where something holds it, or anything that it is built from; ``spoilt`` are all of which that
    is so, also outside the section, and ``touched`` is what holds one of its own.
    """

    section: Section
    least: int
    asked: tuple[str, ...]
    missing: tuple[str, ...]
    touched: frozenset[str]
    spoilt: frozenset[str]

    @property
    def is_short(self) -> bool:
        """Whether fewer are there than the least."""
        return len(self.asked) - len(self.missing) < self.least

    def hides(self, asset: str) -> bool:
        """Whether an asset that the section stands on is not shown: it is spoilt, or too many others are."""
        return self.is_short or asset in self.spoilt


def count_minimums(promise: Promise, findings: Sequence[Finding]) -> dict[str, Count]:
    """Count what is there of each section that does with fewer than all."""
    holding = {finding.asset for finding in findings if finding.outcome.holds}
    above = upstream_assets(promise.requirements)
    held_by = {asset: holding & ({asset} | above[asset]) for asset in above}
    spoilt = frozenset(asset for asset in above if held_by[asset])
    counts = {}
    for section in promise.contract.sections:
        if section.at_least is not None:
            asked = tuple(dict.fromkeys(asset for asset in section.assets if asset in above))
            missing = tuple(asset for asset in asked if asset in spoilt)
            touched = frozenset[str]().union(*(held_by[asset] for asset in asked))
            counts[section.key] = Count(section, section.at_least, asked, missing, touched, spoilt)
    return counts


def heed_minimums(promise: Promise, findings: Sequence[Finding], counts: Mapping[str, Count]) -> list[Finding]:
    """Return the findings, of which those block that leave a section with fewer than its least."""
    short = [count for count in counts.values() if count.is_short and count.section.when_unmet == "block"]
    blocking = frozenset[str]().union(*(count.touched for count in short))
    return [
        *(replace(f, blocks=f.blocks or f.asset in blocking) if f.outcome.holds else f for f in findings),
        *(_too_few_asked(promise, count) for count in short if len(count.asked) < count.least),
    ]


def describe_unmet(promise: Promise, unmet: Sequence[str], counts: Mapping[str, Count]) -> Iterator[str]:
    """Yield what is said of each section that is not met: its title, and of one with a minimum what is missing."""
    for section in promise.contract.sections:
        count = counts.get(section.key)
        if section.key not in unmet:
            continue
        if count is None or not count.missing:
            yield section.title
        else:
            there = f"{len(count.asked) - len(count.missing)} of {len(count.asked)}"
            yield f"{', '.join(count.missing)} ({section.title}: {there})"


def _too_few_asked(promise: Promise, count: Count) -> Finding:
    contract, section = promise.contract, count.section
    reason = f"section {section.key!r} needs {count.least} assets, and this partition reads {len(count.asked)}"
    return Finding(contract.key, promise.partition, None, Outcome.UNVERIFIED, reason, contract.owner)
