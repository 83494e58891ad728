"""Versions and consumption where no gate recorded what was read: Dagster's own facts must do."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.definitions.reconstruct import ReconstructableJob

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.gated_assets import trust, trusted_dashboard

DAYS = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-08")
D1, D2, D3 = (f"2024-03-0{n}" for n in (1, 2, 3))


@pytest.fixture
def plain(run, instance, verdict_of):
    """raw by day → mart by day → dashboard by day, of which only the dashboard has a gate."""
    return Plain(run, instance, verdict_of)


class Plain:
    def __init__(self, run, instance, verdict_of):
        self.during, self.version, self._run, self._verdict_of = [], None, run, verdict_of

        @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
        def raw():
            return dg.MaterializeResult(data_version=self.version)

        @dg.asset(partitions_def=DAYS, deps=["raw"], backfill_policy=dg.BackfillPolicy.single_run())
        def mart():
            while self.during:
                self.during.pop()()
            return dg.MaterializeResult()

        dash = trusted_dashboard(
            DashboardContract("dash", "team:dash"), lambda *_: None, deps=["mart"], partitions_def=DAYS
        )
        self.defs = trust(dg.Definitions([raw, mart, dash]))

    def run(self, *assets, day, to=None):
        assert self._run(self.defs, *assets, day=day, to=to).success

    def findings(self, day):
        return [(f.asset, str(f.outcome)) for f in self._verdict_of(self.defs, "dash", day).findings]


def test_in_one_run_or_in_two_a_consumer_that_came_after_is_current(plain):
    plain.run("raw", "mart", day=D1)
    plain.run("raw", day=D2)
    plain.run("mart", day=D2)

    assert plain.findings(D1) == plain.findings(D2) == []


def test_a_reload_after_the_build_outdates_its_own_day_only(plain):
    plain.run("raw", "mart", day=D1)
    plain.run("raw", "mart", day=D2)
    plain.run("raw", day=D1)

    assert plain.findings(D1) == [("mart", "outdated")]
    assert plain.findings(D2) == []


@pytest.mark.parametrize("to", [None, D3], ids=["single", "range"])
def test_a_reload_of_another_run_during_the_build_outdates_it_though_the_build_ended_later(plain, to):
    plain.run("raw", day=D1, to=D3)
    plain.during.append(lambda: plain.run("raw", day=D1))
    plain.run("mart", day=D1, to=to)

    assert plain.findings(D1) == [("mart", "outdated")]
    plain.run("mart", day=D1, to=to)
    assert plain.findings(D1) == []


def test_the_pointer_of_the_last_day_of_a_range_does_not_vouch_for_the_first(plain):
    plain.run("raw", day=D1, to=D3)
    plain.run("mart", day=D1, to=D3)
    plain.run("raw", day=D1)

    assert plain.findings(D1) == [("mart", "outdated")]
    assert plain.findings(D2) == plain.findings(D3) == []


def test_a_reload_of_another_day_during_the_build_of_this_one_outdates_nothing(plain):
    plain.run("raw", day=D1, to=D3)
    plain.during.append(lambda: plain.run("raw", day=D2))
    plain.run("mart", day=D1)

    assert plain.findings(D1) == []


CHAIN = """
from pathlib import Path
import dagster as dg
from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.gated_assets import trust, trusted_dashboard

@dg.asset
def raw():
    return None

@dg.asset(deps=["raw"])
def mart():
    if not Path(__file__).with_name("mended").exists():
        raise ValueError("broken")

dash = trusted_dashboard(
    DashboardContract("dash", "team:dash"),
    lambda *_: Path(__file__).with_name("refreshed").touch(),
    deps=["mart"],
)
defs = trust(dg.Definitions([raw, mart, dash], jobs=[dg.define_asset_job("chain")], executor=dg.in_process_executor))
chain = defs.resolve_job_def("chain")
"""


def test_a_re_execution_from_failure_stands_on_the_load_of_the_run_before(tmp_path, instance):
    (tmp_path / "chain.py").write_text(CHAIN)
    job = ReconstructableJob.for_file(str(tmp_path / "chain.py"), "chain")
    first = dg.execute_job(job, instance)
    assert not first.success
    assert not (tmp_path / "refreshed").exists()

    (tmp_path / "mended").touch()
    options = dg.ReexecutionOptions.from_failure(first.run_id, instance)
    again = dg.execute_job(job, instance, reexecution_options=options)

    assert again.success
    assert (tmp_path / "refreshed").exists()
