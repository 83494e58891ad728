"""A killed demo leaves the old data or the new, no process, and a next run that ends right."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dashboard_trust.publication.releases import read_current

STAGES = ("Syncing", "Loading", "Building pipeline", "Building revenue", "Asking the dashboard")
ENTRY = "from dashboard_trust.cli.app import main; main()"
KILLED_BETWEEN_COMMIT_AND_SWAP = """
import datetime as dt, os, signal, sys
import dagster as dg
from sqlglot import exp
from dashboard_trust.demo.dashboard import REVENUE, destination
from dashboard_trust.demo.home import Home
from dashboard_trust.publication.checked import read_checked
from dashboard_trust.publication.swap import publish

home, day = Home.from_environment(), exp.cast(exp.convert(sys.argv[1]), "DATE")
slices = {REVENUE: {sys.argv[1]: exp.column("report_date").eq(day)}}
with dg.DagsterInstance.from_config(str(home.dagster)) as instance:
    assets = {REVENUE.source: dg.AssetKey(["marts", "revenue_daily"])}
    checked = read_checked(instance, slices, assets)
kill = lambda: os.kill(os.getpid(), signal.SIGKILL)
publish(destination(home), slices, checked, dt.datetime.now(dt.UTC), after_commit=kill)
"""


def processes_of(home: Path) -> set[int]:
    """Return the processes that name the home, in their arguments or their environment; children inherit it."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue  # it has ended meanwhile
        if str(home).encode() in words and int(folder.name) != os.getpid():
            found.add(int(folder.name))
    return found


def kill_at(demo, chance: random.Random) -> None:
    """Kill a demo at a random moment of a random stage."""
    stage = chance.choice(STAGES)
    command = [sys.executable, "-c", ENTRY, "demo", "--home", str(demo.home.path), "--as-of", str(demo.following)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        for line in child.stderr:
            if stage in line:
                break
        assert child.pid in processes_of(demo.home.path)
        time.sleep(chance.uniform(0, 1.5))
        child.kill()


def assert_recovers(demo, seed: int) -> None:
    demo.add_day(demo.following)
    demo.correct_refund(demo.day)
    before = (demo.table("published.revenue_daily"), demo.table("published.pipeline_daily"))

    others = processes_of(demo.home.path)  # what earlier tests left to this process: a tracker of multiprocessing's
    kill_at(demo, random.Random(seed))

    deadline = time.monotonic() + 5
    while processes_of(demo.home.path) - others and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not processes_of(demo.home.path) - others
    assert demo.page().endswith("</html>")
    assert read_current(demo.home.site) == demo.publication()["current"].name
    killed = (demo.table("published.revenue_daily"), demo.table("published.pipeline_daily"))
    if killed != before:
        assert demo.published() == demo.expected()
        assert str(killed[1][-1][0]) == str(demo.following)

    result = demo.run(demo.following)

    assert result.published, result.verdict
    assert str(result.verdict.readiness) == "READY", result.verdict.findings
    demo.assert_shows(demo.following)
    assert not [path for path in demo.home.site.rglob("*") if "building" in path.name or "partial" in path.name]


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_killed_at_random_the_next_run_ends_right(demo, seed):
    assert_recovers(demo, seed)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100, 150))
def test_killed_at_random_and_often_the_next_run_ends_right(demo, seed):
    assert_recovers(demo, seed)


@pytest.mark.long
def test_a_file_whose_checks_never_ran_is_loaded_again(demo):
    demo.add_day(demo.following)
    assert demo.launch("raw/crm_opportunities", day=demo.following, checks=False).success

    result = demo.run(demo.following)

    assert str(result.verdict.readiness) == "READY", result.verdict.findings


@pytest.mark.long
def test_killed_between_commit_and_swap_the_page_follows_the_tables(demo):
    demo.correct_refund(demo.day)
    old = demo.page()
    raw = ["raw/payments", "raw/orders", "raw/refunds", "raw/customers"]
    assert demo.launch(*raw, day=None).success
    models = ["staging/payments", "staging/orders", "staging/refunds", "marts/revenue_daily"]
    assert demo.launch(*models).success

    ended = subprocess.run([sys.executable, "-c", KILLED_BETWEEN_COMMIT_AND_SWAP, str(demo.day)], check=False)

    assert ended.returncode == -9
    assert demo.page() == old
    assert demo.published() == demo.expected()
    assert demo.run().published
    demo.assert_shows(demo.day)
