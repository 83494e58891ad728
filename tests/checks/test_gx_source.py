"""Suites asked of a real Postgres by Great Expectations' own data source. Snowflake's needs an account."""

import logging
import tempfile
import warnings

import dagster as dg
import pytest
from sqlalchemy import create_engine
from sqlglot import exp, parse_one

from dashboard_trust.checks.expectations import open_context
from dashboard_trust.checks.gx_source import GXSource, open_query_rows
from dashboard_trust.checks.suites import read_suite
from dashboard_trust.enforcement.fingerprinted_assets import fingerprinted
from dashboard_trust.enforcement.slices import PARTITION_EXPR
from dashboard_trust.enforcement.suite_checks import suite_checks
from dashboard_trust.errors import InvalidInputError, WarehouseError
from dashboard_trust.warehouses.postgres import PostgresWarehouse
from dashboard_trust.warehouses.session import column

COLUMN = "expect_column_values_to_"
SECRET, PASSWORD = "Jane Doe", "s3c$ret"


@pytest.fixture(scope="module")
def url():
    with warnings.catch_warnings(action="ignore"):  # says on import where it would keep its files
        import pgserver

    # Not in pytest's folder: each start of pytest closes that to the user a root's server runs as.
    with tempfile.TemporaryDirectory(prefix="dashboard-trust-") as folder:
        server = pgserver.get_server(f"{folder}/data", cleanup_mode="delete")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg2://")
        server.cleanup()


@pytest.fixture
def execute(url):
    """Run statements, in a schema that is gone afterwards."""
    engine = create_engine(url, isolation_level="AUTOCOMMIT")

    def execute(*statements):
        with engine.connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    execute("CREATE SCHEMA marts", "CREATE TABLE marts.sales (day DATE, id INT, name TEXT, price NUMERIC(10, 2))")
    yield execute
    execute("DROP SCHEMA marts CASCADE")
    engine.dispose()


@pytest.fixture
def source(url):
    return GXSource("postgres", lambda: url)


def expect(kind, name="one", **kwargs):
    return {"type": kind, "kwargs": kwargs, "meta": {"name": name}}


UNIQUE = expect(COLUMN + "be_unique", "unique", column="id")
COUNTED = expect("expect_table_row_count_to_equal", "counted", value=1)


def look(source, where, *expectations, table="marts.sales", samples=0):
    with open_query_rows(source, table) as rows:
        return rows.look(where, read_suite({"expectations": list(expectations)}), samples)


def outcomes(look_):
    return {name: result.outcome for name, result in look_.results.items()}


def test_only_the_rows_of_the_condition_are_looked_at(source, execute):
    execute(
        "INSERT INTO marts.sales VALUES ('2026-01-01', 1, 'a', 1), ('2026-01-02', 1, 'a', 1), ('2026-01-02', 1, 'b', 1)"
    )
    on = column("day").eq(exp.cast(exp.convert("2026-01-01"), "DATE"))

    first, whole = look(source, on, UNIQUE), look(source, None, UNIQUE)

    assert (first.rows, outcomes(first)) == (1, {"unique": "passed"})
    assert (whole.rows, outcomes(whole)) == (3, {"unique": "failed"})
    assert whole.results["unique"].reason == "3 of 3 rows are unexpected"


@pytest.mark.parametrize("key", [":b", "a :b", "50%", "%(x)s", "back\\slash", "it's", "a\\:b", "::b", "a:b:c", "%%"])
def test_a_partition_of_any_name_is_looked_at_and_no_other(source, execute, key):
    """SQLAlchemy would take ``:b`` for a parameter without a value, and find no rows at all: everything would pass."""
    quoted = key.replace("'", "''").replace("%", "%%")
    execute(f"INSERT INTO marts.sales (id, name) VALUES (1, '{quoted}'), (1, 'NULL'), (1, 'b')")

    found = look(source, column("name").eq(key), UNIQUE, COUNTED)

    assert found.rows == 1
    assert outcomes(found) == {"unique": "passed", "counted": "passed"}


