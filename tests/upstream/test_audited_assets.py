"""What is assumed of a check result that is logged from within an IO manager, of a step that then fails."""

from __future__ import annotations

import dagster as dg
from dagster._core.events import DagsterEvent


def test_it_is_stored_with_the_run_though_the_step_fails(instance, run):
    class Refusing(dg.IOManager):
        def handle_output(self, context, obj):
            evaluation = dg.AssetCheckEvaluation(
                asset_key=context.asset_key, check_name="unique", passed=False, description="doubled", metadata={}
            )
            DagsterEvent.asset_check_evaluation(context.step_context, evaluation)
            raise ValueError("refused")

        def load_input(self, context): ...

    @dg.asset(check_specs=[dg.AssetCheckSpec("unique", asset="raw")], io_manager_key="io")
    def raw():
        yield dg.Output(1)
        yield dg.AssetCheckResult(passed=True, check_name="unique")

    result = run(dg.Definitions([raw], resources={"io": Refusing()}), "raw")
    key = dg.AssetCheckKey(dg.AssetKey("raw"), "unique")
    (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)

    assert not result.success
    assert record.status.value == "FAILED"
    assert record.run_id == result.run_id
    assert record.event.dagster_event.asset_check_evaluation_data.description == "doubled"
    assert instance.get_latest_materialization_event(dg.AssetKey("raw")) is None


def test_what_a_body_yields_after_an_output_comes_after_its_materialization(instance, run):
    @dg.asset(check_specs=[dg.AssetCheckSpec("unique", asset="raw")])
    def raw():
        yield dg.Output(1)
        event = instance.get_latest_materialization_event(dg.AssetKey("raw"))
        yield dg.AssetCheckResult(passed=event is not None, check_name="unique")

    assert run(dg.Definitions([raw]), "raw").success
