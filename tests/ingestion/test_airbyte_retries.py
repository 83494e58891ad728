"""A second try, another run and somebody else: whose sync it is, and what is remembered of the one before."""

from __future__ import annotations

import dagster as dg
import pytest

from dashboard_trust.enforcement import airbyte_assets
from dashboard_trust.errors import AirbyteUnreachableError, SyncFailedError
from dashboard_trust.ingestion.airbyte_process import running_airbyte
from dashboard_trust.ingestion.airbyte_sync import NO_TIME, Memory, Patience, sync
from dashboard_trust.ingestion.connections import Workspace

PAYMENTS = dg.AssetKey(["raw", "payments"])


def test_a_second_try_whose_start_is_lost_too_leaves_no_sync_running(shop):
    shop.script["payments"]["status"] = "INCOMPLETE"
    first = shop.sync_elsewhere()
    shop.connection.config["sleep"] = 300
    shop.airbyte.fault("POST", "public/v1/jobs", status=502, unheard=True)
    shop.airbyte.fault("GET", "public/v1/jobs", times=3, change=lambda page: {**page, "data": []})

    memory = Memory(before=first - 1, job=first)
    with pytest.raises(AirbyteUnreachableError, match="was not answered"):
        sync(shop.airbyte.resource(), "shop", Patience(start=NO_TIME), memory)

    assert [job.status for job in shop.jobs()] == ["cancelled", "failed"]


def test_where_the_start_was_refused_a_sync_of_somebody_else_is_not_cancelled(shop):
    shop.connection.config["sleep"] = 300
    shop.airbyte.resource().get_client().start_sync_job("shop")
    shop.airbyte.fault("POST", "public/v1/jobs", status=403)
    # It began after the look, and before the start.
    shop.airbyte.fault("GET", "public/v1/jobs", times=1, change=lambda page: {**page, "data": []})

    with pytest.raises(SyncFailedError, match="403"):
        sync(shop.airbyte.resource(), "shop")

    (job,) = shop.jobs()
    assert job.status == "running"
    shop.airbyte.resource().get_client().cancel_job(job.id)


def test_rows_that_a_first_try_replaced_by_none_are_missed_by_the_second(shop, warehouse):
    with warehouse.connect("test") as connection:
        connection.execute("CREATE SCHEMA raw")
        connection.execute("CREATE TABLE raw.payments AS SELECT 1 AS id")
    shop.script["payments"]["records"] = []
    tries, load = [], shop.load

    def killed_once(report, streams):
        load(report, streams)
        tries.append(report.job_id)
        if len(tries) == 1:
            raise RuntimeError("killed after the load")
        return {}

    shop.load = killed_once
    shop.sync(retries=1)

    assert len(tries) == 2
    assert "nobody knows whether there were any before" in shop.verdict().findings[0].reason


def test_what_somebody_else_reports_does_not_make_a_stream_forget(shop, instance):
    shop.sync()
    instance.report_runless_asset_event(dg.AssetMaterialization(PAYMENTS))
    shop.declare()
    shop.script["payments"]["records"] = []
    shop.airbyte.fault("POST", "connections/get", change=without_fields)
    with shop.warehouse.connect("test") as connection:
        connection.execute("DELETE FROM raw.payments")
    shop.sync()

    said = {finding.check: finding.reason for finding in shop.verdict().findings}
    assert "was accepted: look at what changed" in said["stream_configuration"]
    assert "brought no rows, and replaced 2 rows" in said["sync_evidence"]


def without_fields(connection):
    connection["syncCatalog"]["streams"][0]["stream"]["jsonSchema"] = {"properties": {"id": {"type": "string"}}}
    return connection


def test_a_result_does_not_speak_of_a_load_that_another_run_left_meanwhile(shop, instance, monkeypatch):
    judge = airbyte_assets.results_of

    def overtaken(load):
        # Here the load is stored, and its results are not.
        if load.stream.name == "payments":
            instance.report_runless_asset_event(dg.AssetMaterialization(PAYMENTS))
        return judge(load)

    monkeypatch.setattr(airbyte_assets, "results_of", overtaken)
    shop.sync()

    assert shop.verdict().holds
    assert shop.reasons("sync_evidence") == ["not_run"]


@pytest.mark.long
def test_of_two_streams_the_good_one_is_believed_and_the_bad_one_named(shop):
    shop.sync()
    shop.script["payments"]["records"] = []
    shop.sync()

    key = dg.AssetCheckKey(dg.AssetKey(["raw", "orders"]), "sync_evidence")
    (latest,) = shop.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
    assert latest.status.value == "SUCCEEDED"
    assert [finding.asset for finding in shop.verdict().findings] == ["raw/payments"]


def test_a_stream_that_is_called_what_another_is_with_the_prefix_has_its_own_evidence(scripted):
    one = {"records": [{"id": 1}], "status": "COMPLETE"}
    connection = scripted({"crm_orders": {"records": [], "status": "COMPLETE"}, "orders": one})
    object.__setattr__(connection, "prefix", "crm_")
    with running_airbyte(Workspace("w", (connection,))) as endpoint:
        report = sync(endpoint.workspace(), connection.id)

    assert {name: stream.committed for name, stream in report.streams.items()} == {"crm_orders": 0, "orders": 1}
