"""What only a server can do to a write: end the connection, keep others waiting, refuse a grant."""

from __future__ import annotations

import itertools
import socket
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from datetime import timedelta

import pyarrow as pa
import pytest
from adbc_driver_postgresql import dbapi
from sqlglot import exp

from dashboard_trust.errors import (
    CommitUnknownError,
    DashboardTrustError,
    InvalidInputError,
    WarehouseBusyError,
    WarehouseError,
    WriteRefusedError,
)
from dashboard_trust.warehouses.fingerprints import fingerprint
from dashboard_trust.warehouses.parts import fingerprint_by_day
from dashboard_trust.warehouses.postgres import PostgresWarehouse
from dashboard_trust.warehouses.replace import NoAudit, Slice, draw_ticket, replace_slice
from dashboard_trust.warehouses.session import column, table

D1 = "2024-03-01"
ORDERS = "mart.orders"
WHAT = Slice(ORDERS, {D1: column("day").eq(D1)})
SHORTLY = timedelta(milliseconds=200)


def of(*values: str) -> pa.Table:
    return pa.table({"day": [D1] * len(values), "value": pa.array(values, pa.string())})


@pytest.fixture
def loaded(postgres_warehouse, write):
    write(postgres_warehouse, ORDERS, of("old", "old"), D1, by="the first load")
    return postgres_warehouse


@pytest.fixture
def holds(postgres):
    """A lock that a foreign process holds for the time of the test."""
    connections = []

    def holds(statement: str) -> None:
        connection = dbapi.connect(postgres.uri())  # begins a transaction, and never ends it
        connections.append(connection)
        with connection.cursor() as cursor:
            cursor.execute("SET application_name = 'the dbt run of Bob'")
            cursor.execute(statement)

    yield holds
    for connection in connections:
        connection.close()


EXECUTE = b"E\x00\x00\x00\x09"
"""The head of the message that makes the server do what it was sent before."""


class Proxy:
    """Between a client and the server, until the client commits: then what `fate` says happens, once.

    ``cut``: the commit never arrives. ``swallow``: it arrives, its answer does not. ``late``: the client
    loses the connection, and the commit arrives when `deliver` is called.
    """

    def __init__(self, path: str, fate: str) -> None:
        self.path, self.fate = path, fate
        self._deliver = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def uri(self) -> str:
        port = self._listener.getsockname()[1]
        return f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable&gssencmode=disable"

    def deliver(self) -> None:
        self._deliver.set()

    def close(self) -> None:
        self._deliver.set()
        for one in self._sockets:
            with suppress(OSError):
                one.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self.path)
                self._sockets += [client, server]
                threading.Thread(target=self._forward, args=(client, server), daemon=True).start()
                threading.Thread(target=self._answer, args=(server, client), daemon=True).start()

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        _end(client)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while data := client.recv(65536):
                if b"COMMIT\x00" in data and EXECUTE in data and self.fate:
                    fate, self.fate = self.fate, ""
                    _end(client)
                    if fate == "late":
                        assert self._deliver.wait(60)
                    if fate != "cut":
                        server.sendall(data)
                        server.shutdown(socket.SHUT_WR)
                        return  # the answer is still on its way
                    break
                server.sendall(data)
        _end(server)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def through(postgres):
    """The warehouse, behind a connection that is lost at the next commit in a transaction."""
    with ExitStack() as stack:

        def through(fate: str, **options) -> tuple[PostgresWarehouse, Proxy]:
            proxy = stack.enter_context(closing(Proxy(postgres.socket, fate)))
            return PostgresWarehouse(proxy.uri, **options), proxy

        yield through


def values(stands, warehouse):
    return [row["value"] for row in stands(warehouse, ORDERS)]


def wait_until(condition) -> None:
    for _ in itertools.count():
        if condition():
            return


# A commit nobody answered


def test_a_commit_that_never_arrived_leaves_the_old_rows_and_says_so(loaded, through, stands):
    ticket = draw_ticket(loaded, WHAT, "w1", "us")
    warehouse, _ = through("cut")

    with pytest.raises(WarehouseError, match=r"mart.orders \(2024-03-01\): nothing was committed, the old rows stand"):
        replace_slice(warehouse, ticket, of("new"))

    assert values(stands, loaded) == ["old", "old"]
    assert not replace_slice(loaded, ticket, of("new")).repeated
    assert values(stands, loaded) == ["new"]


