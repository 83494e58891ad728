"""What may be said of Snowflake's errors: its own words, short; never a secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from snowflake.connector import errors

WORDS = 300
OURS = 250_000
"""From here on, error numbers are of the connector: nobody answered, or nobody understood the answer."""


def reason(error: errors.Error) -> str:
    """Return what Snowflake said, in one line and without the number of the statement."""
    if is_unanswered(error):
        return "Snowflake did not answer."
    text = str(error.raw_msg or error.msg or error)
    text = " ".join(re.sub(r"^(\d+ \(\w+\): )?([0-9a-f-]{36}: )?", "", text).split())
    return "Snowflake refused: " + (text if len(text) <= WORDS else text[:WORDS] + "...")


def is_unanswered(error: errors.Error) -> bool:
    """Whether the statement may or may not have been run."""
    return error.errno is None or error.errno < 0 or error.errno >= OURS


def is_lock_wait(error: errors.Error) -> bool:
    """Whether a statement was given up because somebody else held what it needed."""
    text = str(error.msg or "").lower()
    return error.errno == 625 or "has locked table" in text or ("lock" in text and "timed out" in text)
