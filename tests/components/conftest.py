"""A throw-away project, as `dg` knows one."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import dagster as dg
import pytest

FILES = {
    "pyproject.toml": """
        [project]
        name = "shop"
        version = "0.1.0"
        requires-python = ">=3.11"

        [tool.dg]
        directory_type = "project"

        [tool.dg.project]
        root_module = "{package}"
        """,
    "src/{package}/__init__.py": "",
    "src/{package}/definitions.py": """
        from pathlib import Path

        import dagster as dg

        from dashboard_trust import trust


        @dg.definitions
        def defs() -> dg.Definitions:
            return trust(dg.load_from_defs_folder(path_within_project=Path(__file__).parent))
        """,
    "src/{package}/refresh.py": """
        REFRESHED = []


        def sales(context, verdicts):
            REFRESHED.extend(verdict.partition for verdict in verdicts)
        """,
    "src/{package}/defs/__init__.py": "",
    "src/{package}/defs/orders.py": """
        import dagster as dg


        @dg.asset
        def orders() -> None: ...
        """,
}


class Project:
    """A project in a folder of its own, with a package of its own name."""

    def __init__(self, folder: Path, package: str) -> None:
        self.folder = folder
        self.package = package
        for name, text in FILES.items():
            file = folder / name.format(package=package)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(textwrap.dedent(text.format(package=package)))

    def declare(self, attributes: str, name: str = "sales", kind: str = "TrustedDashboard") -> Path:
        """Write a component's ``defs.yaml``."""
        file = self.folder / "src" / self.package / "defs" / name / "defs.yaml"
        file.parent.mkdir(exist_ok=True)
        head = f"type: dashboard_trust.components.{kind}\nattributes:\n"
        file.write_text(head + textwrap.indent(textwrap.dedent(attributes), "  "))
        return file

    def dg(self, *args: str) -> tuple[int, str]:
        """Run `dg` in the project; return its exit code and all that it said, on one line."""
        done = subprocess.run(
            [Path(sys.executable).parent / "dg", *args],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": "src", "DG_CLI_CONFIG": "none.toml", "NO_COLOR": "1", "COLUMNS": "300"},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    def load(self) -> dg.Definitions:
        """Load its definitions in this process."""
        return importlib.import_module(f"{self.package}.definitions").defs()

    def refreshed(self) -> list[str | None]:
        """The partitions that its refresh was called for."""
        return importlib.import_module(f"{self.package}.refresh").REFRESHED


@pytest.fixture
def project(tmp_path, monkeypatch, request):
    monkeypatch.syspath_prepend(str(tmp_path / "src"))
    return Project(tmp_path, f"shop_{abs(hash(request.node.nodeid))}")
