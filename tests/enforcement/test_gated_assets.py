# No `from __future__ import annotations`: Dagster reads the annotations of assets, and as strings refuses them.
import asyncio
from typing import Any

import dagster as dg
import pytest

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.gated_assets import trust, trusted, trusted_dashboard
from dashboard_trust.errors import InvalidInputError

CALLS: list[Any] = []


@pytest.fixture(autouse=True)
def _no_calls_yet():
    CALLS.clear()
    BAD.clear()


class Limit(dg.Config):
    amount: int = 3


class Source(dg.ConfigurableResource):
    rows: int


BAD: set[str] = set()


@dg.asset(check_specs=[dg.AssetCheckSpec("complete", asset="raw")])
def raw():
    yield dg.Output(1)
    yield dg.AssetCheckResult(check_name="complete", passed="raw" not in BAD)


@dg.asset(deps=["raw"])
def without_context():
    CALLS.append("body")


@dg.asset(deps=["raw"])
def with_asset_context(context: dg.AssetExecutionContext):
    CALLS.append(context.asset_key.to_user_string())
    return dg.MaterializeResult(metadata={"rows": 3}, data_version=dg.DataVersion("v7"))


@dg.asset(deps=["raw"])
def with_op_context(context: dg.OpExecutionContext):
    CALLS.append(type(context).__name__)
    return dg.Output(4, metadata={"rows": 4})


@dg.asset
def with_loaded_input(raw: int) -> int:
    CALLS.append(raw)
    return raw + 1


@dg.asset(deps=["raw"])
def with_config_and_resource(config: Limit, source: Source) -> int:
    CALLS.append((config.amount, source.rows))
    return config.amount


@dg.asset(deps=["raw"])
def as_generator():
    CALLS.append("body")
    yield dg.MaterializeResult(metadata={"rows": 5})


@dg.asset(deps=["raw"], check_specs=[dg.AssetCheckSpec("own", asset="with_own_check")])
def with_own_check():
    CALLS.append("body")
    yield dg.MaterializeResult()
    yield dg.AssetCheckResult(check_name="own", passed=True)


@dg.asset(deps=["raw"])
async def as_coroutine():
    await asyncio.sleep(0)
    CALLS.append("body")
    return 5


@dg.multi_asset(specs=[dg.AssetSpec("one", deps=["raw"]), dg.AssetSpec("two", deps=["raw"])])
def of_several():
    CALLS.append("body")
    yield dg.MaterializeResult(asset_key="one")
    yield dg.MaterializeResult(asset_key="two")


@dg.multi_asset(specs=[dg.AssetSpec(name, deps=["raw"], skippable=True) for name in ("left", "right")], can_subset=True)
def of_some(context: dg.AssetExecutionContext):
    for key in sorted(context.selected_asset_keys):
        CALLS.append(key.to_user_string())
        yield dg.MaterializeResult(asset_key=key)


SUBJECTS = [
    without_context,
    with_asset_context,
    with_op_context,
    with_loaded_input,
    with_config_and_resource,
    as_generator,
    with_own_check,
    as_coroutine,
    of_several,
    of_some,
]


def defs_of(*assets):
    return trust(dg.Definitions([raw, *assets], resources={"source": Source(rows=7)}))


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.node_def.name)
def test_any_asset_is_held_without_its_body_and_let_through_with_it(subject, run, instance, is_held):
    defs = defs_of(trusted(subject))
    keys = sorted(key.to_user_string() for key in subject.keys)

    BAD.add("raw")
    run(defs, "raw")

    assert is_held(run(defs, *keys))
    assert CALLS == []
    assert not any(instance.get_latest_materialization_event(key) for key in subject.keys)

    BAD.clear()
    run(defs, "raw")

    assert run(defs, *keys).success
    assert len(CALLS) >= 1
    assert all(instance.get_latest_materialization_event(key) for key in subject.keys)


def test_what_the_asset_says_and_stores_is_kept(run, instance):
    defs = defs_of(trusted(with_asset_context), trusted(with_loaded_input), trusted(with_config_and_resource))
    names = ["raw", "with_asset_context", "with_loaded_input", "with_config_and_resource"]

    config = {"ops": {"with_config_and_resource": {"config": {"amount": 9}}}}
    assert run(defs, *names, run_config=config).success

    event = instance.get_latest_materialization_event(dg.AssetKey("with_asset_context"))
    assert event.asset_materialization.metadata["rows"].value == 3
    assert event.asset_materialization.tags["dagster/data_version"] == "v7"
    assert defs.load_asset_value("with_loaded_input", instance=instance) == 2
    assert (9, 7) in CALLS


def test_a_subset_of_a_step_is_guarded_too(run, instance, is_held):
    defs = defs_of(trusted(of_some))

    assert is_held(run(defs, "left"))
    run(defs, "raw")
    assert run(defs, "left").success

    assert CALLS == ["left"]
    assert instance.get_latest_materialization_event(dg.AssetKey("right")) is None


