import subprocess
import sys

import dashboard_trust

HEAVY = {
    "altair",
    "apprise",
    "dagster",
    "dagster_dbt",
    "dbt",
    "duckdb",
    "great_expectations",
    "pandas",
    "polars",
    "snowflake.connector",
    "sqlalchemy",
    "typer",
}


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_imports_nothing_heavy():
    assert not HEAVY & modules_after("import dashboard_trust")


def test_the_values_and_the_judge_know_no_framework():
    values = "from dashboard_trust import DashboardContract, ReadyBy, Section, judge, Verdict"

    assert not HEAVY & modules_after(values)


def test_dagster_is_imported_without_the_heavier_ones():
    gate = "from dashboard_trust import GXSource, suite_checks, trust, trusted, trusted_dashboard"

    assert not (HEAVY - {"dagster", "sqlalchemy"}) & modules_after(gate)


def test_the_public_names_are_these():
    assert set(dashboard_trust.__all__) == {
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
        "Finding",
        "FileColumn",
        "FileSource",
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
        "Store",
        "Source",
        "SourceError",
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
    }
    for name in dashboard_trust.__all__:
        assert getattr(dashboard_trust, name) is not None


def test_an_unknown_name_is_an_attribute_error():
    missing = "trust_me"

    assert not hasattr(dashboard_trust, missing)
