"""What dbt says of sources, as a step of its own: their tests, and how fresh they are."""

# No postponed annotations here: Dagster reads the one of `context` as an object.

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import dagster as dg

from dashboard_trust.enforcement.dbt_checks import check_spec_of
from dashboard_trust.enforcement.dbt_nodes import UNIQUE_ID, DbtNodes, Node, nodes_of, tests_by_check
from dashboard_trust.enforcement.dbt_results import BROKEN, read_artifact, read_results, result_of, worst
from dashboard_trust.enforcement.evaluations import PartitionResult, evaluate_unmoved
from dashboard_trust.errors import DashboardTrustError, InvalidInputError, nearest
from dashboard_trust.evidence.facts import Materialization, Place
from dashboard_trust.evidence.names import EXPIRES, FRESHNESS
from dashboard_trust.readers.event_log import read_newest
from dashboard_trust.readers.events import AUTHOR_GAVE_VERSION, DATA_AT, VERSION

if TYPE_CHECKING:
    from dagster_dbt import DbtCliInvocation, DbtCliResource

FRESH_OR_NOT = ("pass", "warn", "error")
FUTURE_SECONDS = 60  # clocks differ by less
Run = Callable[..., "DbtCliInvocation"]
Answers = dict[dg.AssetCheckKey, PartitionResult]


def dbt_source_checks(
    *assets: dg.AssetsDefinition,
    resource_key: str = "dbt",
    name: str = "dbt_sources",
    args: Sequence[str] = (),
    external: Collection[str] = (),
) -> dg.AssetChecksDefinition:
    """Build the checks of what dbt says of the sources that these assets read.

    Each source test is a check on the source's asset, and ``freshness`` one where the source declares it. They run
    with the source, or on a schedule, and speak of each partition. What dbt could not say counts as errored, never as
    fresh.

    Args:
        assets: What ``@dbt_assets`` made, of one manifest.
        resource_key: Of the `DbtCliResource`.
        name: The name of the step.
        args: Options that dbt is run with, as ``--target prod``: those that `run_dbt` has.
        external: Sources (asset keys) that nothing in Dagster loads: the newest row that dbt sees is their version.
    """
    nodes = nodes_of(assets[0])
    if any(nodes_of(one).manifest != nodes.manifest for one in assets[1:]):
        raise InvalidInputError("These assets are of several dbt projects: build dbt_source_checks for each of them.")
    read = {key for one in assets for key in one.dependency_keys}
    known = {nodes.key_of(id_): node for id_, node in nodes.manifest["sources"].items()}
    sources = {key: known[key] for key in sorted(read & known.keys())}
    fresh = {key: node for key, node in sources.items() if _limits(node)}
    _refuse_unseen(external, fresh)
    specs = [*_test_specs(nodes, sources), *(_freshness_spec(key, node) for key, node in fresh.items())]
    if not specs:
        raise InvalidInputError(
            "dbt has no test and no freshness of the sources that these assets read; leave dbt_source_checks out."
        )

    @dg.multi_asset_check(name=name, specs=specs, can_subset=True, required_resource_keys={resource_key})
    def sources_checked(context: dg.AssetCheckExecutionContext) -> Iterator[Any]:
        dbt: DbtCliResource = getattr(context.resources, resource_key)
        asked, step = context.selected_asset_check_keys, context.op_execution_context

        def run(*command: str) -> "DbtCliInvocation":
            return dbt.cli([*command, *args], manifest=nodes.manifest, raise_on_error=False).wait()

        parts = {key: _parts(step, key) for key in {key.asset_key for key in asked}}
        before = read_newest(context.instance, {(key.to_user_string(), part) for key in parts for part in parts[key]})
        looked, unknown = _look_how_fresh({key: fresh[key.asset_key] for key in asked if key.name == FRESHNESS}, run)
        # Before they are tested: the rows that are tested then are these, or newer ones.
        for check, answer in looked.items():
            if check.asset_key.to_user_string() in external:
                _report(step, check.asset_key, answer, before)
        tested, problems = _test(nodes, tests_by_check(nodes, asked), run)
        found = {key: dict.fromkeys(parts[key.asset_key], answer) for key, answer in {**tested, **looked}.items()}
        yield from evaluate_unmoved(step, found, before)
        if problems or unknown:
            raise DashboardTrustError("; ".join([*problems, *unknown]))

    return sources_checked


def _refuse_unseen(external: Collection[str], fresh: Mapping[dg.AssetKey, Node]) -> None:
    known = {key.to_user_string() for key in fresh}
    for name in external:
        if name not in known:
            raise InvalidInputError(
                f"{name!r} is no source with a freshness that these assets read: {nearest(name, known)}. "
                "What nothing loads has a version only by its newest row: declare its `loaded_at_field`."
            )


def _parts(step: dg.OpExecutionContext, source: dg.AssetKey) -> list[str | None]:
    """Return what a look at a source's table is about: all of it, and each partition that was loaded into it.

    In a run of a partition that was loaded, that one alone.
    """
    loaded = step.instance.get_materialized_partitions(source)
    if step.has_partition_key and step.partition_key in loaded:
        loaded = {step.partition_key}
    return [None, *sorted(loaded)]


