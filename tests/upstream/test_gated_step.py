"""What is assumed of rebuilding an asset around its own op, and why a gate is needed at all."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.definitions.decorators.op_decorator import DecoratedOpFunction
from dagster._core.execution.plan.compute_generator import create_op_compute_wrapper


def test_a_stock_blocking_check_lets_a_dashboard_launched_alone_through(instance, run):
    """The reason this package exists."""
    refreshed = []

    @dg.asset(check_specs=[dg.AssetCheckSpec("complete", asset="raw", blocking=True)])
    def raw():
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(passed=False)

    @dg.asset(deps=["raw"])
    def dashboard():
        refreshed.append(True)

    defs = dg.Definitions([raw, dashboard])

    assert not run(defs, "raw", "dashboard").success
    assert refreshed == []
    assert run(defs, "dashboard").success
    assert refreshed == [True]


def test_a_failed_blocking_check_of_its_own_fails_a_step_that_yields_no_output(instance, run):
    spec = dg.AssetCheckSpec("gate", asset="table", blocking=True)

    @dg.asset(check_specs=[spec], output_required=False)
    def table():
        yield dg.AssetCheckResult(passed=False)

    assert not run(dg.Definitions([table]), "table").success
    assert instance.get_latest_materialization_event(dg.AssetKey("table")) is None


def test_the_body_of_an_asset_can_be_called_as_a_generator_of_events(instance, run):
    inner, seen = dg.asset(name="inner")(lambda: 3), []

    @dg.asset
    def outer(context):
        seen.extend(event.value for event in create_op_compute_wrapper(inner.op)(context, {}))

    assert isinstance(inner.op.compute_fn, DecoratedOpFunction)
    assert run(dg.Definitions([outer]), "outer").success
    assert seen == [3]


def test_a_definition_can_be_rebuilt_from_its_attributes_with_another_op():
    asset = dg.asset(name="table", group_name="sales", owners=["team:x"], code_version="7")(lambda: 3)
    attributes = asset.get_attributes_dict()

    assert {"node_def", "check_specs_by_output_name", "selected_asset_check_keys"} <= set(attributes)
    again = dg.AssetsDefinition.dagster_internal_init(**attributes)
    assert next(iter(again.specs)) == next(iter(asset.specs))


@pytest.mark.parametrize("annotation", [dg.AssetExecutionContext, dg.OpExecutionContext])
def test_the_context_is_picked_by_the_annotation(annotation, instance, run):
    seen = []

    def table(context):
        seen.append(type(context))

    table.__annotations__["context"] = annotation
    run(dg.Definitions([dg.asset(table)]), "table")

    assert seen == [annotation]
