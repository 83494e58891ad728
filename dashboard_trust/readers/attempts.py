"""What became of what runs planned: the attempt that counts, and what an unanswered check came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from dashboard_trust.evidence.facts import Attempt, CheckResult, Place
from dashboard_trust.readers.event_tables import CheckRow, Row
from dashboard_trust.readers.events import parse_check
from dashboard_trust.readers.runs import RunFacts

Held = Set[tuple[str, str, str | None]]
"""What a gate held: run, asset, partition."""


def find_attempt(place: Place, plans: Sequence[Row], runs: Mapping[str, RunFacts], held: Held) -> Attempt:
    """Return the newest plan (``plans`` are newest first) that came to something, else the newest.

    One that was held or never reached does not hide that the one before it broke.
    """
    attempts = (_attempt(place, row, runs, held) for row in plans)
    return next((a for a in attempts if a.state != "not_started" and not a.held), _attempt(place, plans[0], runs, held))


def find_last_word(rows: Sequence[CheckRow], runs: Mapping[str, RunFacts], held: Held) -> CheckResult:
    """Return the newest result (``rows`` are newest first) that came to a word, else the newest.

    A check that was planned and never reached leaves what was known before it.
    """
    results = [_resolve(parse_check(row), runs, held, row.step_key) for row in rows]
    return next((result for result in results if result.status != "skipped"), results[0])


def _attempt(place: Place, row: Row, runs: Mapping[str, RunFacts], held: Held) -> Attempt:
    run = runs.get(row.run_id) or RunFacts.gone(row.run_id)
    asset, partition = place
    return Attempt(
        asset=asset,
        partition=partition,
        storage_id=row.storage_id,
        run_id=row.run_id,
        at=run.ended_at or row.at,
        state="running" if run.unfinished else "failed" if run.started(row.step_key) else "not_started",
        reason=run.reason(row.step_key),
        held=(row.run_id, asset, partition) in held,
    )


def _resolve(result: CheckResult, runs: Mapping[str, RunFacts], held: Held, step_key: str | None) -> CheckResult:
    """Turn a planned check of a run that has ended into what became of it."""
    run = runs.get(result.run_id)
    if result.status != "pending" or (run is not None and run.unfinished):
        return result
    reached = (result.run_id, result.asset, result.partition) not in held
    broke = reached and run is not None and run.broke(step_key)
    return replace(
        result,
        status="errored" if broke else "skipped",
        reason=run.reason(step_key) if run is not None else "",
    )
