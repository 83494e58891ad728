from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest
import sqlalchemy as db

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.gated_assets import gates, trust, trusted, trusted_dashboard
from dashboard_trust.evidence.names import EXPIRES, FRESHNESS
from dashboard_trust.readers.event_log import read_evidence
from dashboard_trust.verdicts.judge import judge

DAY, OTHER = "2024-03-03", "2024-03-04"
DAYS = dg.DailyPartitionsDefinition("2024-03-01", end_date="2024-03-08")
NOW = dt.datetime(2024, 3, 10, tzinfo=dt.UTC)


def chain(*assets, deps, partitions_def=None, **kwargs):
    contract = DashboardContract("dash", "team:dash", **kwargs.pop("contract", {}))
    dash = trusted_dashboard(contract, lambda *_: None, deps=deps, partitions_def=partitions_def)
    return trust(dg.Definitions([*assets, dash], **kwargs))


def evidence_of(defs, instance, day=None):
    promise = gates(defs)[dg.AssetKey("dash")].binding.promise(day, instance)
    return read_evidence(instance, [promise], NOW)


@pytest.fixture
def findings(verdict_of):
    def findings(defs, day=None):
        return [(f.asset, f.check, str(f.outcome), f.reason) for f in verdict_of(defs, "dash", day).findings]

    return findings


@dg.asset
def raw():
    return None


def planned_run(defs, instance, *assets, day=None):
    """A run that was made, with its plan in the event log, and never started."""
    keys = {dg.AssetKey(asset) for asset in assets}
    job = defs.resolve_implicit_global_asset_job_def().get_subset(asset_selection=keys)
    return instance.create_run_for_job(job, asset_selection=keys, tags={"dagster/partition": day} if day else None)


def test_what_never_ran_leaves_no_fact(mini):
    evidence = evidence_of(mini.defs, mini.instance, DAY)

    assert not evidence.unreadable
    assert evidence.materializations == evidence.attempts == evidence.checks == {}


def test_an_instance_without_tables_is_unreadable_and_never_empty(mini):
    promise = gates(mini.defs)[dg.AssetKey("dash")].binding.promise(DAY, mini.instance)
    with mini.instance.event_log_storage.index_connection() as connection:
        connection.execute(db.text("DROP TABLE event_logs"))

    evidence = read_evidence(mini.instance, [promise], NOW)

    assert "event_logs" in evidence.unreadable
    assert judge(promise, evidence).holds


def test_a_chain_that_ran_is_read_with_versions_targets_and_days(mini):
    mini.build()
    evidence = evidence_of(mini.defs, mini.instance, DAY)

    loaded, mart = evidence.materializations["raw", None], evidence.materializations["mart", DAY]
    assert loaded.days == mini.rows
    assert loaded.version == f"event {loaded.storage_id}"
    assert evidence.materializations["staging", DAY].consumed == {f"raw {DAY}": "v1"}
    assert evidence.materializations["staging", DAY].in_range
    assert mart.planned_id < mart.storage_id
    assert evidence.checks["raw", "complete", None].target_id == loaded.storage_id
    assert evidence.checks["raw", "complete", None].days[DAY].passed
    assert evidence.checks["mart", "unique", DAY].status == "passed"
    assert evidence.attempts == {}


@pytest.mark.parametrize(
    ("severity", "outcome"), [(dg.AssetCheckSeverity.WARN, "warned"), (dg.AssetCheckSeverity.ERROR, "failed")]
)
def test_a_failed_check_is_read_with_its_severity_and_its_words(severity, outcome, instance, run, findings):
    @dg.asset(check_specs=[dg.AssetCheckSpec("complete", asset="table")])
    def table():
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(check_name="complete", passed=False, severity=severity, description="3 of 6\nrows")

    defs = chain(table, deps=["table"])
    run(defs, "table")

    assert findings(defs) == [("table", "complete", outcome, "3 of 6 rows")]


def test_a_pass_of_freshness_is_read_with_its_end(instance, run):
    until = NOW + dt.timedelta(hours=1)

    @dg.asset(check_specs=[dg.AssetCheckSpec(FRESHNESS, asset="table")])
    def table():
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(check_name=FRESHNESS, passed=True, metadata={EXPIRES: until.isoformat()})

    defs = chain(table, deps=["table"])
    run(defs, "table")

    assert evidence_of(defs, instance).checks["table", FRESHNESS, None].until == until


@pytest.mark.parametrize("together", [True, False], ids=["in the load's run", "in a run of its own"])
def test_a_check_that_raises_is_errored_with_its_message(together, instance, run, findings):
    @dg.asset_check(asset="raw")
    def complete():
        raise ValueError("cannot read the table")

    defs = chain(raw, deps=["raw"], asset_checks=[complete])
    keys = {dg.AssetKey("raw")}
    job = defs.resolve_implicit_global_asset_job_def()
    checks = {dg.AssetCheckKey(dg.AssetKey("raw"), "complete")}
    if together:
        job.get_subset(asset_selection=keys, asset_check_selection=checks).execute_in_process(
            instance=instance, raise_on_error=False
        )
    else:
        for selection in ((keys, set()), (set(), checks)):
            job.get_subset(asset_selection=selection[0], asset_check_selection=selection[1]).execute_in_process(
                instance=instance, raise_on_error=False
            )

    assert findings(defs) == [("raw", "complete", "errored", "cannot read the table")]


