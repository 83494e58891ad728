"""What is assumed of dagster-airbyte: how its client is configured, and that its own sync cannot be used."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest
from dagster_airbyte import AirbyteCloudWorkspace, AirbyteWorkspace
from dagster_airbyte.resources import AirbyteClient

from dashboard_trust.enforcement.airbyte_memory import open_workspace

USED = {
    "rest_api_base_url",
    "configuration_api_base_url",
    "workspace_id",
    "username",
    "password",
    "request_max_retries",
    "request_retry_delay",
    "request_timeout",
    "max_items_per_page",
    "poll_interval",
}
ADDRESSES = {"rest_api_base_url": "http://127.0.0.1:9/a", "configuration_api_base_url": "http://127.0.0.1:9/b"}


def test_the_client_has_what_is_asked_of_it():
    assert set(AirbyteClient.model_fields) >= USED
    assert isinstance(AirbyteClient.all_additional_request_headers, property)


def test_environment_variables_are_read_when_the_workspace_is_opened(monkeypatch):
    workspace = AirbyteWorkspace(workspace_id=dg.EnvVar("AIRBYTE_TEST_WORKSPACE"), **ADDRESSES)
    monkeypatch.setenv("AIRBYTE_TEST_WORKSPACE", "w")

    with open_workspace(lambda: workspace) as opened:
        client = opened.get_client()
        assert client.workspace_id == "w"
        assert client.rest_api_base_url == ADDRESSES["rest_api_base_url"]
        assert "Authorization" not in client.all_additional_request_headers


def test_the_cloud_has_addresses_of_its_own():
    with open_workspace(lambda: AirbyteCloudWorkspace(workspace_id="w", client_id="a", client_secret="b")) as opened:
        client = opened.get_client()

    assert client.rest_api_base_url == "https://api.airbyte.com/v1"
    assert client.configuration_api_base_url == "https://cloud.airbyte.com/api/v1"


def test_its_own_start_is_repeated_where_nobody_answers(monkeypatch):
    """Why we do not call it: each repetition may start another sync."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    asked = []

    class Broken(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(self.path)
            self.send_error(500)

        def log_message(self, *words):
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Broken) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        addresses = {"rest_api_base_url": base, "configuration_api_base_url": base}
        workspace = AirbyteWorkspace(workspace_id="w", request_max_retries=2, request_retry_delay=0.0, **addresses)
        with pytest.raises(dg.Failure, match="Max retries"):
            workspace.get_client().start_sync_job("c")
        server.shutdown()

    assert asked == ["/jobs"] * 3
