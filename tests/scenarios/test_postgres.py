"""The same evidence from Postgres as from SQLite."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import warnings
from dataclasses import replace

import dagster as dg
import pytest

from dashboard_trust.enforcement.calls import OUTAGE
from dashboard_trust.failures.outage import Outage
from dashboard_trust.failures.policy import Budget, Retries
from dashboard_trust.readers.key_values import change_value

D2, D3, D4, D5 = (f"2024-03-0{n}" for n in range(2, 6))


@pytest.fixture
def instance(tmp_path):
    """An instance on a real PostgreSQL server of its own."""
    with warnings.catch_warnings(action="ignore"):  # says on import where it would keep its files
        import pgserver

    server = pgserver.get_server(tmp_path / "data", cleanup_mode="delete")
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg2://")
    storage = {"storage": {"postgres": {"postgres_url": url}}, "telemetry": {"enabled": False}}
    (tmp_path / "dagster.yaml").write_text(json.dumps(storage))
    try:
        with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
            yield instance
    finally:
        server.cleanup()


def test_the_chain_holds_and_publishes_on_postgres_as_on_sqlite(mini):
    assert mini.is_held("dash", day=D3)
    mini.build()
    mini.bad, mini.rows[D4] = {D4}, "changed"
    mini.run("raw")

    assert mini.is_held("staging", "mart", day=D4)
    assert mini.is_held("dash", day=D3, to=D5)
    assert mini.refreshed == [[D3, D5]]
    assert mini.findings(D4) == [("raw", "complete", "failed")]

    mini.broken = {"raw"}
    mini.run("raw")
    assert mini.judge(D2)[D2].findings[0].reason == "stream payments is not COMPLETE"

    mini.broken, mini.bad = set(), set()
    mini.run("raw")
    mini.run("staging", "mart", day=D4)
    assert mini.run("dash", day=D4).success

    mini.instance.wipe_assets([dg.AssetKey("mart")])
    assert mini.is_held("dash", day=D4)


CALLER = """
import datetime as dt, logging, sys
from pathlib import Path
import dagster as dg
from dashboard_trust.contracts.sources import Source
from dashboard_trust.enforcement.gated_assets import trust
from dashboard_trust.failures.policy import Budget, Retries

logging.getLogger("dagster").setLevel(logging.CRITICAL)
home, calls, ready = map(Path, sys.argv[1:])
SHORT = dt.timedelta(seconds=0.05)
RETRIES = Retries(first_pause=SHORT, longest_pause=SHORT, give_up_after=dt.timedelta(minutes=10))
shop = Source("shop_api", ("raw",), budget=Budget(calls=5, per=dt.timedelta(days=1)), policies={"transient": RETRIES})

@dg.asset
def raw():
    with calls.open("a") as file:
        file.write("called\\n")
    raise TimeoutError("no answer")

defs = trust(dg.Definitions([raw]), sources=[shop])
with dg.DagsterInstance.from_config(str(home)) as instance:
    ready.touch()
    while len(list(ready.parent.glob("ready*"))) < 2:
        pass
    job = defs.resolve_implicit_global_asset_job_def()
    sys.exit(not job.execute_in_process(instance=instance, raise_on_error=False).success)
"""


@pytest.mark.long
def test_two_processes_at_once_call_a_source_no_more_often_than_its_budget(instance, tmp_path):
    calls = tmp_path / "calls"
    _, _, known = Outage().fail("before", *[dt.datetime.now(dt.UTC)] * 2, budget=Budget(5), retries=Retries(), draw=0)
    known = replace(known, next_at=None)  # it is known to be out, and one call of the five is made
    change_value(instance, f"{OUTAGE}shop_api", lambda _: (None, known.dump()))
    commands = [[sys.executable, "-c", CALLER, str(tmp_path), str(calls), str(tmp_path / f"ready{n}")] for n in (0, 1)]
    processes = [subprocess.Popen(command) for command in commands]

    assert [process.wait() for process in processes] == [1, 1]
    assert calls.read_text().count("called") == 4
    runs = instance.get_runs()
    assert [run.tags["dashboard_trust/failure_class"] for run in runs] == ["transient", "transient"]