def test_a_check_left_out_of_the_newest_load_has_not_run(instance, run, findings):
    @dg.asset_check(asset="raw")
    def complete():
        return dg.AssetCheckResult(passed=True)

    defs = chain(raw, deps=["raw"], asset_checks=[complete])
    run(defs, "raw")
    job = defs.resolve_implicit_global_asset_job_def()
    subset = job.get_subset(asset_selection={dg.AssetKey("raw")}, asset_check_selection=set())
    subset.execute_in_process(instance=instance)

    assert [word[:3] for word in findings(defs)] == [("raw", "complete", "not_run")]


def test_a_wiped_asset_is_missing(mini):
    mini.build()
    mini.instance.wipe_assets([dg.AssetKey("mart")])

    assert mini.findings(DAY) == [("mart", None, "missing")]
    mini.run("staging", "mart", day=DAY)
    assert mini.findings(DAY) == []


def test_a_load_reported_by_hand_is_unverified(mini):
    mini.build()
    mini.instance.report_runless_asset_event(dg.AssetMaterialization("mart", partition=DAY))

    assert ("mart", None, "unverified") in mini.findings(DAY)
    assert mini.findings(OTHER) == []


def test_a_check_result_reported_by_hand_is_unverified(instance, run, findings):
    @dg.asset_check(asset="raw")
    def complete():
        return dg.AssetCheckResult(passed=False)

    defs = chain(raw, deps=["raw"], asset_checks=[complete])
    run(defs, "raw")
    word = dg.AssetCheckEvaluation(asset_key=dg.AssetKey("raw"), check_name="complete", passed=True, metadata={})
    instance.report_runless_asset_event(word)

    assert [found[2] for found in findings(defs)] == ["unverified"]


def test_a_run_that_waits_is_pending_and_one_that_was_cancelled_is_not(mini):
    mini.build()
    waiting = planned_run(mini.defs, mini.instance, "raw")

    assert ("raw", None, "pending") in mini.findings(DAY)

    mini.instance.report_run_canceled(waiting)

    assert ("raw", None, "errored") in mini.findings(DAY)


def test_a_run_killed_before_the_model_leaves_the_model_as_it_was(mini):
    mini.build()
    killed = planned_run(mini.defs, mini.instance, "staging", "mart", day=DAY)
    mini.instance.report_run_failed(killed)
    attempt = evidence_of(mini.defs, mini.instance, DAY).attempts["mart", DAY]

    assert (attempt.state, attempt.held) == ("not_started", False)
    assert mini.findings(DAY) == []


def test_a_run_that_was_deleted_is_not_waited_for(mini):
    mini.build()
    waiting = planned_run(mini.defs, mini.instance, "staging", "mart", day=DAY)
    mini.instance.report_run_canceled(waiting)
    mini.instance.run_storage.delete_run(waiting.run_id)

    assert evidence_of(mini.defs, mini.instance, DAY).attempts["mart", DAY].state == "not_started"


def test_a_cancelled_run_does_not_hide_that_the_model_broke(mini):
    mini.build()
    mini.broken = {"models"}
    mini.run("staging", "mart", day=DAY)
    assert mini.findings(DAY)
    mini.instance.report_run_canceled(planned_run(mini.defs, mini.instance, "staging", "mart", day=DAY))

    assert "errored" in {outcome for _, _, outcome in mini.findings(DAY)}


def test_a_run_that_ended_well_and_delivered_nothing_is_an_error(instance, run, findings):
    deliver = [True]

    @dg.asset(output_required=False)
    def table():
        if deliver:
            yield dg.Output(None)

    defs = chain(table, deps=["table"])
    run(defs, "table")
    assert findings(defs) == []

    deliver.clear()
    assert run(defs, "table").success

    assert [(word[0], word[2]) for word in findings(defs)] == [("table", "errored")]
    assert "ended without delivering it" in findings(defs)[0][3]


def test_an_attempt_that_a_gate_held_is_told_from_one_that_broke(mini):
    mini.build()
    mini.bad = {DAY}
    mini.run("raw")
    mini.run("staging", "mart", day=DAY)
    held = evidence_of(mini.defs, mini.instance, DAY).attempts["mart", DAY]

    assert held.held
    assert mini.findings(DAY) == [("raw", "complete", "failed")]


def test_a_range_that_was_planned_without_naming_its_partitions_is_a_range(instance, run, monkeypatch):
    """Every load of it carries one pointer, which proves nothing; when it was planned is known all the same."""
    monkeypatch.setenv("DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS", "1")

    @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run(), deps=["raw"])
    def table():
        return dg.MaterializeResult()

    defs = chain(raw, table, deps=["table"], partitions_def=DAYS)
    run(defs, "raw")
    run(defs, "table", day=DAY, to=OTHER)
    loads = evidence_of(defs, instance, DAY).materializations

    assert loads["table", DAY].in_range
    assert loads["raw", None].storage_id < loads["table", DAY].planned_id < loads["table", DAY].storage_id


