"""Faults of real syncs through the loopback server: none ends READY, and each finding names what was missing."""

from __future__ import annotations

import datetime as dt
import json
import re

import dagster as dg
import pytest

from dashboard_trust.contracts.streams import FullList
from dashboard_trust.failures.policy import Retries
from dashboard_trust.verdicts.verdict import Readiness

pytestmark = pytest.mark.long


def test_a_good_sync_is_ready(shop):
    shop.sync()

    assert shop.verdict().readiness is Readiness.READY


def emptied(shop):
    shop.script["payments"]["records"] = []


def incomplete_with_exit_code_0(shop):
    shop.script["payments"]["status"] = "INCOMPLETE"


def partial(shop):
    del shop.script["payments"]["status"]


def killed(shop):
    shop.connection.config["killed"] = True


def job_lost(shop):
    shop.airbyte.fault("GET", "public/v1/jobs/", status=404)


def job_incomplete(shop):
    shop.airbyte.fault("GET", "public/v1/jobs/", change=lambda job: {**job, "status": "incomplete"})


def servers_errors_in_a_row(shop):
    shop.airbyte.fault("POST", "", status=500)
    shop.airbyte.fault("GET", "", status=503)


def time_outs_in_a_row(shop):
    shop.airbyte.fault("POST", "v1/jobs", seconds=3.0, unheard=True)
    shop.airbyte.fault("GET", "public/v1/jobs", seconds=3.0)


def fewer_committed(shop):
    def change(evidence):
        evidence["attempts"][-1]["attempt"]["streamStats"][0]["stats"]["recordsCommitted"] = 1
        return evidence

    shop.airbyte.fault("POST", "v1/jobs/get", change=change)


def dead_attempt(shop):
    """airbytehq/airbyte#84961: nothing after an attempt that died with all of it, and called a success."""

    def change(evidence):
        dead = json.loads(json.dumps(evidence["attempts"][-1]))
        dead["attempt"]["streamStats"][0]["stats"] |= {"recordsEmitted": 1000, "recordsCommitted": 0}
        return {**evidence, "attempts": [dead, *evidence["attempts"]]}

    shop.airbyte.fault("POST", "v1/jobs/get", change=change)


def catalog_changed(shop):
    def change(connection):
        connection["syncCatalog"]["streams"][0]["stream"]["jsonSchema"] = {"properties": {"id": {"type": "string"}}}
        return connection

    shop.airbyte.fault("POST", "connections/get", change=change)


def not_selected(shop):
    def change(connection):
        connection["syncCatalog"]["streams"][0]["config"]["selected"] = False
        return connection

    shop.airbyte.fault("POST", "connections/get", change=change)


def rows_deleted(shop):
    shop.after_load = ["DELETE FROM raw.payments WHERE id = 2"]


def table_gone(shop):
    shop.after_load = ["DROP TABLE raw.payments"]


def changed_on_the_way(shop):
    meta = '{"changes": [{"field": "at", "change": "NULLED", "reason": "DESTINATION_FIELD_SIZE_LIMITATION"}]}'
    shop.after_load = [f"UPDATE raw.payments SET _airbyte_meta = '{meta}' WHERE id = 2"]


def no_statuses(shop):
    shop.airbyte.fault("POST", "stream_statuses", change=lambda answer: {"streamStatuses": []})


def statuses_not_known(shop):
    shop.airbyte.fault("POST", "stream_statuses", status=404)


def statistics_gone(shop):
    def change(evidence):
        del evidence["attempts"][-1]["attempt"]["streamStats"]
        return evidence

    shop.airbyte.fault("POST", "v1/jobs/get", change=change)


def jobs_evidence_gone(shop):
    shop.airbyte.fault("POST", "v1/jobs/get", status=404)


def no_meta(shop):
    shop.after_load = ["ALTER TABLE raw.payments DROP COLUMN _airbyte_meta"]


