"""What must never happen, on a miniature chain of real runs."""

from __future__ import annotations

import dagster as dg
import pytest

D1, D2, D3, D4, D5, D6 = (f"2024-03-0{n}" for n in range(1, 7))


def gate_words(result):
    evaluations = result.get_asset_check_evaluations()
    return {(e.asset_key.to_user_string(), e.partition): e for e in evaluations if e.check_name == "upstream_ready"}


def test_nothing_is_published_before_anything_has_run(mini):
    assert mini.is_held("dash", day=D3)
    assert mini.refreshed == []
    assert mini.findings(D3) == [("raw", None, "missing")]


def test_a_dashboard_launched_alone_is_held_when_the_check_upstream_fails(mini):
    mini.build()
    mini.bad = {D4}
    mini.run("raw")

    assert mini.is_held("dash", day=D4)
    assert mini.refreshed == []
    assert mini.findings(D4) == [("raw", "complete", "failed")]
    assert mini.run("dash", day=D3).success
    assert mini.refreshed == [[D3]]


def test_of_a_range_the_good_days_are_refreshed_and_the_held_ones_are_not(mini):
    mini.build()
    mini.bad = {D4}
    mini.run("raw")

    result = mini.run("dash", day=D3, to=D6)

    assert not result.success
    assert mini.refreshed == [[D3, D5]]
    assert mini.instance.get_materialized_partitions(dg.AssetKey("dash")) == {D3, D5}
    passed = {partition: word.passed for (_, partition), word in gate_words(result).items()}
    assert passed == {D3: True, D4: False, D5: True, D6: False}


def test_launched_with_everything_upstream_it_waits_for_it_and_is_refreshed(mini):
    result = mini.run("raw", "staging", "mart", "dash", day=D3)

    assert result.success
    assert mini.refreshed == [[D3]]


def test_launched_with_everything_upstream_bad_data_stops_at_the_first_guarded_step(mini):
    mini.bad = {D3}

    assert mini.is_held("raw", "staging", "mart", "dash", day=D3)
    assert mini.refreshed == []
    assert not mini.instance.get_materialized_partitions(dg.AssetKey("mart"))


def test_a_guarded_step_is_not_rebuilt_from_bad_data_and_keeps_what_it_had(mini):
    mini.build()
    mini.bad = {D4}
    mini.run("raw")
    before = mini.instance.get_latest_materialization_event(dg.AssetKey("mart")).run_id

    assert mini.is_held("staging", "mart", day=D3, to=D4)
    assert mini.instance.get_latest_materialization_event(dg.AssetKey("mart")).run_id == before


def test_a_good_day_stays_ready_after_its_range_was_held_for_another_day(mini):
    mini.build()
    mini.bad = {D4}
    mini.run("raw")
    mini.run("staging", "mart", day=D3, to=D4)

    assert mini.ready() == {D1, D2, D3, D5}


def test_a_reload_that_left_a_day_alone_leaves_its_models_current(mini):
    mini.build()
    mini.rows[D3] = "corrected"
    mini.run("raw")

    assert mini.ready() == {D1, D2, D4, D5}
    assert mini.findings(D3) == [("staging", None, "outdated")]

    mini.run("staging", "mart", day=D3)

    assert mini.ready() == {D1, D2, D3, D4, D5}


def test_a_reload_that_lands_during_the_build_outdates_what_the_build_made(mini):
    mini.build()

    def reload():
        mini.rows[D3] = "reloaded during the build"
        mini.run("raw")

    mini.while_building = reload
    assert mini.run("staging", "mart", day=D3).success

    assert mini.findings(D3) == [("staging", None, "outdated")]
    assert mini.is_held("dash", day=D3)
    assert mini.refreshed == []


def test_a_reload_that_lands_during_a_range_outdates_only_the_days_it_touched(mini):
    mini.run("raw")

    def reload():
        mini.rows[D3] = "reloaded during the build"
        mini.run("raw")

    mini.while_building = reload
    assert mini.run("staging", "mart", day=D1, to=D5).success

    assert mini.ready() == {D1, D2, D4, D5}


def test_a_model_that_was_rebuilt_outdates_nothing_but_what_is_built_from_it(mini):
    mini.build()
    assert mini.run("dash", day=D3).success
    mini.run("staging", "mart", day=D3)

    assert mini.judge(D3)[D3].readiness == "READY"


def test_a_failed_load_holds_with_its_own_message_and_leaves_the_older_load_unbelieved(mini):
    mini.build()
    mini.broken = {"raw"}
    mini.run("raw")

    verdict = mini.judge(D3)[D3]

    assert verdict.readiness == "BLOCKED"
    assert [(f.asset, str(f.outcome), f.reason) for f in verdict.findings] == [
        ("raw", "errored", "stream payments is not COMPLETE")
    ]


def test_the_next_good_load_makes_up_for_a_failed_one(mini):
    mini.build()
    mini.broken = {"raw"}
    mini.run("raw")
    mini.broken = set()
    mini.run("raw")

    assert mini.ready() == {D1, D2, D3, D4, D5}


def test_a_broken_model_holds_until_it_is_built_again(mini):
    mini.build()
    mini.broken = {"models"}
    mini.run("staging", "mart", day=D3)

    assert ("mart", None, "errored") in mini.findings(D3) or ("staging", None, "errored") in mini.findings(D3)
    assert mini.ready() == {D1, D2, D4, D5}

    mini.broken = set()
    mini.run("staging", "mart", day=D3)

    assert mini.ready() == {D1, D2, D3, D4, D5}


def test_a_held_run_launched_again_is_held_again_and_passes_once_the_data_is_right(mini):
    mini.build()
    mini.bad = {D4}
    mini.run("raw")

    assert all(mini.is_held("dash", day=D4) for _ in range(2))
    assert mini.refreshed == []

    mini.bad = set()
    mini.run("raw")

    assert mini.run("dash", day=D4).success
    assert mini.refreshed == [[D4]]


@pytest.mark.parametrize("day", [D1, D5])
def test_the_check_on_the_dashboard_tells_why_in_a_table(mini, day):
    mini.bad = {day}
    mini.run("raw")

    word = gate_words(mini.run("dash", day=day))["dash", day]

    records = word.metadata["findings"].records
    assert not word.passed
    assert "half missing" in word.description
    assert records[0].data["asset"] == "raw"
    assert records[0].data["check"] == "complete"
    assert records[0].data["outcome"] == "failed"
    assert records[0].data["owner"] == "team:raw"
