"""What a sensor asks for, and what it never does."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from dashboard_trust.arrivals import asked
from dashboard_trust.arrivals.completeness import Settled
from dashboard_trust.arrivals.look import MOST_RUNS
from dashboard_trust.arrivals.patterns import PathPattern
from dashboard_trust.cli.next_steps import next_steps
from dashboard_trust.contracts.model import DashboardContract, ReadyBy
from dashboard_trust.enforcement.gated_assets import trust, trusted_dashboard
from dashboard_trust.errors import FailureClass
from dashboard_trust.evidence.names import LATE, UNEXPECTED
from dashboard_trust.failures.policy import Retries

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

    assert (again.run_key, request.run_key) == (None, None)  # Dagster launches a run key once
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


def test_a_file_whose_runs_are_killed_is_given_up_after_so_many(landing, monkeypatch):
    moment = dt.timedelta(microseconds=1)
    monkeypatch.setattr(asked, "AGAIN", Retries(limit=3, first_pause=moment, longest_pause=moment))
    landing.put(D1, "1,1.50")
    for _ in range(3):
        (request,) = landing.tick()
        create_run(landing, request, dg.DagsterRunStatus.FAILURE)

    assert landing.tick() == []
    landing.put(D1, "1,1.60")
    assert landing.work() == [(D1, True)]


def test_runs_that_break_are_not_answered_with_a_storm_of_others(landing):
    landing.put(D1, "1,1.50")
    for _ in range(2):
        (request,) = landing.tick()
        create_run(landing, request, dg.DagsterRunStatus.FAILURE)

    assert landing.tick() == []
    assert "its runs broke; it is asked for again at" in landing.said


def test_twelve_times_outlive_an_outage_of_two_hours():
    pauses = [asked.AGAIN.pause(n, draw=0.5) for n in range(1, asked.AGAIN.limit - 1)]

    assert sum(pauses, dt.timedelta()) > dt.timedelta(hours=2)


def test_what_an_audit_refused_is_not_asked_for_again_until_it_changes(make_landing, local_bucket):
    landing = make_landing(local_bucket, metadata={"dashboard_trust/audit": [{"unique": "id"}]})
    landing.put(D1, "1,1.50", "1,2.50")
    ((_, said),) = landing.work()
    assert "AuditFailedError" in said

    assert landing.work() == []
    landing.put(D1, "1,1.50")
    assert landing.work() == [(D1, True)]


def test_a_file_that_is_corrected_while_its_run_goes_on_is_loaded_after_it(landing):
    landing.put(D1, "1,1.50")
    (request,) = landing.tick()
    run = create_run(landing, request, dg.DagsterRunStatus.STARTED)
    landing.put(D1, "1,99.50")

    assert landing.tick() == []
    landing.instance.report_run_failed(run)
    assert landing.work() == [(D1, True)]
    assert landing.rows("amount") == [(Decimal("99.50"),)]
    assert landing.work() == []


def test_a_load_that_comes_second_with_the_older_content_is_followed_by_the_newer(landing):
    landing.put(D1, "1,1.50")
    (request,) = landing.tick()
    landing.put(D1, "1,99.50")
    landing.launch(request)  # of the tick before; it finds what is there now
    assert landing.rows("amount") == [(Decimal("99.50"),)]

    assert landing.work() == []
    landing.put(D1, "1,1.50")
    assert landing.work() == [(D1, True)]


def test_what_is_moved_away_after_its_load_changes_nothing(landing):
    landing.put(D1, "1,1.50")
    landing.put(D2, "2,1.50")
    assert len(landing.work()) == 2

    landing.bucket.remove(f"orders/{D1}.csv")

    assert landing.work() == []
    landing.cursor = None
    assert landing.work() == []
    assert len(landing.rows()) == 2


def test_a_wiped_partition_is_loaded_again(landing):
    landing.put(D1, "1,1.50")
    landing.work()
    landing.instance.wipe_assets([dg.AssetKey(["raw", "orders"])])
    landing.cursor = None

    (request,) = landing.tick()

    assert request.run_key is None  # Dagster launches a run key once, whatever was wiped
    assert landing.launch(request).success


def test_two_sensors_on_one_folder_leave_each_other_alone(make_landing, local_bucket):
    others = {"orders": PathPattern("orders-{day:%Y-%m-%d}.csv"), "returns": PathPattern("returns-{day:%Y-%m-%d}.csv")}
    for name in others:
        local_bucket.put(f"{name}-{D1}.csv", "id,amount\n1,1.50\n")
    local_bucket.put("readme.txt", "hello")
    ignored = [others["returns"], PathPattern("readme.txt")]
    landing = make_landing(local_bucket, pattern=others["orders"], ignored=ignored)

    assert landing.work() == [(D1, True)]
    assert landing.observed == []
    assert landing.work() == []


def test_a_file_of_a_day_that_is_not_over_waits_where_the_partitions_end_too(make_landing, local_bucket):
    today = dt.datetime.now(dt.UTC).date()
    landing = make_landing(local_bucket, partitions=dg.DailyPartitionsDefinition("2026-01-01", end_date="2999-01-01"))
    landing.put(str(today), "1,1.50")

    assert landing.work() == []
    assert f"partition {today} is not over yet" in landing.said
    assert landing.observed == []


def test_a_file_that_takes_too_long_to_compare_is_loaded_again_and_stops_no_tick(landing, monkeypatch):
    landing.put(D1, "1,1.50")
    landing.work()
    monkeypatch.setattr("dashboard_trust.arrivals.look.MOST_BYTES", 5)
    monkeypatch.setattr("dashboard_trust.arrivals.look.hash_file", None)

    landing.put(D1, "1,1.50")

    assert landing.work() == [(D1, True)]
    assert landing.rows("id") == [(1,)]


def test_a_refused_file_is_not_asked_for_again_until_it_changes(landing):
    landing.put(D1, "1,much")
    ((_day, said),) = landing.work()
    assert "1 of 1 rows do not fit" in said

    assert landing.work() == []
    landing.cursor = None
    assert landing.work() == []
    landing.put(D1, "1,1.50")
    assert landing.work() == [(D1, True)]


def with_dashboard(landing):
    """The landed orders, and a dashboard that stands on them."""
    contract = DashboardContract("dashboards/orders", owner="team:orders")
    dashboard = trusted_dashboard(
        contract, lambda context, verdicts: None, deps=["raw/orders"], partitions_def=landing.asset.partitions_def
    )
    return trust(dg.Definitions([landing.asset, dashboard], resources=landing.defs.resources))


def test_a_refused_file_is_of_class_data_and_its_finding_says_to_correct_it_though_no_source_is_named(
    make_landing, local_bucket, verdict_of
):
    landing = make_landing(local_bucket)
    defs = with_dashboard(landing)
    local_bucket.put("orders/2026-01-01.csv", "")
    landing.work()

    verdict = verdict_of(defs, "dashboards/orders", D1)

    (finding,) = verdict.causes
    assert finding.reason == "orders/2026-01-01.csv is empty: it has no bytes"
    assert finding.failure.failure_class is FailureClass.DATA
    assert next_steps(verdict, None)[0] == (
        "team:orders: correct the data in orders/2026-01-01.csv, then materialize raw/orders 2026-01-01"
    )


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
    defs = with_dashboard(landing)

    local_bucket.put("orders/2026-O1-01.csv", "id,amount\n1,1.50\n")
    landing.tick()
    for observation in landing.observed:
        landing.instance.report_runless_asset_event(observation)

    (finding,) = verdict_of(defs, "dashboards/orders", D1).findings

    assert finding.asset == "raw/orders"
    assert finding.owner == "team:orders"
    assert "orders/2026-O1-01.csv is not named like orders/{day:%Y-%m-%d}.csv" in finding.reason
    assert "orders/{day:%Y-%m-%d}.csv is late, it was expected by 2026-01-02 05:00 UTC" in finding.reason
    landing.put(D1, "1,1.50")
    assert landing.work() == [(D1, True)]
    assert not verdict_of(defs, "dashboards/orders", D1).findings
    (load,) = landing.instance.fetch_materializations(dg.AssetKey(["raw", "orders"]), limit=1).records
    said = load.asset_materialization.metadata[LATE].value
    assert said.startswith("orders/2026-01-01.csv came ")
    assert said.endswith("and was expected by 2026-01-02 05:00 UTC")

    landing.put(D1, "1,2.50")
    landing.work()
    (load,) = landing.instance.fetch_materializations(dg.AssetKey(["raw", "orders"]), limit=1).records
    assert LATE not in load.asset_materialization.metadata  # corrected, not late


def test_a_missing_folder_is_waited_for(make_landing, local_bucket):
    landing = make_landing(local_bucket)
    Path(local_bucket.store.url).rmdir()

    assert landing.tick() == []
    assert "has nothing yet where orders/{day:%Y-%m-%d}.csv is to arrive" in landing.said
