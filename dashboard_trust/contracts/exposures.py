"""Contracts from dbt exposures: who owns a dashboard, where it is, and what it stands on.

An exposure that is odd is never passed over in silence: it is named in ``problems``, and where a
contract can be made of it all the same, the contract is rather too strict than missing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dashboard_trust.contracts.entries import Entry, compose
from dashboard_trust.contracts.model import DashboardContract, RequiredAsset
from dashboard_trust.contracts.scalars import OWNER
from dashboard_trust.contracts.yaml import CONTRACT
from dashboard_trust.errors import ContractError, nearest

ASSETS = ("model", "seed", "snapshot", "source")
CRON_KEYS = ("cron", "cron_schedule", "schedule")
DAILY = re.compile(r"(?P<minute>\d{1,2})\s+(?P<hour>\d{1,2})\s+\*\s+\*\s+\*")
UNOWNED = "team:unowned"
OURS = {name: reader for name, reader in CONTRACT.items() if name != "requires"}

Node = Mapping[str, Any]


class Key(Protocol):
    """An asset key, as Dagster's own class is one."""

    def to_user_string(self) -> str:
        """Return the key with slashes."""


@dataclass(frozen=True, slots=True)
class Exposures:
    """The contracts of a manifest, and what is odd about its exposures, each with its name."""

    contracts: tuple[DashboardContract, ...]
    problems: tuple[str, ...]


def read_exposures(
    manifest: str | Path | Mapping[str, Any], *, asset_key: Callable[[Node], str | Key] | None = None
) -> Exposures:
    """Read a contract from each exposure of a dbt manifest.

    It requires all tables upstream of the exposure, sources included.

    Args:
        manifest: ``target/manifest.json``, or what it holds.
        asset_key: The asset key of a dbt node; by default as dagster-dbt has it. A translator's
            ``get_asset_key`` fits.

    Raises:
        ContractError: The manifest cannot be read.
    """
    content = _load(manifest)
    graph = _Graph(_nodes(content), _disabled(content), asset_key or default_asset_key)
    contracts: dict[str, DashboardContract] = {}
    problems = [f"exposure {id_}: is disabled in dbt, so it has no contract" for id_ in _disabled_exposures(graph)]
    ids: set[str] = set()
    for name, exposure in _exposures(content):
        contract, odd = _read(name, exposure, graph)
        if name in ids:
            odd.append("has the unique_id of another exposure; give each its own")
        ids.add(name)
        if contract is not None and contract.key in contracts:
            odd.append(f"is a second exposure for {contract.key!r}, the first one stands: set meta.dashboard_trust.key")
        elif contract is not None:
            contracts[contract.key] = contract
        problems += [f"exposure {name}: {problem}" for problem in odd]
    if not contracts and not problems:
        problems.append("the manifest has no exposure, so there is no contract")
    return Exposures(tuple(contracts.values()), tuple(problems))


def default_asset_key(node: Node) -> str:
    """Return the asset key that dagster-dbt gives a node, with slashes."""
    named = _section(_meta(node), "dagster").get("asset_key")
    if named:
        return _joined(named)
    if node.get("resource_type") == "source":
        return f"{node['source_name']}/{node['name']}"
    if node.get("version"):
        return str(node["alias"])
    schema = _section(node, "config").get("schema")
    return f"{schema}/{node['name']}" if schema is not None else str(node["name"])


@dataclass(frozen=True, slots=True)
class _Graph:
    """The nodes of a manifest by unique id, those that are disabled, and how a node's asset is called."""

    nodes: Mapping[str, Node]
    disabled: Mapping[str, Node]
    asset_key: Callable[[Node], str | Key]

    def assets_above(self, ids: Iterable[str], problems: list[str]) -> list[str]:
        """Return the asset keys of these nodes and of everything upstream of them.

        What dbt does not build is required all the same: who reads it reads a table nobody refreshes.
        """
        found: dict[str, None] = {}
        waiting, seen = list(ids), set(ids)
        while waiting:
            id_ = waiting.pop(0)
            node = self.nodes.get(id_)
            if node is None:
                word = "disabled" if id_ in self.disabled else "not in the manifest"
                problems.append(f"depends on {id_}, which is {word}: it is required and cannot be met")
                node = self.disabled.get(id_, {"name": id_.rpartition(".")[2], "resource_type": "model"})
            if _is_table(node):
                key = self.asset_key(node)
                found[key if isinstance(key, str) else key.to_user_string()] = None
            above = [upstream for upstream in _upstream(node) if upstream not in seen]
            seen.update(above)
            waiting += above
        return list(found)


def _read(name: str, exposure: Any, graph: _Graph) -> tuple[DashboardContract | None, list[str]]:
    """Return the contract of one exposure, if it can have one, and everything odd about it."""
    problems: list[str] = []
    if not isinstance(exposure, Mapping):
        return None, ["is not a mapping, so it has no contract"]
    if not exposure.get("unique_id"):
        problems.append(f"has no unique_id; it is taken for {name}")
    if exposure.get("type") != "dashboard":
        problems.append(f"is of type {exposure.get('type')!r}, not dashboard; it has a contract all the same")
    assets = graph.assets_above(_upstream(exposure), problems)
    if not assets:
        return None, [*problems, "depends on no table, and what requires nothing has no contract: fill its depends_on"]
    values = dict(_values(_fields(name, exposure, problems), problems))
    if "key" not in values:
        return None, [*problems, "has no asset key, so it has no contract: set meta.dashboard_trust.key"]
    return DashboardContract(**values, requires=tuple(map(RequiredAsset, assets))), problems


