"""A stage that does with five of its six sources: what is missing is left out, named, and followed up."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from dashboard_trust.contracts.model import DashboardContract, RequiredAsset, Section
from dashboard_trust.enforcement.automation import needs_run
from dashboard_trust.enforcement.gated_assets import gates, trust, trusted, trusted_dashboard
from dashboard_trust.enforcement.receipts import left_out
from dashboard_trust.errors import ContractError, DashboardTrustError
from dashboard_trust.incidents.notices import find_changes, group_notices
from dashboard_trust.incidents.wording import write_body

SIX = tuple(f"raw_{n}" for n in range(6))
pytestmark = pytest.mark.long


class Six:
    """Six sources → mart, guarded → dash; ``without`` lists what each build of the mart left out."""

    def __init__(self, instance, run, sections, mart=None, requires=None):
        self.instance, self._run, self.bad, self.without, self.shown = instance, run, set(), [], []

        @dg.asset(name="mart", deps=SIX)
        def of_six() -> None:
            self.without.append(sorted(left_out()))

        promised = {"requires": requires} if requires else {"sections": sections}
        self.contract = DashboardContract("dash", "team:dash", **promised)
        dash = trusted_dashboard(self.contract, lambda _, verdicts: self.shown.extend(verdicts), deps=["mart"])
        stage = mart or trusted(of_six, owner="team:mart", sections=sections)
        self.defs = trust(dg.Definitions([*map(self._raw, SIX), stage, dash], asset_checks=self._checks()))

    def _checks(self):
        return ()

    def _raw(self, name):
        check = dg.AssetCheckSpec("complete", asset=name)

        @dg.multi_asset(name=name, specs=[dg.AssetSpec(name, owners=[f"team:{name}"])], check_specs=[check])
        def raw():
            yield dg.MaterializeResult(asset_key=name)
            yield dg.AssetCheckResult(passed=name not in self.bad, check_name="complete", asset_key=name)

        return raw

    def run(self, *assets):
        return self._run(self.defs, *assets).success

    def load(self, number=6):
        assert self.run(*SIX[:number])

    def verdict(self, asset="dash"):
        gate = gates(self.defs)[dg.AssetKey(asset)]
        return gate.judge(self.instance, [None], dt.datetime.now(dt.UTC))[None]


@pytest.fixture
def six(instance, run):
    return Six(instance, run, (Section("feeds", "Feeds", SIX, at_least=5),))


def test_four_of_six_are_too_few(six):
    six.load(4)

    assert not six.run("mart")
    assert six.without == []
    assert (str(six.verdict("mart").readiness), str(six.verdict().readiness)) == ("WAITING", "WAITING")


def test_of_six_without_a_minimum_five_are_too_few(instance, run):
    six = Six(instance, run, ())
    six.load(5)

    assert not six.run("mart")


def test_five_of_six_are_built_and_shown_with_a_label_that_names_the_sixth(six):
    six.load(5)

    assert six.run("mart")
    assert six.run("dash")
    assert six.without == [["raw_5"]]
    (shown,) = six.shown
    assert (str(shown.readiness), shown.labels) == ("PARTIAL", ("raw_5 (Feeds: 5 of 6)",))
    contracts = {"dash": six.contract}
    notices = group_notices(find_changes([], [shown], contracts))
    assert {notice.owner for notice in notices} == {"team:raw_5"}
    assert "is PARTIAL, without raw_5 (Feeds: 5 of 6)." in write_body(notices[0], contracts, {})


def test_a_source_that_is_there_and_wrong_is_left_out_by_name(six):
    six.bad = {"raw_2"}
    six.load()

    assert six.run("mart")
    assert six.without == [["raw_2"]]
    six.bad = {"raw_2", "raw_3"}
    six.load()
    assert not six.run("mart")


def test_once_the_sixth_comes_the_stage_is_built_anew_and_the_label_is_gone(six):
    six.load(5)
    six.run("mart")
    six.run("dash")
    assert six.run("raw_5")

    assert not six.run("dash")  # the stage has not read it yet
    assert six.run("mart")
    assert six.run("dash")
    assert six.without == [["raw_5"], []]
    assert [(str(v.readiness), v.labels) for v in six.shown] == [("PARTIAL", ("raw_5 (Feeds: 5 of 6)",)), ("READY", ())]


def test_below_the_least_a_section_that_may_be_labelled_is_left_out_whole(instance, run):
    six = Six(instance, run, (Section("feeds", "Feeds", SIX, "label", at_least=5),))
    six.load(4)

    assert six.verdict("mart").labels == ("Feeds (only 4 of 6: raw_4, raw_5)",)
    assert six.verdict("mart").consumed == ()
    assert six.run("mart")
    assert six.without == [sorted(SIX)]


@pytest.mark.parametrize("least", [0, 7, -1])
def test_a_minimum_of_nothing_or_of_more_than_there_are_is_refused(least):
    with pytest.raises(ContractError, match="at_least"):
        Section("feeds", "Feeds", SIX, at_least=least)


def test_what_is_left_out_is_only_known_within_a_guarded_step():
    with pytest.raises(DashboardTrustError, match="while it runs"):
        left_out()


class Looked(Six):
    """Six whose checks are steps of their own, so that they can look once more at the same load."""

    def _raw(self, name):
        @dg.asset(name=name, owners=[f"team:{name}"])
        def raw() -> None: ...

        return raw

    def _checks(self):
        return [self._check(name) for name in SIX]

    def _check(self, name):
        @dg.asset_check(asset=name, name="complete")
        def complete():
            return dg.AssetCheckResult(passed=name not in self.bad)

        return complete

    def look(self, *names):
        for name in names or SIX:
            key = dg.AssetCheckKey(dg.AssetKey(name), "complete")
            job = self.defs.resolve_implicit_global_asset_job_def()
            subset = job.get_subset(asset_selection=set(), asset_check_selection={key})
            assert subset.execute_in_process(instance=self.instance).success


def test_what_was_left_out_and_is_good_after_all_is_not_shown_without_until_the_stage_is_built_with_it(instance, run):
    six = Looked(instance, run, (Section("feeds", "Feeds", SIX, at_least=5),))
    six.bad = {"raw_2"}
    six.load()
    six.look()
    assert six.run("mart")
    assert six.verdict().labels == ("raw_2 (Feeds: 5 of 6)",)

    six.bad = set()
    six.look("raw_2")  # the very same load
    assert six.verdict().holds
    assert "mart: was built without raw_2, which no minimum does without now" in told(six.verdict())
    assert six.run("mart")
    assert (six.without, str(six.verdict().readiness)) == ([["raw_2"], []], "READY")


def test_what_is_wrong_after_all_and_in_the_stage_is_not_shown_under_a_label_that_says_it_is_not(instance, run):
    six = Looked(instance, run, (Section("feeds", "Feeds", SIX, at_least=5),))
    six.load()
    six.look()
    assert six.run("mart")
    six.bad = {"raw_2"}
    six.look("raw_2")

    assert six.verdict().holds
    assert "mart: was built with raw_2, which a minimum does without now" in told(six.verdict())
    gate = gates(six.defs)[dg.AssetKey("mart")]
    assert needs_run(gate.survey(instance, [None], dt.datetime.now(dt.UTC))[None])
    assert six.run("mart")
    assert not needs_run(gate.survey(instance, [None], dt.datetime.now(dt.UTC))[None])
    assert (six.without, six.verdict().labels) == ([[], ["raw_2"]], ("raw_2 (Feeds: 5 of 6)",))


@pytest.mark.parametrize("is_guarded", [True, False])
def test_a_stage_that_never_asks_what_to_leave_out_is_not_shown_as_if_it_had(instance, run, is_guarded):
    @dg.asset(deps=SIX)
    def mart() -> None: ...

    if is_guarded:
        sections = (Section("feeds", "Feeds", SIX, at_least=5),)
        mart = trusted(mart, owner="team:mart", sections=sections)
    six = Looked(instance, run, (Section("feeds", "Feeds", SIX, at_least=5),), mart=mart)
    six.bad = {"raw_2"}
    six.load()
    six.look()
    assert six.run("mart")

    assert six.verdict().holds


def test_a_dashboard_that_declares_no_minimum_does_not_pass_on_that_of_its_stage(instance, run):
    six = Looked(instance, run, (Section("feeds", "Feeds", SIX, at_least=5),), requires=(RequiredAsset("mart"),))
    six.bad = {"raw_2"}
    six.load()
    six.look()
    assert six.run("mart")

    assert six.verdict().holds
    assert "mart: was built without raw_2, which no minimum does without now" in told(six.verdict())


def told(verdict):
    return [f"{finding.place}: {finding.told}" for finding in verdict.causes]
