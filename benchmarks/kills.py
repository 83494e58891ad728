"""Writers and publishers killed at random moments (SIGKILL), and what stands in the warehouse afterwards.

``python benchmarks/kills.py [--times N] [--engine duckdb|postgres] [--seed N] [--what write publish]``; with
``--stock PYTHON``, the interpreter of an environment with dagster-duckdb-pandas, that one's writes are killed too.

After every kill the partition that was being written must hold the old version or the new one, to the row; and what
was published must be of one version: the tables before anything is mended, and log, tables and page once
`repair` has run. In the end no table is there that nobody asked for. The exit code is 1 where that is not so.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import random
import select
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from sqlglot import parse_one
from writers import (
    DASHBOARD,
    DAYS,
    ROWS,
    ROWS_PUBLISHED,
    day_of,
    is_refused,
    make_rows,
    open_destination,
    open_warehouse,
    slices_of,
)

from dashboard_trust.errors import InvalidInputError
from dashboard_trust.publication.journal import read_publications
from dashboard_trust.publication.releases import read_current, release_id
from dashboard_trust.publication.rollback import roll_back
from dashboard_trust.publication.swap import KEPT_VERSIONS, repair
from dashboard_trust.warehouses.fingerprints import Fingerprint, fingerprint
from dashboard_trust.warehouses.parts import fingerprint_parts
from dashboard_trust.warehouses.rejected import collect_rejected
from dashboard_trust.warehouses.session import Session, column

LATER = dt.timedelta(days=400)
OTHERS = """
    SELECT COUNT(*) FROM pg_stat_activity WHERE datname = CURRENT_DATABASE() AND pid <> PG_BACKEND_PID()
    AND backend_type = 'client backend'
"""
COUNTS = """
    SELECT day, COUNT(*), COUNT(DISTINCT version), MIN(version), COUNT(DISTINCT number) FROM raw.events GROUP BY day