def test_a_body_that_delivers_nothing_is_not_a_success(run):
    @dg.asset(deps=["raw"])
    def subject():
        yield from ()

    defs = defs_of(trusted(subject))
    run(defs, "raw")
    result = run(defs, "subject")

    assert not result.success
    errors = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    assert "without delivering subject" in str(errors)


def test_a_body_that_delivers_one_of_two_is_not_a_success(run):
    @dg.multi_asset(specs=[dg.AssetSpec("one", deps=["raw"]), dg.AssetSpec("two", deps=["raw"])])
    def subject():
        yield dg.MaterializeResult(asset_key="one")

    defs = defs_of(trusted(subject))
    run(defs, "raw")

    assert not run(defs, "one", "two").success


def test_an_output_that_was_optional_may_still_stay_out(run):
    @dg.asset(deps=["raw"], output_required=False)
    def subject():
        CALLS.append("body")
        yield from ()

    defs = defs_of(trusted(subject))
    run(defs, "raw")

    assert run(defs, "subject").success
    assert CALLS == ["body"]


def test_a_retry_policy_retries_a_broken_body_and_never_a_hold(run, is_held):
    @dg.asset(deps=["raw"], retry_policy=dg.RetryPolicy(max_retries=2))
    def subject():
        CALLS.append("body")
        raise ValueError("broken")

    defs = defs_of(trusted(subject))
    held = run(defs, "subject")

    assert is_held(held)
    assert len([e for e in held.all_events if e.event_type_value == "STEP_START"]) == 1
    assert not [e for e in held.all_events if e.event_type_value.startswith("STEP_RESTARTED")]

    run(defs, "raw")
    run(defs, "subject")

    assert CALLS == ["body"] * 3


def test_a_gate_that_was_never_bound_holds_as_unknown(run, is_held):
    defs = dg.Definitions([raw, trusted(without_context)])
    run(defs, "raw")
    result = run(defs, "without_context")

    assert is_held(result)
    assert CALLS == []
    words = [word.metadata["readiness"].value for word in result.get_asset_check_evaluations()]
    assert words == ["UNKNOWN"]


def test_launched_through_a_job_it_is_held_all_the_same(instance, is_held):
    job = dg.define_asset_job("refresh", selection=["without_context"])
    defs = trust(dg.Definitions([raw, trusted(without_context)], jobs=[job]))

    result = defs.resolve_job_def("refresh").execute_in_process(instance=instance, raise_on_error=False)

    assert is_held(result)
    assert CALLS == []


def test_leaving_the_check_out_is_refused():
    selection = dg.AssetSelection.assets("without_context").without_checks()
    defs = trust(dg.Definitions([raw, trusted(without_context)], jobs=[dg.define_asset_job("refresh", selection)]))

    with pytest.raises(dg.DagsterInvalidDefinitionError) as error:
        defs.resolve_job_def("refresh")
    assert isinstance(error.value.__cause__, dg.DagsterInvalidSubsetError)


def test_leaving_the_check_of_a_step_with_subsets_out_lets_nothing_through_and_is_no_success(instance):
    selection = dg.AssetSelection.assets("left").without_checks()
    defs = trust(dg.Definitions([raw, trusted(of_some)], jobs=[dg.define_asset_job("refresh", selection)]))

    result = defs.resolve_job_def("refresh").execute_in_process(instance=instance, raise_on_error=False)

    assert CALLS == []
    assert instance.get_latest_materialization_event(dg.AssetKey("left")) is None
    assert not result.success


def test_only_what_the_caller_requires_is_required(run, is_held):
    @dg.asset
    def other():
        return 1

    @dg.asset(deps=["raw", "other"])
    def subject():
        CALLS.append("body")

    defs = trust(dg.Definitions([raw, other, trusted(subject, requires=["raw"])]))

    assert is_held(run(defs, "subject"))
    run(defs, "raw")
    assert run(defs, "subject").success


def test_two_inputs_of_one_step_may_be_read_in_different_ways(run):
    """One asset of the step reads only its day of raw, the other the whole: both are current after a build."""
    days = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-03")
    sliced = {"dashboard_trust/slices": {"events": "at"}}

    @dg.asset
    def events():
        metadata = {"dashboard_trust/days": dg.MetadataValue.json({"2024-03-01": "a", "2024-03-02": "b"})}
        return dg.MaterializeResult(metadata=metadata)

    @dg.multi_asset(
        specs=[
            dg.AssetSpec("by_day", deps=["events"], partitions_def=days, metadata=sliced),
            dg.AssetSpec("to_date", deps=["events"], partitions_def=days),
        ]
    )
    def models():
        yield dg.MaterializeResult(asset_key="by_day")
        yield dg.MaterializeResult(asset_key="to_date")

    contract = DashboardContract("dash", "team:dash")
    dash = trusted_dashboard(
        contract, lambda *_: CALLS.append("refresh"), deps=["by_day", "to_date"], partitions_def=days
    )
    defs = trust(dg.Definitions([events, trusted(models), dash]))
    run(defs, "events")
    run(defs, "by_day", "to_date", day="2024-03-01")

    assert run(defs, "dash", day="2024-03-01").success
    assert CALLS == ["refresh"]