def test_a_version_given_by_the_author_stands_for_the_load(instance, run):
    @dg.asset
    def table():
        return dg.MaterializeResult(data_version=dg.DataVersion("abc"))

    defs = chain(table, deps=["table"])
    run(defs, "table")

    assert evidence_of(defs, instance).materializations["table", None].version == "abc"


def test_an_unpartitioned_check_on_a_partitioned_asset_counts_for_the_partition_it_ran_with(instance, run, findings):
    """The default of dbt tests: `AssetCheckSpec` without partitions on an asset by day."""
    good = [True]

    @dg.asset(partitions_def=DAYS, check_specs=[dg.AssetCheckSpec("complete", asset="table")])
    def table():
        yield dg.MaterializeResult()
        yield dg.AssetCheckResult(check_name="complete", passed=bool(good))

    defs = chain(table, deps=["table"], partitions_def=DAYS)
    run(defs, "table", day=DAY)
    assert findings(defs, DAY) == []

    good.clear()
    run(defs, "table", day=OTHER)
    assert [word[:3] for word in findings(defs, OTHER)] == [("table", "complete", "failed")]
    # One word for all days: what it says of the newest load says nothing of this one any more.
    assert [word[:3] for word in findings(defs, DAY)] == [("table", "complete", "not_run")]


@pytest.mark.parametrize("partitioned", [False, True])
def test_the_number_of_queries_does_not_grow_with_the_number_of_assets(instance, run, partitioned):
    counts = []
    for size in (5, 50):
        defs, names = wide_chain(size, DAYS if partitioned else None)
        run(defs, *names, day=DAY if partitioned else None)
        counts.append(count_queries(defs, instance, [DAY if partitioned else None]))

    assert counts[0] == counts[1]
    assert counts[0] <= 12


def test_the_number_of_queries_does_not_grow_with_the_number_of_partitions(instance, run):
    defs, names = wide_chain(3, DAYS)
    days = DAYS.get_partition_keys()
    for day in days:
        run(defs, *names, day=day)

    assert count_queries(defs, instance, days) <= count_queries(defs, instance, days[-1:]) + 1


def wide_chain(size, partitions_def):
    def table(name):
        @dg.asset(name=name, partitions_def=partitions_def, check_specs=[dg.AssetCheckSpec("complete", asset=name)])
        def one():
            yield dg.MaterializeResult()
            yield dg.AssetCheckResult(passed=True)

        return one

    names = [f"of_{size}_{n}" for n in range(size)]
    return chain(*map(table, names), deps=names, partitions_def=partitions_def), names


def count_queries(defs, instance, days):
    gate, statements = gates(defs)[dg.AssetKey("dash")], []

    def count(connection, cursor, statement, *_):
        statements.append(statement.split()[0].upper())

    db.event.listen(db.engine.Engine, "before_cursor_execute", count)
    try:
        verdicts = gate.judge(instance, days, NOW)
    finally:
        db.event.remove(db.engine.Engine, "before_cursor_execute", count)
    # One word for all days: what it says of the newest load says nothing of an older one.
    assert [verdict.holds for verdict in verdicts.values()] == [True] * (len(days) - 1) + [False]
    return sum(word in ("SELECT", "WITH") for word in statements)


def test_partitions_and_assets_with_slashes_and_quotes_are_read(instance, run, findings):
    kinds = dg.StaticPartitionsDefinition(["it's", "a/b", 'say "x"'])

    @dg.asset(key=["raw", "odd_name"], partitions_def=kinds)
    def table():
        return None

    defs = chain(table, deps=[dg.AssetKey(["raw", "odd_name"])], partitions_def=kinds)
    assert [word[0] for word in findings(defs, "it's")] == ["raw/odd_name"]
    for kind in ("it's", "a/b", 'say "x"'):
        run(defs, "raw/odd_name", day=kind)
        assert findings(defs, kind) == []


def test_a_chain_of_guarded_assets_is_read_through(instance, run, findings):
    @dg.asset(deps=["raw"])
    def mart():
        return None

    defs = chain(raw, trusted(mart), deps=["mart"])
    run(defs, "mart")

    assert [word[:3] for word in findings(defs)] == [("raw", None, "missing")]
    run(defs, "raw", "mart")
    assert findings(defs) == []


def test_a_cancelled_run_does_not_hide_that_an_unchecked_model_broke(instance, run, findings):
    broken = []

    @dg.asset(deps=["raw"])
    def mart():
        if broken:
            raise ValueError("half of it was written")

    defs = chain(raw, mart, deps=["mart"])
    run(defs, "raw", "mart")
    broken.append(True)
    run(defs, "mart")
    assert [word[2] for word in findings(defs)] == ["errored"]

    instance.report_run_canceled(planned_run(defs, instance, "mart"))

    assert [word[2] for word in findings(defs)] == ["errored"]