def _report(
    step: dg.OpExecutionContext, source: dg.AssetKey, answer: PartitionResult, before: Mapping[Place, Materialization]
) -> None:
    """Say that a source has rows that it had not when somebody last looked; nobody else says when it is loaded."""
    newest, last = before.get((source.to_user_string(), None)), answer.metadata["max_loaded_at"]
    if newest is None or newest.version != last:
        tags = {VERSION: last, AUTHOR_GAVE_VERSION: "true"}
        metadata = {DATA_AT: dg.MetadataValue.timestamp(_moment(last))}
        described = "dbt saw newer rows than before"
        step.log_event(dg.AssetMaterialization(source, description=described, tags=tags, metadata=metadata))


def _test(nodes: DbtNodes, checks: Mapping[dg.AssetCheckKey, set[str]], run: Run) -> tuple[Answers, list[str]]:
    """Run these tests; return what they say, and what could not be tested."""
    names = {".".join(nodes.manifest["nodes"][id_]["fqn"]) for ids in checks.values() for id_ in ids}
    if not names:
        return {}, []
    try:
        results = read_results(run("test", "--select", " ".join(sorted(names))))
    except DashboardTrustError as error:
        return {}, [str(error)]
    answers = {key: worst(results.get(id_) for id_ in ids) for key, ids in checks.items()}
    broken = [f"{result.name}: {result.message}" for result in results.values() if result.status in BROKEN]
    return {key: result_of(answer) for key, answer in answers.items() if answer}, broken


def _look_how_fresh(sources: Mapping[dg.AssetCheckKey, Node], run: Run) -> tuple[Answers, list[str]]:
    """Ask dbt how fresh these sources are; return what it says, and what it could not say."""
    if not sources:
        return {}, []
    names = {node["unique_id"]: f"source:{node['unique_id'].removeprefix('source.')}" for node in sources.values()}
    try:
        said = read_artifact(run("source", "freshness", "--select", " ".join(sorted(names.values()))), "sources.json")
    except DashboardTrustError as error:
        return {}, [str(error)]
    results = {result["unique_id"]: result for result in said["results"]}
    answers: Answers = {}
    unknown = []
    for key, node in sources.items():
        result = results.get(node["unique_id"], {})  # dbt leaves out what it could not look at
        if result.get("max_loaded_at_time_ago_in_s", 0) < -FUTURE_SECONDS:
            unknown.append(f"{names[node['unique_id']]} has rows from the future: nobody knows how fresh it is")
        elif result.get("status") in FRESH_OR_NOT:
            answers[key] = _freshness_result(node, result)
        else:
            unknown.append(f"dbt could not say how fresh {names[node['unique_id']]} is; run `dbt source freshness`")
    return answers, unknown


def _freshness_result(node: Node, result: Mapping[str, Any]) -> PartitionResult:
    age = dt.timedelta(seconds=round(result["max_loaded_at_time_ago_in_s"]))
    reason = f"its newest row is of {result['max_loaded_at'][:19]} UTC, {age} before dbt looked ({_limits(node)})"
    metadata = {"max_loaded_at": result["max_loaded_at"], "status": result["status"], "unique_id": node["unique_id"]}
    until = _end(node, result["max_loaded_at"])
    if until is not None and result["status"] != "error":
        metadata[EXPIRES] = until.isoformat()
    return PartitionResult(result["status"] == "pass", reason, warns=result["status"] == "warn", metadata=metadata)


def _end(node: Node, max_loaded_at: str) -> dt.datetime | None:
    """Return when dbt would say of the same rows that they are too old; None where it never does."""
    limit = node["freshness"].get("error_after") or {}
    if not limit.get("count"):
        return None
    return _moment(max_loaded_at) + dt.timedelta(**{f"{limit['period']}s": limit["count"]})


def _moment(max_loaded_at: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(max_loaded_at)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _test_specs(nodes: DbtNodes, sources: Mapping[dg.AssetKey, Node]) -> Iterator[dg.AssetCheckSpec]:
    specs = {
        (key, test["name"]): check_spec_of(test, key, None)
        for test in nodes.tests()
        for key in nodes.assets_of(test) & sources.keys()
    }
    yield from specs.values()


def _freshness_spec(key: dg.AssetKey, node: Node) -> dg.AssetCheckSpec:
    description = f"`dbt source freshness`: {_limits(node)}."
    metadata = {UNIQUE_ID: node["unique_id"]}
    return dg.AssetCheckSpec(FRESHNESS, asset=key, blocking=True, description=description, metadata=metadata)


def _limits(node: Node) -> str:
    """Say from when on dbt warns and errs; empty where the source declares no freshness."""
    declared = node.get("freshness") or {}
    limits = [(word, declared.get(f"{word}_after") or {}) for word in ("warn", "error")]
    return ", ".join(f"{word} after {one['count']} {one['period']}s" for word, one in limits if one.get("count"))
