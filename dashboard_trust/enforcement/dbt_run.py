"""A dbt command in a step, and what its tests say of each partition, as results of the checks declared."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import dagster as dg

from dashboard_trust.enforcement.dbt_nodes import UNIQUE_ID, DbtNodes, nodes_of, tests_by_check
from dashboard_trust.enforcement.dbt_results import BROKEN, DbtResult, DbtResults, by_partition, read_results, worst
from dashboard_trust.enforcement.dbt_skips import Skipped, find_skipped
from dashboard_trust.enforcement.evaluations import PartitionResult, evaluate_unmoved
from dashboard_trust.errors import DashboardTrustError, FailureClass, InvalidInputError, SourceError
from dashboard_trust.evidence.facts import Place
from dashboard_trust.evidence.names import SKIPPED
from dashboard_trust.failures.foreign import classify_words
from dashboard_trust.readers.event_log import read_newest

if TYPE_CHECKING:
    from dagster_dbt import DbtCliInvocation, DbtCliResource

Variables = Callable[[Sequence[str]], Mapping[str, Any]]
Checks = Mapping[dg.AssetCheckKey, set[str]]
SAME = ("--defer", "--favor-state", "--no-defer", "--no-favor-state", "--no-version-check", "--warn-error")
SAME_VALUES = (
    "--defer-state",
    "--profile",
    "--profiles-dir",
    "--project-dir",
    "--state",
    "--target",
    "--threads",
    "--warn-error-options",
    "-t",
)
"""Options of a command, and those with a value, that say which tables it is about and how it looks at them: another
look takes the same. Its vars are made anew."""


def run_dbt(
    context: dg.AssetExecutionContext,
    dbt: DbtCliResource,
    args: Sequence[str] = ("build",),
    *,
    variables: Variables | None = None,
    stream: Callable[[DbtCliInvocation], Iterator[Any]] | None = None,
) -> Iterator[Any]:
    """Run a dbt command in the body of ``@dbt_assets`` and yield what it built and what each test says.

    A test that fails for several partitions at once is run again for each, to say which. One that dbt skipped
    gets no result, so it counts as not run; one that could not be run fails the step, as a model does.

    Args:
        context: The step's.
        dbt: The resource.
        args: The command, without ``--vars``.
        variables: dbt's vars for partition keys, beside ``partition_start`` and ``partition_end`` (exclusive).
        stream: Makes Dagster events of the invocation; by default its ``stream()``.

    Raises:
        DashboardTrustError: dbt broke off, or something in it did; what it said before is kept.
    """
    run = _Run(context, dbt, tuple(args), variables)
    nodes = nodes_of(context.assets_def)
    declared = [spec.key for spec in context.assets_def.node_check_specs_by_output_name.values()]
    checks = tests_by_check(nodes, declared)
    before = read_newest(context.instance, run.places(checks))
    invocation = run.start()
    yield from _events(invocation, stream, set().union(*checks.values()))
    results = read_results(invocation)
    found = run.judge(nodes, checks, results)
    yield from evaluate_unmoved(context.op_execution_context, found, before)
    skipped = find_skipped(nodes, checks, results)
    yield from run.tell_skipped(skipped)
    _raise_where_broken(results, skipped)


@dataclass(frozen=True)
class _Run:
    """One command on the partitions of a step."""

    context: dg.AssetExecutionContext
    dbt: DbtCliResource
    args: tuple[str, ...]
    variables: Variables | None

    @property
    def keys(self) -> Sequence[str]:
        """The partitions of the run; none where it has none."""
        partitioned = self.context.has_partition_key or self.context.has_partition_key_range
        return self.context.partition_keys if partitioned else []

    @property
    def parts(self) -> Sequence[str | None]:
        """The partitions of the run, as results are kept by them (None: the whole)."""
        return self.keys or [None]

    def start(self) -> DbtCliInvocation:
        """Start the command."""
        args = [*self.args, *self._vars(self.keys)]
        try:
            return self.dbt.cli(args, context=self.context, raise_on_error=False)
        except KeyError:  # it takes each selected check for a test, where not all of them are selected
            context = cast("dg.AssetExecutionContext", _WithTestsAlone(self.context))
            return self.dbt.cli(args, context=context, raise_on_error=False)

    def keys_of(self, check: dg.AssetCheckKey) -> Sequence[str | None]:
        """Return the partitions of a check in this run; that of a source has none."""
        partitions = self.context.assets_def.get_spec_for_check_key(check).partitions_def
        return self.parts if partitions is not None else [None]

    def places(self, checks: Checks) -> set[Place]:
        """Return what these checks look at in this run."""
        return {(check.asset_key.to_user_string(), key) for check in checks for key in self.keys_of(check)}

    def tell_skipped(self, skipped: Skipped) -> Iterator[dg.AssetObservation]:
        """Yield what was skipped because of something that is told elsewhere, so that it is not blamed as well."""
        for asset in sorted(skipped.following.keys() & self.context.selected_asset_keys):
            names = sorted(skipped.following[asset])
            described = f"dbt skipped {', '.join(names) or 'it'}, because of something above"
            for key in self.parts:
                metadata = {SKIPPED: dg.MetadataValue.json(names)}
                yield dg.AssetObservation(asset, partition=key, description=described, metadata=metadata)

    def judge(
        self, nodes: DbtNodes, checks: Checks, results: DbtResults
    ) -> dict[dg.AssetCheckKey, dict[str | None, PartitionResult]]:
        """Return what each check says of each partition; what has no answer is left out."""
        together = {check: worst(results.get(id_) for id_ in ids) for check, ids in checks.items()}
        unclear = {id_ for check, ids in checks.items() if _is_unclear(together[check]) for id_ in ids}
        alone = self._look_alone(nodes, sorted(unclear))
        found = {}
        for check, answer in together.items():
            if answer is not None:
                each = {key: worst(said.get(id_) for id_ in checks[check]) for key, said in alone.items()}
                found[check] = by_partition(answer, each, self.keys_of(check))
        return found

    def _look_alone(self, nodes: DbtNodes, tests: Sequence[str]) -> dict[str, DbtResults]:
        # A unit test brings its own rows: it says the same of every partition.
        names = [".".join(nodes.manifest["nodes"][id_]["fqn"]) for id_ in tests if id_ in nodes.manifest["nodes"]]
        if not names or len(self.keys) < 2 or not self._vars(self.keys):
            return {}
        try:
            return {key: self._test(nodes, names, key) for key in self.keys}
        except DashboardTrustError as error:
            self.context.log.warning(f"What failed counts for every partition of the run: {error}")
            return {}

    def _test(self, nodes: DbtNodes, names: Sequence[str], key: str) -> DbtResults:
        args = ["test", "--select", " ".join(names), *same_options(self.args), *self._vars([key])]
        return read_results(self.dbt.cli(args, manifest=nodes.manifest, raise_on_error=False).wait())

    def _vars(self, keys: Sequence[str]) -> list[str]:
        own = self.variables(keys) if self.variables is not None else {}
        values = {**_range(self.context.assets_def.partitions_def, keys), **own} if keys else own
        if values and any(word.partition("=")[0] == "--vars" for word in self.args):
            raise InvalidInputError("run_dbt makes the --vars; give yours as `variables`, not in the args.")
        return ["--vars", json.dumps(values)] if values else []


class _WithTestsAlone:
    """A step's context, as if of its checks (a gate's is one) only dbt's tests were selected."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    @property
    def selected_asset_check_keys(self) -> set[dg.AssetCheckKey]:
        """The checks that are tests of dbt."""
        spec_of = self._context.assets_def.get_spec_for_check_key
        return {key for key in self._context.selected_asset_check_keys if UNIQUE_ID in (spec_of(key).metadata or {})}


