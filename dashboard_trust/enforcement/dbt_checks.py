"""Every test that dbt runs in a step, declared as an asset check with its asset's partitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from dashboard_trust.enforcement.dbt_nodes import UNIQUE_ID, Node, nodes_of, selected_ids
from dashboard_trust.enforcement.gated_step import add_checks, body_of, quiet_check_spec


def dbt_checks(assets: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """Declare every test that dbt runs with these assets as an asset check of theirs.

    To those that dagster-dbt declares it adds unit tests, tests of several models (on each of them) and of
    ephemeral models (on what is built from them), and gives all of them the partitions of their asset. Its body
    answers for them by `run_dbt`. What is said of sources is a step of its own: `dbt_source_checks`.

    Args:
        assets: What ``@dbt_assets`` made, with whatever translator.
    """
    return add_checks(assets, list(_specs(assets)), body_of(assets))


def _specs(assets: dg.AssetsDefinition) -> Iterator[dg.AssetCheckSpec]:
    nodes, specs = nodes_of(assets), {spec.key: spec for spec in assets.specs}
    declared = {spec.key: spec for spec in assets.check_specs}
    for key, spec in declared.items():
        if key.asset_key in specs:
            yield quiet_check_spec(spec, partitions_def=specs[key.asset_key].partitions_def)
    selected = selected_ids(assets, nodes)
    for test in nodes.tests():
        if test["unique_id"] not in selected:
            continue
        for asset in sorted(nodes.assets_of(test) & specs.keys()):
            if dg.AssetCheckKey(asset, test["name"]) not in declared:
                yield check_spec_of(test, asset, specs[asset].partitions_def)


def check_spec_of(test: Node, asset: dg.AssetKey, partitions: dg.PartitionsDefinition | None) -> dg.AssetCheckSpec:
    """Return the check that a test is shown as on one of the assets it is about."""
    spec = dg.AssetCheckSpec(
        test["name"],
        asset=asset,
        description=test.get("description") or None,
        blocking=_severity(test["config"]) == "error",
        metadata={UNIQUE_ID: test["unique_id"]},
    )
    return quiet_check_spec(spec, partitions_def=partitions)


def _severity(config: Mapping[str, Any]) -> str:
    return str(config.get("severity") or "error").lower()
