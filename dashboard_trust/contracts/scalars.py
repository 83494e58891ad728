"""Single values of YAML that several contracts have, each checked for what it may be."""

from __future__ import annotations

import math
import re

from dashboard_trust.contracts.entries import Entry, Reader
from dashboard_trust.errors import nearest

LONGEST_WINDOW = 24 * 366 * 10.0  # hours; longer ones are mistyped
OWNER = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+|team:.+")


def read_owner(entry: Entry) -> str:
    """Read who acts: an e-mail address or ``team:name``."""
    owner = entry.text()
    if not OWNER.fullmatch(owner):
        raise entry.error(f"{owner!r} is neither an e-mail address nor team:name")
    return owner


def read_asset(entry: Entry) -> str:
    """Read an asset key, its parts with slashes."""
    key = entry.text()
    if not all(part.strip() == part and part for part in key.split("/")):
        raise entry.error(f"{key!r} is not an asset key: write its parts with slashes, as in raw/payments")
    return key


def read_hours(entry: Entry) -> float:
    """Read a number of hours above 0."""
    text = entry.text()
    try:
        hours = float(text)
    except ValueError:
        hours = math.nan
    if not 0 < hours <= LONGEST_WINDOW:
        raise entry.error(f"{text!r} is not a number of hours above 0")
    return hours


def read_boolean(entry: Entry) -> bool:
    """Read ``true`` or ``false``."""
    text = entry.text()
    if text not in ("true", "false"):
        raise entry.error(f"{text!r} is neither true nor false")
    return text == "true"


def read_word(*words: str) -> Reader:
    """Return a reader of one of these words."""

    def read(entry: Entry) -> str:
        text = entry.text()
        if text not in words:
            raise entry.error(f"{text!r} is not one of {', '.join(words)}: {nearest(text, words)}")
        return text

    return read
