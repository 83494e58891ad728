"""What a step skipped because of something above it is not blamed as well; it is judged by that."""

from __future__ import annotations

import dagster as dg
import pytest

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.gated_assets import trust, trusted_dashboard
from dashboard_trust.evidence.names import SKIPPED


@pytest.fixture
def judged(run, verdict_of):
    """Run a step whose first table fails a check and that skips the second; return causes, consequences."""

    def judged(*said: tuple[str, list[str]]):
        checks = [dg.AssetCheckSpec(name, asset="first") for name in ("unique", "complete")]

        @dg.multi_asset(
            specs=[dg.AssetSpec("first", skippable=True), dg.AssetSpec("second", deps=["first"], skippable=True)],
            check_specs=checks,
        )
        def step():
            yield dg.MaterializeResult(asset_key="first")
            yield dg.AssetCheckResult(asset_key="first", check_name="unique", passed=False)
            for asset, names in said:
                yield dg.AssetObservation(asset, metadata={SKIPPED: dg.MetadataValue.json(names)})
            raise ValueError("not everything was built")

        dash = trusted_dashboard(DashboardContract("dash", "team:dash"), lambda *_: None, deps=["second"])
        defs = trust(dg.Definitions([step, dash]))
        assert not run(defs, "first", "second").success
        verdict = verdict_of(defs, "dash")
        return [{(f.asset, f.check, str(f.outcome)) for f in found} for found in (verdict.causes, verdict.consequences)]

    return judged


FAILED = ("first", "unique", "failed")


def test_what_a_broken_step_says_nothing_of_is_errored(judged):
    assert judged() == [{FAILED, ("first", "complete", "errored"), ("second", None, "errored")}, set()]


def test_an_asset_that_was_skipped_only_follows(judged):
    causes, consequences = judged(("second", []))

    assert causes == {FAILED, ("first", "complete", "errored")}
    assert consequences == {("second", None, "missing")}


def test_a_check_that_was_skipped_has_not_run(judged):
    causes, _ = judged(("first", ["complete"]), ("second", []))

    assert causes == {FAILED, ("first", "complete", "not_run")}
