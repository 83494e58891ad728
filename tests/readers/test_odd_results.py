"""What must go on holding: results that looked at an odd load, and words that are newer than a pass.

Each is read twice: from the newest executions backwards, and looked up by its check.
"""

from __future__ import annotations

import pytest
from generated_logs import NOW, Log, write

from dashboard_trust.contracts.model import DashboardContract, Promise, Requirement
from dashboard_trust.readers import event_tables
from dashboard_trust.readers.event_log import read_evidence
from dashboard_trust.verdicts.judge import judge

TABLE = Requirement("mart", "a", "o", checks=("unique",))
PROMISE = Promise(DashboardContract("dash", "o"), "a", None, (TABLE,))


@pytest.fixture(params=[4, 0], ids=["read backwards", "looked up"])
def find(request, monkeypatch, filled):
    """Write a log and return what is found of the mart's partition a."""
    monkeypatch.setattr(event_tables, "SLICES", request.param)

    def find(log):
        write(log, filled)
        evidence = read_evidence(filled, [PROMISE], NOW)
        assert not evidence.unreadable
        return [str(finding.outcome) for finding in judge(PROMISE, evidence).findings]

    return find


@pytest.fixture
def log():
    """The mart's partitions a and b, loaded; a has passed its check."""
    log = Log()
    for partition in ("b", "a"):
        log.plan("good-1", "mart", partition)
        log.load("good-1", "mart", partition)
    log.evaluate("good-1", "mart", "unique", "a", log.loads()[-1])
    return log


def test_a_pass_of_the_newest_load_counts(find, log):
    assert find(log) == []


@pytest.mark.parametrize("passed", [False, True])
@pytest.mark.parametrize("target", ["of another partition", "that is gone", "of no load"])
def test_a_newer_result_that_looked_at_an_odd_load_hides_the_pass(find, log, target, passed):
    looked_at = {"of another partition": log.loads()[0], "that is gone": 7, "of no load": None}[target]
    log.evaluate("good-2", "mart", "unique", "a", looked_at, passed=passed)

    assert find(log) == ["not_run"]


def test_a_newer_failure_of_the_same_load_hides_the_pass(find, log):
    log.evaluate("good-2", "mart", "unique", "a", log.loads()[-1], passed=False)

    assert find(log) == ["failed"]


def test_a_check_planned_after_the_pass_is_waited_for_and_one_never_reached_is_not(find, log):
    log.plan_check("live-1", "mart", "unique", "a")
    assert find(log) == ["pending"]

    log.plan_check("gone-1", "mart", "unique", "a")
    assert find(log) == ["pending"]


@pytest.mark.parametrize("passed", [False, True])
def test_of_two_checks_of_one_load_the_one_that_looked_last_counts_whenever_it_was_planned(find, passed):
    log = Log()
    log.load("good-1", "mart", "a")
    log.plan_check("good-1", "mart", "unique", "a")
    log.evaluate("good-2", "mart", "unique", "a", log.loads()[-1], passed=not passed)
    log.evaluate("good-1", "mart", "unique", "a", log.loads()[-1], passed=passed)

    assert find(log) == ([] if passed else ["failed"])


def test_a_check_that_broke_after_the_pass_is_an_error(find, log):
    log.plan_check("bad-1", "mart", "unique", "a")

    assert find(log) == ["errored"]


def test_a_result_of_another_partition_says_nothing(find, log):
    log.evaluate("good-2", "mart", "unique", "b", log.loads()[-1], passed=False)

    assert find(log) == []


def test_a_general_word_counts_only_where_the_partition_has_none(find, log):
    log.evaluate("good-2", "mart", "unique", None, log.loads()[-1], passed=False)
    assert find(log) == []

    log.checks = [row for row in log.checks if row["partition"] is None]
    assert find(log) == ["failed"]

    log.plan_check("gone-1", "mart", "unique", "a")
    assert find(log) == ["failed"]


def test_the_results_of_a_run_that_was_deleted_go_on_holding(find, log):
    log.load("good-2", "mart", "a")
    log.evaluate("good-2", "mart", "unique", "a", log.loads()[-1], passed=False)
    log.delete_run("good-2")

    assert find(log) == ["not_run"]


def test_a_pass_that_names_a_failed_day_is_read_where_days_are_asked_for(filled, log):
    """The body of a pass is left out elsewhere."""
    from dashboard_trust.evidence.names import DAYS

    log.load("good-1", "raw", None)
    metadata = {DAYS: {"2024-03-01": [False, "few"]}}
    log.evaluate("good-1", "raw", "complete", None, log.loads()[-1], metadata=metadata)
    write(log, filled)
    found = []
    for days in [(), ("2024-03-01",), ("2024-03-02",)]:
        raw = Requirement("raw", None, "o", days, checks=("complete",))
        promise = Promise(DashboardContract("dash", "o"), None, None, (raw,))
        findings = judge(promise, read_evidence(filled, [promise], NOW)).findings
        found.append([str(finding.outcome) for finding in findings])

    assert found == [[], ["failed"], ["not_run"]]
