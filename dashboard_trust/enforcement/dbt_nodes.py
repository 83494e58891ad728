"""What a manifest says of the step that builds some of it: its tests, and the assets each is about.

The adapter to how dagster-dbt keeps a manifest with its assets; ``tests/upstream/test_dbt.py`` pins it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from dashboard_trust.errors import InvalidInputError

if TYPE_CHECKING:
    from dagster_dbt import DagsterDbtTranslator, DbtProject

UNIQUE_ID = "dagster_dbt/unique_id"
MANIFEST = "dagster_dbt/manifest"
SELECTION = ("dagster_dbt/select", "dagster_dbt/exclude", "dagster_dbt/selector")
TABLES = ("model.", "seed.", "snapshot.")

Node = Mapping[str, Any]


@dataclass(frozen=True)
class DbtNodes:
    """The manifest and the translator that some ``@dbt_assets`` were made with."""

    manifest: Mapping[str, Any]
    translator: DagsterDbtTranslator
    project: DbtProject | None

    def tests(self) -> Iterator[Node]:
        """Yield every data test and every unit test."""
        yield from (node for node in self.manifest["nodes"].values() if node["resource_type"] == "test")
        yield from (self.manifest.get("unit_tests") or {}).values()

    def assets_of(self, test: Node) -> set[dg.AssetKey]:
        """Return the assets a test is about.

        Of a test with several parents that is attached to none, each of them: a failure concerns any.
        A test of an ephemeral model is about the tables that are built from it.
        """
        from dagster_dbt.asset_utils import get_asset_check_key_for_test

        id_ = test["unique_id"]
        attached = get_asset_check_key_for_test(self.manifest, self.translator, id_, self.project)
        parents = {parent for above in test["depends_on"]["nodes"] for parent in self._tables(above)}
        keys = {parent: self.key_of(parent) for parent in parents}
        if attached is not None and attached.asset_key in keys.values():
            return {attached.asset_key}
        tables = {key for parent, key in keys.items() if not parent.startswith("source.")}
        return tables or set(keys.values())

    def key_of(self, unique_id: str) -> dg.AssetKey:
        """Return the asset key of a model, seed, snapshot or source."""
        return self.translator.get_asset_spec(self.manifest, unique_id, self.project).key

    def ancestors(self, unique_id: str) -> set[str]:
        """Return the unique ids of everything above a node."""
        found: set[str] = set()
        waiting = [unique_id]
        while waiting:
            above = set(self.manifest["parent_map"].get(waiting.pop(), ())) - found
            found |= above
            waiting += above
        return found

    def is_table(self, unique_id: str) -> bool:
        """Whether dbt builds a table or view of this node."""
        return unique_id.startswith(TABLES) and not self._is_ephemeral(unique_id)

    def _is_ephemeral(self, unique_id: str) -> bool:
        return bool(self.manifest["nodes"][unique_id]["config"].get("materialized") == "ephemeral")

    def _tables(self, unique_id: str) -> Iterator[str]:
        """Yield a table or source, or in place of an ephemeral model those that are built from it."""
        if unique_id.startswith("source.") or self.is_table(unique_id):
            yield unique_id
        elif unique_id.startswith(TABLES):
            for child in self.manifest["child_map"].get(unique_id, ()):
                yield from self._tables(child)


def nodes_of(assets: dg.AssetsDefinition) -> DbtNodes:
    """Return what ``@dbt_assets`` were made with; raise `InvalidInputError` for any other assets."""
    from dagster_dbt.asset_utils import get_manifest_and_translator_from_dbt_assets

    if not all(MANIFEST in spec.metadata for spec in assets.specs):
        names = ", ".join(key.to_user_string() for key in sorted(assets.keys))
        raise InvalidInputError(f"{names}: only what @dbt_assets made has dbt's words; give its definition.")
    return DbtNodes(*get_manifest_and_translator_from_dbt_assets([assets]))


def selected_ids(assets: dg.AssetsDefinition, nodes: DbtNodes) -> Set[str]:
    """Return the unique ids of everything that dbt runs when all of these assets are built."""
    from dagster_dbt.utils import select_unique_ids

    select, exclude, selector = (assets.op.tags.get(name) or "" for name in SELECTION)
    return select_unique_ids(select, exclude, selector, nodes.project, nodes.manifest)


def tests_by_check(nodes: DbtNodes, checks: Iterable[dg.AssetCheckKey]) -> dict[dg.AssetCheckKey, set[str]]:
    """Return the unique ids of the tests each of these checks stands for; tests of one name share a check."""
    found: dict[dg.AssetCheckKey, set[str]] = {key: set() for key in checks}
    for test in nodes.tests():
        for asset in nodes.assets_of(test):
            ids = found.get(dg.AssetCheckKey(asset, test["name"]))
            if ids is not None:
                ids.add(test["unique_id"])
    return {key: ids for key, ids in found.items() if ids}
