"""Dagster components: YAML in a defs folder becomes a guarded dashboard, Airbyte's tables, or files that arrive."""

from __future__ import annotations

from dashboard_trust.components.trusted_airbyte import TrustedAirbyte
from dashboard_trust.components.trusted_dashboard import TrustedDashboard
from dashboard_trust.components.trusted_files import TrustedFiles

__all__ = ["TrustedAirbyte", "TrustedDashboard", "TrustedFiles"]
