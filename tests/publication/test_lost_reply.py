"""A commit of which the reply was lost: the log tells what it was, and nothing is published twice."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from dashboard_trust.errors import CommitUnknownError, WarehouseError
from dashboard_trust.publication.journal import read_publications
from dashboard_trust.publication.swap import repair
from dashboard_trust.warehouses.postgres import PostgresWarehouse
from dashboard_trust.warehouses.session import Session, Warehouse

COMMIT, EXECUTE = b"COMMIT\0", b"E\0\0\0\t"
"""As the driver sends them: a statement is parsed and described first, and executed with a later message."""


@dataclass
class Wire:
    """Stands between us and a Postgres server; ``lose`` says of which commit the reply is lost, and how."""

    folder: Path
    server: str
    lose: str = ""
    closed: bool = False

    @contextmanager
    def open(self) -> Iterator[Wire]:
        self.folder.mkdir()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(self.folder / ".s.PGSQL.5432"))
            listener.listen()
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            yield self
            self.closed = True
            # Whoever still listens is woken.
            with suppress(OSError), socket.socket(socket.AF_UNIX) as last:
                last.connect(str(self.folder / ".s.PGSQL.5432"))

    def _accept(self, listener: socket.socket) -> None:
        while not self.closed:
            client, _ = listener.accept()
            if self.closed:
                client.close()
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server, lost = socket.socket(socket.AF_UNIX), threading.Event()
        server.connect(self.server)
        with client, server:
            back = threading.Thread(target=self._pass_back, args=(server, client, lost), daemon=True)
            back.start()
            while words := _receive(client):
                if self.lose and COMMIT in words and EXECUTE in words:
                    how, self.lose = self.lose, ""
                    lost.set()
                    client.shutdown(socket.SHUT_RDWR)
                    if how == "the reply":
                        server.sendall(words)
                        # The server's answer is heard here, and by nobody else.
                        back.join()
                    break
                server.sendall(words)
            for end in (client, server):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            back.join()

    def _pass_back(self, server: socket.socket, client: socket.socket, lost: threading.Event) -> None:
        while words := _receive(server):
            if lost.is_set():
                return
            with suppress(OSError):
                client.sendall(words)


def _receive(end: socket.socket) -> bytes:
    try:
        return end.recv(2**16)
    except OSError:
        return b""


@dataclass(frozen=True)
class Forgetful:
    """A warehouse whose commit, when armed, is carried out or not, and then fails as if nobody had answered."""

    inner: Warehouse
    armed: list[str]

    @property
    def address(self) -> str:
        return self.inner.address

    @contextmanager
    def session(self, purpose: str) -> Iterator[Session]:
        with self.inner.session(purpose) as session:
            yield ForgetfulSession(session, self.armed)


@dataclass(frozen=True)
class ForgetfulSession:
    inner: Session
    armed: list[str]

    def __getattr__(self, name: str):
        return getattr(self.inner, name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        how = self.armed.pop() if self.armed else ""
        try:
            with self.inner.transaction():
                yield
                if how == "the commit":
                    raise CommitUnknownError("the line went dead.")
        finally:
            if how:
                # Nothing more is heard on this line.
                object.__setattr__(self, "inner", None)
        if how == "the reply":
            raise CommitUnknownError("the line went dead.")


@pytest.fixture(params=["duckdb", "postgres"])
def losing(request, tmp_path):
    """A shop, and a function that has it lose ``the commit``, or ``the reply`` to it, the next time."""
    if request.param == "duckdb":
        shop, armed = request.getfixturevalue("duckdb_shop"), []
        yield replace_warehouse(shop, Forgetful(shop.warehouse, armed)), armed.append
        return
    shop = request.getfixturevalue("postgres_shop")
    folder = parse_qs(urlsplit(shop.uri).query)["host"][0]
    wire = Wire(tmp_path / "wire", f"{folder}/.s.PGSQL.5432")
    with wire.open():
        uri = shop.uri.replace(folder, str(wire.folder))
        assert uri != shop.uri
        yield replace_warehouse(shop, PostgresWarehouse(uri)), lambda how: setattr(wire, "lose", how)


def replace_warehouse(shop, warehouse):
    """The same shop, of which publications go another way."""
    other = type("LosingShop", (type(shop),), {"destination": property(lambda _: to)})
    to = replace(shop.destination, warehouse=warehouse)
    return other(shop.home, shop.uri, shop.clock)


def log(shop):
    with shop.warehouse.session("test") as session:
        return read_publications(session, "daily_revenue")


@pytest.mark.parametrize("first", [True, False], ids=["the first version", "a later version"])
def test_a_commit_that_never_arrived_published_nothing_and_says_so(losing, first):
    shop, lose = losing
    if not first:
        shop.publish()
        before = shop.seen()
        shop.set(8)

    lose("the commit")
    with pytest.raises(WarehouseError, match="daily_revenue: nothing was published, the old version stands") as refused:
        shop.publish()

    assert not isinstance(refused.value, CommitUnknownError)
    if first:
        assert log(shop) == ()
        assert repair(shop.destination) is None
    else:
        assert shop.seen() == before
        repair(shop.destination)
        assert shop.seen() == before
    assert shop.publish().number == (1 if first else 2)


@pytest.mark.parametrize("first", [True, False], ids=["the first version", "a later version"])
def test_a_commit_of_which_the_reply_was_lost_is_found_in_the_log(losing, first):
    shop, lose = losing
    if not first:
        shop.publish()
        shop.set(8)

    lose("the reply")
    published = shop.publish()

    assert published.changed
    assert log(shop)[0] == published
    assert len(log(shop)) == (1 if first else 2)
    assert shop.shown()[2] == str(shop.shown()[0])
    assert not shop.publish().changed


def test_a_rollback_of_which_the_reply_was_lost_is_found_in_the_log(losing):
    shop, lose = losing
    shop.publish()
    before = shop.shown()
    shop.set(8)
    shop.publish()

    lose("the reply")

    assert shop.roll_back().number == 3
    assert len(log(shop)) == 3
    assert shop.shown() == before


def test_nothing_new_and_no_reply_is_no_new_version(losing):
    shop, lose = losing
    shop.publish()
    before = shop.seen()

    lose("the reply")

    assert not shop.publish().changed
    assert shop.seen() == before


def test_a_connection_that_the_server_ends_before_the_commit_publishes_nothing(postgres_shop):
    shop = postgres_shop
    shop.publish()
    before = shop.seen()
    shop.set(8)
    others = "pg_stat_activity WHERE datname = CURRENT_DATABASE() AND pid <> PG_BACKEND_PID()"

    with pytest.raises(WarehouseError, match=r"connection was lost|administrator"):
        shop.publish(before_commit=lambda: shop.run(f"SELECT pg_terminate_backend(pid) FROM {others}"))

    assert shop.seen() == before
    assert shop.publish().number == 2


def test_where_nobody_can_tell_it_is_said_that_nobody_can(duckdb_shop):
    """The warehouse is gone when the log is to be asked."""
    shop = duckdb_shop
    shop.publish()
    armed: list[str] = []
    forgetful = Forgetful(shop.warehouse, armed)

    class Gone(Forgetful):
        @contextmanager
        def session(self, purpose: str) -> Iterator[Session]:
            if purpose.startswith("looking"):
                raise WarehouseError("the server is down")
            with super().session(purpose) as session:
                yield session

    shop.set(8)
    armed.append("the reply")
    with pytest.raises(CommitUnknownError, match="nobody knows yet whether this version was published"):
        shop.publish(to=replace(shop.destination, warehouse=Gone(forgetful.inner, armed)))

    assert shop.publish().number == 2, "it had been"
    assert not shop.publish().changed
