"""What dbt skipped: what only follows from something that is told elsewhere, and what would be lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg

from dashboard_trust.enforcement.dbt_nodes import DbtNodes
from dashboard_trust.enforcement.dbt_results import BROKEN, DbtResults


@dataclass(frozen=True, slots=True)
class Skipped:
    """What dbt skipped.

    ``following`` are, by asset, the skipped checks (none: the asset itself) that something above accounts for, which
    is a finding of its own. ``unexplained`` are the models for which nothing above is.
    """

    following: Mapping[dg.AssetKey, frozenset[str]]
    unexplained: tuple[str, ...]


def find_skipped(nodes: DbtNodes, checks: Mapping[dg.AssetCheckKey, set[str]], results: DbtResults) -> Skipped:
    """Return what dbt skipped, and whether something that is shown accounts for it."""
    statuses = {id_: result.status for id_, result in results.items()}
    tables = {id_: nodes.key_of(id_) for id_ in results if nodes.is_table(id_)}
    wrong = {key for id_, key in tables.items() if statuses[id_] in BROKEN}
    wrong |= {check.asset_key for check, ids in checks.items() if any(statuses.get(id_) == "fail" for id_ in ids)}
    skipped = {id_: key for id_, key in tables.items() if statuses[id_] == "skipped"}
    follow = {id_ for id_ in skipped if any(tables.get(above) in wrong for above in nodes.ancestors(id_))}
    following = {skipped[id_]: frozenset[str]() for id_ in follow}
    for check, ids in checks.items():
        unreached = any(statuses.get(id_) == "skipped" for id_ in ids)
        if unreached and check.asset_key not in skipped.values():
            following[check.asset_key] = following.get(check.asset_key, frozenset()) | {check.name}
    return Skipped(following, tuple(results[id_].name for id_ in skipped if id_ not in follow))
