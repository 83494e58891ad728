import datetime as dt
import json
import shutil

import pytest

from dashboard_trust.cli.app import run

SHOP = ("-m", "trust_shop")
TOMORROW = (dt.datetime.now(dt.UTC) + dt.timedelta(days=1)).isoformat()
SALES = "dashboards/sales"


@pytest.fixture
def status(in_shop, capfd, tmp_path, monkeypatch):
    """The readiness and findings of one day of the dashboard, by the command, on an instance of the test's own."""
    instance = tmp_path / "instance"
    shutil.copytree(in_shop / "instance", instance)
    monkeypatch.setenv("DAGSTER_HOME", str(instance))

    def status(day):
        capfd.readouterr()
        assert run(["status", *SHOP, "--all", "--json"]) == 0
        rows = {row["partition"]: row for row in json.loads(capfd.readouterr().out)}
        return rows[day]["readiness"], [(f["asset"], f["outcome"], f["reason"]) for f in rows[day]["findings"]]

    return status


def say(*arguments):
    return run([*arguments, *SHOP, "--by", "anna"])


def test_a_hold_blocks_every_day_until_it_is_released(status):
    assert say("hold", SALES, "--reason", "auditors are in") == 0

    assert status("2026-11-01") == ("BLOCKED", [(SALES, "unapproved", "held by anna: auditors are in")])
    assert status("2026-11-02")[0] == "BLOCKED"

    assert say("release", SALES, "--reason", "they are done") == 0
    assert status("2026-11-01") == ("READY", [])


def test_a_hold_of_one_day_leaves_the_others_alone(status):
    assert say("hold", SALES, "--reason", "odd", "--partition", "2026-11-01") == 0

    assert (status("2026-11-01")[0], status("2026-11-02")[0]) == ("BLOCKED", "READY")


def test_a_release_does_not_lift_what_the_evidence_holds(status):
    assert say("release", SALES, "--reason", "just publish it") == 0

    assert status("2026-11-03")[0] == "BLOCKED"


def test_a_waived_finding_no_longer_holds_and_is_shown_with_who_and_why(status, capfd):
    assert status("2026-11-03")[0] == "BLOCKED"
    assert run(["explain", SALES, "-p", "2026-11-03", *SHOP, "--json"]) == 0
    held = next(f for f in json.loads(capfd.readouterr().out)["findings"] if f["check"] == "row_count")

    assert say("waive", held["name"], "--reason", "half a holiday", "--until", TOMORROW) == 0

    readiness, findings = status("2026-11-03")
    assert readiness == "DELAYED"  # what waited for it is still to be built
    ((asset, _, reason),) = [finding for finding in findings if finding[1] == "waived"]
    assert asset == "pay"
    assert "anna" in reason
    assert "half a holiday" in reason


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("hold", "dashboards/salse", "--reason", "x"), SALES),
        (("hold", SALES, "--reason", "x", "--partition", "2031-01-01"), "2031-01-01"),
        (("hold", SALES, "--reason", "  "), "needs a name and a reason"),
        (("waive", "pay@2026-11-03:row_conut", "--reason", "x", "--until", TOMORROW), "row_count"),
        (("waive", "pay@2026-11-03:row_count", "--reason", "x", "--until", "2001-01-01"), "is past"),
        (("waive", "pay@2026-11-03:row_count", "--reason", "x", "--until", "soon"), "'soon'"),
        (("accept", "pay@2026-11-03:row_count", "--reason", "x"), "is not about the columns of a table"),
        (("accept", "pay@2026-11-03:columns", "--reason", "x"), "Nothing is held by"),
    ],
)
def test_what_cannot_be_meant_is_said_in_one_line_and_changes_nothing(status, capfd, arguments, said):
    before = status("2026-11-03")
    capfd.readouterr()

    assert say(*arguments) == 2

    error = capfd.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert status("2026-11-03") == before
