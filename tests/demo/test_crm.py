"""The CRM's files: late or broken, they cost the Pipeline section its label and nothing else."""

from __future__ import annotations

import datetime as dt
import re

import pytest

LABEL = re.compile(r'id="pipeline-label">(.*?)</p>')


def test_a_late_file_is_a_label_until_it_comes(demo):
    demo.add_day(demo.following, crm=False)

    late = demo.run(demo.following)

    assert (str(late.verdict.readiness), late.published) == ("PARTIAL", True)
    assert "Pipeline: shown as of 14 March 2025" in LABEL.search(demo.page())[1]
    (finding,) = late.verdict.causes
    assert (finding.asset, str(finding.outcome)) == ("raw/crm_opportunities", "missing")
    demo.assert_shows(demo.following)

    demo.deliver_crm(demo.following, "OPP-1,Account 1,won,10.00,2025-03-15T08:00:00Z")
    come = demo.run(demo.following)

    assert (str(come.verdict.readiness), come.published) == ("READY", True)
    assert LABEL.search(demo.page()) is None
    assert str(demo.table("published.pipeline_daily")[-1][0]) == str(demo.following)


@pytest.mark.long
def test_a_file_without_a_column_is_a_label_that_names_it(demo):
    demo.add_day(demo.following, crm=False)
    demo.deliver_crm(demo.following, "OPP-1,10.00", header="opportunity_id,total")

    broken = demo.run(demo.following)

    assert (str(broken.verdict.readiness), broken.published) == ("PARTIAL", True)
    (finding,) = broken.verdict.causes
    assert (finding.asset, str(finding.outcome)) == ("raw/crm_opportunities", "errored")
    assert "2025-03-15.csv has no column account, stage, amount, updated_at" in finding.reason
    assert LABEL.search(demo.page())
    demo.assert_shows(demo.following)


@pytest.mark.long
def test_a_corrected_file_that_is_wrong_leaves_what_was_published_of_that_day(demo):
    pipeline = demo.table("published.pipeline_daily")
    demo.deliver_crm(demo.day, "OPP-1,Account 1,unheard of,10.00,2025-03-14T08:00:00Z")

    wrong = demo.run()

    assert (str(wrong.verdict.readiness), wrong.published) == ("PARTIAL", True)
    assert ("raw/crm_opportunities", "known_stages") in [(f.asset, f.check) for f in wrong.verdict.causes]
    assert demo.table("published.pipeline_daily") == pipeline
    word = (demo.home.site / "readiness.js").read_text()
    assert "PARTIAL" in word
    assert "raw/crm_opportunities" in word


@pytest.mark.long
def test_a_corrected_file_of_an_earlier_day_is_followed_on_that_day_alone(demo):
    earlier = demo.day - dt.timedelta(days=3)
    before = demo.table("published.pipeline_daily")
    demo.deliver_crm(earlier, f"OPP-1,Account 1,won,10.00,{earlier}T08:00:00Z")

    assert demo.run().published

    after = demo.table("published.pipeline_daily")
    assert {row[0] for row in set(before) ^ set(after)} == {earlier}
    assert [row[1:] for row in after if row[0] == earlier] == [("won", 1, 10)]
