"""Failure by launch path: every way to launch a dashboard, with something wrong above it.

All of it runs on one home with one `dagster dev`: each path launches every dashboard at once, and each test
looks at one cell of what came of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import dagster as dg
import pytest
from chains import (
    BAD,
    DAYS,
    FAILURES,
    MENDED,
    PATHS,
    WELL,
    board_of,
    boards_of,
    prefix,
    read_published,
    read_refreshes,
)
from server import Dagster, launch_everything, serve
from traces import Trace, read_trace

pytestmark = pytest.mark.timeout(600)

# Everything that each gate has to say: layer, check and outcome, with words of the reason.
CAUSES = {
    "failed": {("raw", "complete", "failed"): "2 of 4 orders arrived"},
    "errored": {("mart", "sums", "errored"): 'Could not convert string "n/a" to DECIMAL'},
    "never run": {("mart", "sums", "not_run"): "has not run on this version"},
    "planned but unfinished": {("mart", "sums", "pending"): "is planned and has not ended"},
    "evaluated on an older version": {("mart", "sums", "not_run"): "looked at another load than the newest one"},
    "missing": {("mart", "", "missing"): "was never materialized"},
    "overdue": {("raw", "", "overdue"): "it is overdue from 12.0 h"},
    "built from an older version": {("mart", "", "outdated"): "built_from_an_older_version/raw"},
    "reported without a run": {
        ("mart", "", "unverified"): "was reported by hand, not made by a run",
        ("mart", "", "outdated"): "was not built from the newest version",
        ("mart", "sums", "not_run"): "looked at another load",
    },
    "partial partition range": {("mart", "", "errored"): "ended without delivering it"},
    "held by a person": {("{board}", "", "unapproved"): "held by ada: the auditors are in"},
}
# What Dagster writes on the runs of a path, and on no others.
MARKS = {
    "schedule": "dagster/schedule_name",
    "sensor": "dagster/sensor_name",
    "multi-run backfill": "dagster/backfill",
    "single-run backfill": "dagster/backfill",
    "re-execution": "dagster/parent_run_id",
}
BACKFILLS = ["multi-run backfill", "single-run backfill"]
Shown = dict[tuple[str, str], list[tuple]]


def key_of(chain: str, path: str) -> str:
    return f"{prefix(chain)}/{board_of(path)}"


@dataclass(frozen=True)
class Table:
    """What came of every launch: the traces of its runs, by path, and what was shown before and after them all."""

    dagster: Dagster
    traces: dict[str, list[Trace]]
    before: Shown
    after: Shown
    refreshes: set[tuple[str, str, str]]

    def on(self, path: str, day: str) -> list[Trace]:
        """Return the runs a path launched for a day; there is one at least."""
        found = [trace for trace in self.traces[path] if trace.covers(day)]
        assert found
        return found

    def has_published(self, chain: str, path: str, day: str) -> bool:
        """Whether a run of this path refreshed the dashboard for this day, or says that it did."""
        key = key_of(chain, path)
        return any(
            (key, day, trace.run.run_id) in self.refreshes or (key, day) in trace.delivered
            for trace in self.traces[path]
        )


@pytest.fixture(scope="module")
def table(prepared) -> Iterator[Table]:
    with prepared("trusted_project") as chains:
        before = read_published()
        with serve(chains.instance) as dagster:
            runs = launch_everything(dagster, chains.mend)
            traces = {path: [read_trace(chains.instance, run_id) for run_id in ids] for path, ids in runs.items()}
            yield Table(dagster, traces, before, read_published(), read_refreshes())


def expected(failure: str, path: str) -> dict[tuple[str, str, str], str]:
    """Return the findings with the asset keys of a cell."""
    return {
        (f"{prefix(failure)}/{layer.format(board=board_of(path))}", check, outcome): words
        for (layer, check, outcome), words in CAUSES[failure].items()
    }


CELLS = [pytest.param(*cell, id="-".join(cell)) for cell in product(FAILURES, PATHS)]


@pytest.mark.parametrize(("failure", "path"), CELLS)
def test_nothing_is_published_and_readers_keep_what_they_had(table, failure, path):
    shown = key_of(failure, path), BAD

    assert not table.has_published(failure, path, BAD)
    assert table.after.get(shown) == table.before.get(shown)


@pytest.mark.parametrize(("failure", "path"), CELLS)
def test_the_dashboard_is_held_and_names_the_cause(table, failure, path):
    key, causes = key_of(failure, path), expected(failure, path)

    for trace in table.on(path, BAD):
        findings = trace.findings(key, BAD)

        assert not trace.answers[key, BAD].passed
        assert set(findings) == set(causes)
        assert {cause: words for cause, words in causes.items() if words not in findings[cause]} == {}
        assert next(iter(causes))[0] in trace.answers[key, BAD].description
        assert trace.failures[key.replace("/", "__")] == "DagsterAssetCheckFailedError"  # a hold, and no accident
        assert trace.starts[key.replace("/", "__")] == 1
        assert trace.run.status is dg.DagsterRunStatus.FAILURE
        assert trace.run.tags["dagster/retry_on_asset_or_op_failure"] == "false"


@pytest.mark.parametrize(("failure", "path"), [pytest.param(*c, id="-".join(c)) for c in product(FAILURES, BACKFILLS)])
def test_a_backfill_publishes_the_good_days_beside_the_bad_one(table, failure, path):
    key = key_of(failure, path)
    answers = {place: word.passed for trace in table.traces[path] for place, word in trace.answers.items()}

    assert not {(key, day) for day in DAYS if day != BAD} & table.before.keys()
    assert {day: table.has_published(failure, path, day) for day in DAYS} == {day: day != BAD for day in DAYS}
    assert {day: answers[key, day] for day in DAYS} == {day: day != BAD for day in DAYS}


@pytest.mark.parametrize("path", PATHS)
def test_a_dashboard_with_everything_well_is_published(table, path):
    """The control: what holds the others is what is wrong above them. A re-execution has only what failed."""
    chain, days = MENDED if path == "re-execution" else WELL, DAYS if path in BACKFILLS else [BAD]

    for day in days:
        assert table.has_published(chain, path, day)
        assert all(trace.answers[key_of(chain, path), day].passed for trace in table.on(path, day))
        assert table.after[key_of(chain, path), day] == [(n, f"{n}.50") for n in range(1, 5)]


@pytest.mark.parametrize("path", PATHS)
def test_the_runs_were_launched_by_their_path_and_never_by_themselves_again(table, path):
    runs = [trace.run for trace in table.traces[path]]
    marks = {MARKS[path]} if path in MARKS else set()

    assert [run.tags.keys() & set(MARKS.values()) for run in runs] == [marks] * len(runs)
    # The command alone does not go through the server.
    assert {"dagster/code_location" in run.tags for run in runs} == {path != "dagster asset materialize"}
    assert [sum(trace.covers(day) for trace in table.traces[path]) for day in DAYS] == (
        [1, 1, 1] if path in BACKFILLS else [0, 1, 0]
    )
    assert len(runs) == (len(DAYS) if path == "multi-run backfill" else 1)


def test_the_re_execution_is_of_the_run_of_the_ui(table):
    (first,), (again,) = table.traces["UI through GraphQL"], table.traces["re-execution"]

    assert again.run.parent_run_id == first.run.run_id


def test_the_first_run_held_what_its_re_execution_published(table):
    (run,) = table.traces["UI through GraphQL"]

    assert not run.answers[f"{MENDED}/dashboard", BAD].passed
    assert not table.has_published(MENDED, "UI through GraphQL", BAD)


def test_a_launch_that_leaves_the_gate_out_is_refused(table):
    launched = table.dagster.launch(boards_of("UI through GraphQL"), with_gate=False)

    assert launched == {"__typename": "InvalidSubsetError"}


def test_the_documentation_says_of_ours_what_was_seen(table, documented):
    seen = {
        (failure, path): "published" if table.has_published(failure, path, BAD) else "held"
        for failure, path in product(FAILURES, PATHS)
    }

    assert {cell: ours for cell, (ours, _) in documented.items()} == seen


def test_the_documentation_says_of_each_failure_what_the_gate_says(documented_causes):
    first = {failure: next(iter(causes)) for failure, causes in CAUSES.items()}
    layers = {failure: layer.format(board="dashboard") for failure, (layer, _, _) in first.items()}
    words = {
        failure: f"{layers[failure]} · {check}: {outcome}" if check else f"{layers[failure]}: {outcome}"
        for failure, (_, check, outcome) in first.items()
    }

    assert {failure: said.partition(",")[0] for failure, said in documented_causes.items()} == words