def test_a_commit_whose_answer_was_lost_is_looked_up_and_repeating_it_changes_nothing(loaded, through, stands):
    ticket = draw_ticket(loaded, WHAT, "w1", "us")
    warehouse, _ = through("swallow")

    written = replace_slice(warehouse, ticket, of("new"))

    assert written.repeated
    assert values(stands, loaded) == ["new"]
    with loaded.session("look") as session:
        assert written.fingerprints == {D1: fingerprint(session, ORDERS)}
    assert replace_slice(loaded, ticket, of("never")).repeated
    assert values(stands, loaded) == ["new"]


def test_a_commit_that_arrives_late_is_waited_for(loaded, through, stands, postgres):
    """The old rows stood when we looked, had we not waited for whoever holds the fence."""
    ticket = draw_ticket(loaded, WHAT, "w1", "us")
    warehouse, proxy = through("late")
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(replace_slice, warehouse, ticket, of("new"))
        wait_until(lambda: writing.done() or postgres.execute(waiting) == [(1,)])
        proxy.deliver()

        assert writing.result().repeated
    assert values(stands, loaded) == ["new"]


def test_where_nobody_can_know_nothing_is_claimed(loaded, through, stands):
    ticket = draw_ticket(loaded, WHAT, "w1", "us")
    warehouse, proxy = through("late", lock_wait=SHORTLY)

    with pytest.raises(CommitUnknownError, match=r"nobody knows yet .* held by process \d+ \(writing mart\.orders"):
        replace_slice(warehouse, ticket, of("new"))

    proxy.deliver()
    assert replace_slice(loaded, ticket, of("never")).repeated
    assert values(stands, loaded) == ["new"]


class Killed(NoAudit):
    """After the last statement, somebody ends the server's process for us."""

    def __init__(self, postgres):
        self.postgres = postgres

    def examine(self, session, what):
        name = "writing mart.orders (2024-03-01)"
        killed = f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = '{name}'"
        found = super().examine(session, what)
        assert self.postgres.execute(killed) == [(True,)]
        return found


def test_a_process_that_is_ended_before_the_commit_leaves_the_old_rows(loaded, postgres, stands):
    with pytest.raises(WarehouseError, match=r"terminating connection|connection was lost"):
        replace_slice(loaded, draw_ticket(loaded, WHAT, "w1", "us"), of("new"), Killed(postgres))

    assert values(stands, loaded) == ["old", "old"]


def test_a_commit_the_server_refuses_is_no_riddle(loaded, do):
    with loaded.session("test") as session:
        session.query(_sql("CREATE TABLE mart.late (id INT UNIQUE DEFERRABLE INITIALLY DEFERRED)"))

        def twice():
            with session.transaction():
                do(session, "INSERT INTO mart.late VALUES (1)", "INSERT INTO mart.late VALUES (1)")

        with pytest.raises(WarehouseError, match="duplicate key") as caught:
            twice()
        assert not isinstance(caught.value, CommitUnknownError)
        assert do(session, "SELECT * FROM mart.late") == []


def test_an_attempt_that_overtakes_its_own_first_one_waits_for_it(loaded, postgres, stands):
    go_on, reached = threading.Event(), threading.Event()

    class Paused(NoAudit):
        def examine(self, session, what):
            reached.set()
            assert go_on.wait(60)
            return super().examine(session, what)

    tickets = [draw_ticket(loaded, WHAT, "w1", "us") for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(replace_slice, loaded, tickets[0], of("first"), Paused())
        assert reached.wait(60)
        second = pool.submit(replace_slice, loaded, tickets[1], of("second"))
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        wait_until(lambda: second.done() or postgres.execute(waiting) == [(1,)])
        go_on.set()

        assert not first.result().repeated
        assert second.result().repeated
    assert values(stands, loaded) == ["first"]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("CREATE TABLE mart.made (day TEXT, value TEXT)", None),
        ("CREATE TABLE mart.made (day TEXT, value BIGINT)", "value is text instead of bigint"),
        ("CREATE TABLE mart.made (day TEXT)", "value is new"),
    ],
)
def test_a_table_another_writer_has_just_made_is_taken_as_it_is(loaded, postgres, write, stands, made, said):
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    with dbapi.connect(postgres.uri()) as other, other.cursor() as cursor, ThreadPoolExecutor(1) as pool:
        cursor.execute(made)
        writing = pool.submit(write, loaded, "mart.made", of("new"), D1)
        wait_until(lambda: writing.done() or postgres.execute(waiting) == [(1,)])
        other.commit()

        if said is None:
            writing.result()
        else:
            with pytest.raises(WriteRefusedError, match=f"does not have the columns of mart.made: {said}"):
                writing.result()
    assert len(stands(loaded, "mart.made")) == (said is None)


