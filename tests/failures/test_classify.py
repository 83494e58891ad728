"""Of which class errors are: real ones, raised by the real libraries where these are at hand."""

from __future__ import annotations

import datetime as dt
import errno
import json
import socket
import subprocess
import sys

import dagster as dg
import duckdb
import httpx
import pyarrow as pa
import pytest
import requests
import sqlalchemy as sa
from botocore.exceptions import ClientError, EndpointConnectionError
from snowflake.connector import errors as snowflake
from urllib3.exceptions import HTTPError

from dashboard_trust import errors
from dashboard_trust.errors import (
    AirbyteUnreachableError,
    DashboardTrustError,
    FailureClass,
    SourceError,
    SyncFailedError,
    WarehouseError,
)
from dashboard_trust.failures.classify import classify, find_retry_after
from dashboard_trust.ingestion.airbyte_api import RefusedError
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def raised(act):
    """Return the error that an act ends with."""
    try:
        act()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is asked for
        return error
    raise AssertionError("nothing was raised")


def answered(status, **headers):
    """The error of requests for an answer with this status."""
    response = requests.Response()
    response.status_code, response.headers = status, requests.structures.CaseInsensitiveDict(headers)
    return raised(response.raise_for_status)


def caused(outer, inner):
    def act():
        raise outer from inner

    return raised(act)


def happened_in_handling(outer, inner, hide=False):
    def act():
        try:
            raise inner
        except Exception:  # noqa: BLE001
            if hide:
                raise outer from None
            raise outer  # noqa: B904 - that is what is looked at

    return raised(act)


@pytest.mark.parametrize("error", [ValueError("?"), KeyError("a"), ZeroDivisionError(), RuntimeError(), Exception()])
def test_what_is_not_known_is_unknown(error):
    assert classify(error) is FailureClass.UNKNOWN


def test_what_merely_happened_in_the_handling_of_another_is_not_taken_for_that():
    error = happened_in_handling(ValueError("the rows of the cache do not parse"), ConnectionError("no cache"))

    assert classify(error) is FailureClass.UNKNOWN


def test_a_chain_that_bites_its_own_tail_ends():
    error, other = ValueError("a"), ValueError("b")
    error.__cause__, other.__cause__ = other, error

    assert classify(error) is FailureClass.UNKNOWN


def test_a_full_disk_is_not_waited_for():
    assert classify(OSError(errno.ENOSPC, "no space left")) is FailureClass.UNKNOWN


