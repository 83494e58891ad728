from __future__ import annotations

import subprocess
import sys

import pytest

from dashboard_trust.errors import SyncFailedError
from dashboard_trust.ingestion.airbyte_protocol import Connector, kill
from dashboard_trust.ingestion.child import tied


def test_a_real_connector_answers_spec_check_and_discover(demo, tmp_path, source):
    connector = Connector(demo.command, demo.config, tmp_path)

    assert connector.spec()["connectionSpecification"]["required"] == ["folder"]
    connector.check()
    assert set(connector.discover()) == {"payments", "orders", "refunds", "customers"}

    (source / "orders.csv").unlink()
    with pytest.raises(SyncFailedError, match=r"check failed: orders\.csv: No such file"):
        connector.check()
    with pytest.raises(SyncFailedError, match=r"discover failed: orders\.csv: .* \(connector exit code 1\)"):
        connector.discover()


def test_the_configuration_is_for_our_eyes_only(demo, tmp_path):
    Connector(demo.command, demo.config, tmp_path).check()

    assert (tmp_path / "config.json").stat().st_mode & 0o777 == 0o600


def test_a_connector_that_says_nothing_is_an_error(tmp_path):
    connector = Connector((sys.executable, "-c", "pass"), {}, tmp_path)

    with pytest.raises(SyncFailedError, match=r"spec failed: it said nothing \(connector exit code 0\)"):
        connector.spec()


def test_json_with_any_spaces_is_understood(tmp_path):
    line = '  { "spec" : {"a" :1} ,\t"type":"SPEC" }'

    assert Connector((sys.executable, "-c", f"print({line!r})"), {}, tmp_path).spec() == {"a": 1}


def test_kill_ends_what_the_connector_started_too(tmp_path):
    script = "import subprocess, time; subprocess.Popen(['sleep', '300']); print('up', flush=True); time.sleep(300)"
    process = subprocess.Popen(tied([sys.executable, "-c", script]), stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout.readline() == b"up\n"

    kill(process)

    # End of file: nobody is left who could write.
    assert process.stdout.read() == b""
    process.stdout.close()
    assert process.returncode == -9
