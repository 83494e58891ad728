"""Scenarios of Dagster's own tests for check conditions, retold against the gate.

Each asks twice about the same real runs: whether Dagster's stock condition would request the dashboard
(`all_deps_blocking_checks_passed`, where no other is named), and what the gate does with a run of it.
"""

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData

from dashboard_trust.contracts.model import DashboardContract, RequiredAsset
from dashboard_trust.enforcement.gated_assets import trust, trusted_dashboard
from dashboard_trust.errors import ContractError

STOCK = dg.AutomationCondition.all_deps_blocking_checks_passed()
DAYS = dg.DailyPartitionsDefinition("2024-03-03", end_date="2024-03-17")
WEEKS = dg.WeeklyPartitionsDefinition("2024-03-03", end_date="2024-03-17")
SUNDAY, FRIDAY, NEXT_SUNDAY = "2024-03-03", "2024-03-08", "2024-03-10"
LETTERS = dg.StaticPartitionsDefinition(["a", "b"])


def check_key(name):
    asset, _, check = name.partition(":")
    return dg.AssetCheckKey(dg.AssetKey(asset), check)


class Project:
    """A dashboard on some tables with checks, asked about by the condition and by the gate.

    ``finds`` is what each check finds, by name: True, False, or an exception to raise.
    """

    def __init__(self, instance, run, verdict_of):
        self.instance, self._run, self._verdict_of = instance, run, verdict_of
        self.finds, self.published, self._checks, self._assets = {}, [], [], []
        self.defs = None

    def table(self, name, deps=(), partitions_def=None, breaks=lambda: None, **options):
        """Add a table; ``breaks`` may raise."""

        @dg.asset(
            name=name,
            deps=deps,
            partitions_def=partitions_def,
            backfill_policy=partitions_def and dg.BackfillPolicy.single_run(),
            **options,
        )
        def table():
            breaks()
            return dg.MaterializeResult()

        self._assets.append(table)
        return self

    def check(self, asset, name, partitions_def=None, severity=dg.AssetCheckSeverity.ERROR, **options):
        """Add a check with a step of its own."""

        @dg.asset_check(asset=asset, name=name, partitions_def=partitions_def, **options)
        def check():
            found = self.finds.get(name, True)
            if isinstance(found, Exception):
                raise found
            return dg.AssetCheckResult(passed=found, severity=severity)

        self._checks.append(check)
        return self

    def dashboard(self, *deps, partitions_def=None, condition=STOCK, **promises):
        """Add the dashboard, which completes the project."""
        dash = trusted_dashboard(
            DashboardContract("dash", "team:dash", **promises),
            lambda _, verdicts: self.published.extend(verdict.partition for verdict in verdicts),
            deps=deps,
            partitions_def=partitions_def,
            automation_condition=condition,
        )
        self.defs = trust(dg.Definitions([*self._assets, dash], asset_checks=self._checks))
        return self

    def load(self, *assets, **partition):
        """Build tables without any check; a run that fails is a result."""
        return self.execute({dg.AssetKey(asset) for asset in assets}, set(), **partition)

    def look(self, *checks, **finds):
        """Run checks (``table:name``) in a run of their own, finding this."""
        day = finds.pop("day", None)
        self.finds.update(finds)
        return self.execute(set(), {check_key(check) for check in checks}, day=day)

    def plan(self, check, day=None):
        """Plan a check in a run that has not started yet."""
        job = self.defs.resolve_implicit_global_asset_job_def()
        only = job.get_subset(asset_selection=set(), asset_check_selection={check_key(check)})
        self.instance.create_run_for_job(only, tags={"dagster/partition": day} if day else None)

    def without_checks(self):
        """Take all checks away."""
        self._checks.clear()
        return self

    def build(self, *assets, day=None, to=None):
        """Build tables with all their checks in one run; a run that fails is a result."""
        return self._run(self.defs, *assets, day=day, to=to)

    def execute(self, assets, checks, day=None, to=None):
        """Run these tables and checks, and no others."""
        job = self.defs.resolve_implicit_global_asset_job_def()
        tags = {"dagster/asset_partition_range_start": day, "dagster/asset_partition_range_end": to}
        return job.get_subset(asset_selection=assets, asset_check_selection=checks).execute_in_process(
            instance=self.instance,
            partition_key=None if to else day,
            tags=tags if to else None,
            raise_on_error=False,
        )

    def requested(self, *partitions):
        """Return which of these partitions of the dashboard (all of it, if none is named) its condition requests."""
        found = dg.evaluate_automation_conditions(self.defs, self.instance)
        asked = found.get_requested_partitions(dg.AssetKey("dash"))
        return set(partitions) & asked if partitions else bool(asked)

    def shown(self, *partitions):
        """Launch the dashboard alone for each of these partitions; return which of them it publishes."""
        for partition in partitions or (None,):
            self.build("dash", day=partition)
        published, self.published[:] = set(self.published), []
        return published if partitions else bool(published)

    def both(self, *partitions):
        """Return what the condition requests and what the gate publishes."""
        return self.requested(*partitions), self.shown(*partitions)

    def findings(self, partition=None):
        """Return what holds the dashboard: asset, check, outcome."""
        return [(f.asset, f.check, str(f.outcome)) for f in self._verdict_of(self.defs, "dash", partition).findings]