# Locks


@pytest.mark.parametrize(
    "lock",
    [
        "LOCK TABLE mart.orders IN ACCESS EXCLUSIVE MODE",
        "LOCK TABLE mart.orders IN SHARE MODE",
        "SELECT * FROM mart.orders FOR UPDATE",
        "UPDATE mart.orders SET value = 'theirs'",
    ],
)
def test_whoever_holds_a_lock_for_too_long_is_named(loaded, postgres, holds, stands, lock):
    ticket = draw_ticket(loaded, WHAT, "w1", "us")
    holds(lock)
    impatient = PostgresWarehouse(loaded.uri, lock_wait=SHORTLY)

    named = r"mart.orders is held by process \d+ \(the dbt run of Bob, user postgres\), for longer than 0.2 s"
    with pytest.raises(WarehouseBusyError, match=named):
        replace_slice(impatient, ticket, of("new"))

    postgres.execute("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name ~ 'Bob'")
    assert values(stands, loaded) == ["old", "old"]
    replace_slice(impatient, ticket, of("new"))
    assert values(stands, loaded) == ["new"]


def test_whoever_only_reads_is_not_blamed_for_what_a_writer_holds(loaded, holds):
    holds("SELECT * FROM mart.orders")
    impatient = PostgresWarehouse(loaded.uri, lock_wait=SHORTLY)
    ticket = draw_ticket(loaded, WHAT, "w1", "us")

    replace_slice(impatient, ticket, of("new"))

    with pytest.raises(WarehouseBusyError, match="the dbt run of Bob"), impatient.session("ddl") as session:
        session.query(_sql("ALTER TABLE mart.orders ADD COLUMN more INT"))


def test_a_reader_never_waits_for_a_writer(loaded, holds, stands):
    holds("UPDATE mart.orders SET value = 'theirs'")

    assert values(stands, PostgresWarehouse(loaded.uri, lock_wait=SHORTLY)) == ["old", "old"]


def test_the_server_is_told_what_we_are_doing(loaded, postgres):
    with loaded.session("writing mart.ö (" + "2024-03-01, " * 20):
        names = [name for (name,) in postgres.execute("SELECT application_name FROM pg_stat_activity")]

    assert "writing mart.? (2024-03-01, 2024-03-01, 2024-03-01, 2024-03-..." in names


# Grants


@pytest.fixture
def clerk(loaded, postgres):
    """A role that may read and delete orders, and write the fences, and that is all."""
    postgres.execute("CREATE ROLE clerk LOGIN")
    for grant in (
        "USAGE ON SCHEMA mart, trust",
        "SELECT, DELETE ON mart.orders",
        "ALL ON trust.fences",
    ):
        postgres.execute(f"GRANT {grant} TO clerk")
    yield PostgresWarehouse(postgres.uri("clerk"))
    postgres.execute("DROP OWNED BY clerk")
    postgres.execute("DROP ROLE clerk")


def test_a_missing_grant_to_insert_is_said_and_the_deleted_rows_are_back(loaded, clerk, stands):
    with pytest.raises(WarehouseError, match="permission denied for table orders"):
        replace_slice(clerk, draw_ticket(clerk, WHAT, "w1", "us"), of("new"))

    assert values(stands, loaded) == ["old", "old"]


