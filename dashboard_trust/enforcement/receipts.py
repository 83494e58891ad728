"""Sends that must not happen twice: what is begun is written down before it is done.

A receipt key stands for the versions of everything a step reads. A receiver that knows the key can drop
what it has already; for one that cannot, a contract says ``at_most_once``, and the gate keeps count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace

import dagster as dg

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.errors import DashboardTrustError
from dashboard_trust.evidence.facts import join_versions
from dashboard_trust.evidence.names import LEFT_OUT, RECEIPT
from dashboard_trust.readers.event_log import read_newest
from dashboard_trust.readers.receipts import read_receipts
from dashboard_trust.verdicts.verdict import Verdict

_passed: ContextVar[Sequence[Verdict]] = ContextVar("passed", default=())


def receipt_key() -> str:
    """Return the key of what the running guarded step sends: the same for every attempt on the same versions.

    Hand it to the receiver as its idempotency key. In a refresh of `trusted_dashboard` each verdict has
    its own (`Verdict.receipt_key`).

    Raises:
        DashboardTrustError: No guarded step is running.
    """
    verdicts = _passed.get()
    if not verdicts:
        raise DashboardTrustError("receipt_key() is for the body of a guarded asset, while it runs.")
    return join_versions([verdict.receipt_key for verdict in verdicts])


def left_out() -> frozenset[str]:
    """Return the assets that the running guarded step does without, since a section's minimum is met (`at_least`).

    What stands in their tables was not believed: leave their rows out. That it was asked is kept with what the step
    makes; of a step that never asks, all is taken to be in it.

    Raises:
        DashboardTrustError: No guarded step is running.
    """
    verdicts = _passed.get()
    if not verdicts:
        raise DashboardTrustError("left_out() is for the body of a guarded asset, while it runs.")
    context = dg.AssetExecutionContext.get()
    for verdict in verdicts:
        for key in context.selected_asset_keys:
            context.add_asset_metadata(left_out_of(verdict), key, verdict.partition)
    return frozenset(asset for verdict in verdicts for asset in verdict.left_out)


def left_out_of(verdict: Verdict) -> dict[str, dg.MetadataValue]:
    """Return what is done without, as the metadata a later reader understands; nothing where that is nothing."""
    return {LEFT_OUT: dg.MetadataValue.json(list(verdict.left_out))} if verdict.left_out else {}


@contextmanager
def passed(verdicts: Sequence[Verdict]) -> Iterator[None]:
    """Let `receipt_key` know which verdicts the running step was let through on."""
    token = _passed.set(verdicts)
    try:
        yield
    finally:
        _passed.reset(token)


def is_counted(contract: DashboardContract) -> bool:
    """Whether the gate keeps count of what is sent; in shadow it changes nothing."""
    return contract.at_most_once and contract.enforce


def find_sent(
    context: dg.AssetExecutionContext, contract: DashboardContract, verdicts: Sequence[Verdict]
) -> list[Verdict]:
    """Return those of which nothing is newer than what was sent last, as they were then.

    A section that went bad since is no news; what was sent of it stays sent.
    """
    if not is_counted(contract):
        return []
    loads = read_newest(context.instance, {(contract.key, verdict.partition) for verdict in verdicts})
    newest = {partition: load.consumed for (_, partition), load in loads.items()}
    sent = [verdict for verdict in verdicts if verdict.partition in newest]
    return [
        replace(verdict, consumed=tuple(newest[verdict.partition].items()))
        for verdict in sent
        if dict(verdict.consumed).items() <= newest[verdict.partition].items()
    ]


def begin(context: dg.AssetExecutionContext, contract: DashboardContract, verdicts: Sequence[Verdict]) -> None:
    """Write down that these versions are about to be sent, where the gate keeps count.

    Raises:
        dagster.Failure: Another run began first; nothing may be sent here.
    """
    if not is_counted(contract):
        return
    asset, run_id = dg.AssetKey.from_user_string(contract.key), context.run.run_id
    for verdict in verdicts:
        word = dg.MetadataValue.json({"consumed": dict(verdict.consumed), "run_id": run_id})
        description = f"run {run_id[:8]} begins to send"
        event = dg.AssetObservation(asset, description, partition=verdict.partition, metadata={RECEIPT: word})
        context.instance.report_runless_asset_event(event)
    receipts = read_receipts(context.instance, contract.key, [verdict.partition for verdict in verdicts])
    begun = {verdict.partition: dict(verdict.consumed) for verdict in verdicts}
    unsettled = [r for r in receipts if not r.settled and begun[r.partition].items() <= r.consumed.items()]
    # Two runs that were judged at once both come here: the order of the event log decides between them.
    other = next((receipt for receipt in unsettled if receipt.run_id != run_id), None)
    if other is not None and other.storage_id < min(r.storage_id for r in unsettled if r.run_id == run_id):
        raise dg.Failure(
            f"{contract.key} {other.partition or ''}: run {other.run_id[:8]} began to send this version first; "
            "nothing was sent here.",
            allow_retries=False,
        )
