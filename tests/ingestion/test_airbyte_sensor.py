"""Syncs that others launch: each is reported once, with the evidence of a sync of our own."""

from __future__ import annotations

import dagster as dg
import pytest

from dashboard_trust.verdicts.verdict import Readiness

PAYMENTS = dg.AssetKey(["raw", "payments"])


def loads(instance) -> int:
    return len(instance.fetch_materializations(PAYMENTS, limit=100).records)


def test_a_sync_is_reported_once_whatever_becomes_of_the_cursor(shop, instance):
    job = shop.sync_elsewhere()
    request = shop.tick()
    assert shop.launch(request).success

    # Neither has a cursor: a restart, or one that is lost, changes nothing.
    assert shop.tick() == f"job {job} of connection 'shop' is reported"
    assert loads(instance) == 1
    assert shop.airbyte.starts() == 1
    assert shop.verdict().readiness is Readiness.READY


def test_our_own_sync_is_not_reported_again(shop, instance):
    shop.sync()

    assert "is reported" in shop.tick()
    assert loads(instance) == 1


def test_a_run_that_is_at_it_is_waited_for(shop, instance):
    shop.sync_elsewhere()
    request = shop.tick()
    instance.create_run_for_job(
        shop.defs.resolve_implicit_global_asset_job_def(), tags=request.tags, status=dg.DagsterRunStatus.STARTED
    )

    assert "is at job" in shop.tick()


def test_a_run_that_was_made_and_never_launched_is_asked_for_again_by_its_key(shop, instance):
    shop.sync_elsewhere()
    request = shop.tick()
    job = shop.defs.resolve_implicit_global_asset_job_def()
    instance.create_run_for_job(job, tags=request.tags, status=dg.DagsterRunStatus.NOT_STARTED)

    # With this key Dagster launches the run that is there; without it, the sync would never be reported.
    assert shop.tick().run_key == request.run_key


def test_a_run_that_failed_is_asked_for_again_and_not_for_ever(shop):
    shop.sync_elsewhere()
    shop.airbyte.fault("POST", "connections/get", status=500)
    keys = []
    for _ in range(3):
        request = shop.tick()
        keys.append(request.run_key)
        assert not shop.launch(request).success

    assert len(set(keys)) == 3
    assert "its 3 runs failed" in shop.tick()
    assert shop.verdict().holds


@pytest.mark.long
def test_a_sync_that_failed_elsewhere_holds_and_is_said_once(shop):
    assert shop.sync().success
    shop.script["payments"]["status"] = "INCOMPLETE"
    shop.sync_elsewhere()
    assert not shop.launch(shop.tick()).success

    assert "its 1 runs failed" in shop.tick()
    (finding,) = shop.verdict().findings
    assert "connection 'shop', stream 'payments'" in finding.reason
    assert "said INCOMPLETE" in finding.reason


@pytest.mark.long
def test_rows_that_vanished_in_a_sync_elsewhere_are_missed(shop):
    shop.sync()
    shop.script["payments"]["records"] = []
    shop.sync_elsewhere()
    shop.launch(shop.tick())

    (finding,) = shop.verdict().findings
    assert "brought no rows, and replaced 2 rows" in finding.reason


def test_a_sync_that_runs_is_waited_for(shop):
    shop.airbyte.fault("GET", "public/v1/jobs", change=lambda page: {
        "data": [{**job, "status": "running"} for job in page["data"]], "next": ""
    })  # fmt: skip
    shop.airbyte.resource().get_client().start_sync_job("shop")

    assert "is not at its end: running" in shop.tick()


def test_a_server_that_is_down_is_asked_again_at_the_next_tick(shop):
    shop.airbyte.fault("GET", "public/v1/jobs", times=2, status=503)

    assert "could not be looked at: Airbyte does not answer" in shop.tick()
    assert "has not been synced" in shop.tick()


def test_a_sync_of_the_days_in_which_nobody_looked_is_reported(shop):
    job = shop.sync_elsewhere()
    shop.airbyte.fault("GET", "public/v1/jobs", times=1, change=lambda page: {**page, "data": []})

    assert shop.tick().tags["dashboard_trust/airbyte.shop.job"] == str(job)


@pytest.mark.long
def test_a_sync_under_a_newer_one_is_unverified(shop):
    shop.sync_elsewhere()
    request = shop.tick()
    newer = shop.sync_elsewhere()
    shop.launch(request)

    assert f"job {newer} began before the rows of job" in shop.verdict().findings[0].reason
    assert shop.launch(shop.tick()).success
    assert shop.verdict().readiness is Readiness.READY


@pytest.mark.long
def test_streams_that_a_run_left_out_are_reported(shop, instance):
    shop.sync("raw/orders")

    request = shop.tick()
    assert request.asset_selection == [PAYMENTS]
