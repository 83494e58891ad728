from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg
import pytest
from sqlglot import exp

from dashboard_trust.enforcement.fingerprinted_assets import FINGERPRINT_WHEN, fingerprinted
from dashboard_trust.enforcement.slices import PARTITION_EXPR
from dashboard_trust.errors import InvalidInputError
from dashboard_trust.evidence.names import CHANGED_AT, FINGERPRINT
from dashboard_trust.publication.checked import read_checked
from dashboard_trust.publication.tables import PublishedTable
from dashboard_trust.warehouses.duckdb import DuckDBSession, DuckDBWarehouse
from dashboard_trust.warehouses.fingerprints import fingerprint

DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-04")
D1, D2 = "2026-01-01", "2026-01-02"


@pytest.fixture
def warehouse(tmp_path):
    warehouse = DuckDBWarehouse(tmp_path / "warehouse.duckdb")
    with warehouse.connect("test") as connection:
        connection.execute("CREATE SCHEMA marts")
        connection.execute("CREATE TABLE marts.sales (day DATE, amount INT)")
    return warehouse


def make_sales(warehouse, statement="INSERT INTO marts.sales VALUES ('{day}', 1)", **options):
    @dg.asset(
        key=["marts", "sales"],
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata={PARTITION_EXPR: "day"},
    )
    def sales(context) -> None:
        with warehouse.connect("building") as connection:
            for day in context.partition_keys:
                connection.execute(statement.format(day=day))

    return dg.Definitions([fingerprinted(sales, lambda: warehouse, **options)])


def test_what_a_step_built_is_fingerprinted_for_each_of_its_partitions(warehouse, run, instance):
    assert run(make_sales(warehouse), "marts/sales", day=D1, to=D2).success
    table = PublishedTable("marts.sales", "published.sales")
    wheres = {day: exp.column("day").eq(exp.cast(exp.convert(day), "DATE")) for day in (D1, D2)}
    checked = read_checked(instance, {table: wheres}, {"marts.sales": dg.AssetKey(["marts", "sales"])})

    with warehouse.session("test") as session:
        assert checked == {("marts.sales", d): fingerprint(session, "marts.sales", wheres[d]) for d in (D1, D2)}
    assert {found.rows for found in checked.values()} == {1}


def test_a_step_that_left_no_table_fails(warehouse, run):
    result = run(make_sales(warehouse, "DROP TABLE marts.sales"), "marts/sales", day=D1)

    assert not result.success


def test_a_load_without_a_fingerprint_is_not_among_what_was_checked(warehouse, run, instance):
    @dg.asset(key=["marts", "sales"])
    def sales() -> None: ...

    run(dg.Definitions([sales]), "marts/sales")
    table = PublishedTable("marts.sales", "published.sales")

    assert read_checked(instance, {table: {"": None}}, {"marts.sales": dg.AssetKey(["marts", "sales"])}) == {}


def test_an_asset_of_another_step_cannot_be_fingerprinted_in_this_one(warehouse):
    with pytest.raises(InvalidInputError, match="marts/costs is not made by this step"):
        make_sales(warehouse, tables={"marts/costs": "marts.costs"})


@dataclass(frozen=True)
class DatedWarehouse(DuckDBWarehouse):
    """One that says when its tables last changed, as Snowflake does."""

    said: str | None = "Monday"

    @contextmanager
    def session(self, purpose, wait=None):
        with self.connect(purpose, wait) as connection:
            yield DatedSession(connection, said=self.said)


@dataclass(frozen=True)
class DatedSession(DuckDBSession):
    said: str | None = None

    def changed_at(self, table):
        return self.said


def build_whole(warehouse, said, run, instance, *, when="changed"):
    """Build a table that nobody changed, on a warehouse that says so or not, and return its fingerprint."""

    @dg.asset(key=["marts", "sales"], metadata={FINGERPRINT_WHEN: when})
    def sales() -> None: ...

    assert run(dg.Definitions([fingerprinted(sales, lambda: DatedWarehouse(warehouse.path, said))]), "marts/sales")
    newest = instance.get_latest_materialization_event(dg.AssetKey(["marts", "sales"])).asset_materialization
    return newest.metadata[FINGERPRINT].value


def claim(instance, fingerprint, changed_at):
    """Let the newest load have this fingerprint: what takes it over did not look at the rows."""
    metadata = {FINGERPRINT: fingerprint, CHANGED_AT: changed_at}
    instance.report_runless_asset_event(dg.AssetMaterialization(["marts", "sales"], metadata=metadata))


@pytest.mark.parametrize(
    ("claimed_at", "said", "when"),
    [("Monday", "Tuesday", "changed"), ("Monday", None, "changed"), ("Monday", "Monday", "always")],
    ids=["changed since", "an engine that does not say", "not declared"],
)
def test_a_table_that_may_have_changed_is_read_again(warehouse, run, instance, claimed_at, said, when):
    right = build_whole(warehouse, None, run, instance)
    claim(instance, right.replace("0:", "7:", 1), claimed_at)

    assert build_whole(warehouse, said, run, instance, when=when) == right


def test_a_fingerprint_of_another_engine_is_not_taken_over(warehouse, run, instance):
    right = build_whole(warehouse, None, run, instance)
    claim(instance, right.partition("@")[0] + "@duckdb 0.1", "Monday")

    assert build_whole(warehouse, "Monday", run, instance) == right


def test_a_table_that_says_it_did_not_change_is_not_read_again(warehouse, run, instance):
    claimed = build_whole(warehouse, None, run, instance).replace("0:", "7:", 1)
    claim(instance, claimed, "Monday")

    assert build_whole(warehouse, "Monday", run, instance) == claimed
    assert build_whole(warehouse, "Monday", run, instance) == claimed
    assert build_whole(warehouse, "Tuesday", run, instance) != claimed
