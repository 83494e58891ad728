"""dbt in this process: models and tests for a stretch of days, and what each test says of each day.

A dbt start costs seconds, most of it parsing: the manifest is kept in the home, keyed by the project's
content, and the parsed project in the process.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dashboard_trust.demo.home import Home
from dashboard_trust.errors import DashboardTrustError

WAREHOUSE_VARIABLE = "DASHBOARD_TRUST_WAREHOUSE"
QUIET = (
    "--log-level-file=none",
    "--log-level=none",
    "--no-partial-parse",
    "--no-version-check",
    "--no-send-anonymous-usage-stats",
)


@dataclass(frozen=True, slots=True)
class DbtOutcome:
    """What one test says of one day: ``pass``, ``warn``, ``fail``, ``error`` or ``skipped``."""

    status: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class DbtBuild:
    """What a build delivered: the models by name, tests by dbt's unique id and ISO day, and what broke."""

    built: tuple[str, ...]
    tests: Mapping[str, Mapping[str, DbtOutcome]]
    errors: tuple[str, ...]


def project_folder() -> Path:
    """Return the dbt project: in an installed package beside this module, in a checkout at its top."""
    here = Path(__file__).resolve().parent
    for folder in (here / "dbt_project", here.parents[1] / "dbt_project"):
        if (folder / "dbt_project.yml").is_file():
            return folder
    raise DashboardTrustError("The dbt project is not in this installation. Install dashboard-trust again.")


def manifest_path(home: Home) -> Path:
    """Return the manifest of the project as it is now, parsing it if the home has none of it yet."""
    path = home.dbt / f"manifest-{_project_digest()}.json"
    if not path.is_file():
        home.dbt.mkdir(parents=True, exist_ok=True)
        _parsed(home, _project_digest())
    return path


def build(home: Home, models: Sequence[str], start_day: dt.date, end_day: dt.date) -> DbtBuild:
    """Build models and run their tests for the days from ``start_day`` to ``end_day``, both included.

    A test that fails for several days at once is run again for each, to say which. Holds the
    warehouse's lock meanwhile.

    Raises:
        WarehouseBusyError: Another process holds the warehouse.
        DashboardTrustError: dbt itself failed, so nothing is known of any model.
    """
    days = [start_day + dt.timedelta(days=n) for n in range((end_day - start_day).days + 1)]
    with home.warehouse.lock(f"dbt build of {', '.join(models)}"):
        home.warehouse.wait_until_free("dbt build")
        try:
            # Not `dbt build`: it skips a mart for every day where a test below it fails for one of them.
            # Which day may be published is the gate's to say, by the tests of that day.
            ran = _invoke(home, "run", models, start_day, end_day)
            built = [result.node.name for result in ran if str(result.status) == "success"]
            tested = _invoke(home, "test", built, start_day, end_day) if built else []
            outcomes = {test.node.unique_id: _by_day(home, test, days) for test in tested}
        finally:
            _close_connections()
    unknown = sorted(set(models) - {result.node.name for result in ran})
    if unknown:
        raise DashboardTrustError(f"dbt has nothing to say of {', '.join(unknown)}: no such model in the project.")
    broken = [r for r in (*ran, *tested) if str(r.status) in ("error", "runtime error")]
    return DbtBuild(
        built=tuple(built),
        tests=outcomes,
        errors=tuple(f"{result.node.name}: {_line(result.message)}" for result in broken),
    )


def _by_day(home: Home, result: Any, days: Sequence[dt.date]) -> dict[str, DbtOutcome]:
    outcome = DbtOutcome(str(result.status), _line(result.message))
    if outcome.status in ("fail", "warn") and len(days) > 1:
        found = {day.isoformat(): _rerun(home, result.node.name, day) for day in days}
        # What no day shows alone (an id on two days) is wrong with all of them together.
        return found if any(each.status != "pass" for each in found.values()) else dict.fromkeys(found, outcome)
    return {day.isoformat(): outcome for day in days}


def _rerun(home: Home, name: str, day: dt.date) -> DbtOutcome:
    result = next(iter(_invoke(home, "test", [name], day, day)))
    return DbtOutcome(str(result.status), _line(result.message))


def _invoke(home: Home, command: str, select: Iterable[str], start: dt.date, end: dt.date) -> list[Any]:
    from dbt.cli.main import dbtRunner

    days = json.dumps({"start_day": start.isoformat(), "end_day": end.isoformat()})
    arguments = [command, *_arguments(home.dbt / "target"), "--no-write-json", "--vars", days, "--select", *select]
    os.environ[WAREHOUSE_VARIABLE] = str(home.warehouse.path)
    response = dbtRunner(manifest=_parsed(home, _project_digest())).invoke(arguments)
    result: Any = response.result
    if response.exception is not None or result is None:
        raise DashboardTrustError(f"dbt {command} failed: {_line(str(response.exception))}")
    return list(result.results)


@functools.lru_cache(maxsize=4)
def _parsed(home: Home, digest: str) -> Any:
    """Parse the project once in this process, and keep its manifest in the home.

    dbt's own cache of a parse names the folders of this machine, so it is not kept.
    """
    from dbt.cli.main import dbtRunner

    os.environ[WAREHOUSE_VARIABLE] = str(home.warehouse.path)
    with tempfile.TemporaryDirectory(dir=home.dbt) as folder:
        response = dbtRunner().invoke(["parse", *_arguments(Path(folder))])
        if not response.success:
            raise DashboardTrustError(f"The dbt project cannot be parsed: {_line(str(response.exception))}")
        written = Path(folder) / "manifest.json"
        for old in home.dbt.glob("manifest-*.json"):
            if digest not in old.name:
                old.unlink(missing_ok=True)
        shutil.move(written, home.dbt / f"manifest-{digest}.json")
    return response.result


def _arguments(target: Path) -> list[str]:
    folder = str(project_folder())
    return [
        "--project-dir",
        folder,
        "--profiles-dir",
        folder,
        "--target-path",
        str(target),
        "--log-path",
        str(target),
        *QUIET,
    ]


def _close_connections() -> None:
    """Let go of the file: dbt keeps it open for as long as the process lives."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    close: Any = DuckDBConnectionManager.close_all_connections
    close()


def _project_digest() -> str:
    folder = project_folder()
    digest = hashlib.sha256(version("dbt-core").encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in (".sql", ".yml"):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _line(message: str | None) -> str:
    return " ".join((message or "").split())
