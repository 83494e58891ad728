"""The same rule on DuckDB, Postgres, pandas and polars finds the same: what it finds row by row in plain Python."""

from __future__ import annotations

import pytest
from generated_frames import NAME, Case, cases
from hypothesis import HealthCheck, example, given, settings
from rule_engines import summary

from dashboard_trust.checks.known import Known
from dashboard_trust.contracts.row_rules import NotNull
from dashboard_trust.contracts.table_rules import RowCount, TableRules

PATIENT = settings(deadline=None, suppress_health_check=list(HealthCheck), print_blob=False, report_multiple_bugs=False)


def agree(engines, case):
    plain = case.plain
    wanted = plain.answer(case.rules)
    reports = engines.look(case.tables, case.rules, case.scope, Known(plain.now))
    for engine, report in reports.items():
        found = summary(report)
        apart = {check: (found[check], wanted[check]) for check in wanted if found[check] != wanted[check]}
        errors = {outcome.rule.check: outcome.error for outcome in report.outcomes if outcome.rule.check in apart}
        assert not apart, f"{engine}: (found, wanted) {apart} {errors}"


@settings(PATIENT, max_examples=40)
@given(cases())
@example(Case([], [], TableRules("shop/orders", (RowCount(min=0), NotNull("id")), table=NAME), "day"))
def test_every_engine_finds_what_is_found_row_by_row(engines, case):
    agree(engines, case)


@pytest.mark.long
@settings(PATIENT, max_examples=200)
@given(cases())
def test_every_engine_finds_in_two_hundred_frames_what_is_found_row_by_row(engines, case):
    agree(engines, case)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@settings(PATIENT, max_examples=3000)
@given(cases())
def test_every_engine_finds_what_is_found_row_by_row_for_long(engines, case):
    agree(engines, case)
