from __future__ import annotations

import datetime as dt
import json
import logging
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dagster as dg
import pytest

from dashboard_trust.contracts.model import DashboardContract, Section
from dashboard_trust.incidents.deliveries import tell
from dashboard_trust.incidents.memory import read_told
from dashboard_trust.verdicts.verdict import Finding, Outcome, Readiness, Verdict

# Apprise loads all its services at once; one of them imports a module that Python 3.13 drops.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

SEVEN = dt.datetime(2026, 11, 4, 7, tzinfo=dt.UTC)
CONTRACT = DashboardContract(
    "dashboards/sales",
    "team:sales",
    title="Sales",
    url="https://bi.example.com/sales",
    sections=(Section("crm", "CRM", ("raw/crm",), "label"),),
)
CONTRACTS = {CONTRACT.key: CONTRACT}
CAUSE = Finding("raw/pay", "2026-11-03", "row_count", Outcome.FAILED, "half of the rows are missing", "team:pay")
HELD = Verdict(CONTRACT.key, "2026-11-03", Readiness.BLOCKED, SEVEN, (CAUSE,), deadline=SEVEN + dt.timedelta(hours=1))
READY = Verdict(CONTRACT.key, "2026-11-03", Readiness.READY, SEVEN)


class Sink:
    """A real HTTP server that keeps what it is sent, and can refuse it."""

    def __init__(self):
        self.messages = []
        self.status = 200
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if sink.status == 200:
                    sink.messages.append((self.path, content["title"], content["message"]))
                self.send_response(sink.status)
                self.end_headers()

            def log_message(self, *arguments):
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path=""):
        return f"json://user:hunter2@127.0.0.1:{self.server.server_port}/{path}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def sink():
    sink = Sink()
    yield sink
    sink.close()


@pytest.fixture
def instance(tmp_path):
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def test_a_failed_send_does_not_raise_and_is_tried_again(instance, sink, caplog):
    sink.status = 500
    with caplog.at_level(logging.DEBUG):
        failed = tell(instance, [HELD], CONTRACTS, {"*": sink.url()})
    assert [delivery.state for delivery in failed] == ["failed", "failed"]
    assert "hunter2" not in caplog.text + "".join(delivery.reason for delivery in failed)
    assert sink.messages == []

    sink.status = 200
    assert [delivery.state for delivery in tell(instance, [HELD], CONTRACTS, {"*": sink.url()})] == ["sent", "sent"]
    assert len(sink.messages) == 2


def test_nothing_is_told_twice_also_by_another_process(tmp_path, sink):
    for _ in range(2):
        with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
            tell(instance, [HELD], CONTRACTS, {"*": sink.url()})

    assert len(sink.messages) == 2


def test_messages_say_what_which_day_why_who_and_what_readers_see(instance, sink):
    instance.report_runless_asset_event(dg.AssetMaterialization("dashboards/sales", partition="2026-11-02"))
    tell(instance, [HELD], CONTRACTS, {"team:pay": sink.url("pay"), "*": sink.url("others")})

    (_, title, body), _ = sorted(sink.messages, reverse=True)
    assert [path for path, _, _ in sorted(sink.messages)] == ["/others", "/pay"]
    assert title == "Held: Sales 2026-11-03"
    first, cause, shown, url = body.splitlines()
    assert first == "Sales 2026-11-03 is BLOCKED; it is promised by 2026-11-04 08:00 UTC."
    assert cause == "- raw/pay 2026-11-03 · row_count: failed, half of the rows are missing (team:pay is on it)"
    assert shown.startswith("Readers see 2026-11-02, since ")
    assert url == "https://bi.example.com/sales"


def test_resolved_says_so(instance, sink):
    tell(instance, [HELD], CONTRACTS, {"*": sink.url()})
    sink.messages.clear()
    tell(instance, [READY], CONTRACTS, {"*": sink.url()})

    assert [title for _, title, _ in sink.messages] == ["Resolved: Sales 2026-11-03"] * 2
    assert sink.messages[0][2].startswith("Sales 2026-11-03 is READY: nothing holds it.\nReaders see nothing yet.")
    assert read_told(instance) == []


def test_first_held_when_late_says_that_too(instance, sink):
    late = Verdict(CONTRACT.key, "2026-11-03", Readiness.DELAYED, SEVEN, (CAUSE,), deadline=SEVEN)
    tell(instance, [late], CONTRACTS, {"team:pay": sink.url()})

    ((_, title, body),) = sink.messages
    assert title == "Held: Sales 2026-11-03"
    assert "is DELAYED; it was promised by 2026-11-04 07:00 UTC." in body


def test_a_labelled_section_is_named(instance, sink):
    cause = Finding(
        "raw/crm", None, None, Outcome.MISSING, "was never made", "team:crm", sections=("crm",), blocks=False
    )
    partial = Verdict(CONTRACT.key, "2026-11-03", Readiness.PARTIAL, SEVEN, (cause,), unmet=("crm",))
    tell(instance, [partial], CONTRACTS, {"*": sink.url()})

    ((_, title, body),) = sink.messages
    assert title == "Incomplete: Sales 2026-11-03"
    assert body.startswith("Sales 2026-11-03 is PARTIAL, without CRM.\n- raw/crm: missing, was never made")


def test_many_partitions_are_one_short_message(instance, sink):
    days = [f"2026-10-{day:02}" for day in range(1, 31)]
    held = [Verdict(CONTRACT.key, day, Readiness.BLOCKED, SEVEN, (CAUSE,)) for day in days]
    tell(instance, held, CONTRACTS, {"team:pay": sink.url()})

    ((_, title, body),) = sink.messages
    assert title == "Held: Sales 2026-10-01 and 29 more"
    assert body.endswith("And 25 more that wait for the same.")
    assert len(body) < 2000


def test_without_a_route_nothing_is_sent_and_nothing_is_wrong(instance, sink):
    deliveries = tell(instance, [HELD], CONTRACTS, {"team:pay": sink.url()})

    assert [(d.notice.owner, d.state) for d in deliveries] == [("team:pay", "sent"), ("team:sales", "not_routed")]
    assert tell(instance, [HELD], CONTRACTS, {"team:pay": sink.url()}) == []


@pytest.mark.parametrize("url", ["nonsense-with-a-secret", "zzz://secret", "json://[::secret"])
def test_a_url_that_is_none_is_a_failed_send_that_tells_no_secret(instance, url):
    deliveries = tell(instance, [HELD], CONTRACTS, {"team:pay": url})

    assert [d.state for d in deliveries] == ["failed", "not_routed"]
    assert "secret" not in deliveries[0].reason


def test_without_apprise_the_way_to_install_it_is_named():
    code = (
        "import sys; sys.modules['apprise'] = None\n"
        "from dashboard_trust.incidents.apprise_sender import send\n"
        "from dashboard_trust.errors import DashboardTrustError\n"
        "try: send('json://127.0.0.1', 'a', 'b')\n"
        "except DashboardTrustError as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert 'pip install "dashboard-trust[apprise]"' in said
