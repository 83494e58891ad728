from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

from dashboard_trust.ingestion.airbyte_landing import open_job


def test_what_a_killed_run_left_is_cleaned_and_a_living_ones_is_not(tmp_path):
    landing = tmp_path / "landing"
    script = (
        "import sys, time; from pathlib import Path;"
        "from dashboard_trust.ingestion.airbyte_landing import open_job;"
        "folder, lock = open_job(Path(sys.argv[1]), int(sys.argv[2]));"
        "(folder / 'payments.jsonl').write_text('{}'); print('ready', flush=True); time.sleep(300)"
    )
    living, killed = (
        subprocess.Popen([sys.executable, "-c", script, landing, str(job)], stdout=subprocess.PIPE) for job in (1, 2)
    )
    with living, killed:
        assert living.stdout.readline() == killed.stdout.readline() == b"ready\n"
        os.kill(killed.pid, signal.SIGKILL)
        killed.wait()

        _, lock = open_job(landing, 3)

        assert sorted(path.name for path in landing.iterdir() if path.is_dir()) == ["1", "3"]
        assert (landing / "1" / "payments.jsonl").exists()
        lock.release()
        living.kill()


def test_the_next_sync_cleans_what_no_one_loaded(scripted, land):
    connection = scripted({"payments": {"status": "COMPLETE"}})
    (connection.landing / "7").mkdir(parents=True)
    (connection.landing / "7" / "landed.json").write_text(json.dumps({}))

    land(connection)

    assert [path.name for path in connection.landing.iterdir()] == [".lock"]
