"""The contracts' windows as Dagster's own freshness policies, so that its UI and daemon show them.

The gate does not rely on them: Dagster evaluates per asset, never per partition, and keeps a PASS when
its daemon stops.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

import dagster as dg

from dashboard_trust.contracts.model import DashboardContract

SHORTEST = dt.timedelta(minutes=1)


def with_freshness_policies(defs: dg.Definitions, contracts: Iterable[DashboardContract]) -> dg.Definitions:
    """Return the definitions with the narrowest window any contract sets on each asset that has no policy."""
    windows: dict[str, dt.timedelta] = {}
    for contract in contracts:
        for asset, window in contract.freshness.items():
            windows[asset] = min(window, windows.get(asset, window))
    if not windows:
        return defs

    def add(spec: dg.AssetSpec) -> dg.AssetSpec:
        window = windows.get(spec.key.to_user_string())
        if window is None or window < SHORTEST or spec.freshness_policy is not None:
            return spec
        return spec.replace_attributes(freshness_policy=dg.FreshnessPolicy.time_window(fail_window=window))

    return defs.permissive_map_resolved_asset_specs(func=add, selection=None)
