"""What a person sees and does in the Dagster UI while a day is held."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(600)]
CHECK = "/assets/dashboards/daily_revenue?view=checks&checkDetail=upstream_ready"
CHAIN = {
    **dict.fromkeys(["payments", "orders", "refunds", "crm_opportunities"], 2),  # as raw/… and as staging/…
    **dict.fromkeys(["revenue_daily", "pipeline_daily", "daily_revenue"], 1),
    **dict.fromkeys(["raw", "staging", "marts", "dashboards"], 1),  # the groups
    "Airbyte": 3,
    "File": 1,
    "dbt": 6,
    "Dashboard": 1,  # the kinds
}


@pytest.fixture(scope="module")
def dagster(tmp_path_factory, command, serve, days: list[str]) -> Iterator[Any]:
    """A home whose days were all published; then half of the newest day's payments got lost at the source."""
    home = tmp_path_factory.mktemp("ui") / "home"
    assert command("demo", "--home", str(home), "--as-of", days[-1]) == 0
    lose_half(home / "source" / "payments.csv", days[-1])
    assert command("demo", "--home", str(home)) == 3
    with serve(home) as dagster:
        dagster.since = time.time()
        yield dagster


def lose_half(payments: Path, day: str) -> None:
    lines = payments.read_text().splitlines(keepends=True)
    own = [line for line in lines if f",{day}T" in line]
    payments.write_text("".join(line for line in lines if line not in own[::2]))


def open_page(page, dagster, path: str) -> None:
    page.goto(f"{dagster.url}{path}")
    page.get_by_role("link", name="Lineage").first.wait_for()


def materialize_as_a_person(page, dagster, wait_for) -> str:
    """Click through the dialog for the newest partition; return the run's id."""
    before = {run["runId"] for run in dagster.runs()}
    open_page(page, dagster, "/assets/dashboards/daily_revenue")
    page.get_by_role("button", name="Materialize").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Latest", exact=True).click()
    dialog.get_by_role("button", name="Launch 1 run").click()
    new = wait_for(lambda: [run for run in dagster.runs() if run["runId"] not in before], "the run to be launched")
    return new[0]["runId"]


def test_the_lineage_shows_the_chain_from_stream_to_dashboard(page, dagster):
    open_page(page, dagster, "/assets/dashboards/daily_revenue?view=lineage&lineageScope=upstream&lineageDepth=5")
    graph = page.locator("svg", has=page.locator("foreignObject")).first
    graph.get_by_text("daily_revenue", exact=True).wait_for()
    graph.get_by_text("Airbyte", exact=True).first.wait_for()

    assert {word: graph.get_by_text(word, exact=True).count() for word in CHAIN} == CHAIN


def test_the_failed_check_says_what_holds_the_day_and_who_is_on_it(page, dagster, days):
    open_page(page, dagster, CHECK)
    table = page.locator("table", has=page.get_by_text("reconciliation", exact=True)).last
    table.wait_for()
    headers, cells = (line.split("\t") for line in table.inner_text().splitlines())

    assert headers == ["asset", "partition", "check", "outcome", "reason", "owner", "since"]
    assert cells[:4] == ["raw/payments", days[-1], "reconciliation", "failed"]
    assert "keys differ" in cells[4]
    assert cells[5] == "billing@example.com"
    # The page draws its parts one after the other: these are waited for, and missing ones fail.
    page.get_by_text("Held, BLOCKED: raw/payments").first.wait_for()
    page.get_by_text("BLOCKED", exact=True).first.wait_for()


def test_materialize_on_the_held_dashboard_ends_held(page, dagster, days, wait_for):
    shown, published = dagster.shown(), dagster.published()
    run = dagster.ended(materialize_as_a_person(page, dagster, wait_for))
    open_page(page, dagster, f"/runs/{run['runId']}")
    page.get_by_text("Failure", exact=True).first.wait_for()

    assert run["status"] == "FAILURE"
    assert run["tags"]["retry_on_asset_or_op_failure"] == "false"
    assert dagster.gate_result(days[-1]) == {"runId": run["runId"], "status": "FAILED"}
    assert dagster.shown() == shown
    assert dagster.published() == published


def test_a_backfill_publishes_the_good_days_and_holds_the_bad_one(dagster, days):
    before = dagster.published()
    runs = dagster.backfill(["dashboards", "daily_revenue"], days[-3:])
    after = dagster.published()

    assert {after[day]["run"] for day in days[-3:-1]} == runs
    assert after[days[-1]] == before[days[-1]]
    assert {day: after[day] for day in days[:-3]} == {day: before[day] for day in days[:-3]}
    assert dagster.gate_result(days[-1])["status"] == "FAILED"


def test_no_sensor_launches_what_is_loaded_or_held(dagster):
    dagster.wait_for_ticks(dagster.since, 3)

    assert [run for run in dagster.runs() if "sensor_name" in run["tags"]] == []
    assert [tick for ticks in dagster.ticks().values() for tick in ticks if tick["error"]] == []