@pytest.fixture
def instance():
    """An instance in memory: these scenarios are about what is said, and quick."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def project(instance, run, verdict_of):
    return Project(instance, run, verdict_of)


def two_blocking_checks(project):
    return project.table("a").check("a", "one", blocking=True).check("a", "two", blocking=True)


# Checks of a direct parent


def test_until_every_blocking_check_passed_on_the_newest_load_neither_goes_on(project):
    two_blocking_checks(project).dashboard("a")
    said = [project.both()]
    for step in (
        lambda: project.load("a"),
        lambda: project.look("a:one"),
        lambda: project.look("a:two"),  # now both have passed
        lambda: project.load("a"),  # and none has looked at this
        lambda: project.look("a:one"),
        lambda: project.look("a:two", two=False),
        lambda: project.look("a:two", two=True),
    ):
        step()
        said.append(project.both())

    no, yes = (False, False), (True, True)
    assert said == [no, no, no, yes, no, no, no, yes]


def test_a_check_of_the_dashboard_itself_holds_neither(project):
    project.table("a").check("dash", "looks_right", blocking=True).dashboard("a")
    project.load("a")
    assert project.shown()
    assert not project.look("dash:looks_right", looks_right=False).success

    assert project.both() == (True, True)


def test_a_check_that_does_not_block_is_nothing_to_the_condition_and_holds_the_gate_until_it_passes(project):
    project.table("a").check("a", "one").dashboard("a")
    project.load("a")
    never_run = (project.both(), project.findings())
    project.look("a:one", one=False)
    failed = (project.both(), project.findings())
    project.look("a:one", one=True)

    assert never_run == ((True, False), [("a", "one", "not_run")])
    assert failed == ((True, False), [("a", "one", "failed")])
    assert project.both() == (True, True)


def test_a_blocking_check_that_only_warns_stops_the_condition_and_is_published_by_the_gate(project):
    project.table("a").check("a", "one", blocking=True, severity=dg.AssetCheckSeverity.WARN).dashboard("a")
    project.load("a")
    assert project.both() == (False, False)
    project.look("a:one", one=False)

    assert project.both() == (False, True)
    assert project.findings() == [("a", "one", "warned")]


def test_a_check_that_raised_holds_both_until_it_is_run_again(project):
    project.table("a").check("a", "one", blocking=True).dashboard("a")
    project.load("a")
    project.look("a:one", one=ValueError("no such column"))
    raised = (project.both(), project.findings())
    project.look("a:one", one=True)

    assert raised == ((False, False), [("a", "one", "errored")])
    assert project.both() == (True, True)


def test_a_check_that_was_left_out_undoes_its_pass_for_the_condition_and_not_for_the_gate(project):
    """It was planned and never reached, since a table that the dashboard does not stand on broke."""

    def breaks():
        raise ValueError("broken")

    project.table("a").table("other", breaks=breaks)
    project.check("a", "one", blocking=True, additional_deps=["other"]).dashboard("a")
    project.load("a")
    project.look("a:one")
    passed = project.both()
    project.execute({dg.AssetKey("other")}, {check_key("a:one")})

    assert (passed, project.both()) == ((True, True), (False, True))


def test_a_check_that_is_still_running_holds_both(project):
    project.table("a").check("a", "one", blocking=True).dashboard("a")
    project.load("a")
    project.look("a:one")
    assert project.both() == (True, True)
    project.plan("a:one")

    assert project.both() == (False, False)
    assert project.findings() == [("a", "one", "pending")]


# Who made the result


def newest_load(project, asset):
    record = project.instance.fetch_materializations(dg.AssetKey(asset), limit=1).records[0]
    return AssetCheckEvaluationTargetMaterializationData(
        storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
    )


def passed(target):
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey("a"), check_name="one", passed=True, target_materialization_data=target
    )


def emit(project, evaluation):
    """Yield a check result from the op of some other job."""

    @dg.op
    def somewhere_else():
        yield evaluation
        yield dg.Output(None)

    @dg.job
    def other():
        somewhere_else()

    return other.execute_in_process(instance=project.instance, raise_on_error=False)


@pytest.mark.parametrize("names_the_load", [False, True])
def test_a_result_from_another_job_counts_for_the_gate_only_if_it_names_the_load_it_looked_at(project, names_the_load):
    project.table("a").check("a", "one", blocking=True).dashboard("a")
    project.load("a")
    emit(project, passed(newest_load(project, "a") if names_the_load else None))

    assert project.shown() is names_the_load
    assert project.findings() == ([] if names_the_load else [("a", "one", "not_run")])
    # Without a load named, the condition goes by the second in which the result was written.
    assert project.requested() or not names_the_load


@pytest.mark.parametrize("accept_reported", [False, True])
def test_a_load_reported_by_hand_is_a_load_for_the_condition_and_for_the_gate_only_if_the_contract_says_so(
    project, accept_reported
):
    project.table("a").check("a", "one", blocking=True).dashboard("a", accept_reported=accept_reported)
    project.instance.report_runless_asset_event(dg.AssetMaterialization("a"))
    project.look("a:one")

    assert project.both() == (True, accept_reported)
    assert project.findings() == ([] if accept_reported else [("a", None, "unverified")])


@pytest.mark.parametrize("accept_reported", [False, True])
def test_a_pass_reported_by_hand_is_a_pass_for_the_condition_and_for_the_gate_only_if_the_contract_says_so(
    project, accept_reported
):
    project.table("a").check("a", "one", blocking=True).dashboard("a", accept_reported=accept_reported)
    project.load("a")
    project.instance.report_runless_asset_event(passed(newest_load(project, "a")))

    assert project.both() == (True, accept_reported)


def test_what_another_location_found_of_a_table_of_this_one_holds_both(project):
    """Dagster's daemon evaluates conditions on the graph of all locations; the gate has its own location's only."""
    project.table("a").dashboard("a")
    here = project.defs
    project.load("a")
    assert project.shown()

    project.check("a", "one", blocking=True)
    project.defs = dg.Definitions(asset_checks=project._checks)
    project.look("a:one", one=False)
    project.defs = dg.Definitions.merge(here, project.defs)
    assert not project.requested()

    project.defs = here
    assert not project.shown()
    assert project.findings() == [("a", "one", "failed")]


def test_what_a_check_that_was_given_up_had_found_is_over_with_the_next_load(project):
    two_blocking_checks(project).dashboard("a")
    project.load("a")
    project.look("a:one", "a:two", two=False)
    project.without_checks().check("a", "one", blocking=True).dashboard("a")
    project.load("a")
    project.look("a:one")

    assert project.both() == (True, True)


# Which checks are asked


def failed_by(selected):
    """Whether a chosen check of a parent failed, as Dagster puts it."""
    return dg.AutomationCondition.any_deps_match(
        dg.AutomationCondition.any_checks_match(dg.AutomationCondition.check_failed()).allow(
            dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("a"), selected))
        )
    )


def test_of_chosen_checks_only_those_chosen_hold(project):
    project.table("a").check("a", "asked").check("a", "ignored")
    project.dashboard("a", condition=failed_by("asked"), requires=(RequiredAsset("a", checks=("asked",)),))
    project.build("a")
    project.look("a:ignored", ignored=False)
    # The condition is about failure: what it requests is what the gate holds.
    ignored = project.both()
    project.look("a:asked", asked=False)
    asked = (project.both(), project.findings())
    project.look("a:asked", asked=True)

    assert (ignored, asked, project.both()) == (
        (False, True),
        ((True, False), [("a", "asked", "failed")]),
        (False, True),
    )


def test_a_chosen_check_that_does_not_exist_is_never_true_for_the_condition_and_refused_by_the_contract(project):
    project.table("a").check("a", "one").dashboard("a", condition=failed_by("won"))
    project.build("a")
    project.look("a:one", one=False)
    assert not project.requested()

    with pytest.raises(ContractError, match=r"'won'.*did you mean 'one'"):
        project.dashboard("a", requires=(RequiredAsset("a", checks=("won",)),))


@pytest.mark.parametrize("quantifier", ["any", "all"])
def test_any_check_of_any_parent_or_all_of_all_say_nothing_of_a_parent_without_checks_and_the_gate_waits_for_it(
    project, quantifier
):
    match = {
        "any": (dg.AutomationCondition.any_deps_match, dg.AutomationCondition.any_checks_match),
        "all": (dg.AutomationCondition.all_deps_match, dg.AutomationCondition.all_checks_match),
    }
    of_deps, of_checks = match[quantifier]
    project.table("a").table("b").check("a", "one")
    project.dashboard("a", "b", condition=of_deps(of_checks(dg.AutomationCondition.check_passed())))
    project.load("a")
    not_run = project.both()
    project.look("a:one")
    without_b = project.both()
    project.load("b")

    assert (not_run, without_b, project.both()) == ((False, False), (True, False), (True, True))


# Parents that are not there, or not current


def test_a_parent_without_checks_that_was_never_built_satisfies_the_condition_and_holds_the_gate(project):
    project.table("a").dashboard("a")

    assert project.both() == (True, False)
    assert project.findings() == [("a", None, "missing")]


def test_checks_that_passed_on_a_parent_that_was_never_built_satisfy_the_condition_and_not_the_gate(project):
    two_blocking_checks(project).dashboard("a")
    project.look("a:one")
    assert project.both() == (False, False)
    project.look("a:two")

    assert project.both() == (True, False)
    assert project.findings() == [("a", None, "missing")]


def test_a_parent_whose_last_build_broke_satisfies_the_condition_and_holds_the_gate(project):
    broken = []

    def breaks():
        if broken:
            raise ValueError("broken")

    project.table("a", breaks=breaks).check("a", "one", blocking=True).dashboard("a")
    project.build("a")
    assert project.both() == (True, True)
    broken.append(True)
    project.load("a")

    assert project.both() == (True, False)
    assert project.findings() == [("a", None, "errored")]


def test_a_check_further_up_is_nothing_to_the_condition_and_holds_the_gate(project):
    project.table("root").table("a", deps=["root"])
    project.check("root", "one").check("a", "two", blocking=True).dashboard("a")
    project.finds["one"] = False
    project.build("root", "a")

    assert project.both() == (True, False)
    assert project.findings() == [("root", "one", "failed")]


def test_a_root_that_is_newer_than_what_was_built_from_it_is_nothing_to_the_condition_and_holds_the_gate(project):
    project.table("root").table("a", deps=["root"]).check("a", "one", blocking=True).dashboard("a")
    project.build("root", "a")
    assert project.both() == (True, True)
    project.load("root")

    assert project.both() == (True, False)
    assert project.findings() == [("a", None, "outdated")]


def test_of_a_parent_requested_in_the_same_tick_the_condition_expects_the_pass_and_the_gate_waits_for_the_check(
    project,
):
    """Requested together they run together; what the gate then says is what the check found in that run."""
    eager = dg.AutomationCondition.eager()
    project.table("root").table("a", deps=["root"], automation_condition=eager)
    project.check("a", "one").dashboard("a", condition=eager & STOCK)
    before = dg.evaluate_automation_conditions(project.defs, project.instance)
    project.load("root")
    tick = dg.evaluate_automation_conditions(project.defs, project.instance, cursor=before.cursor)
    assert (before.total_requested, tick.total_requested) == (0, 2)

    project.finds["one"] = False
    assert not project.build("a", "dash").success
    assert project.published == []
    project.finds["one"] = True
    assert project.build("a", "dash").success
    assert project.published == [None]


# Partitions


def test_a_check_of_one_partition_speaks_for_it_alone_and_only_until_it_is_loaded_again(project):
    project.table("a", partitions_def=LETTERS)
    project.check("a", "one", blocking=True, partitions_def=LETTERS).dashboard("a", partitions_def=LETTERS)
    project.load("a", day="a")
    project.load("a", day="b")
    said = [project.both("a", "b")]
    for step in (
        lambda: project.look("a:one", day="a"),
        lambda: project.load("a", day="a"),
        lambda: project.look("a:one", day="a"),
        lambda: project.look("a:one", day="b"),
        lambda: project.load("a", day="b"),
        lambda: project.look("a:one", day="b", one=False),
    ):
        step()
        said.append(project.both("a", "b"))

    expected = [set(), {"a"}, set(), {"a"}, {"a", "b"}, {"a"}, {"a"}]
    assert said == [(partitions, partitions) for partitions in expected]


def test_a_partition_goes_on_when_it_has_passed_in_every_parent(project):
    for name in ("a", "b"):
        project.table(name, partitions_def=LETTERS).check(name, f"of_{name}", blocking=True, partitions_def=LETTERS)
    project.dashboard("a", "b", partitions_def=LETTERS)
    for letter in ("a", "b"):
        project.load("a", "b", day=letter)
    said = []
    for check, letter in (("a:of_a", "a"), ("a:of_a", "b"), ("b:of_b", "a"), ("b:of_b", "b")):
        project.look(check, day=letter)
        said.append(project.both("a", "b"))

    expected = [set(), set(), {"a"}, {"a", "b"}]
    assert said == [(partitions, partitions) for partitions in expected]


def daily_parent(project):
    """Two weeks of days, of which Friday's check failed."""
    project.table("a", partitions_def=DAYS).check("a", "one", blocking=True, partitions_def=DAYS)


