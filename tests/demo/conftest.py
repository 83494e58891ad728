"""The real demo chain on copies of one prepared home."""

from __future__ import annotations

import csv
import datetime as dt
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest
from filelock import FileLock

from dashboard_trust.demo.chain import DemoResult, run_demo
from dashboard_trust.demo.definitions import build_definitions
from dashboard_trust.demo.home import Home
from dashboard_trust.demo.source import prepare
from dashboard_trust.evidence.names import GATE_CHECK
from dashboard_trust.readers.event_log import read_newest

DAY = dt.date(2025, 3, 14)
NEXT = DAY + dt.timedelta(days=1)
BIN = Path(sys.executable).parent
FIGURES = re.compile(r'<tr><th scope="row">([\d-]+)</th><td>(.+?)</td><td>(.+?)</td><td>(.+?)</td><td>(\d+)</td></tr>')
Row = dict[str, str]


class Demo:
    """A demo's home, and what tests do to it and read from it."""

    day = DAY
    following = NEXT

    def __init__(self, path: Path) -> None:
        self.home = Home(path)

    # What people do.

    def run(self, day: dt.date = DAY) -> DemoResult:
        """Run the chain for a day in this process."""
        return run_demo(self.home, day, lambda stage: None)

    def launch(self, *assets: str, day: dt.date | None = DAY, checks: bool = True) -> dg.ExecuteInProcessResult:
        """Materialize these assets as anybody would, without the demo's help."""
        selection = dg.AssetSelection.assets(*assets)
        job = dg.define_asset_job("launched", selection if checks else selection.without_checks())
        definitions = dg.Definitions.merge(build_definitions(self.home), dg.Definitions(jobs=[job]))
        with self.instance() as instance:
            return definitions.resolve_job_def("launched").execute_in_process(
                instance=instance, partition_key=day.isoformat() if day else None, raise_on_error=False
            )

    def words_when_launched_alone(self, day: dt.date = DAY) -> str:
        """Launch only the dashboard; it must be held by its gate, whose words are returned."""
        result = self.launch("dashboards/daily_revenue", day=day)
        evaluations = result.get_asset_check_evaluations()
        held = [found for found in evaluations if found.check_name == GATE_CHECK and not found.passed]
        errors = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
        assert not result.success
        assert len(held) == 1
        assert [error.cls_name for error in errors] == ["DagsterAssetCheckFailedError"]
        findings = held[0].metadata["findings"]
        return " | ".join(" ".join(map(str, record.data.values())) for record in findings.records)

    def command(self, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
        """Run ``dashboard-trust`` as a child, with this home."""
        return run_command(*arguments, "--home", str(self.home.path), **options)

    def instance(self) -> dg.DagsterInstance:
        """Open the home's Dagster instance."""
        return dg.DagsterInstance.from_config(str(self.home.dagster))

    # The systems of record.

    def rows(self, table: str) -> list[Row]:
        """Read a source file."""
        with self._file(table).open(newline="") as file:
            return list(csv.DictReader(file))

    def write(self, table: str, rows: list[Row], header: list[str] | None = None) -> None:
        """Write a source file."""
        with self._file(table).open("w", newline="") as file:
            writer = csv.DictWriter(file, header or list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    def correct_refund(self, day: dt.date, amount: str = "1.23") -> None:
        """Give the first refund of a day another amount."""
        rows = self.rows("refunds")
        next(row for row in rows if row["refunded_at"].startswith(str(day)))["amount"] = amount
        self.write("refunds", rows)

    def add_day(self, day: dt.date, *, crm: bool = True) -> None:
        """Append a small day: three paid orders with their payments, three refunds, a CRM file."""
        for n in range(1, 4):
            paid = {"customer_id": "C001", "amount": f"{n}0.50", "status": "paid", "order_id": f"N{day}-{n}"}
            refund = {"refund_id": f"R{day}-{n}", "payment_id": f"N{day}-{n}", "amount": f"{n}.25"}
            self._append("orders", paid | {"ordered_at": f"{day}T0{n}:00:00Z"})
            self._append("payments", paid | {"paid_at": f"{day}T0{n}:00:01Z", "payment_id": f"N{day}-{n}"})
            self._append("refunds", refund | {"refunded_at": f"{day}T23:0{n}:00Z"})
        if crm:
            self.deliver_crm(day, f"OPP-1,Account 1,won,10.00,{day}T08:00:00Z")

    def crm_file(self, day: dt.date) -> Path:
        """Where the CRM's file of a day is dropped."""
        return self.home.landing / "crm_opportunities" / f"{day}.csv"

    def deliver_crm(self, day: dt.date, *lines: str, header: str = "opportunity_id,account,stage,amount,updated_at"):
        """Drop a CRM file that was written some seconds ago, as a file still being written is left alone."""
        self.crm_file(day).write_text("\n".join([header, *lines]) + "\n")
        os.utime(self.crm_file(day), (time.time() - 5, time.time() - 5))

    def expected(self) -> dict[str, tuple[Decimal, Decimal, Decimal, int]]:
        """Compute gross, refunds, net and orders of each day from the source, by the words of the contract."""
        gross, refunds, orders = {}, {}, {}
        for row in self.rows("payments"):
            if row["status"] == "paid":
                gross[_day(row["paid_at"])] = gross.get(_day(row["paid_at"]), Decimal(0)) + Decimal(row["amount"])
        for row in self.rows("refunds"):
            day = _day(row["refunded_at"])
            refunds[day] = refunds.get(day, Decimal(0)) + Decimal(row["amount"])
        for row in self.rows("orders"):
            if row["status"] == "paid":
                orders[_day(row["ordered_at"])] = orders.get(_day(row["ordered_at"]), 0) + 1
        return {day: (gross[day], refunds[day], gross[day] - refunds[day], orders[day]) for day in gross}

    # What readers see.

    def table(self, name: str) -> list[tuple]:
        """Read a table of the warehouse, in a fixed order."""
        with self.home.warehouse.connect("a test") as connection:
            return connection.execute(f"FROM {name} ORDER BY ALL").fetchall()

    def published(self) -> dict[str, tuple[Decimal, Decimal, Decimal, int]]:
        """Read ``published.revenue_daily`` by ISO day."""
        return {str(row[0]): row[1:] for row in self.table("published.revenue_daily")}

    def page(self) -> str:
        """Read the page as it is shown."""
        return (self.home.site / "current" / "index.html").read_text()

    def net_on_page(self) -> tuple[str, str]:
        """Return the day shown and its net revenue, as texts."""
        return re.search(r'id="net-revenue" data-day="(.+?)">(.+?)<', self.page()).groups()

    def figures_on_page(self) -> dict[str, tuple[Decimal, Decimal, Decimal, int]]:
        """Read the page's table of figures by ISO day."""
        found = FIGURES.findall(self.page())
        return {day: (Decimal(gross), Decimal(refunds), Decimal(net), int(n)) for day, gross, refunds, net, n in found}

    def publication(self) -> dict[str, object]:
        """Everything readers can see, and what is kept of it: tables, publish log, releases, the link."""
        releases = self.home.site / "releases"
        return {
            "revenue": self.table("published.revenue_daily"),
            "pipeline": self.table("published.pipeline_daily"),
            "log": self.table("trust.publications"),
            "current": (self.home.site / "current").readlink(),
            **{str(path): path.read_bytes() for path in releases.rglob("*") if path.is_file()},
        }

    def assert_shows(self, day: dt.date) -> None:
        """Assert that tables and page show exactly what the source says, up to a day."""
        expected = {iso: row for iso, row in self.expected().items() if iso <= str(day)}
        assert self.published() == expected
        newest = dict(sorted(expected.items())[-14:])
        assert self.figures_on_page() == newest
        assert self.net_on_page() == (str(day), f"{expected[str(day)][2]:.2f}")

    def loads(self, *assets: str) -> dict[tuple[str, str | None], int]:
        """Return the storage id of the newest materialization of these assets, by day."""
        days = list(self.expected())
        with self.instance() as instance:
            found = read_newest(instance, {(asset, day) for asset in assets for day in days})
        return {place: load.storage_id for place, load in found.items()}

    def _file(self, table: str) -> Path:
        return self.home.source / f"{table}.csv"

    def _append(self, table: str, row: Row) -> None:
        self.write(table, [*self.rows(table), row])


def _day(moment: str) -> str:
    return dt.datetime.fromisoformat(moment).astimezone(dt.UTC).date().isoformat()


def run_command(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / "dashboard-trust", *arguments], capture_output=True, text=True, check=False, timeout=120, **options
    )


@pytest.fixture(scope="session")
def original(tmp_path_factory) -> Path:
    """A home whose two weeks are published: made once for all the processes that run tests."""
    own = tmp_path_factory.getbasetemp()
    home = Home((own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "original")
    with FileLock(f"{home.path}.lock"), pytest.MonkeyPatch.context() as patch:
        if not home.path.with_suffix(".done").exists():
            use(home, patch)
            home.create()
            prepare(home, DAY)
            assert run_demo(home, DAY, lambda stage: None).published
            home.path.with_suffix(".done").touch()
    return home.path


@pytest.fixture(scope="session")
def prepared(original, tmp_path_factory) -> Path:
    """A copy of it for the tests of this process. Never change it: copy it."""
    return shutil.copytree(original, tmp_path_factory.mktemp("demo") / "prepared", symlinks=True)


@pytest.fixture
def demo(prepared, monkeypatch) -> Iterator[Demo]:
    """A copy of the prepared home; always at the same place, where dbt has parsed the project already."""
    place = prepared.with_name("home")
    shutil.copytree(prepared, place, symlinks=True)
    use(Home(place), monkeypatch)
    yield Demo(place)
    shutil.rmtree(place)


@pytest.fixture
def new_home(tmp_path) -> Demo:
    """A home that is not there yet."""
    return Demo(tmp_path / "home")


@pytest.fixture
def copy_home(prepared, tmp_path):
    """Copy the prepared home to a place of its own."""

    def copy(name: str) -> Demo:
        shutil.copytree(prepared, tmp_path / name, symlinks=True)
        return Demo(tmp_path / name)

    return copy


def use(home: Home, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("DASHBOARD_TRUST_HOME", str(home.path))
    patch.setenv("DAGSTER_HOME", str(home.dagster))
    patch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    # The chain sets these for its children: given here so that they are put back.
    patch.setenv("DASHBOARD_TRUST_WAREHOUSE", str(home.warehouse.path))
    patch.setenv("no_proxy", "127.0.0.1")
