"""The folder a demo lives in; nothing in it names where it stands, so it can be copied."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dashboard_trust.errors import HomeError
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

VARIABLE = "DASHBOARD_TRUST_HOME"
DEFAULT = ".dashboard_trust"
DAGSTER_YAML = """\
telemetry:
  enabled: false
nux:
  enabled: false
"""


@dataclass(frozen=True, slots=True)
class Home:
    """A demo's folder, and the places in it."""

    path: Path

    @classmethod
    def from_environment(cls) -> Home:
        """Return the home that ``DASHBOARD_TRUST_HOME`` names, else ``.dashboard_trust`` here."""
        return cls(Path(os.environ.get(VARIABLE) or DEFAULT).absolute())

    @property
    def source(self) -> Path:
        """The systems of record, as CSV files."""
        return self.path / "source"

    @property
    def landing(self) -> Path:
        """Where other teams drop files."""
        return self.path / "landing"

    @property
    def warehouse(self) -> DuckDBWarehouse:
        """The warehouse file, behind its lock."""
        return DuckDBWarehouse(self.path / "warehouse.duckdb")

    @property
    def dagster(self) -> Path:
        """The Dagster instance."""
        return self.path / "dagster"

    @property
    def site(self) -> Path:
        """The page people open, its releases, and the word beside them."""
        return self.path / "site"

    @property
    def dbt(self) -> Path:
        """Dbt's manifest, target and logs."""
        return self.path / "dbt"

    @property
    def airbyte(self) -> Path:
        """Where a sync lands its streams until they are loaded."""
        return self.path / "airbyte"

    def create(self) -> None:
        """Make the folders that are missing, and Dagster's settings; raise `HomeError` where that fails."""
        try:
            for folder in (self.path, self.dagster, self.site, self.dbt):
                folder.mkdir(parents=True, exist_ok=True)
            settings = self.dagster / "dagster.yaml"
            if not settings.exists():
                # Written beside and renamed: half of it would be read as all of it.
                building = settings.with_suffix(".building")
                building.write_text(DAGSTER_YAML)
                building.replace(settings)
        except OSError as error:
            raise HomeError(
                f"{self.path} cannot be used as a home: {error.strerror or error}. Name another folder with --home."
            ) from None
