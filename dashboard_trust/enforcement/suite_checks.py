"""A Great Expectations suite as asset checks: one for each expectation, asked of each partition's own rows."""

# No postponed annotations here: Dagster reads the one of `context` as an object.

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from dashboard_trust.checks.gx_source import GXSource, open_query_rows
from dashboard_trust.checks.suite_rows import Look, SuiteRows, open_frame_rows
from dashboard_trust.checks.suites import Expectation, Suite, read_suite
from dashboard_trust.contracts.table_names import name_table
from dashboard_trust.enforcement.evaluations import PartitionResult, evaluate_partitions, fail_unanswered, find_moved
from dashboard_trust.enforcement.gated_step import check_spec
from dashboard_trust.enforcement.slices import PARTITION_EXPR, partition_slice
from dashboard_trust.errors import InvalidInputError
from dashboard_trust.evidence.facts import Materialization, Place
from dashboard_trust.readers.event_log import read_newest
from dashboard_trust.warehouses.fingerprints import Fingerprint
from dashboard_trust.warehouses.parts import WHOLE, Parts
from dashboard_trust.warehouses.session import Warehouse

if TYPE_CHECKING:
    from great_expectations import ExpectationSuite


def suite_checks(
    asset: dg.AssetsDefinition | dg.AssetSpec,
    suite: "str | Path | Mapping[str, Any] | ExpectationSuite",
    source: Callable[[], Warehouse] | GXSource,
    *,
    table: str | None = None,
    sample_failures: int = 0,
) -> dg.AssetChecksDefinition:
    """Show a suite as asset checks, for each partition bound to the load that it looked at.

    A ``critical`` expectation blocks; others warn. One that could not be asked is errored, and holds.

    Args:
        asset: Whose rows these are; where it is partitioned, it names its ``partition_expr``.
        suite: A path to its JSON, what is in one, or a suite in Python.
        source: Returns the warehouse whose rows are read into pandas; or the database that is asked itself.
        table: Where the rows are (``schema.name``); by default the asset's own (`name_table`).
        sample_failures: How many failing values of each expectation to show; without, no value of a row is.

    Raises:
        InvalidInputError: The suite cannot be read, there are several assets, or one without ``partition_expr``.
    """
    spec, read = _spec_of(asset), read_suite(suite)
    name = table or name_table(spec.key.path, spec.metadata)

    @dg.multi_asset_check(
        name=re.sub(r"\W", "_", "__".join([*spec.key.path, read.name]), flags=re.ASCII),
        specs=[
            check_spec(spec, one.name, one.description or one.kind, blocking=not one.warns) for one in read.expectations
        ],
        can_subset=True,
    )
    def check_suite(context: dg.AssetCheckExecutionContext) -> Iterator[Any]:
        asked = {key.name for key in context.selected_asset_check_keys}
        chosen = replace(read, expectations=tuple(one for one in read.expectations if one.name in asked))
        keys = list(context.op_execution_context.partition_keys) if spec.partitions_def is not None else []
        # Read before the rows are: what is loaded meanwhile is then another load than was looked at.
        asset_key = spec.key.to_user_string()
        loads = read_newest(context.instance, {(asset_key, key) for key in keys} or {(asset_key, None)})
        with _open(source, name) as rows:
            what = partition_slice(name, spec.partitions_def, keys, spec.metadata, rows.types, rows.dialect)
            whole: Parts = {WHOLE: None}
            parts = whole if spec.partitions_def is None else what.parts
            moved = _find_moved(rows, parts, asset_key, loads)
            there = {part: where for part, where in parts.items() if (part or None) not in moved}
            looks = {part: rows.look(where, chosen, sample_failures) for part, where in there.items()}
            # Others may write while a suite is asked: what it saw is what was there before and after.
            moved |= _find_moved(rows, there, asset_key, loads)
        looks = {part: look for part, look in looks.items() if (part or None) not in moved}
        results = {dg.AssetCheckKey(spec.key, one.name): _told(one, looks) for one in chosen.expectations}
        yield from evaluate_partitions(context.instance, results, loads=loads)
        reasons = {("", part or ""): why for part, why in moved.items()} | _reasons(chosen, looks)
        fail_unanswered(asset_key, reasons)

    return check_suite


def _spec_of(asset: dg.AssetsDefinition | dg.AssetSpec) -> dg.AssetSpec:
    specs = [asset] if isinstance(asset, dg.AssetSpec) else list(asset.specs)
    names = ", ".join(spec.key.to_user_string() for spec in specs)
    if len(specs) != 1:
        raise InvalidInputError(f"A suite is of one asset, and this step makes {names}: pass the spec of one of them.")
    if specs[0].partitions_def is not None and not specs[0].metadata.get(PARTITION_EXPR):
        raise InvalidInputError(f"{names} is partitioned: name the column of its partitions as {PARTITION_EXPR!r}.")
    return specs[0]


def _open(source: Callable[[], Warehouse] | GXSource, table: str) -> AbstractContextManager[SuiteRows]:
    return open_query_rows(source, table) if isinstance(source, GXSource) else open_frame_rows(source(), table)


def _find_moved(
    rows: SuiteRows, parts: Parts, asset: str, loads: Mapping[Place, Materialization]
) -> dict[str | None, str]:
    """Say which parts hold other rows than their newest load left there, where it left a fingerprint."""
    left = {part: load.fingerprint for part in parts if (load := loads.get((asset, part or None))) and load.fingerprint}
    known = {part for part, text in left.items() if Fingerprint.parse(text).engine.split()[0] == rows.dialect}
    found = rows.fingerprints({part: parts[part] for part in known}) if known else {}
    return find_moved(loads, asset, {part or None: now for part, now in found.items()})


def _told(expectation: Expectation, looks: Mapping[str, Look]) -> dict[str | None, PartitionResult]:
    """Return what an expectation found by partition, without those of which it could not tell."""
    told: dict[str | None, PartitionResult] = {}
    for part, look in looks.items():
        found = look.results[expectation.name]
        if found.outcome != "errored":
            # A condition on rows leaves some of them out: those that count are what the expectation saw.
            metadata = {**found.details, "rows": found.details.get("element_count", look.rows)}
            told[part or None] = PartitionResult(
                found.outcome == "passed", found.reason, expectation.warns, metadata=metadata
            )
    return told


def _reasons(suite: Suite, looks: Mapping[str, Look]) -> dict[tuple[str, str], str]:
    """Return why what could not be told could not, by expectation and part."""
    return {
        (one.name, part): look.results[one.name].reason
        for one in suite.expectations
        for part, look in looks.items()
        if look.results[one.name].outcome == "errored"
    }
