"""Assets whose steps call a source: each step is put inside a call of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from dashboard_trust.contracts.sources import Source, collect_sources
from dashboard_trust.enforcement.calls import calling
from dashboard_trust.enforcement.gated_step import add_checks, body_of, definitions_of, gate_of, replace_assets
from dashboard_trust.errors import ContractError, nearest


def with_sources(defs: dg.Definitions, sources: Sequence[Source]) -> dg.Definitions:
    """Return the same project, in which the steps that make a source's assets call it within its budget.

    Raises:
        ContractError: A source names an asset that is not there, or a step makes assets of two.
    """
    by_asset = collect_sources(sources)
    if not by_asset:
        return defs
    missing = dict(by_asset)
    assets = [_call_source(one, by_asset, missing) for one in definitions_of(defs)]
    if missing:
        name, source = min(missing.items())
        known = [key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()]
        raise ContractError(f"Source {source.key!r} names asset {name!r}, which no step makes: {nearest(name, known)}")
    return replace_assets(defs, assets)


def _call_source(one: Any, by_asset: Mapping[str, Source], missing: dict[str, Source]) -> Any:
    names = sorted(key.to_user_string() for key in one.keys) if isinstance(one, dg.AssetsDefinition) else []
    found = {name: by_asset[name] for name in names if name in by_asset}
    if not found or not one.is_executable:
        return one
    for name in found:
        missing.pop(name)
    source, *others = {source.key: source for source in found.values()}.values()
    if others:
        raise ContractError(f"{', '.join(found)} are made by one step, but of the sources {source.key!r} and others.")
    gate = gate_of(one)
    if gate is not None:
        gate.source = source  # within the gate: what is held calls nothing
        return one
    return _within_calls(one, source)


def _within_calls(assets: dg.AssetsDefinition, source: Source) -> dg.AssetsDefinition:
    body = body_of(assets)

    def compute(own_context: Any, inputs: Mapping[str, Any]) -> Iterator[Any]:
        with calling(source):
            yield from body(own_context, inputs)

    return add_checks(assets, (), compute)
