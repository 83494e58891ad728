from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest
import time_machine

from dashboard_trust.contracts.model import DashboardContract, Input, ReadyBy, RequiredAsset, Section
from dashboard_trust.enforcement.gated_assets import gates, trust, trusted_dashboard
from dashboard_trust.errors import ContractError, InvalidInputError
from dashboard_trust.verdicts.verdict import Readiness

DAYS = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-08")


@dg.asset(check_specs=[dg.AssetCheckSpec("complete", asset="raw"), dg.AssetCheckSpec("fresh", asset="raw")])
def raw():
    yield dg.MaterializeResult()


@dg.asset(deps=["raw"], partitions_def=DAYS, owners=["team:mart"])
def mart():
    return None


@dg.asset(partitions_def=DAYS)
def deals():
    return None


def bind(deps=("mart", "deals"), assets=(raw, mart, deals), partitions_def=DAYS, **promises):
    contract = DashboardContract("dash", "team:dash", **promises)
    dash = trusted_dashboard(contract, lambda *_: None, deps=deps, partitions_def=partitions_def)
    return gates(trust(dg.Definitions([*assets, dash])))[dg.AssetKey("dash")].binding


def requirements(binding, instance, day="2024-03-03"):
    return {one.asset: one for one in binding.promise(day, instance).requirements}


def test_a_dashboard_with_nothing_upstream_is_refused():
    with pytest.raises(ContractError, match="nothing is upstream of it"):
        bind(deps=())


@pytest.mark.parametrize(
    "promises",
    [
        {"sections": (Section("s", "S", ("marts",)),)},
        {"freshness": {"marts": dt.timedelta(hours=1)}},
    ],
)
def test_an_asset_that_is_not_upstream_is_named_with_the_nearest(promises):
    with pytest.raises(ContractError, match=r"'marts'.*did you mean 'mart'"):
        bind(**promises)


def test_a_required_asset_that_no_definition_knows_is_named():
    """`requires` becomes a dep, and a dep nobody defines is made up by Dagster; it must not pass for known."""
    with pytest.raises(ContractError, match=r"'marts'.*did you mean 'mart'"):
        bind(requires=(RequiredAsset("mart"), RequiredAsset("marts")))


def test_a_check_that_does_not_exist_is_named_with_the_nearest():
    with pytest.raises(ContractError, match=r"no check 'complet'.*did you mean 'complete'"):
        bind(requires=(RequiredAsset("raw", ("complet",)),))


def test_a_cycle_is_refused_with_the_assets_on_it():
    @dg.asset(deps=["second"])
    def first():
        return None

    @dg.asset(deps=["first"])
    def second():
        return None

    dash = trusted_dashboard(DashboardContract("dash", "team:dash"), lambda *_: None, deps=["first"])

    with pytest.raises(Exception, match=r"(?s)Circular dependencies.*first.*second"):
        dg.Definitions.validate_loadable(trust(dg.Definitions([first, second, dash])))


def test_by_default_everything_upstream_is_required_with_every_check(instance):
    found = requirements(bind(), instance)

    assert set(found) == {"raw", "mart", "deals"}
    assert found["raw"].checks == ("complete", "fresh")
    assert (found["mart"].partition, found["mart"].owner, found["raw"].owner) == (
        "2024-03-03",
        "team:mart",
        "team:dash",
    )
    assert found["mart"].inputs == (Input("raw", (None,)),)


def test_a_contract_may_require_less_and_only_some_checks(instance):
    found = requirements(bind(requires=(RequiredAsset("raw", ("fresh",)),)), instance)

    assert set(found) == {"raw"}
    assert found["raw"].checks == ("fresh",)


def test_an_asset_below_a_block_and_a_label_section_blocks(instance):
    sections = (
        Section("a", "A", ("mart",)),
        Section("b", "B", ("deals",), "label"),
        Section("c", "C", ("raw",), "label"),
    )
    found = requirements(bind(sections=sections), instance)

    assert {name: (one.blocks, one.sections) for name, one in found.items()} == {
        "raw": (True, ("a", "c")),
        "mart": (True, ("a",)),
        "deals": (False, ("b",)),
    }


def test_an_asset_in_no_section_blocks(instance):
    found = requirements(bind(sections=(Section("b", "B", ("deals",), "label"),)), instance)

    assert found["mart"].blocks
    assert found["raw"].blocks


def test_a_partition_is_checked_before_anything_is_asked(instance):
    binding = bind()
    binding.check_partition("2024-03-03", instance)

    for unknown in ("2031-01-01", "yesterday", None):
        with pytest.raises(InvalidInputError, match=r"it has 2024-03-01 to 2024-03-07"):
            binding.check_partition(unknown, instance)
    with pytest.raises(InvalidInputError, match="is not partitioned"):
        bind(deps=["raw"], partitions_def=None).check_partition("2024-03-03", instance)


