from __future__ import annotations

import json

import pytest

from dashboard_trust.cli.app import run


def explain(capfd, *arguments):
    assert run(["explain", *arguments, "-m", "trust_shop", "--json"]) == 0
    return json.loads(capfd.readouterr().out)


def test_an_unknown_dashboard_names_the_nearest(in_shop, capfd):
    assert run(["explain", "dashboards/salse", "-m", "trust_shop"]) == 2
    assert "did you mean 'dashboards/sales'?" in capfd.readouterr().err


@pytest.mark.parametrize("partition", ["2026-11-09", "2026-13-40", "", "yesterday", "💥"])
def test_an_unknown_partition_names_those_there_are(in_shop, capfd, partition):
    assert run(["explain", "dashboards/sales", "-m", "trust_shop", "--partition", partition]) == 2
    assert "2026-11-01 to 2026-11-05" in capfd.readouterr().err


@pytest.mark.parametrize("partition", ["2026-11-09", ""])
def test_a_partition_after_the_key_is_one_too(in_shop, capfd, partition):
    assert explain(capfd, "dashboards/sales@2026-11-03")["partition"] == "2026-11-03"
    assert run(["explain", f"dashboards/sales@{partition}", "-m", "trust_shop"]) == 2
    assert "2026-11-01 to 2026-11-05" in capfd.readouterr().err


def test_a_model_behind_a_gate_is_no_dashboard(in_shop, capfd):
    assert run(["explain", "mart", "-m", "trust_shop"]) == 2
    assert "There is no dashboard 'mart'" in capfd.readouterr().err


def test_a_failed_check_is_explained_down_to_the_next_step(in_shop, capfd):
    said = explain(capfd, "dashboards/sales", "--partition", "2026-11-03")

    assert said["readiness"] == "BLOCKED"
    assert said["ready_by"] == "2026-11-04T08:00:00+00:00"
    assert said["url"] == "https://bi.example.com"
    assert [(one["asset"], one["check"], one["outcome"]) for one in said["findings"]] == [
        ("pay", "row_count", "failed")
    ]
    loads = {one["asset"]: one for one in said["requirements"]}
    assert set(loads) == {"mart", "pay"}
    assert loads["pay"]["checks"] == ["row_count"]
    assert loads["pay"]["version"]
    assert loads["pay"]["loaded_at"]
    assert said["next_steps"][0] == "team:pay: put right what row_count found in pay, then materialize pay 2026-11-03"
    assert said["next_steps"][-1] == "Materialize dashboards/sales 2026-11-03"


def test_what_only_waits_is_told_apart_from_the_cause(in_shop, capfd):
    said = explain(capfd, "dashboards/sales")

    assert [one["asset"] for one in said["findings"]] == ["pay"]
    assert [one["asset"] for one in said["consequences"]] == ["mart"]
    assert all(one["version"] is None for one in said["requirements"])
    assert said["next_steps"] == [
        "team:pay: deliver pay 2026-11-05, then materialize it",
        "Materialize what waits for that: mart",
        "Materialize dashboards/sales 2026-11-05",
    ]


def test_what_is_shown_needs_no_next_step(in_shop, capfd):
    said = explain(capfd, "dashboards/sales", "--partition", "2026-11-02")

    assert (said["readiness"], said["findings"], said["next_steps"]) == ("READY", [], [])


def test_a_person_reads_all_of_it_in_80_columns(in_shop, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["explain", "dashboards/sales", "-m", "trust_shop"]) == 0

    text = capfd.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    for word in ("DELAYED as of", "promised by 2026-11-06 08:00 UTC (missed)", "shows 2026-11-02, since"):
        assert word in text
    headings = [
        line for line in text.splitlines() if line in ("Why", "What waits for these", "What it stands on", "Next")
    ]
    assert headings == ["Why", "What waits for these", "What it stands on", "Next"]
