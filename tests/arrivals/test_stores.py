"""What is promised of one store is asked of all of them."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

from dashboard_trust.arrivals.completeness import Manifest, Marker
from dashboard_trust.arrivals.patterns import PathPattern

D1, D2 = dt.date(2026, 1, 1), dt.date(2026, 1, 2)


def test_each_file_is_loaded_once_and_a_corrected_one_again(make_landing, bucket):
    landing = make_landing(bucket)
    landing.put("2026-01-01", "1,1.50")
    landing.put("2026-01-02", "2,2.50")

    assert sorted(landing.work()) == [("2026-01-01", True), ("2026-01-02", True)]
    assert landing.work() == []
    landing.put("2026-01-01", "1,9.50")
    assert landing.work() == [("2026-01-01", True)]
    assert landing.work() == []

    assert landing.rows() == [(D1, 1, Decimal("9.50")), (D2, 2, Decimal("2.50"))]


def test_a_file_that_is_delivered_again_is_not_loaded_again(make_landing, bucket):
    landing = make_landing(bucket)
    landing.put("2026-01-01", "1,1.50")
    assert landing.work() == [("2026-01-01", True)]
    assert landing.work() == []

    landing.put("2026-01-01", "1,1.50")

    assert landing.work() == []
    landing.cursor = None
    assert landing.work() == []


def test_a_file_that_is_put_back_to_what_it_was_is_loaded_again(make_landing, bucket):
    landing = make_landing(bucket)
    keys = []
    for amount in ("1.50", "2.50", "1.50"):
        landing.put("2026-01-01", f"1,{amount}")
        (request,) = landing.tick()
        keys.append(request.run_key)
        assert landing.launch(request).success

    assert landing.rows() == [(D1, 1, Decimal("1.50"))]
    assert landing.work() == []
    assert keys == [None] * 3  # a store's mark comes again with its content, and Dagster launches a run key once


def test_a_lost_cursor_loads_nothing_twice(make_landing, bucket):
    landing = make_landing(bucket)
    landing.put("2026-01-01", "1,1.50")
    landing.work()

    landing.cursor = None

    assert landing.work() == []


def test_a_file_waits_for_its_marker_and_a_corrected_one_for_a_newer_marker(make_landing, bucket):
    landing = make_landing(bucket, complete=Marker(PathPattern("orders/{day:%Y-%m-%d}.done")))
    landing.put("2026-01-01", "1,1.50")

    assert landing.work() == []
    assert "waits for its marker" in landing.said
    bucket.put("orders/2026-01-01.done", "")
    assert landing.work() == [("2026-01-01", True)]
    assert landing.work() == []
    assert landing.observed == []


def test_files_wait_until_all_that_their_manifest_lists_are_there(make_landing, bucket):
    pattern = PathPattern("orders/{day:%Y-%m-%d}/{piece}.csv")
    landing = make_landing(
        bucket, pattern=pattern, complete=Manifest(PathPattern("orders/{day:%Y-%m-%d}/manifest.json"))
    )
    bucket.put("orders/2026-01-01/a.csv", "id,amount\n1,1.50\n")
    bucket.put("orders/2026-01-01/manifest.json", '{"files": [{"name": "a.csv"}, {"name": "b.csv", "rows": 1}]}')

    assert landing.work() == []
    assert "orders/2026-01-01/b.csv is in the manifest and has not arrived" in landing.said
    bucket.put("orders/2026-01-01/b.csv", "id,amount\n2,2.50\n")

    assert landing.work() == [("2026-01-01", True)]
    assert landing.rows("id") == [(1,), (2,)]


def test_a_name_nobody_expects_is_said_once_and_stops_nothing(make_landing, bucket):
    landing = make_landing(bucket)
    landing.put("2026-01-01", "1,1.50")
    bucket.put("orders/2026-O1-02.csv", "id,amount\n2,2.50\n")

    assert landing.work() == [("2026-01-01", True)]
    (said,) = landing.observed
    assert "orders/2026-O1-02.csv is not named like orders/{day:%Y-%m-%d}.csv" in said.description
    landing.tick()
    assert landing.observed == []


def test_a_store_without_the_folder_yet_is_waited_for(make_landing, bucket):
    landing = make_landing(bucket)

    assert landing.work() == []
