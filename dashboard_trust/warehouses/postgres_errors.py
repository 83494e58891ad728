"""What may be said of a Postgres server and of its errors: never a secret, nor the rows of a statement."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, unquote

if TYPE_CHECKING:
    from adbc_driver_postgresql import dbapi

LOCK_TIMEOUT = "55P03"
ROLLED_BACK = ("23", "25", "40", "42")
"""The classes of errors by which a COMMIT is refused; after any other, or none, it may have been done."""

LOST = "closed the connection|no connection to the server|connection has been closed|could not (send|receive)"
URI = re.compile(r"postgres(?:ql)?://(?:[^@/]*@)?(?P<host>[^/?]*)(?:/(?P<dbname>[^?]*))?(?:\?(?P<rest>.*))?", re.S)
SETTING = re.compile(r"(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|\S*)")


def address(uri: str) -> str:
    """Return the server and the database of a libpq URI or connection string, and nothing else of it."""
    parts = _parts(uri)
    host = parts.get("host") or parts.get("hostaddr") or ""
    database = quote(parts.get("dbname", ""))
    if host.startswith("/"):
        return f"postgresql:///{database}?host={quote(host)}"
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"postgresql://{host}{port}/{database}"


def _parts(uri: str) -> Mapping[str, str]:
    found = URI.fullmatch(uri)
    if found is None:
        return {key: value.strip("'") for key, value in SETTING.findall(uri)} if "://" not in uri else {}
    if "@" in f"{found['host']}{found['dbname']}{found['rest']}":
        return {}  # an @ or a / in the password, that should have been written otherwise: nobody knows where it ends
    rest = dict(parse_qsl(found["rest"] or ""))
    return {"host": unquote(found["host"]), "dbname": unquote(found["dbname"] or ""), **rest}


def not_connected(error: dbapi.Error) -> str:
    """Return why there is no connection: the words of the server or the network; libpq's own may cite the URI."""
    text = re.sub(r"^[A-Z_]+: (\[libpq\] )?(Failed to connect: )?", "", str(error)).split("\n")[0]
    known = ("connection to server", "could not translate host name", "connection is bad", "timeout expired")
    return text if text.startswith(known) else "its connection string cannot be understood"


def reason(error: dbapi.Error) -> str:
    """Return the server's first sentence; its details cite rows, and the driver cites the statement."""
    for key, value in error.details or ():
        if key == b"PG_DIAG_MESSAGE_PRIMARY":
            return bytes(value).decode(errors="replace")
    text = str(error)
    if found := re.search(r"(?:ERROR|FATAL|PANIC): +(.*)", text):
        return found[1]
    if re.search(
        r"closed the connection|no connection to the server|connection has been closed|could not (send|receive)", text
    ):
        return "the connection was lost"
    return re.sub(r"^[A-Z_]+: (\[libpq\] )?| query '.*", "", text.split("\n", maxsplit=1)[0])