def build_days_with_a_bad_friday(project):
    for day in DAYS.get_partition_keys():
        project.finds["one"] = day != FRIDAY
        project.build("a", day=day)


def test_a_week_with_one_bad_day_satisfies_the_condition_and_is_held_by_the_gate(project):
    daily_parent(project)
    project.dashboard("a", partitions_def=WEEKS)
    build_days_with_a_bad_friday(project)

    assert project.requested(SUNDAY, NEXT_SUNDAY) == {SUNDAY, NEXT_SUNDAY}
    assert project.shown(SUNDAY, NEXT_SUNDAY) == {NEXT_SUNDAY}
    assert project.findings(SUNDAY) == [("a", "one", "failed")]


def test_a_whole_with_one_bad_day_satisfies_the_condition_and_is_held_by_the_gate_if_the_day_is_in_its_window(project):
    daily_parent(project)
    project.dashboard("a")
    build_days_with_a_bad_friday(project)

    assert project.both() == (True, False)
    assert project.findings() == [("a", "one", "failed")]

    project.dashboard("a", window=7)
    assert project.both() == (True, True)


def test_a_week_with_a_day_that_never_came_satisfies_the_condition_and_is_held_by_the_gate(project):
    project.table("a", partitions_def=DAYS).dashboard("a", partitions_def=WEEKS)
    project.load("a", day=SUNDAY, to="2024-03-15")

    assert project.requested(SUNDAY, NEXT_SUNDAY) == {SUNDAY, NEXT_SUNDAY}
    assert project.shown(SUNDAY, NEXT_SUNDAY) == {SUNDAY}
    assert project.findings(NEXT_SUNDAY) == [("a", None, "missing")]