def test_rows_other_than_those_that_are_there_are_errored(source, execute):
    """A condition that SQLAlchemy takes for something else: what is then looked at says nothing of the partition."""
    execute("INSERT INTO marts.sales (id, name) VALUES (1, 'a:b'), (1, 'a:b')")
    with open_query_rows(source, "marts.sales") as rows:
        mangled = "SELECT * FROM marts.sales WHERE name = 'a' || ' :b'"
        object.__setattr__(rows, "datasource", Mangling(rows.datasource, mangled))
        found = rows.look(None, read_suite({"expectations": [UNIQUE]}), 0)

    assert found.rows == 2
    assert outcomes(found) == {"unique": "errored"}
    assert "other rows were looked at than the 2" in found.results["unique"].reason


class Mangling:
    """A data source that asks another query than it was told."""

    def __init__(self, datasource, query):
        self._datasource, self._query = datasource, query

    def add_query_asset(self, name, query):
        return self._datasource.add_query_asset(name, query=self._query)

    def __getattr__(self, name):
        return getattr(self._datasource, name)


def test_what_the_server_refuses_is_errored_and_the_others_keep_their_results(source, execute, caplog):
    caplog.set_level(logging.DEBUG)
    execute(f"INSERT INTO marts.sales VALUES ('2026-01-01', 1, '{SECRET}', 1.1), ('2026-01-01', 2, NULL, 2.2)")
    found = look(
        source,
        None,
        UNIQUE,
        expect(COLUMN + "be_between", "compared", column="name", min_value=1),
        expect(COLUMN + "match_regex", "pattern", column="name", regex="^(J"),
        expect(COLUMN + "be_unique", "nowhere", column="nowhere"),
        expect("expect_column_mean_to_be_between", "mean", column="price", min_value=1.6, max_value=1.7),
        expect("expect_column_max_to_be_between", "high", column="price", max_value=2),
        expect(COLUMN + "not_be_null", "named", column="name"),
        expect(COLUMN + "be_in_set", "known", column="name", value_set=["a"]),
        expect("unexpected_rows_expectation", "own_sql", unexpected_rows_query="SELECT * FROM {batch} WHERE id > 1"),
        # Of a query Great Expectations knows no types.
        expect(COLUMN + "be_of_type", "typed", column="id", type_="INTEGER"),
    )

    assert outcomes(found) == {
        "unique": "passed",
        "compared": "errored",
        "pattern": "errored",
        "nowhere": "errored",
        "mean": "passed",
        "high": "failed",
        "named": "failed",
        "known": "failed",
        "own_sql": "failed",
        "typed": "errored",
    }
    assert "raised UndefinedFunction: operator does not exist: text" in found.results["compared"].reason
    assert SECRET not in str(found)
    assert SECRET not in caplog.text


def test_failing_values_are_shown_where_they_are_asked_for(source, execute):
    execute(f"INSERT INTO marts.sales (id, name) VALUES (1, '{SECRET}')")
    found = look(source, None, expect(COLUMN + "be_in_set", column="name", value_set=["a"]), samples=1)

    assert found.results["one"].details["sample_failures"] == [SECRET]


def test_moments_are_compared_in_utc_whatever_the_role_says(source, execute):
    execute(
        "ALTER ROLE postgres SET TimeZone = 'Asia/Tokyo'",
        "CREATE TABLE marts.paid AS SELECT 1 AS id, TIMESTAMPTZ '2026-01-01 20:00:00+00' AS at",
    )
    try:
        where = parse_one("CAST(at AS DATE) = CAST('2026-01-01' AS DATE)", dialect="postgres")
        assert look(source, where, UNIQUE, table="marts.paid").rows == 1
    finally:
        execute("ALTER ROLE postgres RESET TimeZone")


def test_a_table_that_is_not_there_is_named(source, execute):
    with pytest.raises(InvalidInputError, match=r"no table marts\.nowhere"), open_query_rows(source, "marts.nowhere"):
        pass