def test_a_long_history_that_reads_itself_can_be_judged(instance):
    years = dg.DailyPartitionsDefinition("2022-01-01", end_date="2024-03-08")
    past = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)

    @dg.asset(partitions_def=years, deps=[dg.AssetDep("totals", partition_mapping=past)])
    def totals():
        return None

    binding = bind(deps=["totals"], assets=(totals,), partitions_def=years)

    assert len(binding.promise("2024-03-01", instance).requirements) == 791


def test_an_input_is_to_cover_its_own_day_and_one_without_days_the_latest_built_from_it(instance):
    yesterday = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)

    @dg.asset(partitions_def=DAYS, deps=[dg.AssetDep("mart", partition_mapping=yesterday), "raw"])
    def growth(): ...

    needs = requirements(bind(deps=("growth",), assets=(raw, mart, growth)), instance)
    ends = {asset: one.period.end.date().isoformat() for asset, one in needs.items()}

    assert ends == {"growth": "2024-03-04", "mart": "2024-03-03", "raw": "2024-03-04"}


def test_without_any_day_there_is_no_end_to_cover(instance):
    needs = requirements(bind(deps=("raw",), assets=(raw,), partitions_def=None), instance, day=None)

    assert needs["raw"].period is None


def test_an_end_reaches_what_lies_behind_an_asset_without_days(instance):
    """The reader that is walked last covers the most: what was walked before it must hear of it."""
    yesterday = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)

    @dg.asset(deps=["raw"])
    def table(): ...

    @dg.asset(partitions_def=DAYS, deps=["table"])
    def old(): ...

    @dg.asset(partitions_def=DAYS, deps=["table"])
    def young(): ...

    deps = (dg.AssetDep("old", partition_mapping=yesterday), "young")
    needs = requirements(bind(deps=deps, assets=(raw, table, old, young)), instance)

    assert {needs[name].period.end.date().isoformat() for name in ("young", "table", "raw")} == {"2024-03-04"}
    assert needs["old"].period.end.date().isoformat() == "2024-03-03"


def test_a_check_this_location_does_not_define_may_be_asked_of_an_asset_made_elsewhere(instance):
    contract_asks = (RequiredAsset("mart", checks=("unique",)),)
    elsewhere = dg.AssetSpec("mart", partitions_def=DAYS)

    needs = requirements(bind(deps=("mart",), assets=(elsewhere,), requires=contract_asks), instance)

    assert needs["mart"].checks == ("unique",)


def test_every_check_ever_seen_on_an_asset_made_elsewhere_is_required(instance, run):
    @dg.asset(name="mart", check_specs=[dg.AssetCheckSpec("unique", asset="mart")])
    def there():
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(passed=True, check_name="unique")

    here = bind(deps=("mart",), assets=(dg.AssetSpec("mart"),), partitions_def=None)
    assert requirements(here, instance, day=None)["mart"].checks == ()
    run(dg.Definitions([there]), "mart")

    assert requirements(here, instance, day=None)["mart"].checks == ("unique",)


@pytest.fixture
def sold(run):
    """Run deals, whose check fails, and what is built from it, then the dashboard: its run, and what it shows."""

    @dg.asset(check_specs=[dg.AssetCheckSpec("amounts", asset="deals")])
    def deals():
        yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=False, check_name="amounts")])

    @dg.asset
    def orders(): ...

    def sold(*others, deps, sections, requires=None):
        refreshed = []
        contract = DashboardContract("dash", "team:dash", sections=sections, requires=requires)
        dash = trusted_dashboard(contract, lambda _, verdicts: refreshed.extend(verdicts), deps=deps)
        defs = trust(dg.Definitions([deals, orders, *others, dash]))
        assert run(defs, "deals", "orders", *(other.key.to_user_string() for other in others)).success
        return run(defs, "dash"), refreshed

    return sold


PIPELINE = Section("pipeline", "Pipeline", ("deals",), "label")


@dg.asset(name="mart", deps=["deals"])
def mart_of_deals(): ...


@dg.asset(deps=["mart"])
def report(): ...


SALES = Section("sales", "Sales", ("mart",))


@pytest.mark.parametrize(
    ("others", "deps", "sections"),
    [
        pytest.param([mart_of_deals], ["mart"], (PIPELINE,), id="what is in no section is built from it"),
        pytest.param([mart_of_deals], ["deals", "mart"], (PIPELINE,), id="which shows it by itself too"),
        pytest.param([mart_of_deals, report], ["report", "deals"], (PIPELINE,), id="further up"),
        pytest.param([mart_of_deals, report], ["report", "deals"], (PIPELINE, SALES), id="a section that blocks is"),
    ],
)
def test_what_the_rest_is_built_from_holds_it_whatever_section_names_it(sold, is_held, others, deps, sections):
    result, refreshed = sold(*others, deps=deps, sections=sections)

    assert is_held(result)
    assert refreshed == []


