"""Sections that do with fewer than all of their assets: how many are there, and what is said of the rest. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dashboard_trust.contracts.model import Promise, Requirement, Section
from dashboard_trust.evidence.facts import Evidence, Materialization
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
    minimums = [(one, one.at_least) for one in promise.contract.sections if one.at_least is not None]
    if not minimums:
        return {}
    holding = {finding.asset for finding in findings if finding.outcome.holds}
    above = upstream_assets(promise.requirements)
    held_by = {asset: holding & ({asset} | above[asset]) for asset in above}
    spoilt = frozenset(asset for asset in above if held_by[asset])
    counts = {}
    for section, least in minimums:
        asked = tuple(dict.fromkeys(asset for asset in section.assets if asset in above))
        missing = tuple(asset for asset in asked if asset in spoilt)
        touched = frozenset[str]().union(*(held_by[asset] for asset in asked))
        counts[section.key] = Count(section, least, asked, missing, touched, spoilt)
    return counts


def find_shown(promise: Promise, unmet: Collection[str], counts: Mapping[str, Count]) -> frozenset[str]:
    """Return the direct inputs that are shown: those that do not stand in unmet sections alone.

    Of a section that does with fewer, only what is missing is not shown.
    """
    sections = {requirement.asset: set(requirement.sections) for requirement in promise.requirements}
    shown = set()
    for asset in {asked.asset for asked in promise.dashboard_inputs}:
        hidden = {key for key in unmet if key not in counts or counts[key].hides(asset)}
        if not (sections.get(asset) or {""}) <= hidden:
            shown.add(asset)
    return frozenset(shown)


def find_left_out(counts: Mapping[str, Count], shown: Collection[str]) -> frozenset[str]:
    """Return the assets that are done without: what is missing, and where that is too much, what is not shown."""
    missing = {asset for count in counts.values() for asset in count.missing}
    too_few = {asset for count in counts.values() if count.is_short for asset in count.asked}
    return frozenset(missing | (too_few - {*shown}))


def find_mixed(promise: Promise, evidence: Evidence, left_out: Collection[str]) -> Iterator[tuple[Requirement, str]]:
    """Yield what was built without something that is there, or with something that is done without now.

    Only its own step knows what it did without (`Materialization.left_out`); of any other all is taken to be in it.
    """
    found = [(r, evidence.materializations.get((r.asset, r.partition))) for r in promise.requirements]
    loads = [(requirement, load) for requirement, load in found if load is not None]
    there, direct = {requirement.asset for requirement, _ in loads}, {one.asset for one in promise.dashboard_inputs}
    holders = {asset: _built_from(asset, loads) & direct for asset in sorted({*left_out} & there)}
    for requirement, load in loads:
        lacks = sorted(load.left_out - {*left_out})
        holds = [asset for asset, built in holders.items() if requirement.asset in built]
        if lacks:
            yield requirement, f"was built without {', '.join(lacks)}, which no minimum does without now"
        elif holds:
            yield requirement, f"was built with {', '.join(holds)}, which a minimum does without now"


def _built_from(asset: str, loads: Sequence[tuple[Requirement, Materialization]]) -> set[str]:
    """Return what was built from an asset, directly or through others, and did not leave it out."""
    built, size = {asset}, 0
    while len(built) > size:
        size = len(built)
        for requirement, load in loads:
            if asset not in load.left_out and any(asked.asset in built for asked in requirement.inputs):
                built.add(requirement.asset)
    return built - {asset}


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
            missing = ", ".join(count.missing)
            there = f"{len(count.asked) - len(count.missing)} of {len(count.asked)}"
            yield (
                f"{section.title} (only {there}: {missing})"
                if count.is_short
                else f"{missing} ({section.title}: {there})"
            )


def _too_few_asked(promise: Promise, count: Count) -> Finding:
    contract, section = promise.contract, count.section
    reason = f"section {section.key!r} needs {count.least} assets, and this partition reads {len(count.asked)}"
    return Finding(contract.key, promise.partition, None, Outcome.UNVERIFIED, reason, contract.owner)
