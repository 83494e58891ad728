"""What a run left behind in the event log."""

from collections import Counter
from dataclasses import dataclass, field

import dagster as dg

from dashboard_trust.evidence.names import GATE_CHECK

Cause = tuple[str, str, str]


@dataclass(frozen=True)
class Trace:
    """One run: what its gates answered, what it delivered, which of its steps failed of what."""

    run: dg.DagsterRun
    answers: dict[tuple[str, str], dg.AssetCheckEvaluation] = field(default_factory=dict)
    delivered: set[tuple[str, str]] = field(default_factory=set)
    failures: dict[str, str] = field(default_factory=dict)
    starts: Counter = field(default_factory=Counter)

    def covers(self, day: str) -> bool:
        """Whether the run was launched for this day, alone or in a range."""
        tags = self.run.tags
        first, last = (tags.get(f"dagster/asset_partition_range_{end}", "") for end in ("start", "end"))
        return tags.get("dagster/partition") == day or first <= day <= last

    def findings(self, dashboard: str, day: str) -> dict[Cause, str]:
        """Return what the gate's table of findings says: the reason by asset, check and outcome."""
        table = self.answers[dashboard, day].metadata.get("findings")
        rows = [record.data for record in table.records] if table else []
        return {(row["asset"], row["check"], row["outcome"]): row["reason"] for row in rows}


def read_trace(instance: dg.DagsterInstance, run_id: str) -> Trace:
    trace = Trace(instance.get_run_by_id(run_id))
    for entry in instance.all_logs(run_id):
        event = entry.dagster_event
        if event is None:
            continue
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            word = event.asset_check_evaluation_data
            if word.check_name == GATE_CHECK:
                trace.answers[word.asset_key.to_user_string(), word.partition] = word
        elif event.is_step_materialization:
            trace.delivered.add((event.asset_key.to_user_string(), event.partition))
        elif event.is_step_failure:
            trace.failures[event.step_key] = event.step_failure_data.error.cls_name
        elif event.is_step_start or event.is_step_restarted:
            trace.starts[event.step_key] += 1
    return trace
