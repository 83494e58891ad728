"""The chains in their states, and the table that the documentation gives of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

# The projects are loaded by Dagster's own commands too, from this folder, and by the same names.
sys.path.insert(0, str(Path(__file__).parent))

DOCUMENT = Path(__file__).parents[2] / "docs" / "launch-paths.md"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory):
    """Bring the chains of a project into their states, on a home of their own."""
    from chains import WAREHOUSE_VARIABLE
    from states import Chains, write_settings

    @contextmanager
    def prepared(project: str) -> Iterator[Chains]:
        folder = tmp_path_factory.mktemp(project)
        write_settings(folder / "home")
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv(WAREHOUSE_VARIABLE, str(folder / "chains.duckdb"))
            environment.setenv("DAGSTER_HOME", str(folder / "home"))
            environment.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
            with dg.DagsterInstance.get() as instance:
                chains = Chains(project, instance)
                chains.build()
                chains.spoil()
                yield chains

    return prepared


@pytest.fixture(scope="module")
def documented() -> dict[tuple[str, str], tuple[str, str]]:
    """The words of the documentation, ours and stock Dagster's, by failure and launch path."""
    (_, *paths), _, *failures = _read_tables()[0]
    words = {}
    for failure, *cells in failures:
        for path, cell in zip(paths, cells, strict=True):
            ours, stock = cell.split(" / ")
            words[failure, path] = ours, stock
    return words


@pytest.fixture(scope="module")
def documented_causes() -> dict[str, str]:
    """What the documentation has the gate say of each failure."""
    return {failure: said for failure, _, said in _read_tables()[1][2:]}


def _read_tables() -> list[list[list[str]]]:
    """Return the cells of the document's tables, row by row."""
    blocks = [block for block in DOCUMENT.read_text().split("\n\n") if block.startswith("|")]
    return [[[cell.strip(" `") for cell in line.strip("|").split("|")] for line in b.splitlines()] for b in blocks]
