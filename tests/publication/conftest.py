"""A shop with two marts and a dashboard, on every engine."""

from __future__ import annotations

import datetime as dt
import itertools
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlglot import exp, parse_one

from dashboard_trust.publication.journal import Publication
from dashboard_trust.publication.rollback import roll_back
from dashboard_trust.publication.swap import Destination, publish
from dashboard_trust.publication.tables import Expected, PublishedTable, Slices
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse
from dashboard_trust.warehouses.parts import fingerprint_parts
from dashboard_trust.warehouses.postgres import PostgresWarehouse
from dashboard_trust.warehouses.session import Session, Warehouse, column

REVENUE = PublishedTable("marts.revenue_daily", "published.revenue_daily")
PIPELINE = PublishedTable("marts.pipeline_daily", "published.pipeline_daily")
DAY, EARLIER = "2026-11-20", "2026-11-19"
NOON = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def on(*days: str) -> Mapping[str, exp.Expr]:
    return {day: column("report_date").eq(exp.cast(exp.convert(day), "DATE")) for day in days}


def render(session: Session) -> str:
    return str(session.query(parse_one("SELECT * FROM published.revenue_daily ORDER BY 1, 2, 3")))


@dataclass(frozen=True)
class Shop:
    """A warehouse with two marts of two days, and a site; on DuckDB, or on the Postgres that ``uri`` names."""

    home: Path
    uri: str = ""
    clock: Iterator[int] = field(default_factory=itertools.count)

    @property
    def warehouse(self) -> Warehouse:
        return PostgresWarehouse(self.uri) if self.uri else DuckDBWarehouse(self.home / "warehouse.duckdb")

    @property
    def site(self) -> Path:
        return self.home / "site"

    @property
    def destination(self) -> Destination:
        return Destination("daily_revenue", self.warehouse, self.site, render)

    @staticmethod
    def days(*revenue: str, pipeline: Sequence[str] | None = None) -> Slices:
        """These days of both tables, unless said otherwise."""
        return {REVENUE: on(*revenue), PIPELINE: on(*(revenue if pipeline is None else pipeline))}

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        return self.run_all(statements)[-1]

    def run_all(self, statements: Sequence[str]) -> list[list[tuple[Any, ...]]]:
        with self.warehouse.session("test") as session:
            return [session.query(parse_one(statement, dialect="duckdb")) for statement in statements]

    def checked(self, slices: Slices) -> Expected:
        """What a check of the marts sees now."""
        with self.warehouse.session("test") as session:
            return {
                (table.source, part): found
                for table, parts in slices.items()
                if parts
                for part, found in fingerprint_parts(session, table.source, parts).items()
            }

    def publish(self, slices: Slices | None = None, expected: Expected | None = None, **options: Any) -> Publication:
        """Publish what is checked now, unless it is said what was; a minute after the last time."""
        slices = self.days(DAY) if slices is None else slices
        expected = self.checked(slices) if expected is None else expected
        return publish(options.pop("to", self.destination), slices, expected, self.tick(), **options)

    def roll_back(self, **options: Any) -> Publication:
        return roll_back(options.pop("of", self.destination), self.tick(), **options)

    def tick(self) -> dt.datetime:
        return NOON + dt.timedelta(minutes=next(self.clock))

    def set(self, amount: float, day: str = DAY) -> None:
        """Change the marts of a day."""
        self.run(
            f"UPDATE marts.revenue_daily SET net_revenue = {amount} WHERE report_date = DATE '{day}'",
            f"UPDATE marts.pipeline_daily SET amount = {amount} WHERE report_date = DATE '{day}'",
        )

    def shown(self) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]], str]:
        """What readers see."""
        tables = self.run_all([f"SELECT * FROM {table.target} ORDER BY 1, 2, 3" for table in (REVENUE, PIPELINE)])
        return tables[0], tables[1], (self.site / "current" / "index.html").read_text()

    def seen(self) -> tuple[Any, ...]:
        """What readers see, what the log says, and how many rows are kept of what each publication replaced."""
        kept = "SELECT _replaced_by, COUNT(*) FROM trust_history.published__{} GROUP BY 1 ORDER BY 1"
        log = "SELECT number, release, published_at, restores FROM trust.publications ORDER BY number"
        statements = [kept.format("revenue_daily"), kept.format("pipeline_daily"), log]
        return (*self.shown(), *self.run_all(statements))

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start ``publisher.py`` on this shop."""
        script = Path(__file__).with_name("publisher.py")
        command = [sys.executable, str(script), str(self.home), self.uri, *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """A real server. Not below pytest's own folder, which other sessions close to the server's user."""
    with warnings.catch_warnings(action="ignore"):  # says on import where it would keep its files
        import pgserver

    server = pgserver.get_server(tempfile.mkdtemp(), cleanup_mode="delete")
    with PostgresWarehouse(server.get_uri()).session("test") as session:
        session._execute("ALTER SYSTEM SET fsync = off")
        session._execute("SELECT pg_reload_conf()")
    yield server
    server.cleanup()


_databases = itertools.count()


@pytest.fixture
def postgres_uri(postgres_server: Any) -> Iterator[str]:
    """An empty database."""
    name = f"shop_{next(_databases)}"
    server = PostgresWarehouse(postgres_server.get_uri())
    with server.session("test") as session:
        session._execute(f"CREATE DATABASE {name} TEMPLATE template0")
    yield postgres_server.get_uri(name)
    with server.session("test") as session:
        session._execute(f"DROP DATABASE {name} WITH (FORCE)")


def build(shop: Shop) -> Shop:
    shop.home.mkdir(exist_ok=True)
    shop.run(
        "CREATE SCHEMA marts",
        "CREATE TABLE marts.revenue_daily (report_date DATE, net_revenue DECIMAL(18, 2), orders BIGINT)",
        "CREATE TABLE marts.pipeline_daily (report_date DATE, stage TEXT, amount DECIMAL(18, 2))",
        f"INSERT INTO marts.revenue_daily VALUES (DATE '{EARLIER}', 90.50, 3), (DATE '{DAY}', 100.10, 4)",
        f"INSERT INTO marts.pipeline_daily VALUES (DATE '{EARLIER}', 'won', 5.00), (DATE '{DAY}', 'won', 7.00)",
        f"INSERT INTO marts.pipeline_daily VALUES (DATE '{DAY}', 'lead', 1)",
    )
    return shop


@pytest.fixture
def duckdb_shop(tmp_path: Path) -> Shop:
    return build(Shop(tmp_path / "home"))


@pytest.fixture
def postgres_shop(tmp_path: Path, postgres_uri: str) -> Shop:
    return build(Shop(tmp_path / "home", postgres_uri))


@pytest.fixture(params=["duckdb", "postgres"])
def shop(request: pytest.FixtureRequest) -> Shop:
    """A shop on every engine, one after the other."""
    return request.getfixturevalue(f"{request.param}_shop")


@pytest.fixture
def kill() -> Callable[..., None]:
    """Publish, or roll back, in a process of its own that dies at the moment named."""

    def kill(shop: Shop, what: str, moment: str) -> None:
        child = shop.start(what, moment)
        _, said = child.communicate(timeout=60)
        assert child.returncode == -9, said

    return kill
