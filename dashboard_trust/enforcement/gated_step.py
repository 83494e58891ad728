"""A guarded step around an existing one: the adapter to how Dagster runs an asset's op.

Rebuilding an `AssetsDefinition` around its own op is partly internal; ``tests/upstream/test_gated_step.py``
pins it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.decorators.op_decorator import DecoratedOpFunction
from dagster._core.execution.plan.compute_generator import create_op_compute_wrapper
from dagster._utils.warnings import disable_dagster_warnings
from dagster_shared.record import replace

from dashboard_trust.enforcement.gate import Gate
from dashboard_trust.errors import InvalidInputError
from dashboard_trust.evidence.names import GATE_CHECK

READY = "Everything this stands on is there, is built from the newest inputs, and passes."
Body = Callable[[Any, Mapping[str, Any]], Iterator[Any]]


def body_of(assets: dg.AssetsDefinition) -> Body:
    """Return what an asset's op computes, as a generator of events."""
    op = _op_of(assets)
    compute = create_op_compute_wrapper(op) if isinstance(op.compute_fn, DecoratedOpFunction) else op.compute_fn

    def body(context: Any, inputs: Mapping[str, Any]) -> Iterator[Any]:
        events = compute(context, inputs)
        return _wait_for_each(events) if inspect.isasyncgen(events) else events

    return body


def gate_of(assets: dg.AssetsDefinition) -> Gate | None:
    """Return the gate a definition was built with."""
    node = assets.node_def if assets.is_executable else None
    gate = getattr(getattr(node, "compute_fn", None), "gate", None)
    return gate if isinstance(gate, Gate) else None


def definitions_of(defs: dg.Definitions) -> list[Any]:
    """Return everything a project lists as assets: definitions, specs and external ones."""
    return list(defs.assets or [])


def replace_assets(defs: dg.Definitions, assets: Sequence[Any]) -> dg.Definitions:
    """Return the same project with other asset definitions."""
    return replace(defs, assets=list(assets))


def put_gate(assets: dg.AssetsDefinition, gate: Gate, compute: Body) -> dg.AssetsDefinition:
    """Return the same assets, computed by ``compute``, with a blocking `upstream_ready` check on each.

    Outputs become optional, since a held step yields none; ``compute`` answers for what is due.
    """
    outs = {name: out._replace(is_required=False) for name, out in _op_of(assets).outs.items()}
    guarded = _rebuild(assets, [check_spec(asset, GATE_CHECK, READY) for asset in assets.specs], compute, outs)
    guarded.node_def.compute_fn.gate = gate  # type: ignore[attr-defined]
    return guarded


def add_checks(assets: dg.AssetsDefinition, specs: Sequence[dg.AssetCheckSpec], compute: Body) -> dg.AssetsDefinition:
    """Return the same assets, computed by ``compute``, which also answers for these checks."""
    return _rebuild(assets, specs, compute, dict(_op_of(assets).outs))


def _rebuild(
    assets: dg.AssetsDefinition, specs: Sequence[dg.AssetCheckSpec], compute: Body, outs: Mapping[str, dg.Out]
) -> dg.AssetsDefinition:
    op = _op_of(assets)
    checks = {spec.get_python_identifier(): spec for spec in specs}
    with disable_dagster_warnings():  # dbt's assets hold metadata that Dagster itself passes on in silence
        rebuilt = dg.OpDefinition(
            compute_fn=_annotated_like(op, compute),
            name=op.name,
            ins=dict(op.ins),
            outs={**outs, **{name: dg.Out(dg.Nothing, is_required=False) for name in checks}},
            description=op.description,
            config_schema=op.config_schema,
            required_resource_keys=set(op.required_resource_keys),
            tags=op.tags,
            retry_policy=op.retry_policy,
            pool=op.pool,
        )
    attributes = assets.get_attributes_dict()
    attributes["node_def"] = rebuilt
    attributes["check_specs_by_output_name"] = {**attributes["check_specs_by_output_name"], **checks}
    attributes["selected_asset_check_keys"] = None
    return dg.AssetsDefinition.dagster_internal_init(**attributes)


def _wait_for_each(events: AsyncIterator[Any]) -> Iterator[Any]:
    end = object()

    async def following() -> Any:
        return await anext(events, end)

    with asyncio.Runner() as runner:
        while (event := runner.run(following())) is not end:
            yield event


def check_spec(
    asset: dg.AssetSpec,
    name: str,
    description: str,
    blocking: bool = True,
    metadata: Mapping[str, Any] | None = None,
) -> dg.AssetCheckSpec:
    """Return the spec of a check with its asset's partitions, which Dagster has in preview."""
    with disable_dagster_warnings():
        return dg.AssetCheckSpec(
            name,
            asset=asset.key,
            blocking=blocking,
            partitions_def=asset.partitions_def,
            description=description or None,
            metadata=metadata,
        )


def quiet_check_spec(spec: dg.AssetCheckSpec, partitions_def: dg.PartitionsDefinition | None) -> dg.AssetCheckSpec:
    """Return the same spec with these partitions, which Dagster has in preview."""
    with disable_dagster_warnings():
        return spec._replace(partitions_def=partitions_def)


def _op_of(assets: dg.AssetsDefinition) -> dg.OpDefinition:
    node = assets.node_def if assets.is_executable else None
    if not isinstance(node, dg.OpDefinition):
        names = ", ".join(key.to_user_string() for key in assets.keys)
        raise InvalidInputError(f"{names}: only an asset with a step of its own can be gated, not a graph or a source.")
    return node


def _annotated_like(op: dg.OpDefinition, compute: Body) -> Callable[..., Iterator[Any]]:
    """Give the wrapper the context annotation of the op, by which Dagster picks the context to pass."""

    def compute_with_gate(context, inputs):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        yield from compute(context, inputs)

    inner = op.compute_fn
    decorated = inner if isinstance(inner, DecoratedOpFunction) else DecoratedOpFunction(inner)
    if decorated.has_context_arg() and decorated.get_context_arg().annotation is not decorated.get_context_arg().empty:
        compute_with_gate.__annotations__["context"] = decorated.get_context_arg().annotation
    return compute_with_gate


def keys_of(context: dg.AssetExecutionContext, event: object) -> set[dg.AssetKey]:
    """Return the asset that an event of a step's body says was made, if it says so of one."""
    if isinstance(event, dg.MaterializeResult):
        return {event.asset_key or next(iter(context.assets_def.keys))}
    key = context.assets_def.keys_by_output_name.get(event.output_name) if isinstance(event, dg.Output) else None
    return {key} if key is not None else set()
