"""What a sensor asks for, and what it never does."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import dagster as dg
import pytest

from dashboard_trust.arrivals.completeness import Settled
from dashboard_trust.arrivals.look import MOST_RUNS
from dashboard_trust.arrivals.patterns import PathPattern
from dashboard_trust.contracts.model import DashboardContract, ReadyBy
from dashboard_trust.enforcement.gated_assets import trust, trusted_dashboard
from dashboard_trust.evidence.names import UNEXPECTED

D1, D2, D3 = "2026-01-01", "2026-01-02", "2026-01-03"


def create_run(landing, request, status):
    """A run that was asked for, and came to this without a word of its own."""
    job = landing.defs.resolve_implicit_global_asset_job_def().get_subset(asset_selection=set(request.asset_selection))
    tags = {**request.tags, "dagster/partition": request.partition_key}
    return landing.instance.create_run_for_job(
        job, tags=tags, status=status, asset_selection=frozenset(request.asset_selection)
    )


def test_a_file_whose_run_was_killed_is_asked_for_again(landing):
    landing.put(D1, "1,1.50")
    (request,) = landing.tick()
    create_run(landing, request, dg.DagsterRunStatus.FAILURE)

    (again,) = landing.tick()

    assert again.run_key != request.run_key
    assert landing.launch(again).success
    assert landing.tick() == []


def test_a_file_is_not_asked_for_while_a_run_loads_it(landing):
    landing.put(D1, "1,1.50")
    (request,) = landing.tick()
    create_run(landing, request, dg.DagsterRunStatus.STARTED)

    assert landing.tick() == []
    landing.cursor = None
    assert landing.tick() == []
    assert "a run is loading 2026-01-01" in landing.said


def test_a_file_whose_runs_are_killed_is_given_up_after_three(landing):
    landing.put(D1, "1,1.50")
    for _ in range(3):
        (request,) = landing.tick()
        create_run(landing, request, dg.DagsterRunStatus.FAILURE)

    assert landing.tick() == []
    landing.put(D1, "1,1.60")
    assert landing.work() == [(D1, True)]


def test_a_refused_file_is_not_asked_for_again_until_it_changes(landing):
    landing.put(D1, "1,much")
    ((_day, said),) = landing.work()
    assert "1 of 1 rows do not fit" in said

    assert landing.work() == []
    landing.cursor = None
    assert landing.work() == []
    landing.put(D1, "1,1.50")
    assert landing.work() == [(D1, True)]


def test_a_file_still_being_written_is_left_alone(make_landing, local_bucket):
    landing = make_landing(local_bucket, complete=Settled(3600))
    landing.put(D1, "1,1.50")

    assert landing.work() == []
    assert "was written less than 3600 s ago" in landing.said


def test_a_file_of_a_day_that_is_not_over_waits(make_landing, local_bucket):
    today = dt.datetime.now(dt.UTC).date()
    landing = make_landing(local_bucket, partitions=dg.DailyPartitionsDefinition("2026-01-01"))
    landing.put(str(today), "1,1.50")

    assert landing.work() == []
    assert f"partition {today} is not over yet" in landing.said
    assert landing.observed == []


@pytest.mark.parametrize("name", ["2026-02-30", "2025-12-31", "2026-01-20"])
def test_a_day_that_is_none_of_the_partitions_is_unexpected(landing, name):
    landing.put(name, "1,1.50")

    assert landing.work() == []
    (said,) = landing.observed
    assert list(said.metadata[UNEXPECTED].value) == [f"orders/{name}.csv"]


def test_the_cursor_is_of_one_size_and_a_tick_asks_for_no_more_than_it_may(landing):
    landing.put(D1, "1,1.50")
    landing.tick()
    size = len(landing.cursor)
    for n in range(3 * MOST_RUNS):
        landing.bucket.put(f"orders/no day {n}.csv", "x")

    landing.tick()

    assert len(landing.cursor) < size + 4000
    assert len(landing.observed[0].metadata[UNEXPECTED].value) == 100
    assert landing.observed[0].metadata["number"].value == 3 * MOST_RUNS


def test_everything_arrives_though_a_look_may_only_ask_for_so_many(make_landing, local_bucket, monkeypatch):
    monkeypatch.setattr("dashboard_trust.arrivals.look.MOST_RUNS", 2)
    monkeypatch.setattr("dashboard_trust.arrivals.look.MOST_FILES", 3)
    landing = make_landing(local_bucket)
    days = [f"2026-01-0{n}" for n in range(1, 9)]
    for day in days:
        landing.put(day, "1,1.50")

    loaded = [day for _ in range(8) for day, _ in landing.work()]

    assert sorted(loaded) == days
    assert landing.work() == []


def test_partitions_that_follow_one_another_are_loaded_together_and_alone_where_that_fails(make_landing, local_bucket):
    landing = make_landing(local_bucket, together=10)
    for day, amount in ((D1, "1.50"), (D2, "much"), (D3, "3.50")):
        landing.put(day, f"1,{amount}")

    (request,) = landing.tick()
    assert [day for day, _ in json.loads(request.tags["dashboard_trust/arrival"])] == [D1, D2, D3]
    assert not landing.launch(request).success

    assert {day: told is True for day, told in landing.work()} == {D1: True, D2: False, D3: True}
    assert landing.work() == []


@pytest.mark.filterwarnings("ignore:Non-compliant tag keys")  # Dagster's own, of a multi-partition
def test_new_customers_become_partitions_and_several_fields_one(make_landing, local_bucket):
    partitions = dg.MultiPartitionsDefinition(
        {
            "day": dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-10"),
            "customer": dg.DynamicPartitionsDefinition(name="customers"),
        }
    )
    pattern = PathPattern("{customer}/{day:%Y/%m/%d}/orders.csv")
    landing = make_landing(local_bucket, pattern=pattern, partitions=partitions)
    local_bucket.put("acme/2026/01/02/orders.csv", "id,amount\n1,1.50\n")
    local_bucket.put("a|b/2026/01/02/orders.csv", "id,amount\n1,1.50\n")

    assert landing.work() == [("acme|2026-01-02", True)]
    assert landing.instance.get_dynamic_partitions("customers") == ["acme"]
    assert landing.rows("customer, day, id") == [("acme", dt.date(2026, 1, 2), 1)]
    (said,) = landing.observed
    assert "cannot be the key of a partition" in said.description
    assert landing.work() == []


def test_a_file_without_partitions_replaces_the_whole(make_landing, local_bucket):
    landing = make_landing(local_bucket, pattern=PathPattern("customers.csv"), partitions=None)
    local_bucket.put("customers.csv", "id,amount\n1,1.50\n")
    assert landing.work() == [(None, True)]
    local_bucket.put("customers.csv", "id,amount\n2,1.50\n")
    assert landing.work() == [(None, True)]
    assert landing.rows("id") == [(2,)]


def test_files_of_a_week_are_loaded_again_together_when_one_more_arrives(make_landing, local_bucket):
    weekly = dg.WeeklyPartitionsDefinition("2026-01-04", end_date="2026-02-01")
    landing = make_landing(local_bucket, partitions=weekly)
    landing.put("2026-01-05", "1,1.50")
    assert landing.work() == [("2026-01-04", True)]
    landing.put("2026-01-06", "2,1.50")
    assert landing.work() == [("2026-01-04", True)]
    assert landing.rows("id") == [(1,), (2,)]

    # What was loaded and moved away is not lost by the next one.
    local_bucket.remove("orders/2026-01-05.csv")
    assert landing.work() == []
    landing.put("2026-01-07", "3,1.50")
    ((_, said),) = landing.work()
    assert "was loaded from orders/2026-01-05.csv too" in said
    assert landing.rows("id") == [(1,), (2,)]


def test_a_late_file_is_a_finding_of_its_dashboards_with_the_time_it_was_expected(
    make_landing, local_bucket, verdict_of
):
    landing = make_landing(local_bucket, expected=ReadyBy(dt.time(6), "Europe/Berlin"))
    contract = DashboardContract("dashboards/orders", owner="team:orders")
    dashboard = trusted_dashboard(
        contract, lambda context, verdicts: None, deps=["raw/orders"], partitions_def=landing.asset.partitions_def
    )
    defs = trust(dg.Definitions([landing.asset, dashboard], resources=landing.defs.resources))

    (finding,) = verdict_of(defs, "dashboards/orders", D1).findings

    assert finding.asset == "raw/orders"
    assert "orders/{day:%Y-%m-%d}.csv is late, it was expected by 2026-01-02 05:00 UTC" in finding.reason
    landing.put(D1, "1,1.50")
    assert landing.work() == [(D1, True)]
    assert not verdict_of(defs, "dashboards/orders", D1).findings


def test_a_missing_folder_is_waited_for(make_landing, local_bucket):
    landing = make_landing(local_bucket)
    Path(local_bucket.store.url).rmdir()

    assert landing.tick() == []
    assert "is not there yet" in landing.said
