# No `from __future__ import annotations`: Dagster reads the annotations of checks, and as strings refuses them.
import dagster as dg
import pytest

from dashboard_trust.enforcement.evaluations import PartitionResult, evaluate_unmoved
from dashboard_trust.readers.event_log import read_newest

SPEC = dg.AssetCheckSpec("complete", asset="table")


@dg.asset
def table():
    pass


@pytest.mark.parametrize("replaced", [False, True])
def test_what_was_replaced_while_it_was_looked_at_gets_no_result(replaced, run, instance):
    @dg.multi_asset_check(specs=[SPEC], can_subset=True)
    def look(context: dg.AssetCheckExecutionContext):
        before = read_newest(context.instance, {("table", None)})
        if replaced:
            run(dg.Definitions([table]), "table")
        results = {SPEC.key: {None: PartitionResult(True, metadata={"status": "pass"})}}
        yield from evaluate_unmoved(context.op_execution_context, results, before)

    run(dg.Definitions([table]), "table")
    newest = read_newest(instance, {("table", None)})["table", None]
    job = dg.define_asset_job("look", dg.AssetSelection.checks(SPEC.key))
    defs = dg.Definitions([table], asset_checks=[look], jobs=[job])

    result = defs.resolve_job_def("look").execute_in_process(instance=instance)

    found = [e.target_materialization_data.storage_id for e in result.get_asset_check_evaluations()]
    assert found == ([] if replaced else [newest.storage_id])
