"""Dagster dashboards that refresh only when everything upstream may be believed."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dashboard_trust.arrivals.arriving_files import arriving_files
    from dashboard_trust.arrivals.completeness import Manifest, Marker, Settled
    from dashboard_trust.arrivals.declaration import Csv, FileColumn, FileSource, JsonLines, Parquet
    from dashboard_trust.arrivals.file_arrivals import file_arrival_sensor
    from dashboard_trust.arrivals.patterns import PathPattern
    from dashboard_trust.arrivals.stores import Store
    from dashboard_trust.checks.frames import check_frame
    from dashboard_trust.checks.gx_source import GXSource
    from dashboard_trust.contracts.exposures import read_exposures
    from dashboard_trust.contracts.model import (
        DashboardContract,
        PartitionSchedule,
        ReadyBy,
        RequiredAsset,
        Section,
    )
    from dashboard_trust.contracts.row_rules import (
        AcceptedValues,
        Condition,
        Fits,
        Length,
        Monotonic,
        NotNull,
        Pattern,
        Range,
        References,
        Unique,
    )
    from dashboard_trust.contracts.sources import Source
    from dashboard_trust.contracts.streams import ConnectionContract, FullList, StreamContract
    from dashboard_trust.contracts.table_rules import (
        Columns,
        Freshness,
        Query,
        Reconciliation,
        RowCount,
        TableRules,
        VolumeAnomaly,
    )
    from dashboard_trust.contracts.yaml import read_contracts
    from dashboard_trust.enforcement.airbyte_assets import trusted_airbyte
    from dashboard_trust.enforcement.airbyte_sensor import airbyte_sensor
    from dashboard_trust.enforcement.audited_assets import audited
    from dashboard_trust.enforcement.automation import inputs_ready, readiness_sensor
    from dashboard_trust.enforcement.calls import calling
    from dashboard_trust.enforcement.dbt_checks import dbt_checks
    from dashboard_trust.enforcement.dbt_run import run_dbt
    from dashboard_trust.enforcement.dbt_sources import dbt_source_checks
    from dashboard_trust.enforcement.fingerprinted_assets import fingerprinted
    from dashboard_trust.enforcement.gated_assets import confirm, trust, trusted, trusted_dashboard
    from dashboard_trust.enforcement.io_manager import TrustedIOManager
    from dashboard_trust.enforcement.receipts import left_out, receipt_key
    from dashboard_trust.enforcement.suite_checks import suite_checks
    from dashboard_trust.enforcement.table_checks import table_checks
    from dashboard_trust.errors import DashboardTrustError, FailureClass, SourceError
    from dashboard_trust.failures.classify import classify
    from dashboard_trust.failures.policy import Budget, Retries
    from dashboard_trust.publication.publisher import Publisher
    from dashboard_trust.publication.states import readiness_writer
    from dashboard_trust.publication.swap import Destination
    from dashboard_trust.publication.tables import PublishedTable
    from dashboard_trust.verdicts.judge import judge
    from dashboard_trust.verdicts.verdict import Finding, Outcome, Readiness, Verdict

_HOMES = {
    "arrivals.arriving_files": ("arriving_files",),
    "arrivals.completeness": ("Manifest", "Marker", "Settled"),
    "arrivals.declaration": ("Csv", "FileColumn", "FileSource", "JsonLines", "Parquet"),
    "arrivals.file_arrivals": ("file_arrival_sensor",),
    "arrivals.patterns": ("PathPattern",),
    "arrivals.stores": ("Store",),
    "contracts.row_rules": (
        "AcceptedValues",
        "Condition",
        "Fits",
        "Length",
        "Monotonic",
        "NotNull",
        "Pattern",
        "Range",
        "References",
        "Unique",
    ),
    "contracts.streams": ("ConnectionContract", "FullList", "StreamContract"),
    "contracts.table_rules": (
        "Columns",
        "Freshness",
        "Query",
        "Reconciliation",
        "RowCount",
        "TableRules",
        "VolumeAnomaly",
    ),
    "checks.frames": ("check_frame",),
    "enforcement.table_checks": ("table_checks",),
    "checks.gx_source": ("GXSource",),
    "contracts.exposures": ("read_exposures",),
    "contracts.model": ("DashboardContract", "PartitionSchedule", "ReadyBy", "RequiredAsset", "Section"),
    "contracts.sources": ("Source",),
    "contracts.yaml": ("read_contracts",),
    "enforcement.airbyte_assets": ("trusted_airbyte",),
    "enforcement.airbyte_sensor": ("airbyte_sensor",),
    "enforcement.audited_assets": ("audited",),
    "enforcement.automation": ("inputs_ready", "readiness_sensor"),
    "enforcement.calls": ("calling",),
    "enforcement.dbt_checks": ("dbt_checks",),
    "enforcement.dbt_run": ("run_dbt",),
    "enforcement.dbt_sources": ("dbt_source_checks",),
    "enforcement.fingerprinted_assets": ("fingerprinted",),
    "enforcement.gated_assets": ("confirm", "trust", "trusted", "trusted_dashboard"),
    "enforcement.io_manager": ("TrustedIOManager",),
    "enforcement.receipts": ("left_out", "receipt_key"),
    "enforcement.suite_checks": ("suite_checks",),
    "errors": ("DashboardTrustError", "FailureClass", "SourceError"),
    "failures.classify": ("classify",),
    "failures.policy": ("Budget", "Retries"),
    "publication.publisher": ("Publisher",),
    "publication.states": ("readiness_writer",),
    "publication.swap": ("Destination",),
    "publication.tables": ("PublishedTable",),
    "verdicts.judge": ("judge",),
    "verdicts.verdict": ("Finding", "Outcome", "Readiness", "Verdict"),
}
_MODULES = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AcceptedValues",
    "Budget",
    "Columns",
    "Condition",
    "ConnectionContract",
    "Csv",
    "DashboardContract",
    "DashboardTrustError",
    "Destination",
    "FailureClass",
    "FileColumn",
    "FileSource",
    "Finding",
    "Fits",
    "Freshness",
    "FullList",
    "GXSource",
    "JsonLines",
    "Length",
    "Manifest",
    "Marker",
    "Monotonic",
    "NotNull",
    "Outcome",
    "Parquet",
    "PartitionSchedule",
    "PathPattern",
    "Pattern",
    "PublishedTable",
    "Publisher",
    "Query",
    "Range",
    "Readiness",
    "ReadyBy",
    "Reconciliation",
    "References",
    "RequiredAsset",
    "Retries",
    "RowCount",
    "Section",
    "Settled",
    "Source",
    "SourceError",
    "Store",
    "StreamContract",
    "TableRules",
    "TrustedIOManager",
    "Unique",
    "Verdict",
    "VolumeAnomaly",
    "airbyte_sensor",
    "arriving_files",
    "audited",
    "calling",
    "check_frame",
    "classify",
    "confirm",
    "dbt_checks",
    "dbt_source_checks",
    "file_arrival_sensor",
    "fingerprinted",
    "inputs_ready",
    "judge",
    "left_out",
    "read_contracts",
    "read_exposures",
    "readiness_sensor",
    "readiness_writer",
    "receipt_key",
    "run_dbt",
    "suite_checks",
    "table_checks",
    "trust",
    "trusted",
    "trusted_airbyte",
    "trusted_dashboard",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for, so that importing the package stays light."""
    if name not in _MODULES:
        raise AttributeError(f"module 'dashboard_trust' has no attribute {name!r}")
    return getattr(import_module(f"dashboard_trust.{_MODULES[name]}"), name)
