"""What became of what runs planned: the attempt that counts, and what an unanswered check came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from dashboard_trust.evidence.facts import Attempt, CheckResult, Place
from dashboard_trust.evidence.failures import Failure
from dashboard_trust.readers.event_tables import Row
from dashboard_trust.readers.events import parse_check, parse_step
from dashboard_trust.readers.executions import CheckPlace, CheckRow, Executions
from dashboard_trust.readers.runs import RunFacts

Held = Set[tuple[str, str, str | None, str | None]]
"""What a gate held, or its step skipped because of something above: run, asset, partition, check (None: all of it)."""


Failures = Mapping[tuple[str, str], Failure]
"""What steps said of their newest failure: by run and asset."""


def find_attempt(
    place: Place, plans: Sequence[Row], runs: Mapping[str, RunFacts], held: Held, failures: Failures
) -> Attempt:
    """Return the newest plan (``plans`` are newest first) that came to something, else the newest.

    One that was held or never reached does not hide that the one before it broke.
    """
    attempts = [_attempt(place, row, runs, held) for row in plans]
    found = next((a for a in attempts if a.state != "not_started" and not a.held), attempts[0])
    failure = failures.get((found.run_id, found.asset))
    if failure is not None and failure.retry_at is not None and found.state != "running":
        failure = None  # it was to be tried again, and the run ended otherwise: it is not why, and nobody tries again
    return replace(found, failure=failure)


def find_last_word(place: CheckPlace, found: Executions, runs: Mapping[str, RunFacts], held: Held) -> CheckResult:
    """Return the newest result that came to a word, else the newest.

    A check that was planned and never reached leaves what was known before it.
    """
    planned, ended = found.planned.get(place), found.ended.get(place)
    if ended is not None and not planned:
        return parse_check(place, ended)
    results = [_resolve(place, row, runs, held) for row in planned or ()]
    results += [parse_check(place, row) for row in (ended,) if row is not None]
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
        held=(row.run_id, asset, partition, None) in held,
    )


def _resolve(place: CheckPlace, row: CheckRow, runs: Mapping[str, RunFacts], held: Held) -> CheckResult:
    """Turn a planned check into what became of it, where its run has ended."""
    asset, check, partition = place
    result, run, step_key = parse_check(place, row), runs.get(row.run_id), parse_step(row)
    if run is not None and run.unfinished and not run.broke(step_key):
        return result
    reached = held.isdisjoint((row.run_id, asset, partition, what) for what in (None, check))
    broke = reached and run is not None and run.broke(step_key)
    return replace(
        result,
        status="errored" if broke else "skipped",
        reason=run.reason(step_key, check, partition) if run is not None else "",
    )
