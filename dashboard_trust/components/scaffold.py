"""What `dg scaffold defs` writes for each component: a declaration to fill in."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

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


AIRBYTE = """\
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


FILES = """\
type: {type}

attributes:
  # The asset's key, with slashes: its last two parts are the table. Who acts when a file is late or refused.
  key: raw/{name}
  owner: team:{name}

  # Where the files arrive, and what their paths look like below it. Fields in braces; dates with a format.
  store: s3://my-bucket/landing
  pattern: "{name}/{{day:%Y-%m-%d}}.csv"

  # What each field of the path tells. Values and dynamic partitions are told by fields without a format.
  partitions:
    day: {{schedule: daily, start: "2026-01-01"}}

  # What is read: text, integer, decimal(18, 2), number, date, timestamp, boolean.
  columns:
    - {{name: id, type: integer, required: true}}

  # Rows that do not fit are kept aside; with more of them than this, the file is refused.
  max_refused: 0

  # options: {{anon: true}}
  # format: csv
  # encoding: utf-8
  # complete: {{settled_seconds: 60}}
  # ignored: ["{name}/readme.txt"]
  # expected: {{time: "06:00", timezone: UTC}}
  # audit: [unique: id]
  # frame: pandas
  # transform: {package}.files:{name}

# The rows are written by the project's resource `warehouse_io`:
#   TrustedIOManager(DuckDBWarehouse(Path("warehouse.duckdb")))
"""


class _Scaffolder(dg.Scaffolder[Any]):
    """Writes a ``defs.yaml`` that says what each key is for."""

    template: ClassVar[str]
    in_python: ClassVar[str]

    def scaffold(self, request: dg.ScaffoldRequest[Any]) -> None:
        """Write it; raise `InvalidInputError` where Python was asked for."""
        if request.scaffold_format != "yaml":
            kind = request.type_name.rpartition(".")[2]
            raise InvalidInputError(f"{kind} is declared in YAML; in Python, use {self.in_python}.")
        file = request.target_path if request.append else request.target_path / "defs.yaml"
        name = file.parent.name
        text = self.template.format(
            type=request.type_name,
            name=name,
            title=name.replace("_", " ").capitalize(),
            package=_package_of(file),
        )
        before = f"{file.read_text('utf-8')}---\n" if request.append else ""
        file.write_text(before + text, "utf-8")


class TrustedAirbyteScaffolder(_Scaffolder):
    """Scaffolds Airbyte's connections."""

    template = AIRBYTE
    in_python = "dashboard_trust.trusted_airbyte"


class TrustedDashboardScaffolder(_Scaffolder):
    """Scaffolds a dashboard."""

    template = TEMPLATE
    in_python = "dashboard_trust.trusted_dashboard"


class TrustedFilesScaffolder(_Scaffolder):
    """Scaffolds files that arrive."""

    template = FILES
    in_python = "dashboard_trust.arriving_files"


def _package_of(file: Path) -> str:
    """Return the package whose defs folder a file is in."""
    return next((folder.parent.name for folder in file.parents if folder.name == "defs"), "my_project")