FAULTS = [
    (emptied, "failed", "sync_evidence", "brought no rows, and replaced 2 rows"),
    (incomplete_with_exit_code_0, "errored", None, r"said INCOMPLETE \(connector exit code 0\)"),
    (partial, "errored", None, r"never said COMPLETE \(connector exit code 0\)"),
    (killed, "errored", None, r"after every stream said COMPLETE .*exit code -9"),
    (job_lost, "errored", None, r"job \d+ is lost"),
    (job_incomplete, "errored", None, r"ended incomplete"),
    (servers_errors_in_a_row, "errored", None, "does not answer .*status 50"),
    (time_outs_in_a_row, "errored", None, "does not answer .*ReadTimeout"),
    (fewer_committed, "failed", "sync_evidence", "emitted 2 records and committed 1: 1 are missing"),
    (dead_attempt, "failed", "sync_evidence", "emitted 1000 records, and all of them together committed 2"),
    (catalog_changed, "failed", "stream_configuration", "was accepted: look at what changed"),
    (not_selected, "errored", None, "it is not selected in Airbyte"),
    (rows_deleted, "failed", "sync_evidence", "committed 2 records, and the warehouse has 1 row of it"),
    (table_gone, "failed", "sync_evidence", "is not in the warehouse"),
    (changed_on_the_way, "failed", "sync_evidence", "changed or nulled on the way .*: 1 row, and 0 may be"),
    (no_statuses, "failed", "sync_evidence", "unverified: .* no status of it"),
    (statuses_not_known, "failed", "sync_evidence", "unverified: .* no status of it"),
    (statistics_gone, "failed", "sync_evidence", "unverified: .* no statistics of it"),
    (jobs_evidence_gone, "failed", "sync_evidence", "unverified: .* no statistics of it"),
    (no_meta, "failed", "sync_evidence", "unverified: .* no list of changes in _airbyte_meta"),
]


@pytest.mark.parametrize(("fault", "outcome", "check", "missing"), FAULTS, ids=[fault[0].__name__ for fault in FAULTS])
def test_no_fault_ends_ready_and_each_finding_names_what_was_missing(shop, fault, outcome, check, missing):
    shop.sync()
    fault(shop)

    result = shop.sync()

    findings = [f for f in shop.verdict().findings if f.asset == "raw/payments" and f.check == check]
    assert not result.success
    assert shop.verdict().holds
    assert shop.verdict().readiness is not Readiness.READY
    assert [str(finding.outcome) for finding in findings] == [outcome]
    (reason,) = [finding.reason for finding in findings]
    assert "connection 'shop', stream 'payments'" in reason
    assert re.search(missing, reason, re.DOTALL), reason


@pytest.mark.parametrize("again", [1, 2])
def test_rows_that_vanished_stay_missed_however_often_it_is_synced(shop, again):
    shop.sync()
    emptied(shop)
    for _ in range(again + 1):
        shop.sync()

    assert shop.reasons("sync_evidence") == ["failed"]
    assert shop.verdict().holds


def test_a_changed_catalog_stays_a_finding_until_it_is_accepted(shop):
    shop.sync()
    catalog_changed(shop)
    shop.sync()
    shop.sync()

    assert shop.reasons("stream_configuration") == ["failed"]
    (finding,) = [f for f in shop.verdict().findings if f.check == "stream_configuration"]
    shop.declare(catalog=finding.reason.rsplit("catalog: ", 1)[1].split(" ")[0])
    shop.sync()
    assert shop.verdict().readiness is Readiness.READY


def test_a_repaired_stream_is_ready_again(shop):
    shop.sync()
    emptied(shop)
    shop.sync()
    shop.script["payments"]["records"] = [{"id": 7, "at": "2026-01-01T00:00:00Z"}]
    shop.sync()

    assert shop.verdict().readiness is Readiness.READY


@pytest.mark.parametrize("answer", [{"seconds": 3.0}, {"status": 502, "unheard": True}], ids=["slow", "lost"])
def test_a_start_whose_answer_is_lost_is_found_again_and_not_started_twice(shop, answer):
    shop.airbyte.fault("POST", "public/v1/jobs", times=1, **answer)

    assert shop.sync().success
    assert shop.airbyte.starts() == 1
    assert len(shop.jobs()) == 1
    assert shop.verdict().readiness is Readiness.READY


def test_a_start_that_nobody_answers_and_that_brought_nothing_about_is_not_repeated(shop):
    shop.airbyte.fault("POST", "public/v1/jobs", status=500)

    assert not shop.sync().success
    assert shop.airbyte.starts() == 1
    assert shop.verdict().holds


def test_some_polls_without_an_answer_are_no_failure(shop):
    shop.airbyte.fault("GET", "public/v1/jobs/", times=5, status=500)

    assert shop.sync().success
    assert shop.verdict().readiness is Readiness.READY


def test_only_selected_streams_are_materialized(shop, instance):
    shop.sync("raw/payments")

    assert instance.get_latest_materialization_event(dg.AssetKey(["raw", "payments"]))
    assert not instance.get_latest_materialization_event(dg.AssetKey(["raw", "orders"]))


def test_each_stream_says_what_it_stands_on(shop, instance):
    shop.sync()
    event = instance.get_latest_materialization_event(dg.AssetKey(["raw", "payments"]))
    said = {label: value.value for label, value in event.asset_materialization.metadata.items()}

    assert (said["records_emitted"], said["records_committed"], said["dagster/row_count"]) == (2, 2, 2)
    assert (said["attempts"], said["stream_status"]) == (1, "COMPLETE")
    assert (said["sync_mode"], said["destination_sync_mode"]) == ("full_refresh", "overwrite")
    assert said["bytes_committed"] > 0
    assert said["generation"] == said["dashboard_trust/airbyte_job"]
    assert shop.defs.resolve_asset_graph().get(dg.AssetKey(["raw", "payments"])).metadata["dagster/table_name"] == (
        "raw.payments"
    )