def _fields(name: str, exposure: Node, problems: list[str]) -> dict[str, Any]:
    """Return the contract's fields as somebody wrote them; ours in ``meta.dashboard_trust`` go first."""
    meta = _meta(exposure)
    ours = _section(meta, "dashboard_trust")
    title = exposure.get("name") or name.rpartition(".")[2]
    named = _section(meta, "dagster").get("asset_key")
    fields: dict[str, Any] = {
        "key": _joined(named) if named else f"dashboards/{title}",
        "title": exposure.get("label") or title,
        "url": exposure.get("url"),
        "owner": _owner(exposure, problems) if "owner" not in ours else None,
        "ready_by": _ready_by(meta, problems) if "ready_by" not in ours else None,
    }
    own = {key: value for key, value in ours.items() if key not in CRON_KEYS and not key.endswith("timezone")}
    return {key: value for key, value in {**fields, **own}.items() if value is not None}


def _values(fields: Mapping[str, Any], problems: list[str]) -> Iterator[tuple[str, Any]]:
    """Yield each field as the YAML reader of that field reads it; what it refuses is left out."""
    for name, written in fields.items():
        if name not in OURS:
            problems.append(f"meta.dashboard_trust has an unknown key {name!r}: {nearest(name, OURS)}")
            continue
        try:
            # JSON is YAML too, and so the same readers serve for both.
            root = next(compose(json.dumps(written, ensure_ascii=False, default=str), ""))
            yield name, OURS[name](Entry("", name, root.node))
        except ContractError as error:
            problem = str(error).partition(": ")[2]  # without the line, which the manifest does not have
            problems.append(f"{problem.removesuffix('.')}; {name} is left out")
            if name == "owner":
                yield name, UNOWNED


def _owner(exposure: Node, problems: list[str]) -> str:
    owner = _section(exposure, "owner")
    given = owner.get("email") or []
    mails = [str(mail) for mail in ([given] if isinstance(given, str) else given)]
    good = [mail for mail in mails if OWNER.fullmatch(mail)]
    if len(good) > 1:
        problems.append(f"has several owners: {good[0]} is told, not {', '.join(good[1:])}")
    if good:
        return good[0]
    if mails:
        problems.append(f"{', '.join(mails)} is not an e-mail address")
    if owner.get("name"):
        return f"team:{owner['name']}"
    problems.append(f"has no owner; it is {UNOWNED} until its owner has an e-mail address or a name")
    return UNOWNED


def _ready_by(meta: Node, problems: list[str]) -> dict[str, str] | None:
    """Return when it is promised, as far as a schedule somebody wrote down says that."""
    for place in (_section(meta, "dashboard_trust"), _section(meta, "dagster"), meta):
        written = next((place[key] for key in CRON_KEYS if place.get(key)), None)
        if written is None:
            continue
        crons = [str(cron).strip() for cron in (written if isinstance(written, list) else [written])]
        daily = [found for cron in crons if (found := DAILY.fullmatch(_spelled_out(cron)))]
        others = [cron for cron in crons if not DAILY.fullmatch(_spelled_out(cron))]
        if others or len(daily) > 1:
            left = others if len(daily) == 1 else crons
            problems.append(f"its schedule {', '.join(map(repr, left))} is no one daily time; set ready_by instead")
        if len(daily) != 1:
            return None
        zone = place.get("cron_timezone") or place.get("timezone") or "UTC"
        return {"time": f"{int(daily[0]['hour']):02}:{int(daily[0]['minute']):02}", "timezone": str(zone)}
    return None


def _spelled_out(cron: str) -> str:
    return "0 0 * * *" if cron in ("@daily", "@midnight") else cron


def _load(manifest: str | Path | Mapping[str, Any]) -> Mapping[str, Any]:
    source = "the manifest" if isinstance(manifest, Mapping) else str(manifest)
    try:
        content = manifest if isinstance(manifest, Mapping) else json.loads(Path(manifest).read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ContractError(f"{source}: cannot be read: {error}. Write it with `dbt parse`.") from error
    if not isinstance(content, Mapping) or not isinstance(content.get("exposures"), Mapping | list):
        raise ContractError(f"{source}: is no dbt manifest: it has no exposures. Write it with `dbt parse`.")
    return content


def _exposures(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    listed = content["exposures"]
    keyed = listed.items() if isinstance(listed, Mapping) else ((f"exposures[{n}]", e) for n, e in enumerate(listed, 1))
    for key, exposure in keyed:
        given = exposure.get("unique_id") or exposure.get("name") if isinstance(exposure, Mapping) else None
        yield str(given or key), exposure


def _nodes(content: Mapping[str, Any]) -> dict[str, Node]:
    kinds = ("nodes", "sources", "metrics", "semantic_models", "saved_queries", "functions")
    return {id_: node for kind in kinds for id_, node in (content.get(kind) or {}).items()}


def _disabled(content: Mapping[str, Any]) -> dict[str, Node]:
    return {id_: nodes[0] for id_, nodes in (content.get("disabled") or {}).items() if nodes}


def _disabled_exposures(graph: _Graph) -> list[str]:
    return [id_ for id_, node in graph.disabled.items() if node.get("resource_type") == "exposure"]


def _is_table(node: Node) -> bool:
    return node.get("resource_type") in ASSETS and _section(node, "config").get("materialized") != "ephemeral"


def _upstream(node: Node) -> list[str]:
    return [str(id_) for id_ in _section(node, "depends_on").get("nodes") or ()]


def _meta(node: Node) -> Node:
    return _section(_section(node, "config"), "meta") or _section(node, "meta")


def _section(node: Node, name: str) -> Node:
    section = node.get(name)
    return section if isinstance(section, Mapping) else {}


def _joined(key: Any) -> str:
    return "/".join(map(str, key)) if isinstance(key, list | tuple) else str(key)
