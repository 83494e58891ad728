"""A run that is ended in the middle of its sync leaves no sync running."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

SYNC = """
import signal
import sys
from dagster_airbyte import AirbyteWorkspace
from dashboard_trust.ingestion.airbyte_sync import Patience, sync
# What is started in the background of a shell ignores it.
signal.signal(signal.SIGINT, signal.default_int_handler)
base = f"http://127.0.0.1:{sys.argv[1]}"
workspace = AirbyteWorkspace(
    rest_api_base_url=f"{base}/api/public/v1", configuration_api_base_url=f"{base}/api/v1", workspace_id="w",
    poll_interval=0.05,
)
sync(workspace, "shop", Patience())
"""


@pytest.mark.parametrize("slow_start", [False, True], ids=["while it runs", "while its start is not answered"])
def test_an_interrupted_process_cancels_its_sync(shop, slow_start):
    shop.connection.config["sleep"] = 300
    if slow_start:
        shop.airbyte.fault("POST", "public/v1/jobs", seconds=30.0, unheard=True)
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", SYNC, str(shop.airbyte.port)]) as process:
        try:
            deadline = time.monotonic() + 60
            while not shop.jobs():
                assert time.monotonic() < deadline
                time.sleep(0.05)
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) != 0
        finally:
            process.kill()

    assert [job.status for job in shop.jobs()] == ["cancelled"]


def test_a_sync_that_is_launched_elsewhere_is_never_cancelled(shop):
    shop.connection.config["sleep"] = 300
    shop.airbyte.resource().get_client().start_sync_job("shop")
    job = shop.jobs()[0]

    assert not shop.sync().success
    assert "is already running" in shop.verdict().findings[0].reason
    assert shop.jobs()[0].status == "running"
    shop.airbyte.resource().get_client().cancel_job(job.id)
