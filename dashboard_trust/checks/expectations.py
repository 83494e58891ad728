"""Expectations asked of a batch of Great Expectations: the one place that knows how it answers.

Only counts leave this module, unless failing values are asked for: Great Expectations cites rows in its results, in
its errors and in its log. ``tests/upstream/test_gx.py`` pins what is assumed here.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from numbers import Integral, Number
from types import ModuleType
from typing import TYPE_CHECKING, Any

from dashboard_trust.checks.suites import Expectation, Suite
from dashboard_trust.errors import nearest

if TYPE_CHECKING:
    from great_expectations.core import ExpectationValidationResult
    from great_expectations.data_context.data_context.abstract_data_context import AbstractDataContext
    from great_expectations.datasource.fluent.interfaces import Batch

NAME = "dashboard_trust"
"""In an expectation's ``meta``: whose result it is. They come back in an order of their own."""

COUNTS = ("element_count", "missing_count", "unexpected_count", "unexpected_percent", "observed_value")
# What an error says of types and names; of anything else it may cite values.
SAFE = re.compile(
    r'The column "[^"\n]*" in BatchData does not exist'
    r"|No provider found for [\w.]+ using \w+"
    r"|No value found for \$PARAMETER \w+"
    r"|'[<>=]+' not supported between instances of '[\w.]+' and '[\w.]+'"
    r"|Invalid comparison between dtype=[^\n]{1,40} and \w+"
    r"|operator does not exist: [\w *<>=~+/-]+"
    r"|Column values, min_value, and max_value must either be None or of the same type"
)


@dataclass(frozen=True, slots=True)
class ExpectationResult:
    """What an expectation found: ``passed``, ``failed``, or ``errored`` where it could not be told."""

    outcome: str
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


def load_great_expectations() -> ModuleType:
    """Import Great Expectations, which takes seconds, and imports modules that Python has deprecated."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "module 'sre_(constants|parse|compile)' is deprecated", DeprecationWarning)
        import great_expectations as gx
    return gx


@contextmanager
def open_context(variables: Mapping[str, str] | None = None) -> Iterator[AbstractDataContext]:
    """Open a context in memory that leaves no file, draws nothing, and tells nobody.

    ``variables`` are those that its data sources may name as ``${NAME}``.
    """
    gx = load_great_expectations()
    from great_expectations.data_context.data_context.context_factory import project_manager
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )
    from great_expectations.exceptions.exceptions import DataContextRequiredError

    try:
        current = project_manager.get_current_project()
    except DataContextRequiredError:
        current = None
    config = DataContextConfig(
        # Its documentation sites would be folders in the place for temporary files.
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
    )
    try:
        with _silence():
            yield gx.get_context(mode="ephemeral", project_config=config, runtime_environment=dict(variables or {}))
    finally:
        project_manager.set_project(current)


@contextmanager
def _silence() -> Iterator[None]:
    logger = logging.getLogger("great_expectations")
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)  # it logs the errors of expectations, which cite values
    try:
        with warnings.catch_warnings():
            # So it says of every older suite that has row conditions, in the log of a run that did not write it.
            warnings.filterwarnings("ignore", ".* row_condition parameter is deprecated", DeprecationWarning)
            warnings.filterwarnings("ignore", "The condition_parser parameter is deprecated", DeprecationWarning)
            yield
    finally:
        logger.setLevel(level)


def validate(batch: Batch, suite: Suite, samples: int = 0) -> dict[str, ExpectationResult]:
    """Return what each expectation of a suite finds in a batch, by name; ``samples`` failing values of each at most."""
    built, results = {}, {}
    for expectation in suite.expectations:
        try:
            built[expectation.name] = _build(expectation)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it, it cannot be asked
            results[expectation.name] = ExpectationResult("errored", _refusal(expectation, error))
    found = _ask(batch, built, suite.parameters, samples)
    if len(built) > 1:
        # What shares a query with one that raised is errored too: asked alone, it answers for itself.
        for name in [name for name, result in found.items() if result.outcome == "errored"]:
            found |= _ask(batch, {name: built[name]}, suite.parameters, samples)
    return results | found


def _build(expectation: Expectation) -> Any:
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
    from great_expectations.expectations.metadata_types import FailureSeverity

    return ExpectationConfiguration(
        type=expectation.kind,
        kwargs=dict(expectation.arguments),
        meta={NAME: expectation.name},
        severity=FailureSeverity(expectation.severity),
    ).to_domain_obj()


def _refusal(expectation: Expectation, error: Exception) -> str:
    """Say why an expectation cannot be asked: of a suite's own words nothing has to be kept back."""
    from great_expectations.exceptions.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import list_registered_expectation_implementations

    if isinstance(error, ExpectationNotFoundError):
        known = list_registered_expectation_implementations()
        return f"there is no expectation {expectation.kind!r}: {nearest(expectation.kind, known)}"
    listed = error.errors() if hasattr(error, "errors") else []
    said = dict.fromkeys(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in listed)
    return f"{expectation.kind} cannot be asked: {'; '.join(said) or error}"


