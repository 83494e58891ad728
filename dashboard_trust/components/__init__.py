"""Dagster components: YAML in a defs folder becomes a guarded dashboard, or files that are loaded as they arrive."""

from __future__ import annotations

from dashboard_trust.components.trusted_dashboard import TrustedDashboard
from dashboard_trust.components.trusted_files import TrustedFiles

__all__ = ["TrustedDashboard", "TrustedFiles"]
