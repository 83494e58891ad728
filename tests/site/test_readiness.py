from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace

import pytest

from dashboard_trust.site.readiness import ReadinessWord, Reason, Serving, read_readiness, write_readiness
from dashboard_trust.verdicts.verdict import Readiness

NOON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
WORD = ReadinessWord(
    dashboard="dashboards/daily_revenue",
    partition="2026-11-20",
    readiness=Readiness.BLOCKED,
    evaluated_at=NOON,
    message="We are looking into it.",
    reasons=(Reason("raw/payments", "2026-11-20", "row_count", "failed", "10 rows, at least 40 expected", "data"),),
    owners=("data",),
    serving=Serving("2026-11-19", NOON - dt.timedelta(days=1)),
    corrections=(("2026-11-17", "corrected on 2026-11-20 09:12 UTC"),),
)


def test_what_people_wrote_cannot_leave_the_script(tmp_path):
    nasty = "</script><script>alert(1)</script><!-- & \u2028 Zoë \U0001f4a5"

    write_readiness(tmp_path, replace(WORD, message=nasty, dashboard=nasty))

    raw = (tmp_path / "readiness.js").read_bytes()
    assert raw.isascii()
    assert not set(b"<>&") & set(raw)
    assert read_readiness(tmp_path)[nasty].message == nasty


def test_a_word_is_read_as_it_was_written(tmp_path):
    write_readiness(tmp_path, WORD)

    assert read_readiness(tmp_path) == {WORD.dashboard: WORD}


def test_one_dashboard_keeps_its_word_when_another_speaks(tmp_path):
    other = replace(WORD, dashboard="another", serving=None, partition=None)
    write_readiness(tmp_path, WORD)
    write_readiness(tmp_path, other)
    write_readiness(tmp_path, replace(other, readiness=Readiness.READY))

    words = read_readiness(tmp_path)
    assert words[WORD.dashboard] == WORD
    assert words["another"].readiness is Readiness.READY


@pytest.mark.parametrize("content", ["", "window.dashboardTrust = {", "[]", 'window.dashboardTrust = {"a": {}};'])
def test_an_unreadable_file_holds_no_word_and_is_replaced(tmp_path, content):
    (tmp_path / "readiness.js").write_text(content)
    assert read_readiness(tmp_path) == {}

    write_readiness(tmp_path, WORD)

    assert read_readiness(tmp_path) == {WORD.dashboard: WORD}


def test_the_file_is_one_assignment_of_json_with_utc_times(tmp_path):
    summer = dt.timezone(dt.timedelta(hours=2))
    write_readiness(tmp_path, replace(WORD, evaluated_at=NOON.astimezone(summer)))

    text = (tmp_path / "readiness.js").read_text()
    entry = json.loads(text.removeprefix("window.dashboardTrust = ").removesuffix(";\n"))[WORD.dashboard]
    assert entry["evaluated_at"] == "2026-11-21T12:00:00Z"
    assert entry["unknown_after_hours"] == 26
    assert entry["readiness"] == "BLOCKED"
    assert entry["serving"] == {"partition": "2026-11-19", "since": "2026-11-20T12:00:00Z"}
    assert entry["reasons"][0]["check"] == "row_count"
