"""A stage that does with five of its six sources: what is missing is left out, named, and followed up."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from dashboard_trust.contracts.model import DashboardContract, Section
from dashboard_trust.enforcement.gated_assets import gates, trust, trusted, trusted_dashboard
from dashboard_trust.enforcement.receipts import left_out
from dashboard_trust.errors import ContractError, DashboardTrustError
from dashboard_trust.incidents.notices import find_changes, group_notices
from dashboard_trust.incidents.wording import write_body

SIX = tuple(f"raw_{n}" for n in range(6))
pytestmark = pytest.mark.long


class Six:
    """Six sources → mart, guarded → dash; ``without`` lists what each build of the mart left out."""

    def __init__(self, instance, run, sections):
        self.instance, self._run, self.bad, self.without, self.shown = instance, run, set(), [], []

        @dg.asset(deps=SIX)
        def mart() -> None:
            self.without.append(sorted(left_out()))

        self.contract = DashboardContract("dash", "team:dash", sections=sections)
        dash = trusted_dashboard(self.contract, lambda _, verdicts: self.shown.extend(verdicts), deps=["mart"])
        stage = trusted(mart, owner="team:mart", sections=sections)
        self.defs = trust(dg.Definitions([*map(self._raw, SIX), stage, dash]))

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

    assert six.verdict("mart").labels == ("raw_4, raw_5 (Feeds: 4 of 6)",)
    assert six.verdict("mart").consumed == ()


@pytest.mark.parametrize("least", [0, 7, -1])
def test_a_minimum_of_nothing_or_of_more_than_there_are_is_refused(least):
    with pytest.raises(ContractError, match="at_least"):
        Section("feeds", "Feeds", SIX, at_least=least)


def test_what_is_left_out_is_only_known_within_a_guarded_step():
    with pytest.raises(DashboardTrustError, match="while it runs"):
        left_out()