def test_a_check_without_partitions_speaks_for_the_load_it_looked_at_and_to_the_condition_for_every_day(project):
    """For the condition one result answers for all days; for the gate only for the day it looked at."""
    project.table("a", partitions_def=DAYS).check("a", "one", blocking=True).dashboard("a", partitions_def=DAYS)
    project.load("a", day=SUNDAY)
    project.load("a", day=FRIDAY)
    project.look("a:one", day=FRIDAY)

    assert project.requested(SUNDAY, FRIDAY) == {SUNDAY, FRIDAY}
    assert project.shown(SUNDAY, FRIDAY) == {FRIDAY}
    assert project.findings(SUNDAY) == [("a", "one", "not_run")]


def test_a_check_without_partitions_that_is_planned_anew_holds_the_gate_though_it_has_passed(project):
    """The plan names the day, and the pass before it does not; the condition asks what names no day."""
    project.table("a", partitions_def=DAYS).check("a", "one", blocking=True).dashboard("a", partitions_def=DAYS)
    project.load("a", day=FRIDAY)
    project.look("a:one", day=FRIDAY)
    assert project.both(FRIDAY) == ({FRIDAY}, {FRIDAY})
    project.plan("a:one", day=FRIDAY)

    assert project.shown(FRIDAY) == set()
    assert project.findings(FRIDAY) == [("a", "one", "pending")]


