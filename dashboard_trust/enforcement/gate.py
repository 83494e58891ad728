"""The gate: the first thing a guarded step does, in whichever way it was launched."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg

from dashboard_trust.contracts.model import DashboardContract, Promise
from dashboard_trust.contracts.sources import Source
from dashboard_trust.enforcement.binding import Binding
from dashboard_trust.errors import EvidenceMovedError
from dashboard_trust.evidence.facts import Materialization
from dashboard_trust.evidence.names import CONSUMED, GATE_CHECK, RECEIPT
from dashboard_trust.readers.event_log import read_evidence, read_newest
from dashboard_trust.readers.receipts import read_receipts
from dashboard_trust.verdicts.corrections import correction
from dashboard_trust.verdicts.judge import judge, unknown
from dashboard_trust.verdicts.others import heed_others
from dashboard_trust.verdicts.verdict import Finding, Outcome, Readiness, Verdict

NO_RUN_RETRY = {"dagster/retry_on_asset_or_op_failure": "false"}
FIRST_PAUSE, LONGEST_PAUSE = dt.timedelta(seconds=0.5), dt.timedelta(seconds=15)
COLUMNS = ("asset", "partition", "check", "outcome", "reason", "owner", "since")


@dataclass(frozen=True, slots=True)
class Standing:
    """A verdict, and what the guarded assets last delivered for that partition (None: nothing yet).

    ``stops`` says whether a run would be held.
    """

    verdict: Verdict
    delivered: tuple[Materialization | None, ...]
    stops: bool

    @property
    def is_current(self) -> bool:
        """Whether everything guarded was delivered from the very versions that would be read now."""
        now = dict(self.verdict.consumed).items()
        return all(load is not None and now <= load.consumed.items() for load in self.delivered) and not self.holds_bad

    @property
    def holds_bad(self) -> bool:
        """Whether a step with a minimum delivered something that it would leave out now, as it is wrong."""
        if not any(finding.outcome.is_wrong for finding in self.verdict.causes):
            return False  # what is only on its way is waited for
        return any(load is not None and {*self.verdict.left_out} - load.left_out for load in self.delivered)


class Gate:
    """A contract and, once definitions are built, the binding it is judged by.

    A gate that was never bound cannot know what it requires, and holds as UNKNOWN.
    """

    def __init__(self, contract: DashboardContract, *, is_dashboard: bool) -> None:
        self.contract = contract
        self.is_dashboard = is_dashboard
        self.binding: Binding | None = None
        self.destination: Callable[[], object] | None = None
        self.source: Source | None = None

    def judge(
        self, instance: dg.DagsterInstance, partitions: Sequence[str | None], as_of: dt.datetime
    ) -> dict[str | None, Verdict]:
        """Judge these partitions on evidence read once; whatever goes wrong holds as UNKNOWN."""
        blank = {partition: Promise(self.contract, partition, None, ()) for partition in partitions}
        if self.binding is None:
            reason = "its gate was never bound: pass the Definitions it is in through trust(...)"
            return {partition: unknown(promise, as_of, reason) for partition, promise in blank.items()}
        try:
            promises = self.binding.promises(partitions, instance)
            evidence = read_evidence(instance, list(promises.values()), as_of)
            if self.contract.at_most_once:
                evidence = replace(evidence, receipts=read_receipts(instance, self.contract.key, partitions))
            return {p: judge(heed_others(promise, evidence), evidence) for p, promise in promises.items()}
        except Exception as error:  # noqa: BLE001 - an exception while judging holds
            reason = f"judging it failed: {type(error).__name__}: {error}"
            return {partition: unknown(promise, as_of, reason) for partition, promise in blank.items()}

    def confirm(self, instance: dg.DagsterInstance, verdicts: Sequence[Verdict]) -> None:
        """Look at the evidence once more, just before a publication is committed.

        Raises:
            EvidenceMovedError: Something required was loaded, checked or lost since the gate judged.
        """
        now = self.judge(instance, [verdict.partition for verdict in verdicts], dt.datetime.now(dt.UTC))
        for verdict in verdicts:
            if self.stops(now[verdict.partition]) or now[verdict.partition].version != verdict.version:
                raise EvidenceMovedError(
                    f"{self.contract.key} {verdict.partition or ''}: what it stands on changed while it was being "
                    "published, so nothing was. Materialize it again once its inputs are built."
                )

    def survey(
        self, instance: dg.DagsterInstance, partitions: Sequence[str | None], as_of: dt.datetime
    ) -> dict[str | None, Standing]:
        """Judge these partitions and read what was delivered for each.

        For whoever decides when to ask for a run; whether it may go on is decided in the run.
        """
        verdicts = self.judge(instance, partitions, as_of)
        names = [key.to_user_string() for key in sorted(self.binding.guarded)] if self.binding else []
        loads = read_newest(instance, {(name, partition) for name in names for partition in partitions})
        return {
            partition: Standing(verdict, tuple(loads.get((name, partition)) for name in names), self.stops(verdict))
            for partition, verdict in verdicts.items()
        }

    def correct(
        self, instance: dg.DagsterInstance, verdicts: Sequence[Verdict], as_of: dt.datetime
    ) -> dict[str | None, str]:
        """Return what is to be said of each partition that takes the place of one that was shown after its end.

        What was said of it before goes on being said where nothing changed since.
        """
        loads = read_newest(instance, {(self.contract.key, verdict.partition) for verdict in verdicts})
        shown = {verdict.partition: loads.get((self.contract.key, verdict.partition)) for verdict in verdicts}
        partitions = [partition for partition, load in shown.items() if load is not None and partition is not None]
        if self.binding is None or not partitions:
            return {}
        promises = self.binding.promises(partitions, instance)
        evidence = read_evidence(instance, list(promises.values()), as_of)
        now = {verdict.partition: verdict for verdict in verdicts}
        said = {p: correction(promises[p], evidence, shown[p], now[p]) for p in partitions}
        return {partition: word for partition, word in said.items() if word}

    def stops(self, verdict: Verdict) -> bool:
        """Whether this verdict keeps the step from going on; in shadow none does."""
        return verdict.holds and self.contract.enforce

    def wait(self, context: dg.AssetExecutionContext, verdicts: Iterable[Verdict], *, together: bool) -> None:
        """Ask for a retry where only checks of this very run are still to come, as long as the contract waits.

        Apart, one partition is worth waiting for; ``together``, only if none is held by anything else.

        Raises:
            RetryRequested: Ask again later. Past the deadline the verdict stands as it is.
        """
        held = [verdict for verdict in verdicts if self.stops(verdict)]
        waits = [_waits_for(context.run.run_id, verdict) for verdict in held]
        attempt = context.op_execution_context.retry_number
        pause = next_pause(attempt, self.contract.wait_for_checks)
        if held and (all(waits) if together else any(waits)) and pause is not None:
            raise dg.RetryRequested(max_retries=attempt + 1, seconds_to_wait=pause.total_seconds())

    def evaluate(
        self, context: dg.AssetExecutionContext, verdicts: Mapping[str | None, Verdict], *, together: bool
    ) -> Iterator[dg.AssetCheckEvaluation | dg.Output[None]]:
        """Yield one `upstream_ready` result per asset of the step and partition.

        ``together`` says that the step cannot leave a partition out: one that is held holds all.
        """
        held = [verdict for verdict in verdicts.values() if self.stops(verdict)]
        if held:
            # A hold is an answer, not an accident: nothing may launch this run again by itself.
            context.instance.add_run_tags(context.run.run_id, NO_RUN_RETRY)
        for spec in gate_checks(context.assets_def):
            if spec.key not in context.selected_asset_check_keys:
                continue
            for partition, verdict in verdicts.items():
                yield dg.AssetCheckEvaluation(
                    asset_key=spec.asset_key,
                    check_name=GATE_CHECK,
                    partition=partition,
                    passed=not (held or verdict.holds if together else verdict.holds),
                    blocking=True,
                    severity=dg.AssetCheckSeverity.ERROR if self.contract.enforce else dg.AssetCheckSeverity.WARN,
                    description=_describe(verdict, held, self.contract.enforce),
                    metadata=describe_verdict(verdict),
                )
            yield dg.Output(None, output_name=spec.get_python_identifier())
        if held and not any(key.name == GATE_CHECK for key in context.selected_asset_check_keys):
            # A step that allows subsets can be run without its check; held, it must not end in success.
            raise dg.Failure(_describe(held[0], held, self.contract.enforce), allow_retries=False)


def _waits_for(run_id: str, verdict: Verdict) -> bool:
    """Whether nothing holds a verdict but checks of this run that are still to come."""
    own = [f.outcome is Outcome.PENDING and bool(f.check) and f.run_id == run_id for f in verdict.causes]
    return bool(own) and all(own)


def next_pause(attempt: int, patience: dt.timedelta) -> dt.timedelta | None:
    """Return how long to wait before the next look, doubling up to 15 s; None once patience is used up."""
    pauses = [min(FIRST_PAUSE * 2 ** min(n, 10), LONGEST_PAUSE) for n in range(attempt + 1)]
    return pauses[-1] if sum(pauses, dt.timedelta()) <= patience else None


def record_consumed(context: dg.AssetExecutionContext, verdicts: Mapping[str | None, Verdict]) -> None:
    """Attach to the coming materializations which version of each input the gate had judged.

    Read before the step reads: a reload in between is not recorded, so the result counts as outdated.
    """
    for key in context.selected_asset_keys:
        for partition, verdict in verdicts.items():
            context.add_asset_metadata(consumed_metadata(verdict), key, partition)


def consumed_metadata(verdict: Verdict) -> dict[str, dg.MetadataValue]:
    """Return the versions a verdict stands on, as the metadata a later reader understands."""
    return {
        CONSUMED: dg.MetadataValue.json(dict(verdict.consumed)),
        RECEIPT: dg.MetadataValue.text(verdict.receipt_key),
    }


def gate_checks(assets: dg.AssetsDefinition) -> list[dg.AssetCheckSpec]:
    """Return the gate's check specs of a guarded definition."""
    return [spec for spec in assets.node_check_specs_by_output_name.values() if spec.name == GATE_CHECK]


