"""A suite's checks end to end: real runs, a real warehouse, and the verdict of a dashboard below."""

import json
from contextlib import contextmanager

import dagster as dg
import pytest

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.fingerprinted_assets import fingerprinted
from dashboard_trust.enforcement.gated_assets import trust, trusted_dashboard
from dashboard_trust.enforcement.slices import PARTITION_EXPR
from dashboard_trust.enforcement.suite_checks import suite_checks
from dashboard_trust.errors import InvalidInputError
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

DAYS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-04")
D1, D2, D3 = "2026-01-01", "2026-01-02", "2026-01-03"
COLUMN = "expect_column_values_to_"
SECRET = "Jane Doe"


def expect(kind, name, severity="critical", **kwargs):
    return {"type": kind, "kwargs": kwargs, "severity": severity, "meta": {"name": name}}


UNIQUE = expect(COLUMN + "be_unique", "unique_id", column="id")
NAMED = expect(COLUMN + "not_be_null", "named", severity="warning", column="name")
LONG = expect("expect_column_value_lengths_to_be_between", "long_name", column="name", min_value=2)
# pandas has no order of text and numbers, nor has a day of nothing but missing names one.
ORDERED = expect(COLUMN + "be_between", "ordered", column="name", min_value=1)
MISSPELT = expect("expect_colum_values_to_be_unique", "misspelt", column="id")


class Interrupted:
    """A warehouse that somebody else writes to, in one statement, as soon as rows were read from it."""

    def __init__(self, warehouse, statement):
        self.warehouse, self.statement = warehouse, statement

    @contextmanager
    def session(self, purpose):
        with self.warehouse.session(purpose) as session:
            yield _Interrupted(session, self.statement) if self.statement else session


class _Interrupted:
    def __init__(self, session, statement):
        self.session, self.statement = session, statement

    def __getattr__(self, name):
        return getattr(self.session, name)

    def read(self, table, where=None):
        rows = self.session.read(table, where)
        self.session.connection.execute(self.statement)
        return rows


class Project:
    """A table of three days with the checks of a suite, and a dashboard below it."""

    def __init__(self, instance, run, verdict_of, folder):
        self.instance, self._run, self._verdict_of = instance, run, verdict_of
        self.warehouse = DuckDBWarehouse(folder / "warehouse.duckdb")
        self.published = []
        self.execute("CREATE SCHEMA marts")
        self.execute("CREATE TABLE marts.sales (day DATE, id INT, name TEXT)")
        self.rows = {D1: ["(1, 'ann')", "(2, 'bob')"], D2: ["(1, 'ann')"], D3: ["(1, 'ann')"]}
        self.while_looking, self.after_reading = lambda: None, None

    def execute(self, statement):
        with self.warehouse.connect("test") as connection:
            return connection.execute(statement).fetchall()

    def define(self, *expectations, partitions=DAYS, prints=False, **options):
        @dg.asset(
            key=["marts", "sales"],
            partitions_def=partitions,
            backfill_policy=dg.BackfillPolicy.single_run() if partitions else None,
            metadata={PARTITION_EXPR: "day"} if partitions else {},
        )
        def sales(context) -> None:
            for day in context.partition_keys if partitions else self.rows:
                self.execute(f"DELETE FROM marts.sales WHERE day = '{day}'")
                for row in self.rows[day]:
                    self.execute(f"INSERT INTO marts.sales SELECT DATE '{day}', * FROM (VALUES {row})")

        if prints:
            sales = fingerprinted(sales, lambda: self.warehouse)

        def open_warehouse():
            self.while_looking()
            return Interrupted(self.warehouse, self.after_reading)

        dash = trusted_dashboard(
            DashboardContract("dash", "team:dash"),
            lambda _, verdicts: self.published.extend(verdict.partition for verdict in verdicts),
            deps=[sales],
            partitions_def=partitions,
        )
        checks = suite_checks(sales, {"name": "s", "expectations": list(expectations)}, open_warehouse, **options)
        self.defs = trust(dg.Definitions([sales, dash], asset_checks=[checks]))
        return self

    def build(self, day=None, to=None):
        return self._run(self.defs, "marts/sales", day=day, to=to)

    def only(self, assets=False, day=None, to=None):
        """Run the table without its checks, or the checks alone."""
        job = self.defs.resolve_implicit_global_asset_job_def()
        checks = {key for key in job.asset_layer.asset_graph.asset_check_keys if key.name != "upstream_ready"}
        subset = job.get_subset(
            asset_selection={dg.AssetKey(["marts", "sales"])} if assets else set(),
            asset_check_selection=set() if assets else checks,
        )
        tags = {"dagster/asset_partition_range_start": day, "dagster/asset_partition_range_end": to} if to else None
        return subset.execute_in_process(
            instance=self.instance, partition_key=None if to else day, tags=tags, raise_on_error=False
        )

    def findings(self, day=None):
        found = self._verdict_of(self.defs, "dash", day).findings
        return sorted((f.check, str(f.outcome)) for f in found if f.asset == "marts/sales")

    def shown(self, day=None, to=None):
        self._run(self.defs, "dash", day=day, to=to)
        published, self.published[:] = list(self.published), []
        return published