"""
OURS = {"trust.fences", "trust.publications", "trust.rejections"}


@dataclass
class Killer:
    """Has writers of a kind forked, and kills each at a random moment of one of its first writes."""

    kind: str
    folder: Path
    uri: str
    random: random.Random
    python: str = sys.executable
    took: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    """How long the first write of a process took, and how long its later ones."""
    kills: int = 0

    @contextmanager
    def open(self) -> Iterator[Killer]:
        command = [self.python, "-W", "ignore", str(Path(__file__).with_name("writers.py")), self.kind]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._parent = subprocess.Popen([*command, str(self.folder), self.uri], bufsize=0, **pipes)
        self._unread, self._writer = b"", 0
        try:
            yield self
        finally:
            self._kill()
            self._parent.stdin.close()
            self._parent.wait(timeout=30)

    def kill_one(self, first: int) -> list[tuple[str, int]]:
        """Let a writer begin with this number, kill it, and return what it had said."""
        # Now and then one is left alone for a while, to see how long it takes.
        spare = 4 if self.kills % 20 == 0 else self.random.randrange(2)
        self.kills += 1
        self._parent.stdin.write(f"{first}\n".encode())
        said, began, written = list[tuple[str, int]](), 0.0, 0
        while spare >= 0 or not self._writer:
            word, number = self._read()
            self._writer = number if word == "born" else self._writer
            if word == "dead":
                raise RuntimeError(f"the {self.kind} writer ended by itself: {said}")
            if word == "begin":
                began, spare = time.monotonic(), spare - 1
            if word == "done":
                self.took[not written].append(time.monotonic() - began)
                written += 1
            said.append((word, number))
        until = began + self.random.uniform(0, 1.1) * statistics.median(self.took[not written][-10:])
        while time.monotonic() < until:
            pass  # to the microsecond
        self._kill()
        while said[-1][0] != "dead":
            said.append(self._read())
        return [(word, number) for word, number in said if word in ("begin", "done")]

    def _kill(self) -> None:
        if self._writer:
            os.kill(self._writer, signal.SIGKILL)
        self._writer = 0

    def _read(self) -> tuple[str, int]:
        while b"\n" not in self._unread:
            if not select.select([self._parent.stdout], [], [], 120)[0]:
                raise TimeoutError(f"the {self.kind} writer says nothing")
            found = os.read(self._parent.stdout.fileno(), 2**16)
            if not found:
                raise RuntimeError(f"the {self.kind} writer ended by itself")
            self._unread += found
        line, _, self._unread = self._unread.partition(b"\n")
        word, number = line.decode().split()
        return word, int(number)


@contextmanager
def open_session(folder: Path, uri: str) -> Iterator[Session]:
    """Open the warehouse once nobody else is in it: a server may still be at what a killed writer asked for."""
    with open_warehouse(folder, uri).session("looking") as session:
        while uri and session.query(parse_one(OTHERS)) != [(0,)]:
            pass
        yield session


# Writes.


@dataclass(frozen=True)
class Writes:
    """What stands in the partitions of one table."""

    folder: Path
    uri: str = ""

    def look(self, before: dict[str, int], said: list[tuple[str, int]]) -> tuple[str, dict[str, int]]:
        """Return what became of the last write that began, and the version of each partition."""
        stands = dict(before)
        allowed = {day: {version} for day, version in stands.items()}
        for word, number in said:
            if not self.refuses(number):
                day = day_of(number)
                allowed[day] = {number} if word == "done" else {*allowed.get(day, {-1}), number}
        words = {}
        with open_session(self.folder, self.uri) as session:
            if session.columns("raw.events") is None:
                return ("empty" if any(-1 not in versions for versions in allowed.values()) else "old"), before
            counted = {day: (int(n) for n in counts) for day, *counts in session.query(parse_one(COUNTS))}
            holds = fingerprint_parts(session, "raw.events", {day: column("day").eq(day) for day in DAYS})
        for day in DAYS:
            word, version = self.look_at(day, counted.get(day, (0, 0, -1, 0)), holds[day], allowed.get(day, {-1}))
            words[day] = word
            if version >= 0:
                stands[day] = version
        if any(words.values()):
            return next(word for word in words.values() if word), stands
        last = said[-1][1]
        return "new" if stands.get(day_of(last)) == last else "old", stands

    def look_at(self, day: str, counts: Iterable[int], holds: Fingerprint, allowed: set[int]) -> tuple[str, int]:
        """Return what is wrong with a partition, and its version."""
        rows, versions, version, numbers = counts
        if rows == 0:
            return "" if -1 in allowed else "empty", -1
        if versions > 1:
            return "mixed", version
        if rows != ROWS:
            return "doubled" if rows > numbers else "partial", version
        if version not in allowed:
            return "lost", version
        return "" if holds == self.fingerprint(version, day, holds) else "changed", version

    @cache  # noqa: B019  # for one run
    def fingerprint(self, version: int, day: str, _: Fingerprint) -> Fingerprint:
        """Return what this version of a partition is, written by itself, elsewhere."""
        data = pa.table(make_rows(version, day, ROWS))
        with reference(self.folder, self.uri) as session:
            session.create("reference.rows", data.schema)
            session.append("reference.rows", data)
            return fingerprint(session, "reference.rows")

    def refuses(self, number: int) -> bool:
        return is_refused(number)

    def list_orphans(self) -> list[str]:
        with open_session(self.folder, self.uri) as session:
            collect_rejected(session, dt.datetime.now(dt.UTC) + LATER)
            return sorted(list_tables(session) - OURS - {"raw.events"})


class StockWrites(Writes):
    """The same, written by another's IO manager: it has no audit, and its columns have other types."""

    def refuses(self, number: int) -> bool:
        return False

    def fingerprint(self, version: int, day: str, holds: Fingerprint) -> Fingerprint:
        return holds

    def list_orphans(self) -> list[str]:
        return []