def test_more_than_one_attempt_is_a_warning(shop):
    def change(evidence):
        failed = {"attempt": {"id": 0, "status": "failed", "streamStats": []}}
        return {**evidence, "attempts": [failed, *evidence["attempts"]]}

    shop.airbyte.fault("POST", "v1/jobs/get", change=change)
    shop.sync()

    assert shop.verdict().readiness is Readiness.READY
    assert shop.reasons("sync_evidence") == ["warned"]


def test_a_retried_run_goes_on_with_the_sync_it_had_started(shop, instance):
    shop.airbyte.fault("POST", "stream_statuses", times=2, status=500)
    result = shop.sync(retries=1)

    assert result.success
    assert shop.airbyte.starts() == 1


def test_an_airbyte_that_does_not_answer_is_asked_again_as_any_source_is_and_is_given_up_with_its_class(shop, instance):
    pause = dt.timedelta(seconds=0.1)
    retries = Retries(limit=2, first_pause=pause, longest_pause=pause)
    shop.declare_source(owner="team:platform", policies={"transient": retries})
    shop.airbyte.fault("POST", "stream_statuses", times=2, status=503)  # as often as one try asks

    assert shop.sync().success
    assert shop.airbyte.starts() == 1
    shop.airbyte.fault("POST", "connections/get", status=503)
    result = shop.sync()
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    said = failed.step_failure_data.user_failure_data.metadata
    assert (said["failure_class"].value, said["attempts"].value) == ("transient", 2)
    (finding, *_) = shop.verdict().causes
    assert (finding.owner, str(finding.failure.failure_class)) == ("team:platform", "transient")


def test_what_airbyte_refuses_is_not_asked_for_again(shop):
    shop.declare_source()
    shop.airbyte.fault("POST", "connections/get", status=403)
    result = shop.sync()
    (failed,) = [event for event in result.all_events if event.is_step_failure]

    said = failed.step_failure_data.user_failure_data.metadata
    assert (said["failure_class"].value, said["attempts"].value) == ("permission", 1)


@pytest.mark.parametrize(("status", "failure_class"), [(401, "permission"), (503, "transient")])
def test_a_token_that_is_refused_is_no_outage(shop, monkeypatch, status, failure_class):
    resource = shop.airbyte.resource
    monkeypatch.setattr(shop.airbyte, "resource", lambda: resource(client_id="a", client_secret="wrong"))
    pause = dt.timedelta(seconds=0.1)
    shop.declare_source(policies={"transient": Retries(limit=1, first_pause=pause, longest_pause=pause)})
    shop.airbyte.fault("POST", "applications/token", status=status)
    result = shop.sync()
    (failed,) = [event for event in result.all_events if event.is_step_failure]

    said = failed.step_failure_data.user_failure_data.metadata
    assert said["failure_class"].value == failure_class
    assert shop.airbyte.starts() == 0
    reason = shop.verdict().causes[0].reason
    assert f"applications/token {'with status 401. Check' if status == 401 else '(status 503)'}" in reason


def test_a_sync_that_does_not_end_is_cancelled(shop):
    shop.connection.config["sleep"] = 300
    shop.patience(sync=dt.timedelta(seconds=1))
    shop.sync()

    assert [job.status for job in shop.jobs()] == ["cancelled"]
    assert "not at its end" in shop.verdict().findings[0].reason


def test_rows_deleted_at_the_source_are_found_by_their_keys(shop):
    shop.declare(primary_key=("id",), full_list=FullList("raw.ids"))
    shop.after_load = ["CREATE OR REPLACE TABLE raw.ids AS SELECT 1 AS id"]
    shop.sync()

    (finding,) = shop.verdict().findings
    assert (finding.check, str(finding.outcome)) == ("deleted_keys", "failed")
    assert "connection 'shop', stream 'payments': 1 row was deleted at the source, " in finding.reason

    shop.after_load = ["CREATE OR REPLACE TABLE raw.ids AS SELECT id FROM raw.payments"]
    shop.sync()
    assert shop.verdict().readiness is Readiness.READY


def test_what_is_declared_and_not_so_is_found(shop):
    shop.declare(sync_mode="incremental", cursor="at")
    shop.sync()

    (finding,) = shop.verdict().findings
    assert finding.check == "stream_configuration"
    assert "connection 'shop', stream 'payments': its sync_mode is declared incremental" in finding.reason
    assert "its cursor is declared at, and Airbyte has none" in finding.reason