def test_a_role_that_has_just_what_it_needs_needs_no_more(loaded, clerk, postgres, stands):
    """To make a schema that is there takes a grant on the whole database."""
    postgres.execute("GRANT INSERT ON mart.orders TO clerk")
    postgres.execute("GRANT CREATE ON SCHEMA mart TO clerk")

    replace_slice(clerk, draw_ticket(clerk, WHAT, "w1", "us"), of("new"))
    other = Slice("mart.other", {D1: column("day").eq(D1)})
    replace_slice(clerk, draw_ticket(clerk, other, "w2", "us"), of("new"))

    assert values(stands, loaded) == ["new"]


def test_a_missing_grant_on_the_fences_is_said(loaded, clerk, postgres):
    postgres.execute("REVOKE INSERT ON trust.fences FROM clerk")
    with pytest.raises(WarehouseError, match="permission denied for table fences"):
        draw_ticket(clerk, Slice("mart.another"), "w1", "us")

    postgres.execute("DROP SCHEMA trust CASCADE")
    with pytest.raises(WarehouseError, match="permission denied for database"):
        draw_ticket(clerk, WHAT, "w1", "us")


# Names and text


@pytest.mark.parametrize("name", ["a" * 64, "é" * 32])
def test_a_name_that_postgres_would_cut_is_refused(loaded, write, name):
    with pytest.raises(InvalidInputError, match="has 64 bytes; Postgres keeps 63"):
        write(loaded, f'mart."{name}"', of("x"), D1)
    with pytest.raises(InvalidInputError, match="has 64 bytes; Postgres keeps 63"):
        write(loaded, f'"{name}".orders', of("x"), D1)
    with pytest.raises(InvalidInputError, match="has 64 bytes; Postgres keeps 63"):
        write(loaded, "mart.new", of("x").append_column(name, pa.array(["y"])), D1)

    with loaded.session("look") as session:
        assert session.columns("mart.new") is None


def test_a_table_of_another_database_is_refused(loaded):
    with loaded.session("look") as session, pytest.raises(InvalidInputError, match="Name the table as"):
        session.columns("other.mart.orders")


def test_a_table_without_a_schema_is_of_public_whatever_the_search_path(loaded, postgres):
    postgres.execute("CREATE SCHEMA hidden")
    postgres.execute("ALTER ROLE postgres SET search_path = hidden")
    try:
        with loaded.session("test") as session:
            session.create("plain", pa.schema([("id", pa.int64())]))
            session.append("plain", pa.table({"id": [1]}))

            assert session.read("plain").num_rows == session.read("public.plain").num_rows == 1
            assert session.query(exp.select("id").from_(table("plain"))) == [(1,)]
    finally:
        postgres.execute("ALTER ROLE postgres RESET ALL")


def test_a_zero_byte_is_refused_not_cut_off(loaded, write, stands):
    with pytest.raises(WarehouseError, match="0x00"):
        write(loaded, ORDERS, of("new\0rest"), D1)
    with pytest.raises(InvalidInputError, match="zero byte"), loaded.session("look") as session:
        session.query(exp.select("1").where(column("day").eq("a\0b")))

    assert values(stands, loaded) == ["old", "old"]


# Types


def test_what_postgres_has_no_column_for_is_refused_by_name(loaded, write):
    with pytest.raises(WriteRefusedError, match=r"Column 'tags' is list<.*>, which a Postgres table has no column for"):
        write(loaded, "mart.new", of("x").append_column("tags", pa.array([[1]])), D1)


def test_a_column_of_a_type_that_is_not_ours_is_refused_by_name(loaded, write):
    with loaded.session("test") as session:
        session.query(_sql("CREATE TABLE mart.foreign (day TEXT, value JSONB)"))

    with pytest.raises(WriteRefusedError, match="value is text instead of jsonb"):
        write(loaded, "mart.foreign", of("{}"), D1)


def test_bytes_never_go_in_as_values_of_another_type(loaded):
    """The driver would send the eight bytes of 1.5 as a whole number."""
    with loaded.session("test") as session:
        session.create("mart.numbers", pa.schema([("n", pa.int64())]))

        with pytest.raises(WriteRefusedError, match="n is bigint, which this data does not fit"):
            session.append("mart.numbers", pa.table({"n": [1.5]}))
        with pytest.raises(WriteRefusedError, match=r"columns of .* changed"):
            session.append("mart.numbers", pa.table({"n": [1], "more": [1]}))
        assert session.read("mart.numbers").num_rows == 0