@pytest.mark.parametrize(
    ("connection", "reason"),
    [
        (f"postgresql+psycopg2://u:{PASSWORD}@127.0.0.1:1/db", "connection to server at"),
        (f"postgresql+psycopg2://u:x@{PASSWORD}:x/y@127.0.0.1:1/db", "cannot be understood"),
        (f"nothing://u:{PASSWORD}@127.0.0.1/db", "cannot be understood"),
        ("", "cannot be understood"),
    ],
)
def test_no_password_is_in_an_error(connection, reason, caplog):
    caplog.set_level(logging.DEBUG)
    source = GXSource("postgres", lambda: connection)

    with pytest.raises(WarehouseError, match=reason) as caught:
        look(source, None, UNIQUE)

    assert "s3c" not in str(caught.value) + repr(source) + caplog.text
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_password_is_taken_as_it_is_written(url):
    """Great Expectations puts variables in where it finds a dollar sign."""
    with open_context({"CONNECTION": url.replace("postgres:@", "postgres:s3c$ret${X}@")}) as context:
        datasource = context.data_sources.add_postgres("p", connection_string="${CONNECTION}")

        assert datasource.get_engine().url.password == "s3c$ret${X}"


def test_another_kind_of_database_is_refused():
    with pytest.raises(InvalidInputError, match="not 'mysql'"):
        GXSource("mysql", lambda: "mysql://")


def shop(url, warehouse=None, *, prints=False):
    days = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-03")

    @dg.asset(
        key=["marts", "sales"],
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        metadata={PARTITION_EXPR: "day"},
    )
    def sales() -> None: ...

    checks = suite_checks(sales, {"expectations": [UNIQUE]}, GXSource("postgres", lambda: url, warehouse))
    asset = fingerprinted(sales, lambda: warehouse_of(url)) if prints else sales
    return dg.Definitions([asset], asset_checks=[checks]).resolve_implicit_global_asset_job_def()


def warehouse_of(url):
    return PostgresWarehouse(url.replace("+psycopg2", ""))


def test_rows_are_those_that_their_load_left(url, execute, instance):
    """Nothing is known of them where nothing tells: then the checks are errored."""
    execute("INSERT INTO marts.sales VALUES ('2026-01-01', 1, 'a', 1)")

    def build(warehouse, *, checks_alone=False):
        job = shop(url, warehouse, prints=True)
        keys = {"asset_selection": set(), "asset_check_selection": set(job.asset_layer.asset_graph.asset_check_keys)}
        chosen = job.get_subset(**keys) if checks_alone else job
        return chosen.execute_in_process(instance=instance, partition_key="2026-01-01", raise_on_error=False)

    blind, seeing = build(None), build(lambda: warehouse_of(url))
    execute("INSERT INTO marts.sales VALUES ('2026-01-01', 2, 'b', 1)")
    moved = build(lambda: warehouse_of(url), checks_alone=True)

    assert [e.passed for e in seeing.get_asset_check_evaluations()] == [True]
    for broken, why in ((blind, "give the GXSource the same database"), (moved, "did not leave there (it left 1)")):
        (failure,) = [event.step_failure_data for event in broken.all_events if event.is_step_failure]
        assert why in failure.error.to_string()
        assert not broken.get_asset_check_evaluations()


def test_each_partition_of_a_run_is_asked_where_it_is(url, execute, instance):
    execute(
        "INSERT INTO marts.sales VALUES ('2026-01-01', 1, 'a', 1), ('2026-01-02', 1, 'a', 1), ('2026-01-02', 1, 'b', 1)"
    )
    tags = {"dagster/asset_partition_range_start": "2026-01-01", "dagster/asset_partition_range_end": "2026-01-02"}
    result = shop(url).execute_in_process(instance=instance, tags=tags, raise_on_error=False)

    found = {e.partition: (e.passed, e.metadata["rows"].value) for e in result.get_asset_check_evaluations()}
    assert found == {"2026-01-01": (True, 1), "2026-01-02": (False, 2)}
