from __future__ import annotations

import json

from dashboard_trust.cli.app import run

FIELDS = {
    "dashboard",
    "title",
    "owner",
    "partition",
    "readiness",
    "as_of",
    "serving",
    "behind",
    "corrected",
    "findings",
}


def read_json(capfd, *arguments):
    assert run([*arguments, "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def test_the_last_partition_is_the_one_that_is_judged(in_shop, capfd):
    (row,) = read_json(capfd, "status", "-m", "trust_shop")

    assert set(row) == FIELDS
    assert (row["dashboard"], row["title"], row["owner"]) == ("dashboards/sales", "Sales", "team:sales")
    assert (row["partition"], row["readiness"]) == ("2026-11-05", "DELAYED")
    assert row["serving"]["partition"] == "2026-11-02"
    (finding,) = row["findings"]
    assert finding == {
        "name": "pay@2026-11-05",
        "asset": "pay",
        "partition": "2026-11-05",
        "check": None,
        "outcome": "missing",
        "reason": finding["reason"],
        "owner": "team:pay",
        "since": None,
        "failure": None,
    }


def test_all_is_every_partition(in_shop, capfd):
    rows = read_json(capfd, "status", "-m", "trust_shop", "--all")

    assert [(row["partition"][-2:], row["readiness"]) for row in rows] == [
        ("01", "READY"),
        ("02", "READY"),
        ("03", "BLOCKED"),
        ("04", "DELAYED"),
        ("05", "DELAYED"),
    ]
    assert rows[2]["findings"][0]["check"] == "row_count"


def test_a_person_reads_word_day_what_is_shown_cause_and_owner_in_80_columns(in_shop, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["status", "-m", "trust_shop", "--all"]) == 0

    text = capfd.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    words = " ".join(text.split())
    assert "BLOCKED Sales (dashboards/sales) 2026-11-03 shows 2026-11-02, since" in words
    assert "pay 2026-11-03 · row_count: failed, [red]half [31m is missing [team:pay]" in words
    assert "\x1b" not in text


def test_a_dashboard_that_was_never_bound_is_unknown_and_never_left_out(place, capfd, monkeypatch):
    (place / "unbound.py").write_text(
        "import dagster as dg\n"
        "from dashboard_trust.contracts.model import DashboardContract\n"
        "from dashboard_trust.enforcement.gated_assets import trusted_dashboard\n"
        "dash = trusted_dashboard(DashboardContract('dash', 'team:x'), lambda c, v: None, deps=['raw'])\n"
        "defs = dg.Definitions([dash])\n"
    )
    (place / "instance").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(place / "instance"))

    (row,) = read_json(capfd, "status", "-f", "unbound.py")
    assert (row["dashboard"], row["partition"], row["readiness"]) == ("dash", None, "UNKNOWN")
    assert "trust(" in row["findings"][0]["reason"]


def test_a_dashboard_without_any_partition_yet_is_unknown_and_never_left_out(place, capfd, monkeypatch):
    (place / "early.py").write_text(
        "import dagster as dg\n"
        "from dashboard_trust.contracts.model import DashboardContract\n"
        "from dashboard_trust.enforcement.gated_assets import trust, trusted_dashboard\n"
        "days = dg.DailyPartitionsDefinition('2200-01-01')\n"
        "contract = DashboardContract('dash', 'team:x')\n"
        "dash = trusted_dashboard(contract, lambda c, v: None, deps=['raw'], partitions_def=days)\n"
        "defs = trust(dg.Definitions([dg.AssetSpec('raw'), dash]))\n"
    )
    (place / "instance").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(place / "instance"))

    for arguments in (["status"], ["status", "--all"], ["explain", "dash"]):
        found = read_json(capfd, *arguments, "-f", "early.py")
        row = found[0] if isinstance(found, list) else found
        assert (row["partition"], row["readiness"]) == (None, "UNKNOWN")
        assert row["findings"][0]["reason"] == "it has no partition yet"


def test_no_dashboards_is_an_empty_list_and_a_sentence(place, capfd, monkeypatch):
    (place / "empty.py").write_text("import dagster as dg\ndefs = dg.Definitions()\n")
    (place / "instance").mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(place / "instance"))

    assert read_json(capfd, "status", "-f", "empty.py") == []
    assert run(["status", "-f", "empty.py"]) == 0
    assert "There are no dashboards" in capfd.readouterr().out