def test_a_certificate_that_is_not_right_is_not_waited_for():
    assert classify(requests.exceptions.SSLError("certificate verify failed")) is FailureClass.UNKNOWN


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, "unknown"),
        (401, "permission"),
        (403, "permission"),
        (404, "contract"),
        (408, "transient"),
        (410, "contract"),
        (422, "data"),
        (429, "transient"),
        (500, "transient"),
        (501, "contract"),
        (503, "transient"),
        (599, "transient"),
    ],
)
def test_an_http_status_says_it(status, expected):
    request = httpx.Request("GET", "http://localhost")
    of_httpx = raised(httpx.Response(status, request=request).raise_for_status)
    of_s3 = ClientError({"Error": {"Code": "X"}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")

    assert {classify(answered(status)), classify(of_httpx), classify(of_s3)} == {FailureClass(expected)}


def test_a_status_that_is_none_says_nothing():
    class OddError(Exception):
        status_code, code = 10, True

    assert classify(OddError()) is FailureClass.UNKNOWN


def test_a_store_that_asks_for_patience_with_another_status_is_waited_for():
    error = ClientError({"Error": {"Code": "ThrottlingException"}, "ResponseMetadata": {"HTTPStatusCode": 400}}, "Get")

    assert classify(error) is FailureClass.TRANSIENT


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        ConnectionResetError(),
        BrokenPipeError(),
        socket.gaierror(socket.EAI_AGAIN, "name resolution"),
        subprocess.TimeoutExpired("sync", 10),
        OSError(errno.ENETUNREACH, "network is unreachable"),
        requests.exceptions.ReadTimeout(),
        requests.exceptions.ChunkedEncodingError(),
        raised(lambda: requests.get("http://127.0.0.1:9/", timeout=1)),
        raised(lambda: httpx.get("http://127.0.0.1:9/", timeout=1)),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:9"),
        ExceptionGroup("both", [TimeoutError(), ConnectionResetError()]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_may_pass_by_itself_is_transient(error):
    assert classify(error) is FailureClass.TRANSIENT


def test_of_a_group_with_one_that_does_not_pass_nothing_is_waited_for():
    assert classify(ExceptionGroup("both", [TimeoutError(), PermissionError()])) is FailureClass.PERMISSION
    assert classify(ExceptionGroup("both", [TimeoutError(), ValueError()])) is FailureClass.UNKNOWN


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT * FROM nowhere", "schema"),
        ("SELECT nothing FROM orders", "schema"),
        ("INSERT INTO orders VALUES (1), (1)", "data"),
        ("SELECT 'x'::INT", "data"),
        ("SELECT * FROM read_csv('/nowhere.csv')", "contract"),
        ("SELEC 1", "unknown"),
    ],
)
def test_duckdb_says_it_by_the_kind_of_its_error_also_through_our_own(tmp_path, statement, expected):
    warehouse = DuckDBWarehouse(tmp_path / "w.duckdb")
    with warehouse.connect("test") as connection:
        connection.execute("CREATE TABLE orders (id INT UNIQUE)")
        error = raised(lambda: connection.execute(statement))
    wrapped = caused(WarehouseError("DuckDB refused"), error)

    assert classify(error) is classify(wrapped) is FailureClass(expected)


def test_a_duckdb_file_that_another_process_writes_is_waited_for(tmp_path):
    path = tmp_path / "w.duckdb"
    script = f"import duckdb; c = duckdb.connect({str(path)!r}); print(1, flush=True); input()"
    holder = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline()
    error = raised(lambda: duckdb.connect(str(path)))
    holder.communicate(b"\n")

    assert classify(error) is FailureClass.TRANSIENT


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("08006", "transient"),
        ("40P01", "transient"),
        ("40001", "transient"),
        ("53300", "transient"),
        ("53100", "unknown"),
        ("55P03", "transient"),
        ("57014", "transient"),
        ("57P03", "transient"),
        ("22P02", "data"),
        ("23505", "data"),
        ("28P01", "permission"),
        ("42501", "permission"),
        ("42P01", "schema"),
        ("42703", "schema"),
        ("42601", "unknown"),
        ("XX000", "unknown"),
    ],
)
def test_an_sql_state_says_it_also_out_of_sight(state, expected):
    class PgError(Exception):
        sqlstate = state

    class OldPgError(Exception):
        pgcode = state

    hidden = happened_in_handling(WarehouseError("Postgres refused: ..."), PgError(), hide=True)
    of_alchemy = sa.exc.DBAPIError("SELECT 1", {}, OldPgError())

    assert {classify(PgError()), classify(hidden), classify(of_alchemy)} == {FailureClass(expected)}


@pytest.mark.parametrize(
    ("number", "state", "message", "expected"),
    [
        (250001, "08001", "Failed to connect to DB: could not connect", "transient"),
        (250001, "08001", "Failed to connect to DB: Incorrect username or password was specified.", "permission"),
        (390144, "08001", "JWT token is invalid", "permission"),
        (604, "57014", "SQL execution canceled", "transient"),
        (625, "57014", "Statement has locked table", "transient"),
        (606, "57P03", "No active warehouse selected", "contract"),
        (2003, "02000", "Object does not exist or not authorized", "schema"),
        (3001, "42501", "Insufficient privileges", "permission"),
        (100038, "22018", "Numeric value 'x' is not recognized", "data"),
        (1003, "42000", "SQL compilation error: syntax error", "unknown"),
    ],
)
def test_snowflake_says_it_by_number_and_state(number, state, message, expected):
    error = snowflake.ProgrammingError(msg=message, errno=number, sqlstate=state)

    assert classify(error) is FailureClass(expected)


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        ("connection to server at localhost failed: Connection refused", "transient"),
        ('connection to server failed: FATAL:  password authentication failed for user "a"', "permission"),
        ("its connection string cannot be understood", "unknown"),
        ('IO Error: Could not set lock on file "shop.duckdb": Conflicting lock is held', "transient"),
    ],
)
def test_a_warehouse_that_cannot_be_opened_says_why_in_words(why, expected):
    assert classify(WarehouseError(f"postgresql://localhost cannot be opened: {why}.")) is FailureClass(expected)