def test_foreign_types_are_read_as_text_and_hashed(loaded):
    with loaded.session("test") as session:
        session.query(
            _sql(
                """CREATE TABLE mart.foreign AS SELECT CAST('{"a": 1}' AS JSONB) AS j, CAST('1.50' AS NUMERIC) AS n,
                CAST('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' AS UUID) AS u, CAST('1 day' AS INTERVAL) AS i,
                CAST('(1,2)' AS POINT) AS p, ARRAY[1, 2] AS a, CAST('n' AS VARCHAR(3)) AS v"""
            )
        )
        (row,) = session.read("mart.foreign").to_pylist()
        before = fingerprint(session, "mart.foreign")
        session.query(_sql("""UPDATE mart.foreign SET p = CAST('(1,3)' AS POINT)"""))

        assert {name: str(value) for name, value in row.items()} == {
            "j": '{"a": 1}',
            "n": "1.50",
            "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            "i": "P1D",
            "p": "(1,2)",
            "a": "{1,2}",
            "v": "n",
        }
        assert fingerprint(session, "mart.foreign") != before


@pytest.mark.parametrize(
    "value", ["DATE 'infinity'", "TIMESTAMP '-infinity'", "TIMESTAMPTZ 'infinity'", "NUMERIC 'NaN'"]
)
def test_what_arrow_has_no_value_for_is_not_read_as_another(loaded, value):
    with loaded.session("test") as session:
        session.query(_sql(f"CREATE TABLE mart.odd AS SELECT {value} AS t"))

        with pytest.raises(WarehouseError, match="Column 't'"):
            session.read("mart.odd")


def test_numerics_without_a_width_are_read_as_wide_as_they_are(loaded):
    with loaded.session("test") as session:
        session.query(
            _sql(
                "CREATE TABLE mart.n AS SELECT CAST(v AS NUMERIC) AS n FROM (VALUES ('-12.5'), ('0.003'), (NULL)) t(v)"
            )
        )

        assert [str(row["n"]) for row in session.read("mart.n").to_pylist()] == ["-12.500", "0.003", "None"]
        session.append("mart.n", pa.table({"n": [7]}))
        assert session.read("mart.n").num_rows == 4


# Settings


def test_no_setting_of_server_or_role_changes_what_is_read_hashed_or_waited_for(loaded, postgres, do):
    def seen():
        with loaded.session("look") as session:
            days = fingerprint_by_day(session, "mart.moments", "text")
            return days, fingerprint(session, "mart.moments"), session.read("mart.moments").to_pylist()

    with loaded.session("test") as session:
        session.query(
            _sql(
                """CREATE TABLE mart.moments AS SELECT '2024-03-01 03:30' AS text, DATE '2024-02-03' AS d,
                CAST('2024-03-01 23:30:00+00' AS TIMESTAMPTZ) AS z, 0.1 + CAST(0.2 AS DOUBLE) AS f,
                CAST('\\x00ff' AS BYTEA) AS b, CAST('1 day 2 hours' AS INTERVAL) AS i"""
            )
        )
    before = seen()
    odd = {
        "timezone": "Asia/Tokyo",
        "datestyle": "SQL, DMY",
        "intervalstyle": "postgres_verbose",
        "extra_float_digits": "-5",
        "bytea_output": "escape",
        "standard_conforming_strings": "off",
        "default_transaction_isolation": "serializable",
        "lock_timeout": "1",
        "client_encoding": "LATIN1",
        "search_path": "nowhere",
    }
    try:
        for name, value in odd.items():
            postgres.execute(f"ALTER ROLE postgres SET {name} = '{value}'")

        assert seen() == before
        with loaded.session("look") as session:
            assert session.query(exp.select(exp.convert("back\\slash"))) == [("back\\slash",)]
    finally:
        postgres.execute("ALTER ROLE postgres RESET ALL")


