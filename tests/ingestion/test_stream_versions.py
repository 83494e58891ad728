"""What tells two loads of a stream apart: its rows, by day where its contract names a time column."""

from __future__ import annotations

import dagster as dg
import pytest
from airbyte_shop import TWO

from dashboard_trust.enforcement.fingerprinted_assets import fingerprinted
from dashboard_trust.errors import ContractError, InvalidInputError
from dashboard_trust.ingestion.stream_tables import find_columns
from dashboard_trust.verdicts.verdict import Outcome, Readiness
from dashboard_trust.warehouses.fingerprints import fingerprint

PAYMENTS = dg.AssetKey(["raw", "payments"])
THIRD = {"id": 3, "at": "2026-01-03T00:00:00Z"}
UPPER = (
    'CREATE OR REPLACE TABLE raw.payments AS SELECT id AS "ID", "at" AS "AT", _airbyte_extracted_at AS '
    '"_AIRBYTE_EXTRACTED_AT", _airbyte_meta AS "_AIRBYTE_META" FROM raw.payments'
)


@pytest.fixture
def said(instance):
    """What the newest load of an asset says of itself."""

    def read(asset: str = "raw/payments") -> dict:
        event = instance.get_latest_materialization_event(dg.AssetKey.from_user_string(asset))
        return {label: value.value for label, value in event.asset_materialization.metadata.items()}

    return read


def bring(shop, *records):
    shop.script["payments"]["records"] = list(records)
    assert shop.sync().success


def test_a_table_without_its_time_column_is_held_and_costs_no_other_stream(shop, said):
    shop.declare(time_column="paid_on")
    shop.sync()

    (finding,) = shop.verdict().findings
    assert finding.check == "stream_configuration"
    assert finding.reason.endswith("its days cannot be told, since its table has no column paid_on")
    assert "dashboard_trust/days" not in said()
    assert "records_committed" in said("raw/orders")


def test_a_row_that_changed_is_of_its_own_day_and_the_same_rows_are_no_news(shop, said):
    shop.declare(time_column="at")
    bring(shop, *TWO)
    first = said()
    bring(shop, *TWO)
    again = said()
    bring(shop, {"id": 7, "at": TWO[0]["at"]}, TWO[1])
    third = said()

    assert first["dashboard_trust/days"].keys() == {"2026-01-01", "2026-01-02"}
    assert again["dashboard_trust/days"] == first["dashboard_trust/days"]
    assert again["dashboard_trust/changed_days"] == {}
    assert third["dashboard_trust/changed_days"].keys() == {"2026-01-01"}
    assert third["late_days"] == "changed: 2026-01-01"
    assert shop.verdict().readiness is Readiness.READY


def test_of_an_increment_only_its_own_days_are_counted(shop, said):
    shop.sync_payments_as("append")
    shop.declare(time_column="at")
    bring(shop, *TWO)
    compared_at = said()["dashboard_trust/day_record"]["compared_at"]
    bring(shop, THIRD)

    assert said()["dashboard_trust/day_record"]["compared_at"] == compared_at
    assert said()["dashboard_trust/days"].keys() == {"2026-01-01", "2026-01-02", "2026-01-03"}
    with shop.warehouse.session("test") as session:
        assert said()["dashboard_trust/fingerprint"] == str(fingerprint(session, "raw.payments"))


@pytest.mark.parametrize(("kind", "goes_on"), [("TIMESTAMPTZ", True), ("TIMESTAMP", False)])
def test_a_time_of_extraction_without_a_zone_is_nothing_to_go_on_from(shop, said, kind, goes_on):
    shop.sync_payments_as("append")
    shop.declare(time_column="at")
    shop.after_load = [f"ALTER TABLE raw.payments ALTER COLUMN _airbyte_extracted_at TYPE {kind}"]
    shop.script["payments"]["records"] = list(TWO)
    shop.sync("raw/payments")

    assert said()["dashboard_trust/days"].keys() == {"2026-01-01", "2026-01-02"}
    assert (said()["dashboard_trust/day_record"]["reach"] is not None) is goes_on


@pytest.mark.parametrize("declared", [{"fingerprint": True}, {"time_column": "at"}], ids=["whole", "by day"])
@pytest.mark.parametrize("after_load", [[], [UPPER]], ids=["lower case", "upper case"])
def test_the_same_rows_extracted_again_are_the_same_version(shop, instance, said, declared, after_load):
    shop.after_load = after_load
    shop.declare(**declared)
    bring(shop, *TWO)
    bring(shop, *TWO)

    newest = instance.fetch_materializations(PAYMENTS, limit=2).records
    versions = {record.asset_materialization.tags["dagster/data_version"] for record in newest}
    assert len(versions) == 1
    bring(shop, *TWO, THIRD)
    assert said()["dashboard_trust/fingerprint"].startswith("3:")


def test_days_are_compared_across_a_change_of_how_the_stream_is_synced(shop, said):
    shop.declare(time_column="at")
    bring(shop, *TWO)
    shop.sync_payments_as("append_dedup")
    shop.script["payments"]["records"] = [TWO[1] | {"id": 1}]
    shop.sync()

    assert said()["late_days"] == "changed: 2026-01-02; gone: 2026-01-01"
    assert said()["dashboard_trust/changed_days"].keys() == {"2026-01-01", "2026-01-02"}


@pytest.mark.parametrize("declared", [{"fingerprint": True}, {"time_column": "at"}], ids=["whole", "by day"])
def test_a_sync_that_no_check_looked_at_is_not_taken_for_the_one_before(shop, declared):
    shop.sync_payments_as("append")
    shop.declare(**declared)
    bring(shop, *TWO)
    shop.after_load = ["DELETE FROM raw.payments WHERE id = 3"]
    shop.script["payments"]["records"] = [THIRD]
    shop.sync_unchecked()

    assert {finding.outcome for finding in shop.verdict().findings} == {Outcome.NOT_RUN}


@pytest.mark.long
def test_what_was_counted_while_a_newer_job_may_have_written_is_nothing_to_go_on_from(shop, said):
    shop.sync_payments_as("append_dedup")
    shop.declare(time_column="at")
    shop.sync_elsewhere()
    request = shop.tick()
    shop.sync_elsewhere()
    shop.launch(request)
    under = said()
    bring(shop, *TWO)

    assert under["dashboard_trust/days"] == said()["dashboard_trust/days"]
    assert "dashboard_trust/day_record" not in under
    assert said()["late_days"] == "not compared, since none of the last 1 loads says what its days held"


def test_a_column_of_that_very_name_is_the_one_that_is_meant():
    assert find_columns({"at": "DATE", "AT": "TEXT"}, ["at", "AT", "At"]) == ["at", "AT", "AT"]


def test_nothing_is_read_for_a_version_that_nobody_asked_for(shop, said):
    bring(shop, *TWO)

    assert "dashboard_trust/fingerprint" not in said()


def test_a_time_column_is_one_column(shop):
    with pytest.raises(ContractError, match="time_column"):
        shop.declare(time_column=" ")


def test_nobody_else_takes_the_fingerprint_of_a_stream(shop):
    (assets,) = [one for one in shop.defs.assets if dg.AssetKey(["raw", "payments"]) in one.keys]

    with pytest.raises(InvalidInputError, match=r"raw/orders is a stream of `trusted_airbyte`.* StreamContract"):
        fingerprinted(assets, lambda: shop.warehouse, {"raw/orders": "raw.orders"})
