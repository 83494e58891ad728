"""What `dg scaffold defs` writes for each component: a declaration to fill in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg

from dashboard_trust.errors import InvalidInputError

TEMPLATE = """\
type: {type}

attributes:
  # The dashboard's asset key, with slashes, and who acts while it is held (an e-mail address or team:name).
  key: dashboards/{name}
  owner: team:{name}

  # The assets it is built from. It requires these and everything upstream of them, with every check
  # of ERROR severity. With nothing upstream it is refused.
  deps: []

  # What refreshes it, called as function(context, verdicts) only when all of that passes.
  # Without it the asset is a gate alone: it is materialized when the gate is open.
  # refresh: {package}.refresh:{name}

  # title: {title}
  # url: https://bi.example.com/{name}
  # partitions: {{schedule: daily, start: "2026-01-01", timezone: UTC}}
  # ready_by: {{time: "08:00", timezone: UTC}}
  # freshness:
  #   raw/orders: {{fail_after_hours: 26}}
  # sections:
  #   - {{key: main, title: Main, assets: [marts/orders], when_unmet: block}}

# The gate is bound where your project's definitions are built, once for all dashboards:
#   from dashboard_trust import trust
#   return trust(dg.load_from_defs_folder(path_within_project=Path(__file__).parent))
"""


AIRBYTE_TEMPLATE = """\
type: {type}

attributes:
  # Where Airbyte is. For Airbyte Cloud leave out the two addresses.
  workspace:
    workspace_id: "{{{{ env.AIRBYTE_WORKSPACE_ID }}}}"
    rest_api_base_url: "{{{{ env.AIRBYTE_REST_URL }}}}"
    configuration_api_base_url: "{{{{ env.AIRBYTE_CONFIGURATION_URL }}}}"
    # client_id: "{{{{ env.AIRBYTE_CLIENT_ID }}}}"
    # client_secret: "{{{{ env.AIRBYTE_CLIENT_SECRET }}}}"

  # Where its tables are: duckdb:///path, postgresql://... or snowflake://...
  warehouse: "{{{{ env.WAREHOUSE }}}}"

  # Each connection, by its id in Airbyte. What is left out is read once by `dg utils refresh-defs-state`.
  connections:
    - id: {name}
      owner: team:{name}
      # schema_name: raw
      # streams:
      #   - name: orders
      #     sync_mode: incremental
      #     destination_sync_mode: append_dedup
      #     cursor: updated_at
      #     primary_key: [order_id]
      #     deletes: unseen
      #     full_list: {{table: raw.order_ids, every_hours: 24}}

  # Whether syncs that others launch are reported.
  sensor: true
"""


class TrustedDashboardScaffolder(dg.Scaffolder[Any]):
    """Writes a ``defs.yaml`` that says what each key is for."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Write it; raise `InvalidInputError` where Python was asked for."""
        if request.scaffold_format != "yaml":
            raise InvalidInputError(
                "TrustedDashboard is declared in YAML; in Python, use dashboard_trust.trusted_dashboard."
            )
        file = request.target_path if request.append else request.target_path / "defs.yaml"
        name = file.parent.name
        text = TEMPLATE.format(
            type=request.type_name,
            name=name,
            title=name.replace("_", " ").capitalize(),
            package=_package_of(file),
        )
        before = f"{file.read_text('utf-8')}---\n" if request.append else ""
        file.write_text(before + text, "utf-8")


class TrustedAirbyteScaffolder(dg.Scaffolder[Any]):
    """Writes a ``defs.yaml`` that says what each key is for."""

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Write it; raise `InvalidInputError` where Python was asked for."""
        if request.scaffold_format != "yaml":
            raise InvalidInputError("TrustedAirbyte is declared in YAML; in Python, use trusted_airbyte.")
        file = request.target_path if request.append else request.target_path / "defs.yaml"
        before = f"{file.read_text('utf-8')}---\n" if request.append else ""
        file.write_text(before + AIRBYTE_TEMPLATE.format(type=request.type_name, name=file.parent.name), "utf-8")


def _package_of(file: Path) -> str:
    """Return the package whose defs folder a file is in."""
    return next((folder.parent.name for folder in file.parents if folder.name == "defs"), "my_project")
