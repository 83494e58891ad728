"""The errors of the package: what failed, with which values, and what to do next.

A hold is not an error of the program and has no class here: it is a verdict.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class DashboardTrustError(Exception):
    """Our own work failed; the message names the culprit and the next step (exit code 1)."""

    exit_code = 1


class InvalidInputError(DashboardTrustError):
    """What we were given cannot be meant: an unknown name, date or partition (exit code 2)."""

    exit_code = 2


class ContractError(InvalidInputError):
    """A contract that cannot be read, or that promises nothing."""


class HomeError(DashboardTrustError):
    """The demo's home folder cannot be used."""


class WarehouseBusyError(DashboardTrustError):
    """Another process holds the warehouse file for longer than we wait."""


class WarehouseError(DashboardTrustError):
    """A warehouse refused a statement, or could not be reached; what was written stands as it did."""


class CommitUnknownError(WarehouseError):
    """The connection was lost while committing: whether it was committed has to be looked up."""


class WriteRefusedError(DashboardTrustError):
    """Data that does not fit its table, fails its audit, or came second: the old rows stand."""


class EvidenceMovedError(DashboardTrustError):
    """What a publication stands on changed between the gate and the commit; nothing was published."""


class SyncFailedError(DashboardTrustError):
    """A sync that may not be believed: nothing of it was committed."""


class SyncRunningError(SyncFailedError):
    """Another sync of the connection is running, and takes its place: once it has ended, this may be tried again."""


class AirbyteUnreachableError(DashboardTrustError):
    """Airbyte gave no answer, or one that is not about what was asked (5xx, time-outs): this may be tried again."""


class PublicationError(DashboardTrustError):
    """What was to be published is not what was checked, or does not fit: nothing was changed."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the nearest known word, else the list of known words."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(words)}" if words else "none is known"
