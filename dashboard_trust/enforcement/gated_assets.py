"""Assets behind a gate: a dashboard of one's own, or any asset there is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from dashboard_trust.contracts.model import DashboardContract, PartitionSchedule, RequiredAsset
from dashboard_trust.contracts.sources import Source
from dashboard_trust.enforcement.binding import bind
from dashboard_trust.enforcement.called_assets import with_sources
from dashboard_trust.enforcement.calls import calling
from dashboard_trust.enforcement.freshness import with_freshness_policies
from dashboard_trust.enforcement.gate import Gate, consumed_metadata, record_consumed
from dashboard_trust.enforcement.gated_step import body_of, definitions_of, gate_of, put_gate, replace_assets
from dashboard_trust.enforcement.receipts import begin, find_sent, left_out_of, passed
from dashboard_trust.enforcement.table_checks import with_table_checks
from dashboard_trust.errors import ContractError, DashboardTrustError, InvalidInputError, nearest
from dashboard_trust.evidence.names import CORRECTED
from dashboard_trust.verdicts.verdict import Verdict
from dashboard_trust.warehouses.session import Warehouse

SENT_BEFORE: Mapping[str, Any] = {"sent": "before, from these very versions; not again"}
Refresh = Callable[[dg.AssetExecutionContext, Sequence[Verdict]], Mapping[str | None, Mapping[str, Any]] | None]
"""Refresh what is shown for the partitions of these verdicts; return metadata by partition, if any."""


def trusted_dashboard(
    contract: DashboardContract,
    refresh: Refresh,
    *,
    deps: Iterable[dg.CoercibleToAssetDep] = (),
    partitions_def: dg.PartitionsDefinition | None = None,
    **asset_options: Any,
) -> dg.AssetsDefinition:
    """Build a dashboard asset whose own step refuses to refresh while its verdict holds.

    Of a range of partitions the good ones are refreshed and the held ones are not; the step then
    ends failed. It must be bound: pass the `Definitions` through `trust`.

    Args:
        contract: What the dashboard is promised; its ``requires`` are added to ``deps``.
        refresh: Called with one verdict per partition that may be refreshed, only if there is one. A `Publisher`
            publishes tables, and has a ``destination`` for ``rollback`` to find.
        deps: As in ``dg.asset``; a string is a key written with slashes.
        partitions_def: Partitions; by default those of the contract.
        asset_options: Anything else ``dg.asset`` takes (``group_name``, ``kinds``, ``resource_defs``).
    """
    key = dg.AssetKey.from_user_string(contract.key)
    partitions = partitions_def or _partitions(contract.partitions)
    required = [dg.AssetKey.from_user_string(required.asset) for required in contract.requires or ()]
    asset_options.setdefault("owners", [contract.owner])
    if partitions is not None:
        asset_options.setdefault("backfill_policy", dg.BackfillPolicy.single_run())

    def ungated(context):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        raise DashboardTrustError(f"{contract.key} was invoked without its gate; materialize it in a run.")

    gate = Gate(contract, is_dashboard=True)
    gate.destination = getattr(refresh, "destination", None)
    dashboard = dg.asset(
        key=key,
        deps=_without_doubles(deps, required),
        partitions_def=partitions,
        output_required=False,
        **asset_options,
    )(ungated)

    def compute(context: dg.AssetExecutionContext, inputs: Mapping[str, Any]) -> Iterator[Any]:
        verdicts = gate.judge(context.instance, _partitions_of(context), dt.datetime.now(dt.UTC))
        gate.wait(context, verdicts.values(), together=False)
        yield from gate.evaluate(context, verdicts, together=False)
        good = [verdict for verdict in verdicts.values() if not gate.stops(verdict)]
        if not good:
            return  # the failed check fails the step; nothing is materialized
        sent = find_sent(context, contract, good)
        before = {verdict.partition: verdict for verdict in sent}
        due = [verdict for verdict in good if verdict.partition not in before]
        good = [before.get(verdict.partition, verdict) for verdict in good]
        begin(context, contract, due)
        corrected = gate.correct(context.instance, due, dt.datetime.now(dt.UTC))
        with passed(due), calling(gate.source):
            metadata = (refresh(context, due) if due else None) or {}
        metadata = {**metadata, **{p: {**metadata.get(p, {}), CORRECTED: word} for p, word in corrected.items()}}
        metadata = {**metadata, **{v.partition: {**metadata.get(v.partition, {}), **left_out_of(v)} for v in due}}
        metadata = {**metadata, **{verdict.partition: SENT_BEFORE for verdict in sent}}
        if len(good) == len(verdicts):
            record_consumed(context, {verdict.partition: verdict for verdict in good})
            for verdict in good:
                context.add_asset_metadata(metadata.get(verdict.partition, {}), key, verdict.partition)
            yield dg.MaterializeResult(asset_key=key)
            return
        for verdict in good:
            described = {**metadata.get(verdict.partition, {}), **consumed_metadata(verdict)}
            yield dg.AssetMaterialization(key, partition=verdict.partition, metadata=described)

    return put_gate(dashboard, gate, compute)


def trusted(
    assets: dg.AssetsDefinition, requires: Sequence[str] | None = None, *, owner: str = "", **promises: Any
) -> dg.AssetsDefinition:
    """Put a gate in front of any asset or multi-asset: it is not rebuilt from inputs that are not ready.

    It must be bound: pass the `Definitions` through `trust`.

    Args:
        assets: One with a step of its own (``@asset``, ``@multi_asset``, ``@dbt_assets``).
        requires: Keys of the upstream assets to require; by default everything upstream, transitively.
        owner: Who acts while it is held, and on what is found of an asset that names no owner; by default the first
            owner of the assets.
        promises: Any other field of `DashboardContract`.
    """
    owners = [name for spec in assets.specs for name in spec.owners]
    keys = sorted(assets.keys)
    contract = DashboardContract(
        key=keys[0].to_user_string() if len(keys) == 1 else assets.op.name,
        owner=owner or next(iter(owners), "nobody named"),
        requires=None if requires is None else tuple(RequiredAsset(name) for name in requires),
        **promises,
    )
    guarded = _guard(assets, Gate(contract, is_dashboard=False))
    if not owner:
        return guarded
    return guarded.map_asset_specs(lambda spec: spec if spec.owners else spec.replace_attributes(owners=[owner]))


def _guard(assets: dg.AssetsDefinition, gate: Gate) -> dg.AssetsDefinition:
    contract, body = gate.contract, body_of(assets)
    if contract.at_most_once and len(list(assets.keys)) > 1:
        raise ContractError(
            f"{contract.key!r} is made by a step that makes other assets too, so it cannot be at_most_once."
        )
    due = {name for name in assets.keys_by_output_name if assets.op.outs[name].is_required}

    def compute(own_context: Any, inputs: Mapping[str, Any]) -> Iterator[Any]:
        context = dg.AssetExecutionContext.get()  # the body may have asked for an OpExecutionContext
        verdicts = gate.judge(context.instance, _partitions_of(context), dt.datetime.now(dt.UTC))
        gate.wait(context, verdicts.values(), together=True)
        yield from gate.evaluate(context, verdicts, together=True)
        if any(gate.stops(verdict) for verdict in verdicts.values()):
            return
        judged = list(verdicts.values())
        sent = find_sent(context, contract, judged)
        if sent:
            yield from _repeat(context, judged, sent)
            return
        record_consumed(context, verdicts)
        if gate.is_dashboard:
            for partition, word in gate.correct(context.instance, judged, dt.datetime.now(dt.UTC)).items():
                context.add_asset_metadata({CORRECTED: word}, dg.AssetKey.from_user_string(contract.key), partition)
        begin(context, contract, judged)
        with passed(judged), calling(gate.source):
            yield from _complete(context, body(own_context, inputs), due)

    return put_gate(assets, gate, compute)


def trust(
    defs: dg.Definitions,
    contracts: Sequence[DashboardContract] = (),
    *,
    warehouse: Callable[[], Warehouse] | None = None,
    elsewhere: Mapping[str, Callable[[], Warehouse]] | None = None,
    sources: Sequence[Source] = (),
) -> dg.Definitions:
    """Bind every gate in these definitions to their asset graph, and return them.

    Args:
        defs: A project's whole definitions: what is merged in later is not seen by the gates.
        contracts: Of dashboards that are assets already (a dbt model, an export, a BI refresh): each
            gets a gate in front. Where one step makes several assets, all of them are guarded by it.
            The windows of every contract become Dagster's freshness policies, where there is none, and the
            rules of its tables asset checks.
        warehouse: Returns where these tables are.
        elsewhere: Returns the warehouses, by name, that their reconciliations name.
        sources: What assets come from, besides those that contracts name: their steps are tried again where that
            may help, within the source's budget, and say of which class their failure is.

    Raises:
        ContractError: A contract names an asset that is not upstream of it, requires nothing, has rules of
            tables and no warehouse, or is of an asset that is not there, has no step of its own, or has a gate
            already.
    """
    if not isinstance(defs, dg.Definitions):
        raise InvalidInputError(
            f"trust was given {type(defs).__name__}, not yet loaded: call it inside the @dg.definitions function."
        )
    guarded = _guard_existing(defs, contracts)
    every = [gate.contract for gate in gates(guarded).values()]
    declared = [*sources, *(source for contract in every for source in contract.sources)]
    guarded = with_sources(guarded, declared)
    shown = with_table_checks(with_freshness_policies(guarded, every), every, warehouse, elsewhere)
    graph = shown.resolve_asset_graph()
    for assets in graph.assets_defs:
        gate = gate_of(assets)
        if gate is not None:
            own_checks = frozenset(spec.key for spec in assets.check_specs)
            gate.binding = bind(gate.contract, graph, frozenset(assets.keys), own_checks)
    return shown


def _guard_existing(defs: dg.Definitions, contracts: Sequence[DashboardContract]) -> dg.Definitions:
    by_key = {dg.AssetKey.from_user_string(contract.key): contract for contract in contracts}
    if not by_key:
        return defs
    if len(by_key) < len(contracts):
        keys = [contract.key for contract in contracts]
        double = next(key for key in keys if keys.count(key) > 1)
        raise ContractError(f"There are two contracts for {double!r}; keep one.")
    assets = []
    for one in definitions_of(defs):
        own = sorted(one.keys & by_key.keys()) if isinstance(one, dg.AssetsDefinition) else []
        contract = by_key.pop(own[0]) if own else None
        if contract is None or not isinstance(one, dg.AssetsDefinition):
            assets.append(one)
            continue
        if len(own) > 1:
            others = ", ".join(key.to_user_string() for key in own[1:])
            raise ContractError(
                f"{contract.key!r} and {others} are made by one step, which has one gate; keep one contract."
            )
        if gate_of(one) is not None:
            raise ContractError(f"{contract.key!r} has a gate already; leave its contract out of trust(...).")
        assets.append(_guard(one, Gate(contract, is_dashboard=True)))
    if by_key:
        known = [key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()]
        missing = min(by_key).to_user_string()
        raise ContractError(f"There is no asset {missing!r} to guard with its contract: {nearest(missing, known)}")
    return replace_assets(defs, assets)


def confirm(context: dg.AssetExecutionContext, verdicts: Sequence[Verdict]) -> None:
    """Look at the evidence once more, inside a refresh, just before it commits.

    Raises:
        EvidenceMovedError: It changed since the gate judged; commit nothing.
    """
    gate = gate_of(context.assets_def)
    if gate is None:
        raise DashboardTrustError(f"{context.assets_def.node_def.name} has no gate to confirm with.")
    gate.confirm(context.instance, verdicts)


def gates(defs: dg.Definitions) -> dict[dg.AssetKey, Gate]:
    """Return the gate of each guarded asset."""
    found = ((assets, gate_of(assets)) for assets in defs.resolve_asset_graph().assets_defs)
    return {key: gate for assets, gate in found if gate is not None for key in assets.keys}


def _complete(context: dg.AssetExecutionContext, events: Iterator[Any], due: set[str]) -> Iterator[Any]:
    """Pass a body's events on; raise where an output it owes did not come.

    The gate made every output optional, and a body that yields nothing must not look like success.
    """
    by_key = {key: name for name, key in context.assets_def.keys_by_output_name.items()}
    seen: set[str] = set()
    for event in events:
        if isinstance(event, dg.Output):
            seen.add(event.output_name)
        elif isinstance(event, dg.MaterializeResult):
            seen.add(by_key[event.asset_key] if event.asset_key else next(iter(by_key.values())))
        yield event
    absent = (due & context.op_execution_context.selected_output_names) - seen
    if absent:
        names = ", ".join(key.to_user_string() for key, name in by_key.items() if name in absent)
        raise DashboardTrustError(f"The step ended without delivering {names}.")


def _repeat(
    context: dg.AssetExecutionContext, verdicts: Sequence[Verdict], sent: Sequence[Verdict]
) -> Iterator[dg.AssetMaterialization]:
    """Materialize again what was sent before, without sending it; a step cannot send only the rest."""
    if len(sent) < len(verdicts):
        names = ", ".join(str(verdict.partition) for verdict in sent)
        raise dg.Failure(
            f"{context.asset_key.to_user_string()}: {names} was sent already; run the others without it.",
            allow_retries=False,
        )
    for verdict in sent:
        metadata = {**SENT_BEFORE, **consumed_metadata(verdict)}
        yield dg.AssetMaterialization(context.asset_key, partition=verdict.partition, metadata=metadata)


def _partitions_of(context: dg.AssetExecutionContext) -> Sequence[str | None]:
    return context.partition_keys if context.has_partition_key_range or context.has_partition_key else [None]


def _partitions(declared: PartitionSchedule | None) -> dg.PartitionsDefinition | None:
    if declared is None:
        return None
    kinds: dict[str, type[dg.TimeWindowPartitionsDefinition]] = {
        "hourly": dg.HourlyPartitionsDefinition,
        "daily": dg.DailyPartitionsDefinition,
        "weekly": dg.WeeklyPartitionsDefinition,
        "monthly": dg.MonthlyPartitionsDefinition,
    }
    start = dt.datetime.combine(declared.start, dt.time())
    return kinds[declared.schedule](start_date=start, timezone=declared.timezone)  # type: ignore[call-arg]


def _without_doubles(
    deps: Iterable[dg.CoercibleToAssetDep], required: Sequence[dg.AssetKey]
) -> list[dg.CoercibleToAssetDep]:
    # A key is written with slashes here, as everywhere in a contract.
    keyed = (dg.AssetKey.from_user_string(dep) if isinstance(dep, str) else dep for dep in deps)
    given = [dg.AssetDep.from_coercible(dep) for dep in keyed]
    keys = {dep.asset_key for dep in given}
    return [*given, *(key for key in required if key not in keys)]
