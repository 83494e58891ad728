from __future__ import annotations

import datetime as dt
import logging

import dagster as dg
import pytest
import sqlalchemy as db
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import (
    consume_new_runs_for_automatic_reexecution,
    filter_runs_to_should_retry,
)

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.enforcement.gate import Gate, describe_verdict
from dashboard_trust.enforcement.gated_assets import gates, trust, trusted_dashboard
from dashboard_trust.errors import EvidenceMovedError
from dashboard_trust.verdicts.verdict import Readiness

NOW = dt.datetime(2024, 3, 10, tzinfo=dt.UTC)
DAY = "2024-03-03"


def gate_of_dashboard(mini):
    return gates(mini.defs)[dg.AssetKey("dash")]


def test_a_partition_that_does_not_exist_holds_as_unknown(mini):
    verdict = gate_of_dashboard(mini).judge(mini.instance, ["no-such-day"], NOW)["no-such-day"]

    assert verdict.readiness is Readiness.UNKNOWN
    assert verdict.holds


def test_evidence_that_cannot_be_read_holds_as_unknown(mini):
    mini.build()
    with mini.instance.event_log_storage.index_connection() as connection:
        connection.execute(db.text("DROP TABLE asset_check_executions"))

    verdict = gate_of_dashboard(mini).judge(mini.instance, [DAY], NOW)[DAY]

    assert verdict.readiness is Readiness.UNKNOWN
    assert "asset_check_executions" in verdict.findings[0].reason


def test_a_gate_without_binding_holds_every_partition_asked():
    verdicts = Gate(DashboardContract("dash", "o"), is_dashboard=True).judge(None, ["a", None], NOW)

    assert {verdict.readiness for verdict in verdicts.values()} == {Readiness.UNKNOWN}
    assert set(verdicts) == {"a", None}


def test_what_moved_between_gate_and_commit_is_refused(mini):
    mini.build()
    gate = gate_of_dashboard(mini)
    verdict = gate.judge(mini.instance, [DAY], NOW)[DAY]
    gate.confirm(mini.instance, [verdict])

    mini.run("staging", "mart", day=DAY)

    with pytest.raises(EvidenceMovedError, match="changed while it was being published"):
        gate.confirm(mini.instance, [verdict])


def test_a_verdict_is_described_with_all_a_reader_needs(mini):
    mini.bad = {DAY}
    mini.run("raw")
    described = describe_verdict(mini.judge(DAY)[DAY])

    assert described["readiness"] == "BLOCKED"
    assert [column.name for column in described["findings"].schema.columns] == [
        "asset",
        "partition",
        "check",
        "outcome",
        "reason",
        "owner",
        "since",
    ]
    assert {row.data["asset"] for row in described["waiting_for_these"].records} == {"staging", "mart"}


@pytest.fixture
def retrying(tmp_path):
    """An instance whose failed runs are launched again, twice, by the daemon."""
    home = tmp_path / "retrying"
    home.mkdir()
    config = "run_retries: {enabled: true, max_retries: 2}\ntelemetry: {enabled: false}\n"
    (home / "dagster.yaml").write_text(config)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def test_a_held_run_is_never_launched_again_where_broken_ones_are(retrying, run, is_held):
    refreshed = []

    @dg.asset
    def raw():
        raise ValueError("broken")

    dash = trusted_dashboard(DashboardContract("dash", "team:o"), lambda *_: refreshed.append(1), deps=["raw"])
    defs = trust(dg.Definitions([raw, dash]))
    held, broken = run(defs, "dash", instance=retrying), run(defs, "raw", instance=retrying)
    records = {record.dagster_run.run_id: record for record in retrying.get_run_records()}

    assert is_held(held)
    assert records[held.run_id].dagster_run.tags["dagster/retry_on_asset_or_op_failure"] == "false"
    runs = [record.dagster_run for record in records.values()]
    assert [one.run_id for one in filter_runs_to_should_retry(runs, retrying)] == [broken.run_id]

    with WorkspaceProcessContext(retrying, EmptyWorkspaceTarget()) as workspace:
        list(consume_new_runs_for_automatic_reexecution(workspace, [records[held.run_id]], logging.getLogger("t")))

    assert len(retrying.get_run_records()) == 2
    assert refreshed == []
