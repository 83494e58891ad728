"""Calling a source from within a step: let through by its budget, and answered by its class where it fails."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NoReturn

import dagster as dg

from dashboard_trust.contracts.sources import Source
from dashboard_trust.enforcement.gate import NO_RUN_RETRY
from dashboard_trust.errors import FailureClass
from dashboard_trust.evidence.failures import Failure
from dashboard_trust.evidence.names import FAILURE
from dashboard_trust.failures.classify import classify, find_retry_after
from dashboard_trust.failures.outage import Caller, Outage
from dashboard_trust.failures.policy import Retries
from dashboard_trust.readers.key_values import change_value, read_value

OUTAGE = "dashboard_trust/outage/"
FAILURE_CLASS_TAG = "dashboard_trust/failure_class"
"""Of a run in which something was given up: of which classes that was."""

ANSWERED = (FailureClass.DATA, FailureClass.SCHEMA)
"""Failures of a source that did answer, so that nobody has to wait for it."""

Known = tuple[dt.datetime | None, Caller, Outage]
"""When to ask again, what the caller has done, and what is known of the source."""


@contextmanager
def calling(source: Source | None) -> Iterator[None]:
    """Call a source within the body of an asset's step; without one, nothing is done.

    What fails is classified. A failure that may pass is tried again by Dagster, after a pause and within the
    source's budget, which all steps of all runs share; any other fails the step for good.

    Raises:
        RetryRequested: The step is to be tried again, or the source may not be called yet.
        Failure: It is not tried again; its metadata say why, and who acts.
    """
    if source is None:
        yield
        return
    call = _Call(source, dg.AssetExecutionContext.get())
    began = call.begin()
    try:
        yield
    except dg.RetryRequested:
        raise  # somebody has answered it already
    except Exception as error:  # noqa: BLE001 - whatever it is, it has a class
        call.answer(error, began)
    call.succeed(began)


def give_up(source: str, error: Exception) -> dg.Failure:
    """Return the failure that ends a step for good, and say of which class it is, where assets are of no `Source`.

    Where they are of one, it answers after this, with its own name and owners.
    """
    call = _Call(Source(source), dg.AssetExecutionContext.get())
    return call.end(call.failure(classify(error), str(error), 1), error)


def read_outage(instance: dg.DagsterInstance, source: str) -> Outage:
    """Return what is known of a source since it last answered."""
    return Outage.parse(read_value(instance, OUTAGE + source))


@dataclass(frozen=True, slots=True)
class _Call:
    source: Source
    context: dg.AssetExecutionContext

    @property
    def who(self) -> str:
        return f"{self.context.run.run_id}/{self.context.op_execution_context.op_handle}"

    def begin(self) -> dt.datetime:
        """Return when the call began; where the source may not be called yet, ask for a retry."""
        now, source = _now(), self.source
        at, caller, outage = self._change(lambda known: known.ask(self.who, source.budget, source.retries, now))
        if at is not None:
            self._postpone(at, caller, outage.since or now)
        return now

    def _postpone(self, at: dt.datetime, caller: Caller, since: dt.datetime) -> NoReturn:
        source = self.source
        at += random.random() * source.retries.first_pause  # noqa: S311  # not all at one instant
        message = f"{source.key} has not answered since {since:%Y-%m-%d %H:%M} UTC"
        self._wait_or_give_up(self.failure(FailureClass.TRANSIENT, message, caller.calls), caller, at, source.retries)

    def answer(self, error: Exception, began: dt.datetime) -> NoReturn:
        """Ask for a retry, or fail for good."""
        found, now = classify(error), _now()
        policy, message = self.source.policy_of(found), _words(error)
        if not isinstance(policy, Retries):
            if found in ANSWERED:
                self.succeed(began)
            caller = read_outage(self.context.instance, self.source.key).callers.get(self.who, Caller(began))
            raise self.end(self.failure(found, message, caller.calls + 1), error) from error
        asked_for = find_retry_after(error, now) or dt.timedelta()
        at, caller, _ = self._change(
            lambda known: known.fail(
                self.who,
                began,
                now,
                budget=self.source.budget,
                retries=policy,
                draw=random.random(),  # noqa: S311
                at_least=asked_for,
            )
        )
        self._wait_or_give_up(self.failure(found, message, caller.calls), caller, at or now, policy, error)

    def succeed(self, began: dt.datetime) -> None:
        """Say that the source answers, if it was not known to."""
        instance, key, retries = self.context.instance, OUTAGE + self.source.key, self.source.retries
        if read_value(instance, key):
            change_value(instance, key, lambda text: (None, Outage.parse(text).answer(began, retries).dump()))

    def _change(self, change: Callable[[Outage], Known]) -> Known:
        def on_text(text: str) -> tuple[Known, str]:
            known = change(Outage.parse(text))
            return known, known[2].dump()

        return change_value(self.context.instance, OUTAGE + self.source.key, on_text)

    def failure(self, found: FailureClass, message: str, calls: int) -> Failure:
        """Return what is said of it."""
        return Failure(found, self.source.key, calls, message, self.source.owner_of(found))

    def _wait_or_give_up(
        self, failure: Failure, caller: Caller, at: dt.datetime, retries: Retries, error: Exception | None = None
    ) -> NoReturn:
        if caller.calls >= retries.limit or at - caller.since > retries.give_up_after:
            raise self.end(failure, error) from error
        self._say(replace(failure, retry_at=at))
        seconds = max((at - _now()).total_seconds(), 0)
        # One more than there were: Dagster's own count never ends it, since that would say nothing of why.
        again = self.context.op_execution_context.retry_number + 1
        raise dg.RetryRequested(max_retries=again, seconds_to_wait=seconds) from error

    def end(self, failure: Failure, error: Exception | None) -> dg.Failure:
        """Say that it is given up, and return what fails the step."""
        self._say(failure)
        instance, run_id = self.context.instance, self.context.run.run_id
        run = instance.get_run_by_id(run_id)
        known = run.tags.get(FAILURE_CLASS_TAG, "") if run is not None else ""
        classes = sorted({*filter(None, known.split(", ")), str(failure.failure_class)})
        # What was tried as often as may be is not to be multiplied by retries of the whole run.
        instance.add_run_tags(run_id, {**NO_RUN_RETRY, FAILURE_CLASS_TAG: ", ".join(classes)})
        kept = error.metadata if isinstance(error, dg.Failure) else {}
        said = {name: value for name, value in failure.dump().items() if value is not None}
        said |= {"owner": self._owner(failure), "next_step": self._next_step(failure)}
        return dg.Failure(failure.message, metadata={**kept, **said}, allow_retries=False)

    def _say(self, failure: Failure) -> None:
        metadata = {FAILURE: dg.MetadataValue.json(failure.dump())}
        described = f"{failure.message} ({failure.told}). {self._next_step(failure)}"
        for key in sorted(self.context.selected_asset_keys):
            self.context.log_event(dg.AssetObservation(key, description=described, metadata=metadata))

    def _owner(self, failure: Failure) -> str:
        specs = [spec for spec in self.context.assets_def.specs if spec.key in self.context.selected_asset_keys]
        return (
            failure.owner
            or ", ".join(dict.fromkeys(owner for spec in specs for owner in spec.owners))
            or "nobody named"
        )

    def _next_step(self, failure: Failure) -> str:
        keys = self.context.selected_asset_keys
        where = ", ".join(sorted(key.to_user_string() for key in keys))
        return failure.next_step(self._owner(failure), where)


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
