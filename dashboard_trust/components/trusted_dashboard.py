"""A dashboard declared in a ``defs.yaml``."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import dagster as dg

from dashboard_trust.components.fields import (
    FreshnessField,
    PartitionsField,
    ReadyByField,
    RequiredField,
    SectionField,
    WaitField,
)
from dashboard_trust.components.scaffold import TrustedDashboardScaffolder
from dashboard_trust.errors import InvalidInputError

if TYPE_CHECKING:
    from dashboard_trust.contracts.model import DashboardContract
    from dashboard_trust.enforcement.gated_assets import Refresh


@dg.scaffold_with(TrustedDashboardScaffolder)
class TrustedDashboard(dg.Component, dg.Model, dg.Resolvable):
    """A dashboard that refreshes only when everything upstream of it passes.

    The attributes are those of a contract, and ``deps`` and ``refresh`` (``package.module:function``);
    without ``refresh`` the asset is a gate alone, materialized when it is open. Until the project's
    definitions go through ``trust(...)``, it holds.
    """

    key: str
    owner: str
    title: str | None = None
    url: str | None = None
    partitions: PartitionsField | None = None
    ready_by: ReadyByField | None = None
    requires: list[RequiredField] | None = None
    freshness: dict[str, FreshnessField] | None = None
    sections: list[SectionField] | None = None
    window: int | None = None
    wait_for_checks: WaitField | None = None
    enforce: bool | None = None
    accept_reported: bool | None = None
    at_most_once: bool | None = None
    late_inputs: Literal["rerun", "propose"] | None = None
    message: str | None = None
    tables: list[dict[str, Any]] | None = None
    sources: list[dict[str, Any]] | None = None
    deps: list[str] | None = None
    refresh: str | None = None

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the guarded dashboard; raise `InvalidInputError` for what cannot be meant."""
        from dashboard_trust.enforcement.gated_assets import trusted_dashboard

        contract = self.contract(str(context.path / "defs.yaml"))
        refresh = only_open_the_gate if self.refresh is None else find_refresh(self.refresh, contract.key)
        return dg.Definitions([trusted_dashboard(contract, refresh, deps=self.deps or ())])

    def contract(self, source: str = "TrustedDashboard") -> DashboardContract:
        """Return the contract, read as any YAML contract is; ``source`` is what errors call it."""
        from dashboard_trust.contracts.yaml import parse_contracts

        written = self.model_dump(exclude={"deps", "refresh"}, exclude_none=True)
        # JSON is YAML too; a key a line, so that an error's line tells the contract's keys apart.
        return parse_contracts(json.dumps(written, indent=0, ensure_ascii=False), source)[0]


def only_open_the_gate(context: Any, verdicts: Any) -> None:
    """Refresh nothing: what comes after the asset is what the gate stands before."""


def find_refresh(name: str, dashboard: str) -> Refresh:
    """Return the function that ``package.module:function`` names."""
    module_name, _, function_name = name.partition(":")
    where = f"{dashboard!r}: refresh {name!r}"
    if not module_name or not function_name:
        raise InvalidInputError(f"{where} is not written as package.module:function.")
    try:
        module = import_module(module_name)
    except ImportError as error:
        raise InvalidInputError(f"{where} cannot be imported: {error}.") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        raise InvalidInputError(f"{where}: module {module_name} has no function {function_name!r}.")
    refresh: Refresh = function
    return refresh
