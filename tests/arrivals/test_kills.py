"""A process that is killed half way through a file leaves it as it was; the next one ends right."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

D1 = "2026-01-01"
REFUSED = "SELECT kept_in FROM trust.rejections"


@pytest.mark.long
@pytest.mark.parametrize("moment", ["reading", "kept", "writing", "written"])
def test_a_load_that_is_killed_ends_whole_when_it_is_run_again(make_landing, local_bucket, instance, tmp_path, moment):
    landing = make_landing(local_bucket, max_refused=1)
    landing.put(D1, "1,1.50")
    assert landing.work() == [(D1, True)]
    old = landing.rows("id")
    landing.put(D1, "1,2.50", "2,2.50", "3,much")

    killed = subprocess.run(
        [sys.executable, Path(__file__).with_name("loader.py"), tmp_path, moment],
        capture_output=True,
        timeout=120,
        check=False,
    )

    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    new = [(1,), (2,)]
    assert landing.rows("id") == (new if moment == "written" else old)
    landing.cursor = None
    assert landing.work() == []  # the run is not known to be over
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        instance.report_run_failed(run)  # as Dagster's run monitoring does
    assert landing.work() == [(D1, True)]
    assert landing.rows("id") == new
    assert landing.work() == []
    with landing.warehouse.connect("test") as connection:
        kept = connection.execute(REFUSED).fetchall()
        tables = connection.execute("SELECT table_name FROM duckdb_tables WHERE schema_name = 'trust_rejected'")
        assert [f"trust_rejected.{name}" for (name,) in tables.fetchall()] == [name for (name,) in kept]
    assert len(kept) == 1
