"""Twenty rules of a table of 10 million rows on DuckDB: ours, SQL by hand, Great Expectations, and dbt tests.

``python benchmarks/rules.py [--rows N] [--repeats 5] [--only ours,hand,gx,dbt1,dbt4]``
``python benchmarks/rules.py --check``

Each look is in a process of its own, on the same file, in an order that turns with every round; imports and a first
look at a table of a few hundred rows come before, and are not counted for anybody. Great Expectations has the table
in a frame, loaded before; dbt has parsed its project. CPU seconds are of the look, for dbt of its whole command; memory
is the most that the process held from loading on. Fingerprints are counted by ours and by hand, and all must find the
table clean. ``--check`` breaks each rule of a small table in turn: all must find the same rules broken, that one among
them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from rules_contestants import CONTESTANTS
from rules_table import CUSTOMERS, PLANTS, Found, Lines, make_tables

NAMES = {
    "ours": "ours, check_table",
    "hand": "SQL by hand",
    "gx": "Great Expectations, pandas",
    "dbt1": "dbt tests, 1 thread",
    "dbt4": "dbt tests, 4 threads",
}
SMALL = 300


def held() -> int:
    """Return the bytes this process held at most since that was last forgotten."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def run_child(way: str, folder: Path, rows: int) -> None:
    """Look once, and print what it took."""
    start = time.perf_counter()
    contestant = CONTESTANTS[way]()
    contestant.load(Lines(folder / "small.duckdb", SMALL))
    contestant.look()
    started = time.perf_counter()
    # What was held at most until here does not count, what still is does.
    Path("/proc/self/clear_refs").write_text("5")
    lines = Lines(folder / "large.duckdb", rows)
    contestant.load(lines)
    loaded, worked = time.perf_counter(), time.process_time()
    found = contestant.look()
    done, work = time.perf_counter(), time.process_time() - worked
    took = {"start": started - start, "load": loaded - started, "look": done - loaded, "work": work}
    took |= {"alone": found.seconds or done - loaded, "queries": found.queries, "memory": held()}
    print(json.dumps({**took, "failed": sorted(found.failed), "numbers": comparable(found, lines)}))


def run_check(way: str, folder: Path) -> None:
    """Look at every broken table, and print what was found in each."""
    contestant, found = CONTESTANTS[way](), {}
    for schema in ("shop", *PLANTS):
        lines = Lines(folder / "broken.duckdb", SMALL, schema)
        contestant.load(lines)
        seen = contestant.look()
        found[schema] = {"failed": sorted(seen.failed), "numbers": comparable(seen, lines)}
    print(json.dumps(found))


def comparable(found: Found, lines: Lines) -> dict[str, str]:
    """Return the numbers that ours and those by hand must agree in, the fingerprint as ours is written."""
    from dashboard_trust.warehouses.duckdb import DuckDBWarehouse
    from dashboard_trust.warehouses.fingerprints import read_shape

    numbers = dict(found.numbers)
    if isinstance(numbers.get("fingerprint"), tuple):
        with DuckDBWarehouse(lines.path).session("the benchmark") as session:
            numbers["fingerprint"] = read_shape(session, lines.name).fingerprint(*numbers["fingerprint"])
    return {name: str(value) for name, value in sorted(numbers.items())}


def run(*arguments: str) -> Any:
    command = [sys.executable, "-W", "ignore", __file__, *arguments]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[-1])


def check(ways: list[str], folder: Path) -> None:
    """Let everybody look at every broken table, and compare what they found."""
    make_tables(Lines(folder / "broken.duckdb", SMALL), plants=True)
    found = {way: run("--broken", way, str(folder)) for way in ways}
    first = found[ways[0]]
    for broken in ("shop", *PLANTS):
        seen = {way: found[way][broken]["failed"] for way in ways}
        assert all(failed == seen[ways[0]] for failed in seen.values()), (broken, seen)
        assert seen[ways[0]] == [] if broken == "shop" else broken in seen[ways[0]], (broken, seen)
        print(f"{broken:<40}{len(ways)} find {', '.join(seen[ways[0]]) or 'nothing'}")
    if "ours" in ways and "hand" in ways:
        for broken in first:
            assert found["ours"][broken]["numbers"] == found["hand"][broken]["numbers"], broken
        print("ours and the SQL by hand agree in every number, and in every fingerprint")


def measure(ways: list[str], folder: Path, rows: int, repeats: int) -> dict[str, list[dict[str, Any]]]:
    """Let each look as often, in turn; whatever is found in clean rows ends it."""
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    for n in range(repeats):
        for way in ways[n % len(ways) :] + ways[: n % len(ways)]:
            seen = run("--child", way, str(folder), str(rows))
            assert not seen["failed"], (way, seen["failed"])
            found[way].append(seen)
    if "ours" in ways and "hand" in ways:
        assert found["ours"][0]["numbers"] == found["hand"][0]["numbers"]
    return found


def show(found: dict[str, list[dict[str, Any]]]) -> None:
    """Print the medians; ratios are to ours."""
    unit = next(iter(found))

    def median(way: str, what: str) -> float:
        return statistics.median(one[what] for one in found[way])

    print(
        f"{'':<34}{'s':>8}{'ratio':>7}   least to most{'MiB':>9}{'ratio':>7}{'queries':>9}{'load s':>8}{'start s':>9}"
    )
    for way, looks in found.items():
        lines = [("look", NAMES[way])]
        if any(one["alone"] != one["look"] for one in looks):
            lines = [("alone", NAMES[way]), ("look", "  the whole command")]
        if median(way, "load") > 0.1:
            for one in looks:
                one["both"] = one["load"] + one["look"]
            lines.append(("both", "  with what it loads first"))
        for what, name in lines:
            took = [one[what] for one in looks]
            text = f"{name:<30}{median(way, what):>8.2f}{median(way, what) / median(unit, 'look'):>7.2f}"
            text += f"{f'{min(took):.2f} to {max(took):.2f}':>18}"
            if what == lines[0][0]:
                work, memory = median(way, "work"), median(way, "memory")
                text += f"{work:>8.2f}{work / median(unit, 'work'):>8.2f}"
                text += f"{memory / 2**20:>8.0f}{memory / median(unit, 'memory'):>8.2f}{looks[0]['queries']:>8}"
                text += f"{median(way, 'load'):>8.2f}{median(way, 'start'):>8.2f}"
            print(text, flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        run_child(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
        return
    if sys.argv[1:2] == ["--broken"]:
        run_check(sys.argv[2], Path(sys.argv[3]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--only", default=",".join(CONTESTANTS), help="who, the first of whom ratios are to")
    parser.add_argument("--check", action="store_true", help="break each rule, and time nothing")
    asked = parser.parse_args()
    ways = asked.only.split(",")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.check:
            check(ways, folder)
            return
        make_tables(Lines(folder / "small.duckdb", SMALL))
        make_tables(Lines(folder / "large.duckdb", asked.rows))
        print(f"{asked.rows} rows, {CUSTOMERS} customers, {len(PLANTS)} rules, medians of {asked.repeats}")
        show(measure(ways, folder, asked.rows, asked.repeats))


if __name__ == "__main__":
    main()