def test_a_check_that_came_to_have_partitions_is_asked_for_the_day(project):
    project.table("a", partitions_def=DAYS).check("a", "one", blocking=True).dashboard("a", partitions_def=DAYS)
    project.load("a", day=FRIDAY)
    project.look("a:one", day=FRIDAY)
    assert project.both(FRIDAY) == ({FRIDAY}, {FRIDAY})

    project.without_checks().check("a", "one", blocking=True, partitions_def=DAYS).dashboard("a", partitions_def=DAYS)
    project.look("a:one", day=FRIDAY, one=False)
    assert project.both(FRIDAY) == (set(), set())
    assert project.findings(FRIDAY) == [("a", "one", "failed")]


def test_a_bad_day_in_a_history_that_reads_its_own_past_holds_every_later_day_of_the_gate(project):
    """The condition looks at the day itself, which passed."""
    past = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
    project.table("a", deps=[dg.AssetDep("a", partition_mapping=past)], partitions_def=DAYS)
    project.check("a", "one", blocking=True, partitions_def=DAYS).dashboard("a", partitions_def=DAYS)
    days = DAYS.get_partition_keys()[:4]
    for day in days:
        project.build("a", day=day)
    project.look("a:one", day=days[1], one=False)

    assert project.requested(*days) == {days[0], days[2], days[3]}
    assert project.shown(*days) == {days[0]}
