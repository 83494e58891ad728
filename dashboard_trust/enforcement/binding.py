"""A contract bound to an asset graph: what it comes to, for any partition."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from dashboard_trust.contracts.model import DashboardContract, Input, Period, Promise, ReadyBy, Requirement, Section
from dashboard_trust.enforcement.partition_mappings import Graph, Mappings
from dashboard_trust.errors import ContractError, InvalidInputError, nearest
from dashboard_trust.evidence.names import EXPECTED, GATE_CHECK, OWNERS, SLICES, TIME_COLUMN
from dashboard_trust.readers.event_log import read_known_checks

Need = tuple[dg.AssetKey, str | None]
MADE_UP = "dagster/auto_created_stub_asset"


@dataclass(frozen=True, slots=True)
class Binding:
    """A contract, the graph it stands in, and the assets of the step it guards.

    ``own_checks`` are those that this step makes itself, also on what it reads: it cannot wait for them.
    """

    contract: DashboardContract
    graph: Graph
    guarded: frozenset[dg.AssetKey]
    upstream: frozenset[dg.AssetKey]
    own_checks: frozenset[dg.AssetCheckKey] = frozenset()

    @property
    def partitions(self) -> dg.PartitionsDefinition | None:
        """The partitions of the guarded step."""
        return self.graph.get(next(iter(sorted(self.guarded)))).partitions_def

    def check_partition(self, partition: str | None, instance: dg.DagsterInstance) -> None:
        """Raise `InvalidInputError` where the guarded asset has no such partition."""
        partitions, name = self.partitions, self.contract.key
        if partitions is None and partition is not None:
            raise InvalidInputError(f"{name!r} is not partitioned: leave the partition {partition!r} out.")
        if partitions is None:
            return
        with dg.partition_loading_context(dynamic_partitions_store=instance):
            if partition is None or not partitions.has_partition_key(partition):
                first, last = partitions.get_first_partition_key(), partitions.get_last_partition_key()
                raise InvalidInputError(f"{name!r} has no partition {partition!r}; it has {first} to {last}.")

    def promise(self, partition: str | None, instance: dg.DagsterInstance) -> Promise:
        """Spell the contract out for one partition."""
        return self.promises([partition], instance)[partition]

    def promises(self, partitions: Iterable[str | None], instance: dg.DagsterInstance) -> dict[str | None, Promise]:
        """Spell the contract out for each of these partitions.

        ``instance`` is asked only for dynamic partitions, and for the checks of other code locations.
        """
        known = read_known_checks(instance, {key.to_user_string() for key in self.upstream})
        mappings = Mappings(self.graph, instance)
        return {partition: self._promise(partition, mappings, known) for partition in partitions}

    def _promise(self, partition: str | None, mappings: Mappings, known: Mapping[str, Set[str]]) -> Promise:
        needs = _Needs(self, mappings)
        period = needs.mappings.period(min(self.guarded), partition)
        time = _Time(period, read_now=period is None)
        own = [asked for key in sorted(self.guarded) for asked in needs.add_inputs(key, partition, time)]
        needs.walk()
        return Promise(
            contract=self.contract,
            partition=partition,
            period=period,
            requirements=tuple(needs.requirements(known)),
            dashboard_inputs=tuple(dict.fromkeys(own)),
        )


def bind(
    contract: DashboardContract,
    graph: Graph,
    guarded: frozenset[dg.AssetKey],
    own_checks: frozenset[dg.AssetCheckKey] = frozenset(),
) -> Binding:
    """Bind a contract to a graph; raise `ContractError` for a name that the graph does not know.

    A step with nothing upstream would be satisfied by nothing, and is refused.
    """
    upstream = _upstream_of(graph, guarded)
    # An asset nobody defines is made up by Dagster where it is named: a misspelt one must not pass for known.
    known = {key.to_user_string() for key in upstream if MADE_UP not in graph.get(key).metadata}
    for name in _named(contract):
        if name not in known:
            raise ContractError(
                f"Contract {contract.key!r} names asset {name!r}, which is not upstream of it: {nearest(name, known)} "
                "(an asset of another code location is declared here as a dg.AssetSpec)"
            )
    if not upstream:
        raise ContractError(
            f"Contract {contract.key!r} requires everything upstream, and nothing is upstream of it. "
            "Give the asset its deps."
        )
    for required in contract.requires or ():
        node = graph.get(dg.AssetKey.from_user_string(required.asset))
        checks = {key.name for key in node.check_keys}
        if not node.is_materializable:
            continue  # its checks may be defined where its step is
        for check in set(required.checks or ()) - checks:
            raise ContractError(
                f"Contract {contract.key!r}: {required.asset!r} has no check {check!r}: {nearest(check, checks)}"
            )
    for key in sorted(guarded | upstream):
        _check_slices(graph, key)
    return Binding(contract, graph, guarded, upstream, own_checks)


@dataclass(frozen=True, slots=True)
class _Time:
    """The time a place is to cover (None: none), and whether it is read by something that has none."""

    period: Period | None
    read_now: bool

    def of_readers(self, other: _Time) -> _Time:
        """Return the time of what both read: up to the later end, and now if either reads now."""
        periods = [period for period in (self.period, other.period) if period is not None]
        latest = max(periods, key=lambda period: period.end, default=None)
        return _Time(latest, self.read_now or other.read_now)


@dataclass(slots=True)
class _Needs:
    """The walk upstream: every place needed, and through which days and inputs."""

    binding: Binding
    mappings: Mappings
    inputs: dict[Need, tuple[Input, ...]] = field(default_factory=dict)
    days: dict[Need, set[str] | None] = field(default_factory=dict)  # None: the whole
    times: dict[Need, _Time] = field(default_factory=dict)
    waiting: list[Need] = field(default_factory=list)

    def walk(self) -> None:
        """Add everything above what was added: a loop, since a history that reads its own past is long."""
        while self.waiting:
            need = self.waiting.pop()
            self.inputs[need] = tuple(self.add_inputs(*need, self.times[need]))

    def add_inputs(self, key: dg.AssetKey, partition: str | None, time: _Time) -> list[Input]:
        """Add what this partition, which is to cover ``time``, reads, and return it."""
        graph, guarded = self.binding.graph, self.binding.guarded
        window = self.binding.contract.window if key in guarded else None
        asked = [
            self.mappings.map_input((key, partition), parent, window)
            for parent in sorted(graph.get(key).parent_keys)
            if parent not in guarded
        ]
        for one in asked:
            for above in one.partitions:
                self._add((dg.AssetKey.from_user_string(one.asset), above), one.days, time)
        return asked

    def _add(self, need: Need, days: tuple[str, ...], reader: _Time) -> None:
        known = self.days.get(need, set())
        self.days[need] = known | set(days) if days and known is not None else None
        key, partition = need
        own = self.mappings.period(key, partition)
        # Without a time of its own it covers what its readers do.
        time = _Time(own, read_now=False) if own else reader.of_readers(self.times.get(need, reader))
        if need not in self.inputs or time != self.times[need]:
            self.inputs[need] = ()
            self.times[need] = time
            self.waiting.append(need)

    def requirements(self, known_checks: Mapping[str, Set[str]]) -> list[Requirement]:
        """Return what was walked, as far as the contract requires it.

        Of an asset made elsewhere the checks ever seen count (``known_checks``), its gate's word too:
        what it stands on itself is not in this graph. Of one made here, others define some of them.
        """
        contract = self.binding.contract
        asked = None if contract.requires is None else {r.asset: r.checks for r in contract.requires}
        sections, blocking = _sections_by_asset(self.binding), _blocking(self.binding)
        owners = {key: _owners(self.binding.graph, key) for key in {key for key, _ in self.inputs}}
        found = []
        for need in sorted(self.inputs, key=str):
            key, partition = need
            name = key.to_user_string()
            if asked is not None and name not in asked:
                continue
            node = self.binding.graph.get(key)
            defined = {check.name for check in node.check_keys}
            elsewhere = not node.is_materializable
            own = {check.name for check in self.binding.own_checks if check.asset_key == key}
            checks = (defined | known_checks[name] if elsewhere else defined - {GATE_CHECK}) - own
            others = () if elsewhere else tuple(sorted(known_checks[name] - checks - own - {GATE_CHECK}))
            named = asked[name] if asked is not None else None
            standing = sections.get(name, ())
            found.append(
                Requirement(
                    asset=name,
                    partition=partition,
                    owner=next(iter(node.owners), contract.owner),
                    days=tuple(sorted(self.days[need] or ())),
                    inputs=self.inputs[need],
                    others=others if named is None else (),
                    checks=tuple(sorted(checks if named is None else named)),
                    sections=tuple(section.key for section in standing),
                    blocks=name in blocking,
                    period=self.times[need].period,
                    read_now=self.times[need].read_now,
                    owners=owners[key],
                    expected=_expected(node.metadata, self.times[need].period),
                    arrival=(node.metadata.get(EXPECTED) or {}).get("file", ""),
                )
            )
        return found


def _expected(metadata: Mapping[str, Any], period: Period | None) -> dt.datetime | None:
    """Return by when what a period is loaded from is to have come, where its asset says so (`EXPECTED`)."""
    said = metadata.get(EXPECTED)
    if not said or "time" not in said or period is None:
        return None
    by = ReadyBy(dt.time.fromisoformat(said["time"]), said["timezone"], said["days_after_end"])
    return by.deadline(period.end)


def _owners(graph: Graph, key: dg.AssetKey) -> dict[str, tuple[str, str]]:
    """Return who acts when checks of an asset fail, and when they cannot be looked at, where they say so."""
    said = {check.name: graph.get_check_spec(check).metadata.get(OWNERS) for check in graph.get(key).check_keys}
    return {name: (who.get("failed", ""), who.get("errored", "")) for name, who in said.items() if who}


def _check_slices(graph: Graph, key: dg.AssetKey) -> None:
    """Refuse an asset that reads days by another column than the one their versions are told by."""
    slices: Mapping[str, str] = graph.get(key).metadata.get(SLICES) or {}
    for parent in graph.get(key).parent_keys:
        name = parent.to_user_string()
        time_column = graph.get(parent).metadata.get(TIME_COLUMN)
        if name in slices and time_column is not None and slices[name] != time_column:
            raise ContractError(
                f"{key.to_user_string()!r} reads the days of {name!r} by {slices[name]!r} ({SLICES}), but these have "
                f"versions by {time_column!r} ({TIME_COLUMN}). Read them by that column, or whole."
            )


def _upstream_of(
    graph: Graph, keys: frozenset[dg.AssetKey], without: frozenset[dg.AssetKey] = frozenset()
) -> frozenset[dg.AssetKey]:
    found: set[dg.AssetKey] = set()
    waiting = [*keys]
    while waiting:
        new = graph.get(waiting.pop()).parent_keys - found - keys - without
        found |= new
        waiting.extend(new)
    return frozenset(found)


def _sections_by_asset(binding: Binding) -> Mapping[str, tuple[Section, ...]]:
    """Return the sections that stand on each asset, directly or through what is built from it."""
    standing: dict[str, list[Section]] = {}
    for section in binding.contract.sections:
        keys = frozenset(dg.AssetKey.from_user_string(asset) for asset in section.assets)
        for key in keys | _upstream_of(binding.graph, keys):
            standing.setdefault(key.to_user_string(), []).append(section)
    return {name: tuple(sections) for name, sections in standing.items()}


def _blocking(binding: Binding) -> frozenset[str]:
    """Return the assets that hold the whole dashboard: those in no section that may be labelled alone.

    What one of them is built from blocks too, whatever section it is in: the rest of the dashboard shows it. But of
    what a minimum is declared, and of what that is built from, the judge counts how much is there.
    """
    sections, asked = _sections_by_asset(binding), {required.asset for required in binding.contract.requires or ()}
    keys = set()
    for key in binding.upstream:
        name, own = key.to_user_string(), sections.get(key.to_user_string(), ())
        whole = any(section.when_unmet == "block" and section.at_least is None for section in own)
        if (not asked or name in asked) and (not own or whole):
            keys.add(key)
    counted = {asset for section in binding.contract.sections if section.at_least for asset in section.assets}
    left = frozenset(dg.AssetKey.from_user_string(asset) for asset in counted) - keys
    return frozenset(key.to_user_string() for key in keys | _upstream_of(binding.graph, frozenset(keys), left))


def _named(contract: DashboardContract) -> list[str]:
    required = [required.asset for required in contract.requires or ()]
    return [*required, *contract.freshness, *(asset for section in contract.sections for asset in section.assets)]
