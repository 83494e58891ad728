"""How values read in a terminal: a word always, a color besides."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from rich.text import Text

from dashboard_trust.readers.serving import Serving
from dashboard_trust.verdicts.verdict import Finding, Readiness

STYLES = {
    Readiness.UNKNOWN: "bold magenta",
    Readiness.BLOCKED: "bold red",
    Readiness.DELAYED: "bold red",
    Readiness.WAITING: "bold yellow",
    Readiness.PARTIAL: "bold yellow",
    Readiness.READY: "bold green",
}


def readiness_word(readiness: Readiness) -> Text:
    """Return the readiness in its color."""
    return Text(str(readiness), style=STYLES[readiness])


def finding_line(finding: Finding) -> Text:
    """Return a finding in one line: where, what, whose."""
    outcome = finding.outcome.replace("_", " ")
    line = Text(printable(f"{finding.place}: {outcome}, {finding.told}"))
    return line.append(printable(f" [{finding.owner}]"), style="cyan")


def serving_line(serving: Serving | None) -> str:
    """Say what people see now."""
    if serving is None:
        return "shows nothing yet"
    return printable(f"shows {serving.partition or 'its last version'}, since {moment(serving.since)}")


def behind_line(behind: Sequence[str]) -> str:
    """Say of what a partition was published in another version than the newest."""
    more = f" and {len(behind) - 3} more" if len(behind) > 3 else ""
    return printable(f"published from an earlier version of {', '.join(behind[:3])}{more}")


def moment(at: dt.datetime) -> str:
    """Return a moment to the minute, with its zone."""
    return at.strftime("%Y-%m-%d %H:%M %Z").strip()


def printable(text: str) -> str:
    """Return text in one line without control characters: what data says must not steer a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)
