"""The numbers: what is published is what the source says, and follows it."""

from __future__ import annotations

import datetime as dt

import pytest

from dashboard_trust.site.readiness import read_readiness


def test_every_day_published_is_what_the_source_says(demo):
    assert len(demo.expected()) == 14

    demo.assert_shows(demo.day)


def test_with_nothing_changed_the_same_is_published_and_nothing_is_built(demo):
    before, marts = demo.publication(), demo.loads("marts/revenue_daily", "marts/pipeline_daily")

    result = demo.run()

    assert (result.published, result.verdict.findings) == (True, ())
    assert demo.publication() == before
    assert demo.loads("marts/revenue_daily", "marts/pipeline_daily") == marts


@pytest.mark.long
def test_a_corrected_refund_is_followed_on_its_own_day_alone(demo):
    earlier = demo.day - dt.timedelta(days=5)
    marts, release = demo.loads("marts/revenue_daily", "marts/pipeline_daily"), demo.publication()["current"]
    demo.correct_refund(earlier)

    result = demo.run()

    assert result.published
    demo.assert_shows(demo.day)
    assert demo.publication()["current"] != release
    after = demo.loads("marts/revenue_daily", "marts/pipeline_daily")
    assert {place for place in after if after[place] != marts[place]} == {("marts/revenue_daily", str(earlier))}
    ((day, said),) = read_readiness(demo.home.site)["dashboards/daily_revenue"].corrections
    assert (day, f"because data of {day} in raw/refunds came late, or changed" in said) == (str(earlier), True)
    assert "staging" not in said


@pytest.mark.long
def test_the_next_day_is_published_and_the_first_one_stays(demo):
    demo.add_day(demo.following)

    result = demo.run(demo.following)

    assert (str(result.verdict.readiness), result.published) == ("READY", True)
    assert demo.net_on_page() == (str(demo.following), "54.75")
    demo.assert_shows(demo.following)
    assert len(demo.published()) == 15


def test_an_earlier_good_day_is_published_while_a_later_one_is_held(demo):
    demo.add_day(demo.following)
    demo.write("payments", [row for row in demo.rows("payments") if str(demo.following) not in row["paid_at"]])
    demo.correct_refund(demo.day)

    result = demo.run(demo.following)

    assert (str(result.verdict.readiness), result.published) == ("DELAYED", False)
    demo.assert_shows(demo.day)


@pytest.mark.long
@pytest.mark.parametrize("gone", ["site/current", "site"])
def test_a_page_that_was_lost_is_made_again(demo, gone):
    before = demo.publication()
    lost = demo.home.path / gone
    if lost.is_symlink():
        lost.unlink()
    else:
        lost.rename(demo.home.path / "elsewhere")

    assert demo.run().published
    assert demo.publication()["current"] == before["current"]
    demo.assert_shows(demo.day)
