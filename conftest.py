"""The README's Python is run as it stands."""

from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser()],
    patterns=["README.md", "docs/airbyte.md", "docs/arrivals.md", "docs/failures.md", "docs/rules.md"],
).pytest()