def same_options(args: Sequence[str]) -> Iterator[str]:
    """Yield the options of a command that another look at its tables takes as well."""
    for word, following in zip(args, [*args[1:], ""], strict=True):
        if word in SAME_VALUES:
            yield from (word, following)
        elif word in SAME or word.partition("=")[0] in SAME_VALUES or word.startswith("-t"):  # -tprod
            yield word


def _is_unclear(answer: DbtResult | None) -> bool:
    return answer is not None and answer.status != "pass"


def _range(partitions: dg.PartitionsDefinition | None, keys: Sequence[str]) -> dict[str, str]:
    """Return the vars of a range of partitions by time; others have no range."""
    if not isinstance(partitions, dg.TimeWindowPartitionsDefinition):
        return {}
    windows = [partitions.time_window_for_partition_key(key) for key in keys]
    start, end = min(window.start for window in windows), max(window.end for window in windows)
    return {"partition_start": _moment(start), "partition_end": _moment(end)}


def _moment(at: dt.datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _events(
    invocation: DbtCliInvocation, stream: Callable[[DbtCliInvocation], Iterator[Any]] | None, tests: set[str]
) -> Iterator[Any]:
    """Yield the events of an invocation, without what it says of tests: that comes when all of it is known."""
    events = stream(invocation) if stream is not None else invocation.stream()
    if invocation.manifest["metadata"].get("adapter_type") == "duckdb":
        events = iter(list(events))  # dbt has the file until it ends, and who looks into the table needs it
    for event in events:
        said = event.metadata.get("unique_id") if isinstance(event, dg.AssetObservation) else None
        of_test = said is not None and said.value in tests
        if not isinstance(event, dg.AssetCheckResult) and not of_test:
            yield event


def _raise_where_broken(results: DbtResults, skipped: Skipped) -> None:
    broken = [result for result in results.values() if result.status in BROKEN]
    if broken:
        told = "; ".join(f"{result.name}: {result.message}" for result in broken)
        classes = {classify_words(result.message) for result in broken}
        known = classes.pop() if len(classes) == 1 else FailureClass.UNKNOWN
        raise SourceError(f"dbt could not build or test: {told}", known)
    if skipped.unexplained:
        failed = ", ".join(result.name for result in results.values() if result.status == "fail")
        raise DashboardTrustError(f"dbt skipped {', '.join(skipped.unexplained)}, since this failed: {failed or '?'}")
