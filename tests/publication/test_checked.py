"""What may be published is what the newest load of each slice was fingerprinted as, in its own step."""

import dagster as dg
import pytest

from dashboard_trust.errors import PublicationError
from dashboard_trust.evidence.names import FINGERPRINT
from dashboard_trust.publication.checked import read_checked
from dashboard_trust.publication.tables import PublishedTable

REVENUE = PublishedTable("marts.revenue_daily", "published.revenue_daily")
DAY, EARLIER = "2026-11-20", "2026-11-19"
DAYS = dg.DailyPartitionsDefinition("2026-11-01", end_date="2026-12-01")
ASSETS = {REVENUE.source: dg.AssetKey(["marts", "revenue_daily"])}


@pytest.fixture
def load(run, duckdb_shop):
    """Materialize the mart in a run of its own, with the fingerprint of what stands there, or without."""

    def load(day: str | None = DAY, *, fingerprinted: bool = True) -> None:
        @dg.asset(key=ASSETS[REVENUE.source], partitions_def=DAYS if day else None)
        def mart() -> dg.MaterializeResult:
            slices = {REVENUE: duckdb_shop.days(day)[REVENUE] if day else {"": None}}
            found = str(next(iter(duckdb_shop.checked(slices).values())))
            return dg.MaterializeResult(metadata={FINGERPRINT: found} if fingerprinted else {})

        assert run(dg.Definitions([mart]), "marts/revenue_daily", day=day).success

    return load


def publish(shop, instance, *days):
    slices = {REVENUE: shop.days(*days)[REVENUE]}
    return shop.publish(slices, read_checked(instance, slices, ASSETS))


def test_a_newer_load_without_a_fingerprint_hides_the_older_one(duckdb_shop, instance, load):
    load()
    load(fingerprinted=False)

    with pytest.raises(PublicationError, match=f"marts.revenue_daily for {DAY} is unverified"):
        publish(duckdb_shop, instance, DAY)


def test_a_day_that_was_never_loaded_is_unverified(duckdb_shop, instance, load):
    load()

    with pytest.raises(PublicationError, match=f"marts.revenue_daily for {EARLIER} is unverified"):
        publish(duckdb_shop, instance, EARLIER, DAY)


def test_what_stood_there_at_an_older_load_is_not_what_was_checked(duckdb_shop, instance, load):
    load()
    duckdb_shop.set(8)
    load()
    duckdb_shop.set(100.10)

    with pytest.raises(PublicationError, match="is not what was checked: 1 rows were checked, 1 stand"):
        publish(duckdb_shop, instance, DAY)


def test_the_newest_load_of_each_day_is_published(duckdb_shop, instance, load):
    load(EARLIER)
    duckdb_shop.set(8)
    load(DAY)

    published = publish(duckdb_shop, instance, EARLIER, DAY)

    assert published.parts == (EARLIER, DAY)
    assert [float(amount) for _, amount, _ in duckdb_shop.run("FROM published.revenue_daily ORDER BY 1")] == [90.5, 8]


def test_a_mart_without_partitions_is_published_whole(duckdb_shop, instance, load):
    load(None)
    whole = {REVENUE: {"": None}}

    assert duckdb_shop.publish(whole, read_checked(instance, whole, ASSETS)).parts == ("",)
    assert len(duckdb_shop.run("FROM published.revenue_daily")) == 2