@pytest.fixture
def project(instance, run, verdict_of, tmp_path):
    return Project(instance, run, verdict_of, tmp_path)


def evaluations(result):
    return {(e.check_name, e.partition): e for e in result.get_asset_check_evaluations()}


def test_a_bad_day_is_held_and_the_good_ones_are_shown(project):
    project.define(UNIQUE, LONG)
    project.rows[D2] = ["(1, 'ann')", "(1, 'bob')"]
    project.build(D1, to=D3)

    assert project.findings(D2) == [("unique_id", "failed")]
    assert project.shown(D1, to=D3) == [D1, D3]


def test_every_failing_expectation_of_a_day_is_told(project):
    project.define(UNIQUE, LONG)
    project.rows[D2] = ["(1, 'a')", "(1, 'b')"]
    result = project.build(D1, to=D2)

    assert project.findings(D2) == [("long_name", "failed"), ("unique_id", "failed")]
    assert evaluations(result)["unique_id", D2].description == "2 of 2 rows are unexpected"


def test_a_warning_does_not_hold(project):
    project.define(UNIQUE, NAMED)
    project.rows[D1] = ["(1, NULL)"]
    result = project.build(D1)
    found = evaluations(result)["named", D1]

    assert result.success
    assert (found.passed, found.severity, found.blocking) == (False, dg.AssetCheckSeverity.WARN, False)
    assert project.findings(D1) == [("named", "warned")]
    assert project.shown(D1) == [D1]


def test_an_expectation_that_raised_holds_as_errored_and_the_others_keep_their_results(project):
    project.define(UNIQUE, ORDERED)
    result = project.build(D1)

    assert not result.success
    assert {key: found.passed for key, found in evaluations(result).items()} == {("unique_id", D1): True}
    assert project.findings(D1) == [("ordered", "errored")]
    assert project.shown(D1) == []


def test_a_misspelt_expectation_is_errored_by_its_name(project):
    project.define(UNIQUE, MISSPELT)
    result = project.build(D1)
    failure = next(event.step_failure_data for event in result.all_events if event.is_step_failure)

    assert project.findings(D1) == [("misspelt", "errored")]
    assert "did you mean 'expect_column_values_to_be_unique'?" in failure.error.to_string()


def test_an_expectation_that_raised_on_one_day_of_a_range_is_errored_on_that_day_alone(project):
    project.define(UNIQUE, ORDERED)
    project.rows[D2] = ["(1, NULL)"]
    result = project.build(D1, to=D2)

    assert ("ordered", D2) in evaluations(result)
    assert ("ordered", D1) not in evaluations(result)
    assert project.findings(D1) == [("ordered", "errored")]
    assert project.findings(D2) == []
    assert project.shown(D1, to=D2) == [D2]


def test_a_day_that_passed_before_and_raises_now_is_errored(project):
    project.define(ORDERED)
    project.rows[D1] = project.rows[D2] = ["(1, NULL)"]
    project.build(D1, to=D2)
    assert project.findings(D1) == []

    # The same load: somebody wrote to the table without saying so.
    project.execute(f"UPDATE marts.sales SET name = 'x' WHERE day = '{D1}'")
    project.only(day=D1, to=D2)

    assert project.findings(D1) == [("ordered", "errored")]
    assert project.findings(D2) == []


def test_a_day_that_no_suite_was_asked_of_is_held_as_not_run(project):
    project.define(UNIQUE)
    project.only(assets=True, day=D1)

    assert project.findings(D1) == [("unique_id", "not_run")]
    assert project.shown(D1) == []


def test_a_newer_load_is_not_vouched_for_by_an_older_look(project):
    project.define(UNIQUE)
    project.build(D1)
    project.only(assets=True, day=D1)

    assert project.findings(D1) == [("unique_id", "not_run")]


def test_a_load_that_came_while_the_suite_looked_is_not_what_it_looked_at(project):
    project.define(UNIQUE)
    project.build(D1)
    project.while_looking = lambda: project.only(assets=True, day=D1)
    project.only(day=D1)

    assert project.findings(D1) == [("unique_id", "not_run")]


@pytest.mark.parametrize("partitions", [DAYS, None])
def test_rows_that_the_load_did_not_leave_are_not_vouched_for(project, partitions):
    project.define(UNIQUE, partitions=partitions, prints=True)
    project.rows = {D1: ["(1, 'ann')"], D2: ["(2, 'bob')"]}
    days = (D1, D2) if partitions else (None, None)
    assert project.build(days[0], to=days[1]).success

    # Somebody wrote to the table without saying so.
    project.execute(f"DELETE FROM marts.sales WHERE day = '{D1}'")
    result = project.only(day=days[0], to=days[1])
    failure = next(event.step_failure_data for event in result.all_events if event.is_step_failure)

    assert "its newest load did not leave there" in failure.error.to_string()
    assert project.findings(days[0]) == [("unique_id", "errored")]
    assert not partitions or project.findings(D2) == []


