"""The dbt models as assets: each section's models are a step of their own, behind a gate."""

# No postponed annotations here: Dagster reads the one of `context` as an object.

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, dbt_assets

from dashboard_trust.demo.dbt import DbtOutcome, build
from dashboard_trust.demo.home import Home
from dashboard_trust.enforcement.automation import inputs_ready
from dashboard_trust.enforcement.dbt_checks import dbt_checks
from dashboard_trust.enforcement.dbt_nodes import UNIQUE_ID
from dashboard_trust.enforcement.evaluations import PartitionResult, evaluate_partitions
from dashboard_trust.enforcement.fingerprinted_assets import fingerprinted
from dashboard_trust.enforcement.gated_assets import trusted
from dashboard_trust.enforcement.slices import PARTITION_EXPR
from dashboard_trust.errors import DashboardTrustError
from dashboard_trust.evidence.names import SLICES
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

DAY_COLUMN = "report_date"
OWNER = "analytics@example.com"
STEPS = {"revenue": "+revenue_daily", "pipeline": "+pipeline_daily"}
"""Each section's models, as dbt selects them: a mart with the staging models it alone is built from."""


class Translator(DagsterDbtTranslator):
    """Names assets by schema and table."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Return ``schema/table``: what a reader of the warehouse calls it."""
        if dbt_resource_props["resource_type"] == "source":
            return dg.AssetKey([dbt_resource_props["source_name"], dbt_resource_props["name"]])
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["alias"]])

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: Any) -> dg.AssetSpec:
        """Add owner, group, kinds, what asks for it, and of which inputs it reads only its own days."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        node = self.get_resource_props(manifest, unique_id)
        if node["resource_type"] != "model":
            return spec
        ours = (node.get("config", {}).get("meta") or node.get("meta") or {}).get("dashboard_trust", {})
        return spec.replace_attributes(
            metadata={**spec.metadata, SLICES: ours.get("slices", {}), PARTITION_EXPR: DAY_COLUMN},
            owners=[OWNER],
            group_name=spec.key.path[0],
            kinds={"dbt", "duckdb"},
            automation_condition=inputs_ready(),
        )


def build_models(manifest: Path, partitions: dg.PartitionsDefinition) -> dict[str, dg.AssetsDefinition]:
    """Build the step of each section, none of which runs on inputs that are not ready."""
    translator = Translator()
    steps = {name: dbt_checks(_step(name, manifest, partitions, translator)) for name in STEPS}
    return {name: trusted(fingerprinted(step, _warehouse, _marts(step))) for name, step in steps.items()}


def _warehouse() -> DuckDBWarehouse:
    return Home.from_environment().warehouse


def _marts(step: dg.AssetsDefinition) -> dict[str, str]:
    """Return what is published: staging models are views of the raw tables."""
    return {key.to_user_string(): ".".join(key.path) for key in step.keys if key.path[0] == "marts"}


def _step(
    section: str, manifest: Path, partitions: dg.PartitionsDefinition, translator: Translator
) -> dg.AssetsDefinition:
    @dbt_assets(
        manifest=manifest,
        select=STEPS[section],
        name=f"{section}_models",
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        dagster_dbt_translator=translator,
    )
    def models(context: dg.AssetExecutionContext) -> Iterator[Any]:
        nodes = json.loads(manifest.read_text())["nodes"]
        keys = {n["name"]: translator.get_asset_key(n) for n in nodes.values() if n["resource_type"] == "model"}
        days = list(context.partition_keys)
        names = [name for name, key in keys.items() if key in context.selected_asset_keys]
        home = Home.from_environment()
        # Under one lock, so that what is fingerprinted is what the tests looked at.
        with home.warehouse.lock(f"building {', '.join(names)}"):
            built = build(home, names, dt.date.fromisoformat(days[0]), dt.date.fromisoformat(days[-1]))
            for name in built.built:
                yield dg.MaterializeResult(asset_key=keys[name])
        checks = _checks(context.assets_def)
        results = {checks[test]: _results(outcomes) for test, outcomes in built.tests.items() if test in checks}
        ran = {key: found for key, found in results.items() if found and key in context.selected_asset_check_keys}
        yield from evaluate_partitions(context.instance, ran)
        if built.errors:
            raise DashboardTrustError(f"dbt could not build or test: {'; '.join(built.errors)}")

    return models


def _checks(assets: dg.AssetsDefinition) -> dict[str, dg.AssetCheckKey]:
    """Return the check each dbt test is shown as, by dbt's unique id."""
    specs = assets.check_specs
    return {str(spec.metadata[UNIQUE_ID]): spec.key for spec in specs if UNIQUE_ID in spec.metadata}


def _results(outcomes: Mapping[str, DbtOutcome]) -> dict[str, PartitionResult]:
    """Return what a test says by day; what it was skipped for, or could not say, stays without a result."""
    return {
        day: PartitionResult(found.status == "pass", found.message, warns=found.status == "warn")
        for day, found in outcomes.items()
        if found.status in ("pass", "fail", "warn")
    }
