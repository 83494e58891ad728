"""The Python of README and docs is run as it stands, and warnings are errors in it as in tests."""

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()],
    patterns=["README.md", "docs/airbyte.md", "docs/arrivals.md", "docs/failures.md", "docs/rules.md"],
).pytest()


def pytest_configure(config: pytest.Config) -> None:
    """Let Dagster say which of its features are in beta or a preview; every other warning is an error."""
    for word in ("BetaWarning", "PreviewWarning"):
        config.addinivalue_line("filterwarnings", f"ignore::dagster_shared.utils.warnings.{word}")
