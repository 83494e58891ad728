"""What others say went wrong: HTTP statuses, SQL states, and the errors of libraries by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from dashboard_trust.errors import FailureClass

TRANSIENT, DATA, SCHEMA, CONTRACT, PERMISSION, UNKNOWN = FailureClass

STATUSES = {
    401: PERMISSION,
    403: PERMISSION,
    407: PERMISSION,
    404: CONTRACT,
    405: CONTRACT,
    410: CONTRACT,
    408: TRANSIENT,
    423: TRANSIENT,
    425: TRANSIENT,
    429: TRANSIENT,
    422: DATA,
    501: CONTRACT,
    505: CONTRACT,
}

SQL_STATES = {
    "08": TRANSIENT,  # the connection
    "40": TRANSIENT,  # rolled back: a deadlock, a serialization
    "53": TRANSIENT,  # too many connections, out of memory
    "53100": UNKNOWN,  # the disk is full
    "55P03": TRANSIENT,  # a lock
    "57P01": TRANSIENT,  # shutting down
    "57P02": TRANSIENT,  # crashed
    "57P03": TRANSIENT,  # starting up
    "57P05": TRANSIENT,  # idle for too long
    "57014": TRANSIENT,  # cancelled, as a rule by a time-out
    "22": DATA,
    "23": DATA,
    "28": PERMISSION,
    "42501": PERMISSION,
    "02000": SCHEMA,  # Snowflake: it does not exist, or may not be seen
    "42P01": SCHEMA,
    "42703": SCHEMA,
    "42704": SCHEMA,
    "42804": SCHEMA,
    "42883": SCHEMA,
    "42S02": SCHEMA,
    "42S22": SCHEMA,
    "3D000": CONTRACT,
    "3F000": SCHEMA,
}
"""By the whole state, else by its class (the first two letters)."""

SNOWFLAKE = {
    604: TRANSIENT,  # a statement took too long
    606: CONTRACT,  # no warehouse is named
    625: TRANSIENT,  # a statement that waited for a lock was given up
    2003: SCHEMA,
    3001: PERMISSION,
}
SNOWFLAKE_ACCESS = range(390_000, 391_000)
SNOWFLAKE_CONNECTOR = range(250_000, 260_000)
REFUSED_ACCESS = re.compile(
    r"incorrect username|password authentication failed|no pg_hba\.conf|permission denied|not authorized|"
    r"jwt token|role .* does not exist|is not allowed to access|authentication failed",
    re.I,
)
LOST = re.compile(
    r"connection (refused|reset|timed out|was lost)|closed the connection|no connection to the server|"
    r"connection has been closed|could not (send|receive|connect|set lock|translate host name)|timeout expired",
    re.I,
)


def classify_status(status: object) -> FailureClass:
    """Return the class of an HTTP status; of what is none, unknown."""
    if isinstance(status, bool) or not isinstance(status, int) or not 400 <= status < 600:
        return UNKNOWN
    return STATUSES.get(status, TRANSIENT if status >= 500 else UNKNOWN)


def classify_sql_state(state: str, number: int | None = None, message: str = "") -> FailureClass:
    """Return the class of what a database answered.

    Args:
        state: The SQLSTATE, or "".
        number: Snowflake's own, where it is Snowflake's.
        message: Asked only where a connection failed: of an access refused there, both say no more.
    """
    if number is not None:
        if number in SNOWFLAKE:
            return SNOWFLAKE[number]
        if number in SNOWFLAKE_ACCESS or (number in SNOWFLAKE_CONNECTOR and REFUSED_ACCESS.search(message)):
            return PERMISSION
        if number in SNOWFLAKE_CONNECTOR:
            return TRANSIENT
    found = SQL_STATES.get(state) or SQL_STATES.get(state[:2], UNKNOWN)
    return PERMISSION if state.startswith("08") and REFUSED_ACCESS.search(message) else found


def _of_duckdb_io(message: str) -> FailureClass:
    if "lock" in message.lower():
        return TRANSIENT
    return CONTRACT if "No files found" in message else UNKNOWN


def classify_words(message: str) -> FailureClass:
    """Return the class of what is said of a connection where nothing else is: nobody answered, or nobody was let in."""
    if REFUSED_ACCESS.search(message):
        return PERMISSION
    return TRANSIENT if LOST.search(message) else UNKNOWN


BY_NAME: Mapping[str, Mapping[str, FailureClass | Callable[[str], FailureClass]]] = {
    "_duckdb": {
        "IOException": _of_duckdb_io,
        "TransactionException": TRANSIENT,
        "InterruptException": UNKNOWN,
        "ConstraintException": DATA,
        "ConversionException": DATA,
        "OutOfRangeException": DATA,
        "InvalidInputException": DATA,
        "CatalogException": SCHEMA,
        "BinderException": SCHEMA,
        "PermissionException": PERMISSION,
    },
    "adbc_driver_manager": {"Error": classify_words},
    "psycopg": {"OperationalError": classify_words},
    "psycopg2": {"OperationalError": classify_words},
    "requests": {
        "SSLError": UNKNOWN,  # it is a ConnectionError too
        "ConnectionError": TRANSIENT,
        "Timeout": TRANSIENT,
        "ChunkedEncodingError": TRANSIENT,
        "JSONDecodeError": DATA,
        "InvalidURL": CONTRACT,
        "MissingSchema": CONTRACT,
    },
    "urllib3": {"SSLError": UNKNOWN, "TimeoutError": TRANSIENT, "ProtocolError": TRANSIENT, "MaxRetryError": TRANSIENT},
    "http": {"IncompleteRead": TRANSIENT, "BadStatusLine": TRANSIENT},
    "httpx": {"TransportError": TRANSIENT, "UnsupportedProtocol": CONTRACT, "InvalidURL": CONTRACT},
    "aiohttp": {
        "ClientConnectorCertificateError": UNKNOWN,
        "ClientSSLError": UNKNOWN,
        "ClientConnectionError": TRANSIENT,
        "ServerTimeoutError": TRANSIENT,
        "ClientPayloadError": TRANSIENT,
    },
    "botocore": {
        "SSLError": UNKNOWN,
        "NoCredentialsError": PERMISSION,
        "PartialCredentialsError": PERMISSION,
        "TokenRetrievalError": PERMISSION,
        "ConnectionError": TRANSIENT,
        "HTTPClientError": TRANSIENT,
    },
    "azure": {
        "ClientAuthenticationError": PERMISSION,
        "ResourceNotFoundError": CONTRACT,
        "ServiceRequestError": TRANSIENT,
        "ServiceResponseError": TRANSIENT,
    },
    "pandas": {"EmptyDataError": DATA, "ParserError": DATA},
    "polars": {"ComputeError": DATA, "NoDataError": DATA, "SchemaError": SCHEMA, "ColumnNotFoundError": SCHEMA},
    "pyarrow": {"ArrowInvalid": DATA, "ArrowTypeError": DATA},
    "pydantic": {"ValidationError": DATA},
    "pydantic_core": {"ValidationError": DATA},
    "jsonschema": {"ValidationError": DATA},
    "dagster": {"DagsterTypeCheckDidNotPass": DATA},
}
"""By the package and the name of the error, or of what it is derived from: the nearest counts."""