def test_a_graph_and_a_source_are_refused():
    @dg.op
    def step():
        return 1

    @dg.graph_asset
    def graph():
        return step()

    with pytest.raises(InvalidInputError, match="graph: only an asset with a step of its own"):
        trusted(graph)
    with pytest.raises(InvalidInputError, match="external"):
        trusted(dg.AssetsDefinition(specs=[dg.AssetSpec("external")]))


def test_a_dashboard_outside_a_run_is_not_refreshed():
    dash = trusted_dashboard(DashboardContract("dash", "team:dash"), lambda *_: CALLS.append("refresh"), deps=["raw"])

    with pytest.raises(Exception, match="directly invoke"):
        list(dash())
    assert CALLS == []


def test_a_dashboard_tells_what_its_refresh_told(run, instance):
    def refresh(context, verdicts):
        return {verdict.partition: {"rows": 12} for verdict in verdicts}

    dash = trusted_dashboard(DashboardContract("dash", "team:dash"), refresh, deps=["raw"])
    defs = trust(dg.Definitions([raw, dash]))

    assert run(defs, "raw", "dash").success
    event = instance.get_latest_materialization_event(dg.AssetKey("dash"))
    assert event.asset_materialization.metadata["rows"].value == 12
    assert set(event.asset_materialization.metadata["dashboard_trust/consumed"].value) == {"raw"}


def test_a_refresh_that_breaks_fails_the_run_and_materializes_nothing(run, instance):
    def refresh(context, verdicts):
        raise ValueError("the BI tool said no")

    dash = trusted_dashboard(DashboardContract("dash", "team:dash"), refresh, deps=["raw"])
    defs = trust(dg.Definitions([raw, dash]))

    assert not run(defs, "raw", "dash").success
    assert instance.get_latest_materialization_event(dg.AssetKey("dash")) is None


@pytest.mark.parametrize("passed", [True, False])
def test_another_check_that_runs_beside_the_dashboard_is_waited_for(passed, run, is_held):
    """Dagster orders a check that does not block against nothing; unseen, it must not be passed over."""

    @dg.asset_check(asset="raw")
    def slow():
        CALLS.append("check")
        return dg.AssetCheckResult(passed=passed)

    dash = trusted_dashboard(DashboardContract("dash", "team:dash"), lambda *_: CALLS.append("refresh"), deps=["raw"])
    defs = trust(dg.Definitions([raw, dash], asset_checks=[slow]))
    result = run(defs, "raw", "dash")

    assert (result.success, is_held(result)) == (passed, not passed)
    assert (["check", "refresh"] if passed else ["check"]) == CALLS


def test_a_check_on_an_input_that_the_step_itself_makes_is_no_reason_to_wait(run, verdict_of):
    look = dg.AssetCheckSpec("looked_at_by_its_reader", asset="table")

    @dg.asset
    def table():
        pass

    # As @dbt_assets does with tests of sources.
    @dg.multi_asset(
        specs=[dg.AssetSpec("report", deps=["table"])], check_specs=[look], allow_arbitrary_check_specs=True
    )
    def reader():
        yield dg.AssetCheckResult(asset_key="table", check_name=look.name, passed="table" not in BAD)
        yield dg.MaterializeResult(asset_key="report")

    dash = trusted_dashboard(DashboardContract("dash", "team:dash"), lambda *_: None, deps=["report"])
    defs = trust(dg.Definitions([table, trusted(reader), dash]))
    assert run(defs, "table", "report").success
    assert not verdict_of(defs, "dash").holds

    BAD.add("table")
    run(defs, "table", "report")
    assert [(f.asset, f.check) for f in verdict_of(defs, "dash").findings] == [("table", look.name)]


def test_what_is_found_of_a_guarded_asset_is_for_whoever_guards_it_unless_it_names_its_own_owner(verdict_of):
    @dg.asset(deps=["raw"], owners=["team:own"])
    def owned():
        pass

    guarded = [trusted(one, owner="team:marts") for one in (without_context, owned)]
    contract = DashboardContract("dash", "team:dash")
    dash = trusted_dashboard(contract, lambda *_: None, deps=["without_context", "owned"])
    defs = trust(dg.Definitions([raw, *guarded, dash]))

    owners = {finding.asset: finding.owner for finding in verdict_of(defs, "dash").findings}
    owners |= {finding.asset: finding.owner for finding in verdict_of(defs, "dash").consequences}
    assert owners["without_context"] == "team:marts"
    assert owners["owned"] == "team:own"
    assert owners["raw"] == "team:dash"
