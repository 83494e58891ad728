"""Event logs made up row by row: good by construction, with oddities before and after.

Everything is decided by `pick`, a choice among options of which the first is the plainest: hypothesis picks
so that it can shrink, a seeded one so that the same logs come out each time. Bodies are Dagster's own.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
import sqlalchemy as db
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluationTargetMaterializationData
from dagster._core.events import (
    AssetCheckEvaluationPlanned,
    AssetMaterializationPlannedData,
    AssetObservationData,
    DagsterEvent,
    StepFailureData,
    StepMaterializationData,
)
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable, AssetKeyTable, SqlEventLogStorageTable
from dagster_shared.error import SerializableErrorInfo

from dashboard_trust.contracts.model import DashboardContract, Input, Promise, Requirement
from dashboard_trust.evidence.names import CONSUMED, DAYS, GATE_CHECK, WORD

START = dt.datetime(2024, 3, 1)
NOW = dt.datetime(2024, 3, 10, tzinfo=dt.UTC)
D1, D2 = "2024-03-01", "2024-03-02"
RAW, MODEL, MART = ASSETS = ("raw", "models/daily", "mart")
PARTITIONS, CHECKS = ("a", "b"), ("complete", "unique")
RUNS = ("good-1", "good-2", "good-3", "live-1", "live-2", "bad-1", "bad-2", "gone-1", "")
BROKEN_STEPS = ("raw", "mart", "mart_unique")
STEPS = (*ASSETS, "mart_unique", "other")
GOOD = RUNS[:3]


@dataclass(repr=False)
class Log:
    """The rows of an event log while it is made up."""

    events: list[dict[str, Any]] = field(default_factory=list)
    checks: list[dict[str, Any]] = field(default_factory=list)
    wiped: dict[str, dt.datetime] = field(default_factory=dict)
    next_id: int = 1000
    next_check: int = 1
    seconds: int = 0

    def plan(self, run, asset, partition, step=None) -> int:
        said = AssetMaterializationPlannedData(dg.AssetKey.from_user_string(asset), partition, None)
        return self._add("ASSET_MATERIALIZATION_PLANNED", run, said, asset, partition, step or asset)

    def load(self, run, asset, partition, tags=None, metadata=None) -> int:
        key = dg.AssetKey.from_user_string(asset)
        load = dg.AssetMaterialization(key, partition=partition, tags=tags, metadata=metadata)
        return self._add("ASSET_MATERIALIZATION", run, StepMaterializationData(load), asset, partition, asset)

    def observe(self, asset, word=None, partition=None) -> int:
        metadata = {WORD: dg.MetadataValue.json(word)} if word else {"rows": 3}
        seen = dg.AssetObservation(dg.AssetKey.from_user_string(asset), metadata=metadata, partition=partition)
        return self._add("ASSET_OBSERVATION", "", AssetObservationData(seen), asset, partition, None)

    def end(self, run) -> None:
        kinds = {"good": "PIPELINE_SUCCESS", "bad": "PIPELINE_FAILURE", "gone": "PIPELINE_CANCELED"}
        kind = kinds.get(run.split("-")[0])
        if kind:
            self._add(kind, run, None, None, None, None)

    def plan_check(self, run, asset, check, partition, step=None, status="PLANNED") -> None:
        if self._execution(run, asset, check, partition) is None:
            said = AssetCheckEvaluationPlanned(
                asset_key=dg.AssetKey.from_user_string(asset), check_name=check, partitions_subset=None
            )
            step = step or f"{asset}_{check}"
            self._add("ASSET_CHECK_EVALUATION_PLANNED", run, said, None, None, step)
            self._execute(run, asset, check, partition, execution_status=status)

    def evaluate(self, run, asset, check, partition, target, passed=True, **said) -> None:
        """As Dagster does: the row that was planned is changed in place, else there is a new one."""
        data = (
            None
            if target is None
            else AssetCheckEvaluationTargetMaterializationData(storage_id=target, run_id="", timestamp=0.0)
        )
        key, blocking = dg.AssetKey.from_user_string(asset), said.pop("blocking", False)
        evaluation = dg.AssetCheckEvaluation(
            asset_key=key,
            check_name=check,
            passed=passed,
            metadata=said.pop("metadata", {}),
            target_materialization_data=data,
            partition=partition,
            blocking=blocking,
            **said,
        )
        known = self._execution(run, asset, check, partition)
        if known is not None and run == "":
            return  # Dagster refuses a second one
        self._add("ASSET_CHECK_EVALUATION", run, evaluation, None, None, asset)
        word = {"execution_status": "SUCCEEDED" if passed else "FAILED", "materialization_event_storage_id": target}
        if known is None:
            self._execute(run, asset, check, partition, **word)
        else:
            known.update(word, **self._newest_event())

    def wipe(self, asset, *, erased) -> None:
        self.wiped[asset] = self._at()
        self.checks = [row for row in self.checks if row["asset_key"] != stored(asset)]
        if erased:  # as SQLite does
            self.events = [row for row in self.events if row["asset_key"] != stored(asset)]

    def delete_run(self, run) -> None:
        self.events = [row for row in self.events if row["run_id"] != run]

    def loads(self, asset=None, partition=None) -> list[int]:
        kind = "ASSET_MATERIALIZATION"
        rows = [row for row in self.events if row["dagster_event_type"] == kind]
        if asset is not None:
            rows = [row for row in rows if (row["asset_key"], row["partition"]) == (stored(asset), partition)]
        return [row["id"] for row in rows]

    def _add(self, kind, run, said, asset, partition, step) -> int:
        self.next_id += 1
        self.seconds += 1
        event = DagsterEvent(kind, "job", step_key=step, event_specific_data=said)
        at = self._at()
        entry = dg.EventLogEntry(None, 10, "", run, at.replace(tzinfo=dt.UTC).timestamp(), step, "job", event)
        row = {"id": self.next_id, "run_id": run, "event": dg.serialize_value(entry), "dagster_event_type": kind}
        row |= {"timestamp": at, "step_key": step, "partition": partition}
        self.events.append({**row, "asset_key": stored(asset) if asset else None})
        return self.next_id

    def _execution(self, run, asset, check, partition) -> dict[str, Any] | None:
        key = (run, stored(asset), check, partition)
        rows = (r for r in self.checks if (r["run_id"], r["asset_key"], r["check_name"], r["partition"]) == key)
        return next(rows, None)

    def _execute(self, run, asset, check, partition, **word) -> None:
        row = {"id": self.next_check, "asset_key": stored(asset), "check_name": check, "partition": partition}
        row |= {"run_id": run, "materialization_event_storage_id": None, **self._newest_event(), **word}
        self.checks.append(row)
        self.next_check += 1

    def _newest_event(self) -> dict[str, Any]:
        event = self.events[-1]
        return {
            "evaluation_event": event["event"],
            "evaluation_event_timestamp": event["timestamp"],
            "evaluation_event_storage_id": event["id"],
        }

    def _at(self) -> dt.datetime:
        return START + dt.timedelta(seconds=self.seconds)


def stored(asset) -> str:
    return dg.AssetKey.from_user_string(asset).to_string()


def write(log: Log, instance) -> None:
    """Put a log in place of the one that is in the tables; what steps said of their failures stays."""
    events = SqlEventLogStorageTable
    keys = [{"asset_key": stored(asset), "wipe_timestamp": at} for asset, at in log.wiped.items()]
    with instance.event_log_storage.index_connection() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA synchronous = OFF")  # thousands of logs, and none that has to last
        connection.execute(events.delete().where(events.c.dagster_event_type != "STEP_FAILURE"))
        connection.execute(AssetCheckExecutionsTable.delete())
        connection.execute(AssetKeyTable.delete())
        for table, rows in ((events, log.events), (AssetCheckExecutionsTable, log.checks), (AssetKeyTable, keys)):
            if rows:
                connection.execute(db.insert(table), rows)


def make_runs(instance) -> None:
    """Store, once, the runs that logs speak of: that go on, that ended well, and that broke in some steps."""
    for run_id in () if instance.has_run("live-1") else RUNS:
        kind = run_id.split("-")[0]
        if kind not in ("good", "live", "bad"):
            continue
        instance.add_run(dg.DagsterRun(job_name="job", run_id=run_id, status=dg.DagsterRunStatus.STARTED))
        for step in BROKEN_STEPS if kind == "bad" else ():
            error = SerializableErrorInfo(f"{step} of {run_id} broke", [], None)
            data = StepFailureData(error=error, user_failure_data=None)
            event = DagsterEvent("STEP_FAILURE", "job", step_key=step, event_specific_data=data)
            instance.report_dagster_event(event, run_id)
        if kind != "live":
            ended = "PIPELINE_SUCCESS" if kind == "good" else "PIPELINE_FAILURE"
            instance.report_dagster_event(DagsterEvent(ended, "job"), run_id)


# Logs.


def build_case(pick) -> tuple[Log, list[Promise]]:
    """A log with promises over it."""
    log, promises = Log(), build_promises(pick)
    for _ in range(pick([0, 2, 6])):
        pick(ODDITIES)(log, pick)
    build_good(log, pick, promises)
    for _ in range(pick([0, 1, 1, 1, 2, 3])):
        pick(ODDITIES)(log, pick)
    for run in GOOD + RUNS[5:8]:
        if pick([True, True, True, False]):
            log.end(run)
    return log, promises


def build_promises(pick) -> list[Promise]:
    """One promise or two, over a table (whole or by days), a model and a mart by partition, or one without."""
    promises = []
    for partition in pick([("a",), ("a", "b"), ("b",), (None,), ("a", None)]):
        days = pick([(), (D1,), (D1, D2)])
        above, model = Input(RAW, (None,), days), Input(MODEL, (partition,))
        checks = [pick([CHECKS, CHECKS[:1], ()]) for _ in ASSETS]
        requirements = (
            Requirement(RAW, None, "o", days, checks=checks[0]),
            Requirement(MODEL, partition, "o", inputs=(above,), checks=checks[1]),
            Requirement(MART, partition, "o", inputs=(model,), checks=checks[2]),
        )
        contract = DashboardContract("dash", "o", accept_reported=pick([False, False, True]))
        promises.append(Promise(contract, partition, None, requirements, (Input(MART, (partition,)),)))
    return promises


def build_good(log, pick, promises) -> None:
    """Load and check everything the promises require, inputs first."""
    done = {}
    for requirement in sorted((r for p in promises for r in p.requirements), key=lambda r: ASSETS.index(r.asset)):
        place = (requirement.asset, requirement.partition)
        if place in done:
            continue
        run = pick(GOOD)
        log.plan(run, *place)
        for other in pick([(), (), PARTITIONS]):  # a run over a range
            if (requirement.asset, other) != place and requirement.asset != RAW:
                log.plan(run, requirement.asset, other)
        beside = pick([False, False, True])  # a check without partitions, beside a partition
        planned = [check for check in requirement.checks if pick([True, False])]
        for check in planned:
            log.plan_check(run, requirement.asset, check, requirement.partition)
        done[place] = log.load(run, *place, **say_of_a_load(pick, requirement, done))
        for check in requirement.checks:
            target = None if beside else done[place]
            log.evaluate(run, requirement.asset, check, None if beside else requirement.partition, target,
                         **say_of_a_check(pick, requirement.asset, passed=True))  # fmt: skip


def say_of_a_load(pick, requirement, done) -> dict[str, Any]:
    tags, metadata = {}, {}
    if pick([False, True]):
        tags = {"dagster/data_version": "v", "dagster/data_version_is_user_provided": "true"}
    if requirement.asset == RAW and pick([True, False]):
        metadata[DAYS] = dg.MetadataValue.json(
            pick([{D1: "x", D2: "y"}, {D1: "x", D2: "y"}, {D1: "x", D2: "z"}, {D1: "x"}, {}])
        )
    if pick([False, False, True]):
        metadata["dagster/last_updated_timestamp"] = dg.TimestampMetadataValue(5.0)
    for asked in requirement.inputs:
        known = done.get((asked.asset, asked.partitions[0]))
        how = pick(["pointer", "pointer", "recorded", "recorded", "nothing"])
        if how == "pointer" and known:
            tags[f"dagster/input_event_pointer/{asked.asset}"] = str(known)
        elif how == "recorded":
            metadata[CONSUMED] = dg.MetadataValue.json({asked.name: pick([f"event {known}", "v"])})
    return {"tags": tags, "metadata": metadata}


def say_of_a_check(pick, asset, *, passed) -> dict[str, Any]:
    days = {day: [passed or pick([True, False]), "few"] for day in pick([(D1,), (D1, D2), ()])}
    metadata = {DAYS: dg.MetadataValue.json(days)} if asset == RAW and pick([False, True]) else {"rows": 3}
    severity = pick([dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN])
    return {"passed": passed, "metadata": metadata, "severity": severity, "description": pick(["3 of\n6", None])}


def any_place(pick) -> tuple[str, str | None]:
    return pick(ASSETS[::-1]), pick(["a", None, "b"])


def plan_only(log, pick) -> None:
    run, place = pick(RUNS[:-1]), any_place(pick)
    log.plan(run, *place, step=pick(STEPS))


def load_anew(log, pick) -> None:
    run, place = pick(RUNS), any_place(pick)
    if pick([True, False]):
        log.plan(run, *place)
    log.load(run, *place, **say_of_a_load(pick, Requirement(*place, "o"), {}))


def plan_check_only(log, pick) -> None:
    asset, partition = any_place(pick)
    log.plan_check(pick(RUNS[:-1]), asset, pick(CHECKS), partition, step=pick(STEPS))


def skip_check(log, pick) -> None:
    asset, partition = any_place(pick)
    log.plan_check(pick(RUNS[:-1]), asset, pick(CHECKS), partition, status="SKIPPED")


def check_anew(log, pick) -> None:
    """A result, mostly on the newest load of its place."""
    asset, partition = any_place(pick)
    targets = log.loads(asset, partition)[-1:] or [None]
    odd = [*log.loads()[-6:], 7, 10**6, log.next_id, None]  # another place's, a lost one, no load at all
    target = pick([targets[0], targets[0], pick(odd)])
    check, passed = pick(CHECKS), pick([False, True])
    log.evaluate(pick(RUNS), asset, check, partition, target, **say_of_a_check(pick, asset, passed=passed))


def answer_late(log, pick) -> None:
    """A check that was planned long ago answers now, in its old place."""
    planned = [row for row in log.checks if row["execution_status"] == "PLANNED"]
    if planned:
        row = pick(planned)
        asset = next(a for a in ASSETS if stored(a) == row["asset_key"])
        target = (log.loads(asset, row["partition"]) or [None])[-1]
        log.evaluate(row["run_id"], asset, row["check_name"], row["partition"], target, passed=pick([False, True]))


def hold_by_gate(log, pick) -> None:
    asset, partition = any_place(pick)
    run = pick(RUNS[:-1])
    log.plan(run, asset, partition, step=pick(STEPS))
    for check in pick([(), CHECKS]):
        log.plan_check(run, asset, check, partition, step=pick(STEPS))
    log.evaluate(run, asset, GATE_CHECK, pick([partition, "b"]), None, passed=pick([False, True]), blocking=True)


def wipe(log, pick) -> None:
    place = any_place(pick)
    if pick([True, False]):
        log.plan(pick(RUNS[:-1]), *place)
    log.wipe(place[0], erased=pick([False, True]))


def delete_run(log, pick) -> None:
    log.delete_run(pick(RUNS[:-1]))


def say_word(log, pick) -> None:
    kind = pick(["hold", "release", "waive"])
    asset = "dash" if kind != "waive" else pick(ASSETS)
    said = {"kind": kind, "by": "ann", "reason": "because", "partition": pick([None, "a"])}
    if kind == "waive":
        version = f"event {pick([*log.loads(), 0])}"
        said |= {"check": pick(CHECKS), "outcome": "failed", "version": version, "until": NOW.isoformat()}
    log.observe(asset, said)


def observe(log, pick) -> None:
    log.observe(*any_place(pick)[:1], partition=pick(["a", None]))


ODDITIES = [check_anew] * 5 + [load_anew] * 2 + [plan_only, plan_check_only, answer_late, hold_by_gate] * 2
ODDITIES += [skip_check, wipe, delete_run, say_word, observe]