@contextmanager
def reference(folder: Path, uri: str) -> Iterator[Session]:
    """Open a session of the same engine in which nothing that is written stays."""
    from dashboard_trust.warehouses.duckdb import DuckDBSession

    if not uri:
        with closing(duckdb.connect()) as connection:
            yield DuckDBSession(connection)
        return
    with open_warehouse(folder, uri).session("reference") as session:
        try:
            with session.transaction():
                yield session
                raise WithdrawnError
        except WithdrawnError:
            pass


class WithdrawnError(Exception):
    """Leaves a transaction without a commit."""


def list_tables(session: Session) -> set[str]:
    query = (
        "SELECT table_schema || '.' || table_name FROM information_schema.tables"
        " WHERE table_schema NOT IN ('information_schema', 'pg_catalog')"
    )
    return {str(name) for (name,) in session.query(parse_one(query))}


# Publications.


@dataclass(frozen=True)
class Publications:
    """What is published of two builds of five tables, in turn."""

    folder: Path
    uri: str = ""

    def build(self) -> None:
        """Build the marts twice, and write down what a check of them saw."""
        expected = []
        with open_session(self.folder, self.uri) as session:
            for version in (0, 1):
                for table, parts in slices_of(version).items():
                    build = [pa.table(make_rows(version, day, ROWS_PUBLISHED + len(expected))) for day in DAYS]
                    data = pa.concat_tables(build)
                    session.create(table.source, data.schema)
                    with session.transaction():
                        session.append(table.source, data)
                    found = fingerprint_parts(session, table.source, parts)
                    expected += [(table.source, part, str(one)) for part, one in found.items()]
        (self.folder / "expected.json").write_text(json.dumps(expected))

    def look(self, before: dict[str, int], said: list[tuple[str, int]]) -> tuple[str, dict[str, int]]:
        """Return what became of the last publication that began, and how many versions there are."""
        done = [number for word, number in said if word == "done"]
        least = done[-1] if done else before.get("version", 0)
        destination = open_destination(self.folder, self.uri)
        with open_session(self.folder, self.uri) as session:
            newest = read_publications(session, DASHBOARD)
            version = newest[0].number if newest else 0
            word = self._look_at_tables(session, newest)
        if version not in (least, least + 1):
            word = "lost or doubled"
        if word:
            return word, {"version": version}
        shown = read_current(destination.site)
        if newest and shown not in {publication.release for publication in newest[: KEPT_VERSIONS + 2]} | {None}:
            return "a page of no version", {"version": version}
        repair(destination)
        with open_session(self.folder, self.uri) as session:
            word = self._look_at_page(session, destination, newest)
        return word or ("new" if version > least else "old"), {"version": version}

    def _look_at_tables(self, session: Session, log: Any) -> str:
        """Return what is wrong: the tables of one version are all of one build, and what the log says of them."""
        expected = json.loads((self.folder / "expected.json").read_text())
        builds = [
            {
                (source.partition(".")[2], part): Fingerprint.parse(text)
                for source, part, text in expected
                if n in source
            }
            for n in ("build0", "build1")
        ]
        stands = {}
        for table, parts in slices_of(0).items():
            if session.columns(table.target) is not None:
                found = fingerprint_parts(session, table.target, parts)
                stands |= {(table.target.partition(".")[2], part): one for part, one in found.items()}
        if not log:
            return "mixed" if any(found.rows for found in stands.values()) else ""
        said = {
            (one.target.partition(".")[2], one.part): one.fingerprint
            for publication in reversed(log)
            for own in publication.changes.values()
            for one in own
        }
        if stands not in builds:
            return "empty" if not any(found.rows for found in stands.values()) else "mixed"
        return "" if stands == said else "not what the log says"

    def _look_at_page(self, session: Session, destination: Any, log: Any) -> str:
        if not log:
            return "a page of no version" if read_current(destination.site) else ""
        page = (destination.site / "current" / "index.html").read_bytes()
        right = destination.render(session).encode()
        agree = page == right and log[0].release == release_id(right) == read_current(destination.site)
        return "" if agree else "page and tables differ"

    def list_orphans(self) -> list[str]:
        targets = {table.target for table in slices_of(0)}
        kept = {f"trust_history.{target.replace('.', '__')}" for target in targets}
        sources = {table.source for version in (0, 1) for table in slices_of(version)}
        with open_session(self.folder, self.uri) as session:
            found = sorted(list_tables(session) - OURS - targets - kept - sources)
            for table in kept:
                replaced = session.query(parse_one(f"SELECT COUNT(DISTINCT _replaced_by) FROM {table}"))
                found += [f"{table}: {replaced[0][0]} versions"] if replaced[0][0] > KEPT_VERSIONS else []
        site = self.folder / "site" / "releases"
        known = len(list(site.iterdir()))
        return found + ([f"{known} releases"] if known > KEPT_VERSIONS + 1 else [])

    def go_back(self) -> None:
        """Put versions back, up to the oldest that is kept: `roll_back` refuses what is not as it was."""
        destination = open_destination(self.folder, self.uri)
        for depth in range(1, KEPT_VERSIONS + 1):
            with open_session(self.folder, self.uri) as session:
                known = read_publications(session, DASHBOARD, KEPT_VERSIONS + 1)
            wanted = known[min(depth, len(known) - 1)]
            with suppress(InvalidInputError):  # it is what is shown
                roll_back(destination, dt.datetime.now(dt.UTC), to=wanted.number)