def _ask(
    batch: Batch, built: Mapping[str, Any], parameters: Mapping[str, Any], samples: int
) -> dict[str, ExpectationResult]:
    from great_expectations import ExpectationSuite

    if not built:
        return {}
    try:
        answer = batch.validate(
            ExpectationSuite(NAME, expectations=list(built.values())),
            result_format={"result_format": "BASIC", "partial_unexpected_count": samples},
            expectation_parameters=dict(parameters),
        )
        told = {_name_of(result): _result(result, samples) for result in answer.results}
    except Exception as error:  # noqa: BLE001 - nothing is known of any of them
        told = dict.fromkeys(built, ExpectationResult("errored", _raised(type(error).__name__, [str(error)], samples)))
    silent = ExpectationResult("errored", "Great Expectations gave no result for it")
    return {name: told.get(name, silent) for name in built}


def _name_of(result: ExpectationValidationResult) -> str:
    meta = result.expectation_config.meta if result.expectation_config is not None else None
    return str((meta or {}).get(NAME))


def _result(result: ExpectationValidationResult, samples: int) -> ExpectationResult:
    info, found = result.exception_info or {}, result.result or {}
    # Where a metric raised, the errors come by metric.
    entries = [info] if "raised_exception" in info else list(info.values())
    raised = [entry for entry in entries if entry["raised_exception"]]
    if raised:
        kind = _first_raised(str(raised[0]["exception_traceback"]))
        said = [str(entry["exception_message"]) for entry in raised]
        return ExpectationResult("errored", _raised(kind, said, samples))
    details: dict[str, Any] = {name: number for name in COUNTS if (number := _number(found.get(name))) is not None}
    if samples and (values := found.get("partial_unexpected_list")):
        details["sample_failures"] = [str(value) for value in values[:samples]]
    # Neither is what a missing value makes of a comparison.
    match str(result.success):
        case "True":
            return ExpectationResult("passed", "", details)
        case "False":
            return ExpectationResult("failed", _reason(details), details)
    return ExpectationResult("errored", "Great Expectations said neither that it is met nor that it is not", details)


def _first_raised(traceback: str) -> str:
    """Return the class of the exception that came first: the first line that is no frame, up to its message."""
    lines = (line for line in traceback.splitlines() if line and not line.startswith((" ", "Traceback ")))
    name = next(lines, "").partition(":")[0].rpartition(".")[2]
    return name if name.isidentifier() else "an error"


def _raised(kind: str, messages: Sequence[str], samples: int) -> str:
    said = [" ".join(message.split()) for message in messages] if samples else []
    said = said or [found[0] for message in messages if (found := SAFE.search(message))]
    return f"raised {kind}" + (f": {said[0]}" if said else "; ask for sample failures to see its message")


def _number(value: object) -> int | float | None:
    """Return a number as JSON has it; a list, a text or a moment is what stands in rows."""
    if isinstance(value, bool) or not isinstance(value, Number):
        return None
    return int(value) if isinstance(value, Integral) else float(value)  # type: ignore[arg-type]


def _reason(details: Mapping[str, Any]) -> str:
    if "element_count" in details and "unexpected_count" in details:
        return f"{details['unexpected_count']} of {details['element_count']} rows are unexpected"
    if "unexpected_count" in details:
        return f"{details['unexpected_count']} values are unexpected"
    return f"observed {details['observed_value']}" if "observed_value" in details else "is not met"
