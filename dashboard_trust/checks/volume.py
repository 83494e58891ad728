"""How many rows a partition may have, by itself and beside those of the same weekday before it. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TypeGuard

from dashboard_trust.checks.outcomes import PartOutcome, RuleOutcome
from dashboard_trust.contracts.rules import Rule
from dashboard_trust.contracts.table_rules import RowCount, VolumeAnomaly
from dashboard_trust.warehouses.parts import WHOLE

History = Mapping[dt.datetime, int]
"""Rows of the accepted partitions, by their start in their own time (naive)."""

TOO_LITTLE, SUCH_DAYS = "too little history", "such days"
"""Words by which it is known again why a volume was held."""

ROBUST = 1.4826  # makes the median absolute deviation of normal values their standard deviation
LEAST_SPREAD = 0.05  # of the median: where all weeks are alike, a row more is no anomaly


class TooLittleHistoryError(Exception):
    """There are not enough accepted partitions to judge by; the message says how many there are."""


@dataclass(frozen=True, slots=True)
class Volumes:
    """What the parts of a table hold, by which their volumes are judged.

    Args:
        rows: The number of rows of each.
        starts: When those of time begin, in the partitions' own time (naive).
        sound: Those in which every other rule that holds is satisfied.
        history: What was accepted before, of parts that are not among these.
        waived: Those that a person accepted as they are.
        refused: When those began that were no usual ones beside the accepted ones before them.
        running: Those that are not over: they have no volume yet, and nothing is learned from them.
    """

    rows: Mapping[str, int]
    starts: Mapping[str, dt.datetime]
    sound: Set[str]
    history: History = field(default_factory=dict)
    waived: Set[str] = frozenset()
    refused: Set[dt.datetime] = frozenset()
    running: Set[str] = frozenset()


def learns(rule: Rule) -> TypeGuard[RowCount | VolumeAnomaly]:
    """Whether a rule is judged by the volumes before."""
    return isinstance(rule, VolumeAnomaly) or (isinstance(rule, RowCount) and rule.of_median is not None)


def judge_volumes(
    rules: Sequence[RowCount | VolumeAnomaly], volumes: Volumes
) -> tuple[dict[str, dict[str, PartOutcome]], dict[str, int]]:
    """Return what each rule (by its check's name) found in each part, and the rows of the parts to learn from.

    In the order of time, so that a part is judged by what was accepted before it; one that is not sound, or is an
    anomaly itself, is not learned from unless a person accepted it. Of a running one only what is wrong however it
    ends, or needs no history, has a word.
    """
    found: dict[str, dict[str, PartOutcome]] = {rule.check: {} for rule in rules}
    known, accepted = dict(volumes.history), dict[str, int]()
    refused = {rule.check: set(volumes.refused) for rule in rules}
    for part in sorted(volumes.rows, key=lambda part: (volumes.starts.get(part, dt.datetime.max), part)):
        rows, start = volumes.rows[part], volumes.starts.get(part)
        if part in volumes.running:
            for rule in rules:
                if not learns(rule) or _is_out_of_bounds(rule, rows):
                    found[rule.check][part] = _judge(_bounds_of(rule), rows, None, {}, frozenset())[0]
            continue
        usual = True
        for rule in rules:
            outcome, is_usual = _judge(rule, rows, start, known, refused[rule.check])
            found[rule.check][part] = outcome
            usual = usual and is_usual
            if start is not None and not is_usual and part not in volumes.waived and not _is_out_of_bounds(rule, rows):
                refused[rule.check].add(start)
        if part in volumes.sound and (usual or part in volumes.waived):
            accepted[part] = rows
            if start is not None:
                known[start] = rows
    return found, accepted


def sound_parts(outcomes: Sequence[RuleOutcome], parts: Set[str], known: Collection[str]) -> Set[str]:
    """Return those of these parts in which every other rule is satisfied.

    Args:
        outcomes: What the rules found that say nothing of volumes, and hold.
        parts: Those that have rows.
        known: Those that are to be there.
    """
    if any(outcome.error for outcome in outcomes):
        return frozenset()
    sound = set(parts)
    for outcome in outcomes:
        failed = {part for part, found in outcome.parts.items() if not found.passed}
        # What is wrong with the whole of a table may be wrong with any part of it.
        sound = set() if WHOLE in failed and WHOLE not in known else sound - failed
    return sound


def judge_days(rule: RowCount | VolumeAnomaly, found: Mapping[str, PartOutcome], volumes: Volumes) -> PartOutcome:
    """Judge the volume of a whole table by what was found of its days.

    A weekday's first ones, before there was enough history to judge one of that weekday, hold it no longer.
    """
    first: dict[int, dt.datetime] = {}
    for part, start in sorted(volumes.starts.items(), key=lambda item: item[1]):
        if part in found and not found[part].reason.startswith(TOO_LITTLE):
            first.setdefault(start.weekday(), start)
    known = {
        part: outcome
        for part, outcome in found.items()
        if (begun := volumes.starts.get(part)) is None or begun >= first.get(begun.weekday(), dt.datetime.min)
    }
    if not known:
        return PartOutcome(rule.too_little == "pass", f"{TOO_LITTLE}: no day of it is over")
    running = sorted(volumes.running - known.keys())
    judged = RuleOutcome(rule, known, note=f"not yet over: {', '.join(running)}" if running else "")
    return PartOutcome(judged.passed, judged.reason)


def judge_empty(rule: RowCount) -> PartOutcome:
    """Judge a table without any row."""
    return _judge(RowCount(min=rule.min), 0, None, {}, frozenset())[0]


def _judge(
    rule: RowCount | VolumeAnomaly, rows: int, start: dt.datetime | None, history: History, refused: Set[dt.datetime]
) -> tuple[PartOutcome, bool]:
    """Return what a rule finds, and whether it has nothing against learning from it."""
    judge = judge_row_count if isinstance(rule, RowCount) else judge_anomaly
    try:
        reason = judge(rule, rows, start, history)  # type: ignore[arg-type]
    except TooLittleHistoryError as error:
        if start is not None and any(moment in refused for moment in _such_days(start, rule.weeks)):
            # A new level is not accepted by outlasting the old one.
            return PartOutcome(
                False, f"{rows} rows, and {SUCH_DAYS} before it wait for somebody to accept them", rows
            ), False
        holds = rule.too_little == "hold"
        told = f"{error}; it holds as too_little says" if holds else f"{error}; it passes as too_little says"
        return PartOutcome(not holds, told, rows), True
    return PartOutcome(not reason, reason, rows), not reason


def _is_out_of_bounds(rule: RowCount | VolumeAnomaly, rows: int) -> bool:
    """Return whether so many rows are wrong whatever was before."""
    return isinstance(rule, RowCount) and bool(judge_row_count(replace(rule, of_median=None), rows, None, {}))


def _bounds_of(rule: RowCount | VolumeAnomaly) -> RowCount | VolumeAnomaly:
    return replace(rule, of_median=None) if isinstance(rule, RowCount) else rule


def judge_row_count(rule: RowCount, rows: int, start: dt.datetime | None, history: History) -> str:
    """Say what is wrong with a number of rows, or nothing.

    Raises:
        TooLittleHistoryError: It is bounded by a median, and there is none.
    """
    least = 1 if rule.min is None else rule.min
    if rows < least:
        return f"{rows} rows, at least {least} expected"
    if rule.max is not None and rows > rule.max:
        return f"{rows} rows, at most {rule.max} expected"
    if rule.of_median is None:
        return ""
    known = _same_weekday(start, history, rule.weeks)
    if len(known) < 2:
        raise TooLittleHistoryError(_told(known, 2, rule.weeks))
    middle = median(known)
    low, high = (share * middle for share in rule.of_median)
    if low <= rows <= high:
        return ""
    return f"{rows} rows, {low:,.0f} to {high:,.0f} expected by the median ({middle:,.0f}) of {len(known)} {SUCH_DAYS}"


def judge_anomaly(rule: VolumeAnomaly, rows: int, start: dt.datetime | None, history: History) -> str:
    """Say how far a number of rows is from what was accepted before, if that is too far.

    Raises:
        TooLittleHistoryError: Too few partitions were accepted before.
    """
    known = _same_weekday(start, history, rule.weeks)
    if len(known) < rule.least:
        recent = _recent(start, history, rule.weeks)
        low, high = _usual(recent, rule.sensitivity)
        if len(recent) < rule.least or not low <= rows <= high:
            # Other weekdays speak for a partition, never against it: a first Sunday is no anomaly.
            raise TooLittleHistoryError(_told(known, rule.least, rule.weeks))
        return ""
    low, high = _usual(known, rule.sensitivity)
    if low <= rows <= high:
        return ""
    return f"{rows} rows, {max(low, 0):,.0f} to {high:,.0f} expected by {len(known)} {SUCH_DAYS} before it"


def _usual(known: Sequence[int], sensitivity: float) -> tuple[float, float]:
    """Return the bounds of what is usual beside these volumes."""
    middle = median(known or [0])
    spread = max(ROBUST * median(abs(rows - middle) for rows in known or [0]), LEAST_SPREAD * middle, 1.0)
    return middle - sensitivity * spread, middle + sensitivity * spread


def _same_weekday(start: dt.datetime | None, history: History, weeks: int) -> Sequence[int]:
    if start is None:
        return []
    return [history[moment] for moment in _such_days(start, weeks) if moment in history]


def _such_days(start: dt.datetime, weeks: int) -> Sequence[dt.datetime]:
    return [_earlier(start, n) for n in range(1, weeks + 1)]


def _recent(start: dt.datetime | None, history: History, weeks: int) -> Sequence[int]:
    if start is None:
        return []
    oldest = _earlier(start, weeks)
    return [rows for moment, rows in history.items() if oldest <= moment < start]


def _earlier(start: dt.datetime, weeks: int) -> dt.datetime:
    return start - min(dt.timedelta(weeks=weeks), start - dt.datetime.min)


def _told(known: Sequence[int], wanted: int, weeks: int) -> str:
    return f"{TOO_LITTLE}: {len(known)} of {wanted} accepted partitions in {weeks} weeks"
