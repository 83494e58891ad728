"""What `readers.key_values` assumes of Dagster's key-value store and of its table, which are internal."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import dagster as dg
import pytest

from dashboard_trust.readers.key_values import change_value, read_value

ADD = """
import sys, dagster as dg
from dashboard_trust.readers.key_values import change_value
with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    for _ in range(25):
        change_value(instance, "ours", lambda text: (None, str(int(text or 0) + 1)))
"""


def add_one(text):
    return text, str(int(text or 0) + 1)


def test_what_others_wrote_at_the_same_time_is_never_lost(instance):
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: change_value(instance, "ours", add_one), range(200)))

    assert read_value(instance, "ours") == "200"
    assert len(set(answers)) == 200


@pytest.mark.long
def test_nor_what_other_processes_wrote(tmp_path):
    (tmp_path / "dagster.yaml").write_text(
        json.dumps({"storage": {"sqlite": {"base_dir": str(tmp_path)}}, "telemetry": {"enabled": False}})
    )
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        command = [sys.executable, "-c", ADD, str(tmp_path)]
        processes = [subprocess.Popen(command) for _ in range(3)]
        assert [process.wait() for process in processes] == [0, 0, 0]

        assert read_value(instance, "ours") == "75"


def test_a_change_that_changes_nothing_writes_nothing(instance):
    assert change_value(instance, "ours", lambda text: ("known", text)) == "known"
    assert instance.daemon_cursor_storage.get_cursor_values({"ours"}) == {}


def test_what_was_emptied_can_be_changed_again(instance):
    change_value(instance, "ours", lambda _: (None, "1"))
    change_value(instance, "ours", lambda _: (None, ""))
    change_value(instance, "ours", add_one)

    assert read_value(instance, "ours") == "1"


def test_an_instance_in_memory_keeps_it_too():
    with dg.DagsterInstance.ephemeral() as instance:
        change_value(instance, "ours", add_one)
        change_value(instance, "ours", add_one)

        assert read_value(instance, "ours") == "2"