def describe_verdict(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as Dagster metadata: the readiness, and a table of the findings."""
    described: dict[str, Any] = {"readiness": str(verdict.readiness), "as_of": verdict.as_of.isoformat()}
    if verdict.deadline:
        described["ready_by"] = verdict.deadline.isoformat()
    if verdict.findings:
        described["findings"] = _table(verdict.findings)
    if verdict.consequences:
        described["waiting_for_these"] = _table(verdict.consequences)
    return described


def _table(findings: Sequence[Finding]) -> dg.TableMetadataValue:
    records = [
        dg.TableRecord(
            {
                "asset": finding.asset,
                "partition": finding.partition or "",
                "check": finding.check or "",
                "outcome": str(finding.outcome),
                "reason": finding.told,
                "owner": finding.owner,
                "since": finding.since.isoformat(timespec="seconds") if finding.since else "",
            }
        )
        for finding in findings
    ]
    schema = dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in COLUMNS])
    return dg.MetadataValue.table(records=records, schema=schema)


def _describe(verdict: Verdict, held: Sequence[Verdict], enforce: bool) -> str:
    if held and not verdict.holds:
        others = ", ".join(str(other.partition) for other in held)
        return f"{verdict.readiness}, but this run also covers {others}, which is held"
    would = "Held" if enforce else "Would have been held"
    word = would if verdict.holds else "Not held"
    if verdict.readiness is Readiness.READY:
        return f"{verdict.readiness}: everything upstream passes"
    causes = "; ".join(f"{finding.place}: {finding.told}" for finding in verdict.causes[:3])
    return f"{word}, {verdict.readiness}: {causes}"
