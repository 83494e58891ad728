"""A reply that is lost: nobody takes it for the other one, and what was turned away is never committed.

On fakesnow alone: a wire that loses replies has to read them.
"""

from __future__ import annotations

import gzip
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pyarrow as pa
import pytest

from dashboard_trust.checks.audit import Audit
from dashboard_trust.contracts.table_rules import RowCount, TableRules
from dashboard_trust.errors import CommitUnknownError, WarehouseError, WriteRefusedError
from dashboard_trust.warehouses.replace import Slice, draw_ticket
from dashboard_trust.warehouses.snowflake import SnowflakeWarehouse

pytestmark = pytest.mark.fakesnow
QUERY = "/queries/v1/query-request"
NAME = "raw.numbers"
OLD, NEW = pa.table({"n": [1]}), pa.table({"n": [2, 3]})


class Wire(ThreadingHTTPServer):
    """Passes everything on; of a transaction, ``lose`` says which end of it is lost (COMMIT, ROLLBACK).

    ``arrives`` says whether the server hears of it, and only its answer is lost. Whoever lost it once hears nothing
    of it ever again, however often it is repeated; everything else passes as before.
    """

    daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.server = port
        self.lose, self.arrives = "", False
        self.begun: set[str] = set()
        self.lost: list[str] = []

    @contextmanager
    def open(self) -> Iterator[Wire]:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self.shutdown()
            self.server_close()

    def is_lost(self, token: str, said: str) -> bool:
        """Whether the answer to this is lost; only what ends a transaction that was begun."""
        if said.startswith("BEGIN"):
            self.begun.add(token)
        elif said in ("COMMIT", "ROLLBACK") and token in self.begun:
            if token in self.lost or (said == self.lose and not self.lost):
                self.lost.append(token)
                return True
            self.begun.discard(token)
        return False


class _Handler(BaseHTTPRequestHandler):
    server: Wire
    protocol_version = "HTTP/1.1"

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        token = self.headers.get("Authorization", "")
        is_lost = self.server.is_lost(token, self._said(body))
        if self.path.startswith("/session/v1/login-request"):
            # Snowflake rolls back what a session leaves open when it is closed; fakesnow is not even told.
            for gone in set(self.server.lost):
                self._forward("POST", f"{QUERY}?requestId=wire", json.dumps({"sqlText": "ROLLBACK"}).encode(), gone)
        if not is_lost or self.server.arrives:
            answer, content = self._forward(self.command, self.path, body)
        if is_lost:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _forward(self, command: str, path: str, body: bytes, token: str = "") -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.server, timeout=60)
        connection.request(command, path, body, {"Authorization": token} if token else dict(self.headers))
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        return answer, content

    do_GET = do_POST = do_PUT = do_DELETE = _pass  # noqa: N815  # the names they are called by

    def _said(self, body: bytes) -> str:
        if not self.path.startswith(QUERY):
            return ""
        plain = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
        return str(json.loads(plain).get("sqlText", ""))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(params=["fakesnow_account"])
def account(request):
    """The one that can be listened to."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def wire(account):
    """Between us and fakesnow."""
    with Wire(account.settings["additional_snowflake_connection_args"]["port"]).open() as wire:
        yield wire


@pytest.fixture
def over_wire(account, wire, database):
    return SnowflakeWarehouse(account.through("127.0.0.1", wire.server_port).resource(database))


@pytest.fixture
def ticket(warehouse, write):
    """The right to replace what stands there."""
    write(warehouse, NAME, OLD, by="first")
    return draw_ticket(warehouse, Slice(NAME), "second", "second")


def test_a_write_of_which_the_commit_arrived_is_known_to_be_written(over_wire, wire, ticket, warehouse, write, stands):
    wire.lose, wire.arrives = "COMMIT", True

    found = write(over_wire, NAME, NEW, ticket=ticket)

    assert len(wire.lost) > 0
    assert found.repeated
    assert found.fingerprints[""].rows == 2
    assert stands(warehouse, NAME) == NEW.to_pylist()


def test_a_write_of_which_the_commit_never_arrived_is_known_not_to_be(
    over_wire, wire, ticket, warehouse, write, stands
):
    wire.lose = "COMMIT"

    with pytest.raises(WarehouseError, match="nothing was committed, the old rows stand"):
        write(over_wire, NAME, NEW, ticket=ticket)

    assert len(wire.lost) > 0
    assert stands(warehouse, NAME) == OLD.to_pylist()
    wire.lose = ""
    assert not write(over_wire, NAME, NEW, ticket=ticket).repeated
    assert stands(warehouse, NAME) == NEW.to_pylist()


def test_a_write_turned_away_whose_rollback_never_arrived_is_not_committed_by_what_comes_after(
    over_wire, wire, ticket, warehouse, write, stands
):
    """DDL would commit it, such as dropping what was staged."""
    wire.lose = "ROLLBACK"

    with pytest.raises(WriteRefusedError, match="at most 1 expected"):
        write(over_wire, NAME, NEW, ticket=ticket, audit=Audit(TableRules(NAME, (RowCount(max=1),))))

    assert len(wire.lost) > 0
    assert stands(warehouse, NAME) == OLD.to_pylist()


def test_a_session_that_lost_its_transaction_does_nothing_more(over_wire, wire, warehouse, stands):
    with over_wire.session("test") as session:
        session.create(NAME, OLD.schema)
        rows = session.stage(NEW)
        wire.lose = "COMMIT"
        with pytest.raises(CommitUnknownError, match="did not answer"), session.transaction():
            session.append(NAME, rows)
        with pytest.raises(WarehouseError, match="The connection was lost"):
            session.create("raw.another", OLD.schema)

    assert stands(warehouse, NAME) == []