def test_a_writer_who_waited_sees_what_the_first_one_did_even_where_serializable_is_the_default(
    loaded, postgres, write
):
    postgres.execute("ALTER ROLE postgres SET default_transaction_isolation = 'serializable'")
    try:
        early = draw_ticket(loaded, WHAT, "w1", "early")
        barrier = threading.Barrier(2)

        def race(by):
            ticket = draw_ticket(loaded, WHAT, by, by)
            barrier.wait(60)
            try:
                return replace_slice(loaded, ticket, of(by))
            except DashboardTrustError as error:
                return error

        with ThreadPoolExecutor(2) as pool:
            results = list(pool.map(race, ["a", "b"]))
        assert sum(isinstance(result, WriteRefusedError) for result in results) == 1, results
        with pytest.raises(WriteRefusedError, match="was written by"):
            replace_slice(loaded, early, of("early"))
    finally:
        postgres.execute("ALTER ROLE postgres RESET ALL")


# Secrets


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://bob:hunter2@127.0.0.1:1/db",
        "postgresql://bob:hunter2@127.0.0.1:port/db",
        "postgresql://bob:hun/ter2@127.0.0.1:1/db",
        "postgresql://bob:hunter2@[::1/db",
        "postgresql://bob:hunter2@127.0.0.1:1/db?nonsense=hunter2",
        "postgresql://bob@127.0.0.1:1/db?password=hunter2",
        "postgresql://bob:hunter2%@127.0.0.1:1/db",
        "postgres//bob:hunter2@127.0.0.1/db",
        "mysql://bob:hunter2@127.0.0.1/db",
        "host=127.0.0.1 port=1 user=bob password=hunter2",
        "host=127.0.0.1 port=1 user=bob password='hun\\'ter2' hunter2",
        "hunter2",
    ],
)
def test_a_secret_is_in_no_error_and_no_address(uri):
    warehouse = PostgresWarehouse(uri)

    with pytest.raises(WarehouseError, match="cannot be opened") as caught, warehouse.session("test"):
        pass

    error = caught.value
    said = "".join(traceback.format_exception(error)) + repr(error.__context__) + repr(error.__cause__)
    for secret in ("hunter2", "ter2", "hun"):
        assert secret not in said.replace("test_a_secret", "")
        assert secret not in f"{warehouse.address} {warehouse!r}"


def test_an_address_is_the_server_and_the_database():
    addresses = {
        "postgresql://bob:x@db.example:5433/shop?sslmode=require": "postgresql://db.example:5433/shop",
        "postgres://db.example": "postgresql://db.example/",
        "postgresql:///shop?host=/run/pg&user=bob&password=x": "postgresql:///shop?host=/run/pg",
        "host=db.example dbname='my shop' user=bob password='a b'": "postgresql://db.example/my%20shop",
        "postgresql://bob:x@a:1,b:2/shop": "postgresql://a:1,b:2/shop",
    }

    assert {uri: PostgresWarehouse(uri).address for uri in addresses} == addresses


def test_an_error_does_not_cite_the_rows(loaded):
    with loaded.session("test") as session:
        session.query(_sql("CREATE TABLE mart.strict (id INT NOT NULL, secret TEXT)"))

        with pytest.raises(WarehouseError) as caught:
            session.query(_sql("INSERT INTO mart.strict VALUES (NULL, 'hunter2')"))

    said = "".join(traceback.format_exception(caught.value))
    assert 'null value in column "id" of relation "strict" violates not-null constraint' in str(caught.value)
    assert "hunter2" not in said.replace("VALUES (NULL, 'hunter2')\"))", "")


def test_a_server_that_is_not_there_is_said():
    with closing(socket.create_server(("127.0.0.1", 0))) as unused:
        port = unused.getsockname()[1]
    with (
        pytest.raises(
            WarehouseError, match=rf"postgresql://127.0.0.1:{port}/db cannot be opened: .*Connection refused"
        ),
        PostgresWarehouse(f"postgresql://bob@127.0.0.1:{port}/db").session("test"),
    ):
        pass


def _sql(text: str) -> exp.Expr:
    """A statement as it stands, of Postgres' own."""
    from sqlglot import parse_one

    return parse_one(text, dialect="postgres")
