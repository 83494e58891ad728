"""What is published is what was checked; and a version that is put back stays put."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.long


@pytest.fixture
def corrected(demo):
    """The demo's home after a correction was published: two versions."""
    first = demo.publication()
    demo.correct_refund(demo.day)
    assert demo.run().published
    return first


def test_a_mart_changed_behind_dagsters_back_is_not_published_and_the_command_says_so(demo):
    before = demo.publication()
    demo.correct_refund(demo.day)
    assert demo.launch("raw/payments", "raw/orders", "raw/refunds", "raw/customers", day=None).success
    assert demo.launch("staging/payments", "staging/orders", "staging/refunds", "marts/revenue_daily").success
    with demo.home.warehouse.connect("somebody") as connection:
        connection.execute("UPDATE marts.revenue_daily SET orders = orders + 1")

    said = demo.command("demo", "--as-of", str(demo.day))

    assert said.returncode == 3
    assert "Not published: marts.revenue_daily for 2025-03-14 is not what was checked" in " ".join(said.stdout.split())
    assert demo.publication() == before


def test_a_rolled_back_version_is_not_published_again_until_it_is_released(demo, corrected):
    second = demo.published()
    said = demo.command("rollback", "dashboards/daily_revenue", "--reason", "the refund was right")

    assert said.returncode == 0, said.stderr
    assert "shows version 1 again" in " ".join(said.stdout.split())
    now = demo.publication()
    assert [now[name] for name in ("revenue", "pipeline", "current")] == [
        corrected[name] for name in ("revenue", "pipeline", "current")
    ]

    held = demo.run()
    assert not held.published
    assert [(f.asset, str(f.outcome)) for f in held.verdict.causes] == [("dashboards/daily_revenue", "unapproved")]
    assert "the refund was right" in held.verdict.causes[0].reason
    assert demo.published() != second

    demo.command("release", "dashboards/daily_revenue", "--reason", "it was not")
    assert demo.run().published
    assert demo.published() == second == demo.expected()


def test_new_inputs_are_published_over_a_rollback_without_anybodys_word(demo, corrected):
    demo.command("rollback", "dashboards/daily_revenue", "--reason", "wrong")
    demo.correct_refund(demo.day, "2.34")

    assert demo.run().published
    demo.assert_shows(demo.day)


def test_what_cannot_be_put_back_is_said_and_nothing_is_changed(demo):
    before = demo.publication()
    for arguments in (["--to", "7"], []):
        said = demo.command("rollback", "dashboards/daily_revenue", "--reason", "x", "--json", *arguments)
        assert said.returncode == 2
        assert "to put back" in json.loads(said.stdout)["error"]

    assert demo.publication() == before
    assert demo.run().verdict.readiness == "READY"
