"""A real `dagster dev` on a home, what it is asked over GraphQL, and a browser to look at it."""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
from dagster_processes import dagster_dev, wait_for

from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

DAYS = [dt.date(2025, 3, day).isoformat() for day in range(1, 15)]
LOCATION = {"repositoryName": "__repository__", "repositoryLocationName": "dashboard_trust.demo.definitions"}
UNFINISHED = {"QUEUED", "NOT_STARTED", "MANAGED", "STARTING", "STARTED", "CANCELING"}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
FLAGS += ["--disable-background-networking", "--disable-component-update"]
NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"
T = TypeVar("T")


class Dagster:
    """A `dagster dev` that answers, and the home it works in."""

    def __init__(self, home: Path, url: str) -> None:
        self.home, self.url = home, url

    def ask(self, query: str, **variables: Any) -> Any:
        """Answer a GraphQL query that has one field."""
        reply = requests.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=60)
        body = reply.json()
        assert "errors" not in body, body["errors"]
        return next(iter(body["data"].values()))

    def sync(self) -> dict[str, Any]:
        """Launch what the schedule launches, and return the run when it has ended."""
        launched = self.ask(
            "mutation ($p: ExecutionParams!) { launchRun(executionParams: $p)"
            " { __typename ... on LaunchRunSuccess { run { runId } } } }",
            p={"selector": {**LOCATION, "pipelineName": "sync"}, "mode": "default"},
        )
        assert launched["__typename"] == "LaunchRunSuccess"
        return self.ended(launched["run"]["runId"])

    def ended(self, run_id: str) -> dict[str, Any]:
        """Wait for a run to end, and return it."""
        return wait_for(lambda: next((r for r in self.runs() if r["runId"] == run_id and r["ended"]), None), run_id)

    def runs(self) -> list[dict[str, Any]]:
        """Return every run, newest first, with its tags by name."""
        found = self.ask(
            "{ runsOrError { ... on Runs { results { runId status creationTime assetSelection { path }"
            " tags { key value } } } } }"
        )["results"]
        return [
            {
                **run,
                "tags": {tag["key"].removeprefix("dagster/"): tag["value"] for tag in run["tags"]},
                "assets": {"/".join(key["path"]) for key in run["assetSelection"] or []},
                "ended": run["status"] not in UNFINISHED,
            }
            for run in found
        ]

    def published(self) -> dict[str, dict[str, str]]:
        """Return for each day that was published how it stood, and by which run."""
        found = self.ask(
            '{ assetOrError(assetKey: {path: ["dashboards", "daily_revenue"]}) { ... on Asset { assetMaterializations'
            " { partition runId metadataEntries { label ... on TextMetadataEntry { text } } } } } }"
        )
        shown: dict[str, dict[str, str]] = {}
        for event in found.get("assetMaterializations", ()):  # newest first
            words = {entry["label"]: entry.get("text") for entry in event["metadataEntries"]}
            shown.setdefault(event["partition"], {"readiness": words["readiness"], "run": event["runId"]})
        return shown

    def gate_result(self, day: str) -> dict[str, str]:
        """Return the newest `upstream_ready` result of the dashboard for a day: its status, and its run."""
        found = self.ask(
            'query ($key: AssetKeyInput!) { assetCheckExecutions(assetKey: $key, checkName: "upstream_ready",'
            " limit: 50) { runId status partition } }",
            key={"path": ["dashboards", "daily_revenue"]},
        )
        newest = next(result for result in found if result.pop("partition") == day)
        return dict(newest)

    def backfill(self, asset: list[str], days: list[str]) -> set[str]:
        """Launch a backfill, and return its runs when they have ended."""
        launched = self.ask(
            "mutation ($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p)"
            " { __typename ... on LaunchBackfillSuccess { backfillId } } }",
            p={"assetSelection": [{"path": asset}], "partitionNames": days},
        )
        own = wait_for(lambda: self._runs_of(launched["backfillId"]), "the backfill to launch a run")
        return {self.ended(run["runId"])["runId"] for run in own}

    def _runs_of(self, backfill: str) -> list[dict[str, Any]]:
        return [run for run in self.runs() if run["tags"].get("backfill") == backfill]

    def ticks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the ended ticks of each sensor."""
        found = self.ask(
            "query ($r: RepositorySelector!) { sensorsOrError(repositorySelector: $r) { ... on Sensors { results"
            " { name sensorState { ticks { timestamp endTimestamp status error { message } } } } } } }",
            r=LOCATION,
        )["results"]
        return {s["name"]: [t for t in s["sensorState"]["ticks"] if t["endTimestamp"]] for s in found}

    def wait_for_ticks(self, since: float, count: int) -> None:
        """Wait until every sensor has looked so many times since then."""
        wait_for(
            lambda: all(sum(t["timestamp"] > since for t in ticks) >= count for ticks in self.ticks().values()),
            f"{count} ticks of every sensor",
        )

    def shown(self) -> tuple[Any, ...]:
        """Return what readers see: the rows of the published tables, and the bytes of the site's releases."""
        with DuckDBWarehouse(self.home / "warehouse.duckdb").connect("test") as connection:
            tables = [
                connection.execute(f"SELECT * FROM published.{name} ORDER BY ALL").fetchall()
                for name in ("revenue_daily", "pipeline_daily")
            ]
        site = self.home / "site"
        pages = {path: hashlib.sha256(path.read_bytes()).digest() for path in sorted(site.rglob("*.html"))}
        return tables, pages, (site / "current").readlink()


@pytest.fixture(scope="session", name="days")
def _days() -> list[str]:
    """The days of a home, oldest first; the time by which each was promised is long past."""
    return DAYS


@pytest.fixture(scope="session", name="command")
def _command():
    return command


@pytest.fixture(scope="session", name="wait_for")
def _wait_for():
    return wait_for


@pytest.fixture(scope="session", name="serve")
def _serve():
    return serve


def command(*arguments: str) -> int:
    """Run the command line in a process of its own, and return its exit code."""
    program = Path(sys.executable).with_name("dashboard-trust")
    return subprocess.run([program, *arguments], check=False, capture_output=True, timeout=240).returncode


@contextmanager
def serve(home: Path) -> Iterator[Dagster]:
    """Run `dagster dev` on a home, as `make ui` does."""
    told = {"DASHBOARD_TRUST_HOME": str(home)}
    with dagster_dev(home / "dagster", "-m", "dashboard_trust.demo.definitions", environment=told) as url:
        yield Dagster(home, url)


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """A page of headless Chromium that reaches nothing but this machine."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or "/usr/bin/chromium", args=[*FLAGS, NO_NETWORK]
        )
        page = browser.new_page(viewport={"width": 1700, "height": 1000})
        page.set_default_timeout(30_000)
        yield page
        browser.close()
