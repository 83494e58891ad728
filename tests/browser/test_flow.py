"""What `make ui` does by itself: a sync is launched, and everything after it follows without a hand."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(600)]


@dataclass(frozen=True)
class Moment:
    """What stood at one moment of the flow."""

    at: float
    published: dict[str, dict[str, str]]
    runs: list[dict[str, Any]]
    page: str
    pipeline_days: int


@pytest.fixture(scope="module")
def late_file(tmp_path_factory: pytest.TempPathFactory, days: list[str]) -> Path:
    """Where the newest day's CRM file is until somebody drops it."""
    return tmp_path_factory.mktemp("late") / f"{days[-1]}.csv"


@pytest.fixture(scope="module")
def dagster(tmp_path_factory, late_file: Path, command, serve) -> Iterator[Any]:
    """A home that was only prepared, without the newest day's CRM file."""
    home = tmp_path_factory.mktemp("flow") / "home"
    assert command("demo", "--home", str(home), "--prepare", "--as-of", late_file.stem) == 0
    (home / "landing" / "crm_opportunities" / late_file.name).rename(late_file)
    with serve(home) as dagster:
        yield dagster


@pytest.fixture(scope="module")
def synced(dagster, settle) -> Moment:
    """One sync was launched by hand, and nothing else."""
    assert dagster.sync()["status"] == "SUCCESS"
    return settle("PARTIAL")


@pytest.fixture(scope="module")
def completed(dagster, synced: Moment, late_file: Path, settle) -> Moment:
    """After that the late file was dropped."""
    (dagster.home / "landing" / "crm_opportunities" / late_file.name).write_bytes(late_file.read_bytes())
    return settle("READY")


@pytest.fixture(scope="module")
def settle(dagster, days: list[str], wait_for):
    """Wait until the newest day is published so, the days before it as READY, and every run has ended."""

    def settle(newest: str) -> Moment:
        wanted = {**dict.fromkeys(days, "READY"), days[-1]: newest}
        wait_for(lambda: {day: word["readiness"] for day, word in dagster.published().items()} == wanted, f"{wanted}")
        wait_for(lambda: all(run["ended"] for run in dagster.runs()), "every run to end")
        (_, pipeline), _, _ = dagster.shown()
        page = (dagster.home / "site" / "current" / "index.html").read_text()
        return Moment(time.time(), dagster.published(), dagster.runs(), page, len({row[0] for row in pipeline}))

    return settle


def net_revenue(home: Path, day: str) -> str:
    """Compute a day's net revenue from the source alone."""

    def total(name: str, column: str, paid: bool) -> Decimal:
        with (home / "source" / f"{name}.csv").open(newline="") as file:
            rows = [row for row in csv.DictReader(file) if row[column].startswith(day)]
        return sum((Decimal(row["amount"]) for row in rows if not paid or row["status"] == "paid"), Decimal())

    return f"{total('payments', 'paid_at', True) - total('refunds', 'refunded_at', False):.2f}"


def test_a_sync_is_enough_for_every_day_to_be_modelled_and_published(dagster, synced, days):
    by_hand = [run for run in synced.runs if not run["tags"].keys() & {"sensor_name", "backfill"}]

    assert len(by_hand) == 1
    assert {run["status"] for run in synced.runs} == {"SUCCESS"}
    assert net_revenue(dagster.home, days[-1]) in synced.page


def test_a_day_whose_file_is_late_is_published_without_that_section(synced, days):
    assert synced.published[days[-1]]["readiness"] == "PARTIAL"
    assert synced.pipeline_days == 13


def test_few_runs_do_it_since_days_that_are_due_together_run_together(synced):
    assert len(synced.runs) <= 8, [(run["assets"], run["tags"]) for run in synced.runs]


def test_a_late_file_is_loaded_modelled_and_republished(synced, completed, days):
    new = [run for run in completed.runs if run["runId"] not in {run["runId"] for run in synced.runs}]

    assert completed.published[days[-1]]["readiness"] == "READY"
    assert completed.pipeline_days == 14
    assert {run["tags"].get("partition") for run in new} == {days[-1]}
    assert sorted(sorted(run["assets"]) for run in new) == [
        ["dashboards/daily_revenue"],
        ["marts/pipeline_daily", "staging/crm_opportunities"],
        ["raw/crm_opportunities"],
    ]


def test_the_other_days_are_left_as_they_were(synced, completed, days):
    assert {day: completed.published[day] for day in days[:-1]} == {day: synced.published[day] for day in days[:-1]}


def test_nothing_is_launched_while_nothing_changes(dagster, completed):
    dagster.wait_for_ticks(completed.at, 2)

    assert {run["runId"] for run in dagster.runs()} == {run["runId"] for run in completed.runs}
    assert [tick for ticks in dagster.ticks().values() for tick in ticks if tick["error"]] == []