# Figures.


def run(kind: str, times: int, seed: int, uri: str = "", python: str = sys.executable) -> bool:
    """Kill so many, print a line, and return whether all was well."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        looks: Any = {"write": Writes, "publish": Publications, "stock": StockWrites}[kind](folder, uri)
        if kind == "publish":
            looks.build()
        stands: dict[str, int] = {}
        words, first, started = Counter[str](), 0, time.monotonic()
        with Killer(kind, folder, uri, random.Random(seed), python).open() as killer:
            for _ in range(times):
                said = killer.kill_one(first)
                word, stands = looks.look(stands, said)
                words[word] += 1
                first = said[-1][1] + 1
                if word not in ("old", "new"):
                    print(
                        f"  after {said[-3:]}: {word}, {stands}", file=sys.stderr, flush=True
                    ) if kind != "stock" else None
        took = (time.monotonic() - started) / times
        if kind == "publish":
            looks.go_back()
        orphans = looks.list_orphans()
    good = words.pop("old", 0), words.pop("new", 0)
    bad = ", ".join(f"{count} {word}" for word, count in words.most_common()) or "0 empty, partial, mixed or doubled"
    left = f"; {len(orphans)} orphans" + (f" ({', '.join(orphans[:3])})" if orphans else "") if kind != "stock" else ""
    engine = "postgres" if uri else "duckdb"
    print(
        f"{kind:<8} {engine:<9}{times:>5} kills (seed {seed}): {good[0]} old, {good[1]} new, {bad}{left}; "
        f"{took:.2f} s a kill, {statistics.median(killer.took[False]):.3f} s a write",
        flush=True,
    )
    return not words and not orphans


@contextmanager
def server() -> Iterator[Any]:
    """Start a PostgreSQL server of its own."""
    with warnings.catch_warnings(action="ignore"):
        import pgserver

    found = pgserver.get_server(tempfile.mkdtemp(), cleanup_mode="delete")
    try:
        yield found
    finally:
        found.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1000)
    parser.add_argument("--engine", choices=["duckdb", "postgres"], default="duckdb")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--what", nargs="+", choices=["write", "publish"], default=["write", "publish"])
    parser.add_argument("--stock", help="the Python of an environment with dagster-duckdb-pandas")
    asked = parser.parse_args()
    good = True
    with server() if asked.engine == "postgres" else nullcontext() as found:
        for kind in asked.what:
            if found:
                with open_warehouse(Path(), found.get_uri()).session("kills") as session:
                    session._execute(f"CREATE DATABASE {kind}")
            good &= run(kind, asked.times, asked.seed, found.get_uri(kind) if found else "")
    if asked.stock:
        run("stock", asked.times, asked.seed, python=asked.stock)
    sys.exit(not good)


if __name__ == "__main__":
    main()
