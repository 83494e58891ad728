"""The readiness file beside a site's releases: the newest word on each of its dashboards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from filelock import FileLock

from dashboard_trust.publication.releases import write_durably
from dashboard_trust.readers.serving import Serving
from dashboard_trust.verdicts.verdict import Readiness

FILE = "readiness.js"
UNKNOWN_AFTER = timedelta(hours=26)
_PREFIX = "window.dashboardTrust = "


@dataclass(frozen=True, slots=True)
class Reason:
    """One finding as people read it; ``outcome`` is the word of `verdicts.Outcome`."""

    asset: str
    partition: str | None
    check: str | None
    outcome: str
    reason: str
    owner: str


@dataclass(frozen=True, slots=True)
class ReadinessWord:
    """What is said of one dashboard for the partition judged.

    ``evaluated_at`` is the wall clock when the word was spoken, also where a past day was judged:
    once it is older than ``unknown_after``, the page says UNKNOWN. ``corrections`` say of partitions, newest first,
    when and why their figures took the place of others that were shown.
    """

    dashboard: str
    partition: str | None
    readiness: Readiness
    evaluated_at: datetime
    message: str = ""
    reasons: tuple[Reason, ...] = ()
    owners: tuple[str, ...] = ()
    serving: Serving | None = None
    unknown_after: timedelta = UNKNOWN_AFTER
    corrections: tuple[tuple[str, str], ...] = ()


def write_readiness(site: Path, word: ReadinessWord) -> None:
    """Put the word into ``readiness.js`` in one atomic step; other dashboards keep theirs."""
    site.mkdir(parents=True, exist_ok=True)
    with FileLock(site / f".{FILE}.lock", is_singleton=True):
        words = {**read_readiness(site), word.dashboard: word}
        entries = {key: _encode(words[key]) for key in sorted(words)}
        write_durably(site / FILE, f"{_PREFIX}{_script_safe(entries)};\n".encode())


def read_readiness(site: Path) -> dict[str, ReadinessWord]:
    """Return the words by dashboard; a file that is missing or unreadable holds none (UNKNOWN)."""
    try:
        text = (site / FILE).read_text()
        entries = json.loads(text.removeprefix(_PREFIX).rstrip().removesuffix(";"))
        return {key: _decode(key, entry) for key, entry in entries.items()}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _script_safe(value: object) -> str:
    """Return JSON that stays data inside any script or HTML: ASCII, without ``<``, ``>`` and ``&``."""
    text = json.dumps(value, indent=1)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _encode(word: ReadinessWord) -> dict[str, object]:
    return {
        "partition": word.partition,
        "readiness": word.readiness.value,
        "message": word.message,
        "reasons": [asdict(reason) for reason in word.reasons],
        "owners": list(word.owners),
        "serving": word.serving and {"partition": word.serving.partition, "since": _iso(word.serving.since)},
        "corrections": [{"partition": partition, "said": said} for partition, said in word.corrections],
        "evaluated_at": _iso(word.evaluated_at),
        "unknown_after_hours": word.unknown_after / timedelta(hours=1),
    }


def _decode(dashboard: str, entry: Mapping[str, Any]) -> ReadinessWord:
    serving = entry["serving"]
    return ReadinessWord(
        dashboard=dashboard,
        partition=entry["partition"],
        readiness=Readiness(entry["readiness"]),
        evaluated_at=datetime.fromisoformat(entry["evaluated_at"]),
        message=entry["message"],
        reasons=tuple(Reason(**reason) for reason in entry["reasons"]),
        owners=tuple(entry["owners"]),
        serving=serving and Serving(serving["partition"], datetime.fromisoformat(serving["since"])),
        unknown_after=timedelta(hours=entry["unknown_after_hours"]),
        corrections=tuple((one["partition"], one["said"]) for one in entry.get("corrections", ())),
    )


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