def test_every_error_of_our_own_family_has_a_class():
    ours = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, DashboardTrustError)]

    assert {kind.__name__: str(kind.failure_class) for kind in ours} == {
        "DashboardTrustError": "unknown",
        "SourceError": "unknown",
        "InvalidInputError": "contract",
        "ContractError": "contract",
        "HomeError": "unknown",
        "WarehouseBusyError": "transient",
        "WarehouseError": "unknown",
        "CommitUnknownError": "transient",
        "WriteRefusedError": "data",
        "ColumnsRefusedError": "schema",
        "WriteRacedError": "transient",
        "EvidenceMovedError": "transient",
        "FileRefusedError": "data",
        "SyncFailedError": "unknown",
        "SyncRunningError": "transient",
        "AirbyteUnreachableError": "transient",
        "PublicationError": "data",
    }


def test_the_outermost_that_knows_counts():
    assert classify(caused(SourceError("half a file", "data"), TimeoutError())) is FailureClass.DATA
    assert classify(caused(RuntimeError("cannot fetch"), TimeoutError())) is FailureClass.TRANSIENT


def test_a_failure_of_dagster_is_what_caused_it():
    assert classify(caused(dg.Failure("the sync failed"), answered(503))) is FailureClass.TRANSIENT
    assert classify(dg.Failure("the sync failed")) is FailureClass.UNKNOWN
    assert classify(dg.DagsterTypeCheckDidNotPass("no")) is FailureClass.DATA


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (PermissionError(errno.EACCES, "denied"), "permission"),
        (FileNotFoundError(errno.ENOENT, "gone"), "contract"),
        (raised(lambda: json.loads("{")), "data"),
        (raised(b"\xff".decode), "data"),
        (raised(lambda: pa.array(["x"]).cast(pa.int64())), "data"),
        (HTTPError("?"), "unknown"),
    ],
    ids=str,
)
def test_other_errors_say_it_by_their_kind(error, expected):
    assert classify(error) is FailureClass(expected)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("120", 120),
        ("Thu, 01 Jan 2026 00:05:00 GMT", 300),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("9" * 400, None),
    ],
)
def test_how_long_a_source_asks_to_be_left_alone_is_heard(said, seconds):
    waits = find_retry_after(answered(429, **{"retry-after": said}), NOW)

    assert waits == (None if seconds is None else dt.timedelta(seconds=seconds))


def test_what_a_source_asks_for_is_heard_through_what_wraps_it():
    minute = dt.timedelta(minutes=1)

    assert find_retry_after(caused(RuntimeError(), answered(503, **{"Retry-After": "60"})), NOW) == minute
    assert find_retry_after(SourceError("busy", "transient", minute), NOW) == minute
    assert find_retry_after(ValueError(), NOW) is None


def test_what_airbyte_refuses_is_of_the_class_of_its_status_also_behind_the_sync_that_failed():
    refused = RefusedError(403, "http://127.0.0.1/jobs")
    behind = happened_in_handling(SyncFailedError("Sync of connection 'shop' failed"), refused, hide=True)
    named = happened_in_handling(SyncFailedError("connection 'shop', stream 'orders'"), behind, hide=True)

    assert {classify(error) for error in (refused, behind, named)} == {FailureClass.PERMISSION}


def test_an_airbyte_that_asks_to_be_left_alone_is():
    lost = caused(AirbyteUnreachableError("status 429"), answered(429, **{"Retry-After": "60"}))
    named = happened_in_handling(AirbyteUnreachableError("connection 'shop'"), lost, hide=True)

    assert classify(named) is FailureClass.TRANSIENT
    assert find_retry_after(named, NOW) == dt.timedelta(minutes=1)
