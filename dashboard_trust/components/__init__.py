"""Contracts as Dagster components: YAML in a defs folder becomes a guarded dashboard, or assets with evidence."""

from __future__ import annotations

from dashboard_trust.components.trusted_airbyte import TrustedAirbyte
from dashboard_trust.components.trusted_dashboard import TrustedDashboard

__all__ = ["TrustedAirbyte", "TrustedDashboard"]