def test_rows_that_were_changed_while_the_suite_looked_are_not_vouched_for(project):
    project.define(UNIQUE, prints=True)
    project.only(assets=True, day=D1)
    project.after_reading = f"INSERT INTO marts.sales VALUES ('{D1}', 1, 'again')"
    project.only(day=D1)

    assert project.findings(D1) == [("unique_id", "errored")]


def test_rows_that_the_load_left_are_judged(project):
    project.define(UNIQUE, LONG, prints=True)
    project.rows[D2] = ["(1, 'ann')", "(1, 'bob')"]
    project.build(D1, to=D3)

    assert project.findings(D2) == [("unique_id", "failed")]
    assert project.shown(D1, to=D3) == [D1, D3]


def test_each_day_is_looked_at_by_itself_and_says_in_how_many_rows(project):
    project.define(UNIQUE)
    project.rows[D3] = []
    found = evaluations(project.build(D1, to=D3))

    # The same ids come back every day.
    assert {key[1]: (e.passed, e.metadata["rows"].value) for key, e in found.items()} == {
        D1: (True, 2),
        D2: (True, 1),
        D3: (True, 0),
    }
    assert found["unique_id", D1].metadata["element_count"].value == 2


def test_no_value_of_a_row_is_stored_unless_it_is_asked_for(project, instance):
    project.rows[D1] = [f"(1, '{SECRET}')", f"(1, '{SECRET}')"]
    listed = expect(COLUMN + "be_in_set", "listed", column="name", value_set=["ann"])
    project.define(UNIQUE, listed, ORDERED)
    quiet = project.build(D1)
    stored = [str(entry) for entry in instance.all_logs(quiet.run_id)]

    assert ("listed", D1) in evaluations(quiet)
    assert not any(SECRET in entry for entry in stored)

    loud = evaluations(project.define(UNIQUE, listed, sample_failures=1).build(D1))
    assert loud["listed", D1].metadata["sample_failures"].value == [SECRET]


def test_a_table_without_partitions_is_looked_at_as_a_whole(project):
    project.define(UNIQUE, LONG, partitions=None)
    project.build()

    assert project.findings() == [("unique_id", "failed")]

    project.rows = {D1: ["(1, 'ann')"]}
    project.execute("DELETE FROM marts.sales")
    project.build()
    assert project.findings() == []
    assert project.shown() == [None]


def test_one_expectation_can_be_asked_alone(project):
    project.define(UNIQUE, MISSPELT)
    project.only(assets=True, day=D1)
    job = project.defs.resolve_implicit_global_asset_job_def()
    one = dg.AssetCheckKey(dg.AssetKey(["marts", "sales"]), "unique_id")
    result = job.get_subset(asset_selection=set(), asset_check_selection={one}).execute_in_process(
        instance=project.instance, partition_key=D1
    )

    assert list(evaluations(result)) == [("unique_id", D1)]


def test_a_table_that_is_not_there_errors_every_expectation(project):
    project.define(UNIQUE, NAMED, table="marts.nowhere")
    project.build(D1)

    assert project.findings(D1) == [("named", "errored"), ("unique_id", "errored")]


def test_a_partitioned_asset_that_does_not_say_how_is_refused():
    spec = dg.AssetSpec(["marts", "sales"], partitions_def=DAYS)

    with pytest.raises(InvalidInputError, match="marts/sales is partitioned: name the column of its partitions"):
        suite_checks(spec, {"expectations": [UNIQUE]}, lambda: None)


def test_checks_have_their_assets_partitions_and_block_by_severity(tmp_path):
    path = tmp_path / "sales.json"
    path.write_text(json.dumps({"name": "on sales", "expectations": [UNIQUE, NAMED]}))
    checks = suite_checks(
        dg.AssetSpec(["marts", "sales"], partitions_def=DAYS, metadata={PARTITION_EXPR: "day"}), path, lambda: None
    )
    specs = {spec.name: spec for spec in checks.check_specs}

    assert {name: spec.blocking for name, spec in specs.items()} == {"unique_id": True, "named": False}
    assert {spec.partitions_def for spec in specs.values()} == {DAYS}
    assert specs["unique_id"].description == COLUMN + "be_unique"
    assert checks.node_def.name == "marts__sales__on_sales"


def test_a_step_of_several_assets_has_no_suite_of_its_own():
    @dg.multi_asset(specs=[dg.AssetSpec("a"), dg.AssetSpec("b")])
    def both(): ...

    with pytest.raises(InvalidInputError, match="this step makes a, b"):
        suite_checks(both, {"expectations": [UNIQUE]}, lambda: None)