def test_what_is_built_from_it_through_something_that_nobody_requires_holds_too(sold, is_held):
    asked = (RequiredAsset("report"), RequiredAsset("deals"))
    result, refreshed = sold(mart_of_deals, report, deps=["report"], sections=(PIPELINE,), requires=asked)

    assert is_held(result)
    assert refreshed == []


@pytest.mark.parametrize(
    ("others", "deps", "shown_in"),
    [
        pytest.param([], ["deals", "orders"], "deals", id="by itself"),
        pytest.param([mart_of_deals], ["mart", "orders"], "mart", id="through what the section shows"),
    ],
)
def test_what_only_a_labelled_section_is_built_from_is_labelled(sold, others, deps, shown_in):
    result, [verdict] = sold(*others, deps=deps, sections=(Section("pipeline", "Pipeline", (shown_in,), "label"),))

    assert result.success
    assert (verdict.readiness, verdict.unmet) == (Readiness.PARTIAL, ("pipeline",))
    assert [name for name, _ in verdict.consumed] == ["orders"]


D1, D2 = "2024-03-01", "2024-03-02"
EIGHT = ReadyBy(dt.time(8))


def moment(day, hours, minutes=0):
    return dt.datetime.fromisoformat(f"{day}T{hours:02}:{minutes:02}:00+00:00")


@pytest.fixture
def overdue(run, verdict_of):
    """Which of the two newest days of a mart are overdue, which a dashboard without partitions shows."""

    @dg.asset(name="mart", partitions_def=DAYS)
    def by_day(): ...

    def overdue(at, built, **promises):
        contract = DashboardContract("dash", "team:dash", window=2, **promises)
        defs = trust(dg.Definitions([by_day, trusted_dashboard(contract, lambda *_: None, deps=["mart"])]))
        for day, when in built.items():
            with time_machine.travel(when):
                assert run(defs, "mart", day=day).success
        with time_machine.travel(at):
            result, verdict = run(defs, "dash"), verdict_of(defs, "dash")
        assert result.success is not verdict.holds
        assert {(f.asset, str(f.outcome)) for f in verdict.findings} <= {("mart", "overdue")}
        return [f.partition for f in verdict.findings]

    return overdue


@pytest.mark.parametrize(
    ("ready_by", "hours", "days"),
    [(None, 21, [D1]), (None, 22, []), (None, 30, []), (EIGHT, 29, [D1]), (EIGHT, 30, [])],
)
def test_of_a_window_yesterday_keeps_the_age_it_had_when_the_next_day_was_due(overdue, ready_by, hours, days):
    built = {D1: moment("2024-03-02", 2), D2: moment("2024-03-03", 2)}
    freshness = {"mart": dt.timedelta(hours=hours)}

    # By now it is 31 hours old; it was 22 when the next day had ended, and 30 when that was promised.
    assert overdue(moment("2024-03-03", 9), built, freshness=freshness, ready_by=ready_by) == days


def test_of_a_window_the_newest_day_grows_older_until_the_next_is_due(overdue):
    built = {D1: moment("2024-03-02", 4), D2: moment("2024-03-03", 2)}
    freshness = {"mart": dt.timedelta(hours=21)}

    assert overdue(moment("2024-03-03", 22, 50), built, freshness=freshness) == []
    assert overdue(moment("2024-03-03", 23, 10), {}, freshness=freshness) == [D2]


def test_what_is_read_now_as_well_never_stops_growing_old(run, verdict_of):
    """A reader that has ended lends its input its time, but not to a dashboard that has none."""
    days = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-03")

    @dg.asset
    def source() -> None: ...

    @dg.asset(partitions_def=days, deps=["source"])
    def ended() -> None: ...

    contract = DashboardContract("dash", "team:dash", window=1, freshness={"source": dt.timedelta(hours=30)})
    dash = trusted_dashboard(contract, lambda *_: None, deps=["source", "ended"])
    defs = trust(dg.Definitions([source, ended, dash]))
    with time_machine.travel("2024-03-03T02:00:00+00:00"):
        assert run(defs, "source").success
        assert run(defs, "ended", day="2024-03-02").success
    with time_machine.travel("2024-06-03T02:00:00+00:00"):
        verdict = verdict_of(defs, "dash")

    assert ("source", "overdue") in [(finding.asset, str(finding.outcome)) for finding in verdict.findings]
