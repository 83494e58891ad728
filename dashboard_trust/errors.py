"""The errors of the package: what failed, with which values, and what to do next.

A hold is not an error of the program and has no class here: it is a verdict.
"""

from __future__ import annotations

import datetime as dt
import difflib
import enum
from collections.abc import Iterable


class FailureClass(enum.StrEnum):
    """What kind of failure an error is: it says what may be done about it, and by whom.

    ``transient`` may pass by itself; ``data`` is there and wrong; ``schema`` has another shape; ``contract``
    is not there, or not as was agreed; ``permission`` is withheld; of ``unknown`` nothing is known.
    """

    TRANSIENT = "transient"
    DATA = "data"
    SCHEMA = "schema"
    CONTRACT = "contract"
    PERMISSION = "permission"
    UNKNOWN = "unknown"


class DashboardTrustError(Exception):
    """Our own work failed; the message names the culprit and the next step (exit code 1).

    ``failure_class`` is what it always is; unknown where its cause has to tell.
    """

    exit_code = 1
    failure_class = FailureClass.UNKNOWN


class SourceError(DashboardTrustError):
    """A source did not give what was asked of it, and whoever raises this knows of which class that is.

    Args:
        message: What was asked, of whom, and what came instead.
        failure_class: What kind of failure it is; as text, the same words.
        retry_after: How long the source itself asks to be left alone.
    """

    def __init__(
        self, message: str, failure_class: FailureClass | str, retry_after: dt.timedelta | None = None
    ) -> None:
        super().__init__(message)
        self.failure_class = FailureClass(failure_class)
        self.retry_after = retry_after


class InvalidInputError(DashboardTrustError):
    """What we were given cannot be meant: an unknown name, date or partition (exit code 2)."""

    exit_code = 2
    failure_class = FailureClass.CONTRACT


class ContractError(InvalidInputError):
    """A contract that cannot be read, or that promises nothing."""


class HomeError(DashboardTrustError):
    """The demo's home folder cannot be used."""


class WarehouseBusyError(DashboardTrustError):
    """Another process holds the warehouse file for longer than we wait."""

    failure_class = FailureClass.TRANSIENT


class WarehouseError(DashboardTrustError):
    """A warehouse refused a statement, or could not be reached; what was written stands as it did."""


class CommitUnknownError(WarehouseError):
    """The connection was lost while committing: whether it was committed has to be looked up."""

    failure_class = FailureClass.TRANSIENT


class WriteRefusedError(DashboardTrustError):
    """Data that does not fit its table, fails its audit, or came second: the old rows stand."""

    failure_class = FailureClass.DATA


class ColumnsRefusedError(WriteRefusedError):
    """Data that does not have the columns of its table: the old rows stand."""

    failure_class = FailureClass.SCHEMA


class WriteRacedError(WriteRefusedError):
    """A write that came second: whoever runs it again reads anew, and so has the newer data."""

    failure_class = FailureClass.TRANSIENT


class EvidenceMovedError(DashboardTrustError):
    """What a publication stands on changed between the gate and the commit; nothing was published."""

    failure_class = FailureClass.TRANSIENT


class FileRefusedError(DashboardTrustError):
    """A file that may not be believed: nothing of it was loaded, what was there before stands."""

    failure_class = FailureClass.DATA


class SyncFailedError(DashboardTrustError):
    """A sync that may not be believed: nothing of it was committed."""


class SyncRunningError(SyncFailedError):
    """Another sync of the connection is running, and takes its place: once it has ended, this may be tried again."""

    failure_class = FailureClass.TRANSIENT


class AirbyteUnreachableError(DashboardTrustError):
    """Airbyte gave no answer, or one that is not about what was asked (5xx, time-outs): this may be tried again."""

    failure_class = FailureClass.TRANSIENT


class PublicationError(DashboardTrustError):
    """What was to be published is not what was checked, or does not fit: nothing was changed."""

    failure_class = FailureClass.DATA


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'x'?`` for the nearest known word, else the list of known words."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(words)}" if words else "none is known"
