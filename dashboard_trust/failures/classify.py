"""Of which class an error is: our own say so themselves, others are known by what they carry and by their names.

No library is imported for it: an error of one is there only where somebody imported that already. What is not
known stays unknown, and is never tried again by itself.
"""

from __future__ import annotations

import datetime as dt
import errno
import json
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from dashboard_trust.errors import DashboardTrustError, FailureClass, WarehouseError
from dashboard_trust.failures.foreign import BY_NAME, classify_sql_state, classify_status, classify_words

TRANSIENT, DATA, SCHEMA, CONTRACT, PERMISSION, UNKNOWN = FailureClass
PASSING = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.EMFILE,
        errno.ENETDOWN,
        errno.ENETRESET,
        errno.ENETUNREACH,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.EPIPE,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)
DEEPEST = 20  # errors below one another: a chain that bites its own tail ends


def classify(error: BaseException) -> FailureClass:
    """Return the class of an error: its own, else that of what caused it, else unknown.

    Of a group of errors it is transient only if all of them are.
    """
    for one in _chain(error):
        found = _classify_one(one)
        if found is not UNKNOWN:
            return found
    # A warehouse that could not be opened says why in its own words, and nothing else is left of it.
    return classify_words(str(error)) if isinstance(error, WarehouseError) else UNKNOWN


def find_retry_after(error: BaseException, now: dt.datetime) -> dt.timedelta | None:
    """Return how long a source itself asks to be left alone (``Retry-After``), if it does."""
    for one in _chain(error):
        said = getattr(one, "retry_after", None)
        if isinstance(said, dt.timedelta):
            return said
        waits = _parse_retry_after(_header(one, "Retry-After"), now)
        if waits is not None:
            return waits
    return None


def _classify_one(error: BaseException) -> FailureClass:
    if isinstance(error, DashboardTrustError):
        return error.failure_class
    if isinstance(error, BaseExceptionGroup):
        return _classify_group(error)
    for ask in (_by_status, _by_sql_state, _by_name, _by_kind):
        found = ask(error)
        if found is not UNKNOWN:
            return found
    return UNKNOWN


def _classify_group(group: BaseExceptionGroup[BaseException]) -> FailureClass:
    classes = [classify(one) for one in group.exceptions]
    worse = [one for one in classes if one is not TRANSIENT]
    if UNKNOWN in worse:
        return UNKNOWN
    return worse[0] if worse else TRANSIENT


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, outermost first.

    What another error merely happened in the handling of is no cause; but our own family keeps what a
    database said out of sight (``from None``), since that may hold rows, and is asked for it here.
    """
    one: BaseException | None = error
    for _ in range(DEEPEST):
        if one is None:
            return
        yield one
        hidden = one.__context__ if isinstance(one, DashboardTrustError) and one.__suppress_context__ else None
        inner = getattr(one, "user_exception", None) or getattr(one, "orig", None)
        one = one.__cause__ or (inner if isinstance(inner, BaseException) else hidden)


def _by_status(error: BaseException) -> FailureClass:
    """Classify by an HTTP status, in each of the places where clients keep it."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, Mapping):  # botocore
        code = str((response.get("Error") or {}).get("Code") or "")
        if any(word in code for word in ("Throttl", "SlowDown", "LimitExceeded", "TooManyRequests", "RequestTimeout")):
            return TRANSIENT
        return classify_status((response.get("ResponseMetadata") or {}).get("HTTPStatusCode"))
    for holder, name in ((response, "status_code"), (error, "status_code"), (error, "status"), (error, "code")):
        found = classify_status(getattr(holder, name, None))
        if found is not UNKNOWN:
            return found
    return UNKNOWN


def _by_sql_state(error: BaseException) -> FailureClass:
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    number = getattr(error, "errno", None) if _root(type(error)) == "snowflake" else None
    return classify_sql_state(str(state or ""), number if isinstance(number, int) else None, str(error))


def _by_name(error: BaseException) -> FailureClass:
    for kind in type(error).__mro__:
        known = BY_NAME.get(_root(kind), {}).get(kind.__name__)
        if known is not None:
            return known if isinstance(known, FailureClass) else known(str(error))
    return UNKNOWN


def _by_kind(error: BaseException) -> FailureClass:
    return next((known for kind, known in BY_KIND if isinstance(error, kind)), _by_errno(error))


def _by_errno(error: BaseException) -> FailureClass:
    return TRANSIENT if isinstance(error, OSError) and error.errno in PASSING else UNKNOWN


BY_KIND: tuple[tuple[type[BaseException], FailureClass], ...] = (
    (ssl.SSLCertVerificationError, UNKNOWN),
    (TimeoutError, TRANSIENT),
    (ConnectionError, TRANSIENT),
    (socket.gaierror, TRANSIENT),
    (subprocess.TimeoutExpired, TRANSIENT),
    (PermissionError, PERMISSION),
    (FileNotFoundError, CONTRACT),
    (NotADirectoryError, CONTRACT),
    (IsADirectoryError, CONTRACT),
    (json.JSONDecodeError, DATA),
    (UnicodeDecodeError, DATA),
)
"""The first that it is counts."""


def _root(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def _header(error: BaseException, name: str) -> str:
    response: Any = getattr(error, "response", None)
    headers: Any
    if isinstance(response, Mapping):
        headers = (response.get("ResponseMetadata") or {}).get("HTTPHeaders")
    else:
        headers = getattr(response, "headers", None) or getattr(error, "headers", None)
    if not hasattr(headers, "items"):
        return ""
    return next((str(value) for key, value in headers.items() if str(key).lower() == name.lower()), "")


def _parse_retry_after(text: str, now: dt.datetime) -> dt.timedelta | None:
    """Return the wait a header asks for: seconds, or the moment it ends; what is neither asks for nothing."""
    try:
        if text.strip().isdecimal():
            return dt.timedelta(seconds=int(text))
        ends = parsedate_to_datetime(text)
        return max(ends.replace(tzinfo=ends.tzinfo or dt.UTC) - now, dt.timedelta())
    except (ValueError, TypeError, OverflowError):
        return None
