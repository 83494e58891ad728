"""Who looks at the rules: each is started (imports), loads what it needs first, and then looks.

What is timed is the look. Each answers with the names of the checks that fail, of all of which it knows.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from rules_dbt import write_project
from rules_table import COUNTRIES, EMAIL, FIRST, FRESH, NOW, PLANTS, STATUSES, Found, Lines, bounds, make_rules


class Contestant(Protocol):
    def load(self, lines: Lines) -> None:
        """Get ready to look at a table, with the file closed again."""

    def look(self) -> Found:
        """Look at all rules of it."""


class Ours:
    """`check_table`, from opening the file to closing it, with the fingerprint."""

    def __init__(self) -> None:
        import dashboard_trust.checks.evaluate
        import dashboard_trust.warehouses.duckdb  # noqa: F401

    def load(self, lines: Lines) -> None:
        self.lines = lines

    def look(self) -> Found:
        from dashboard_trust.checks.evaluate import check_table
        from dashboard_trust.checks.known import Known
        from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

        with DuckDBWarehouse(self.lines.path).session("the benchmark") as session:
            report = check_table(session, make_rules(self.lines), known=Known(now=NOW))
        errors = [found.error for found in report.outcomes if found.error]
        assert not errors, errors
        # How old is said in hours by us, and by others otherwise: what is compared are numbers of rows.
        numbers = {
            found.rule.check: int(found.parts[""].measured or 0)
            for found in report.outcomes
            if found.rule.check != "freshness_paid_at"
        }
        numbers["fingerprint"] = str(report.fingerprints[""])
        failed = frozenset(found.rule.check for found in report.outcomes if not found.passed)
        return Found(failed, numbers, report.queries)


SCAN = f"""
    SELECT count(*), sum(hash(amount, country, customer_id, discount, email, id, line, order_id, ordered_at, paid_at,
            quantity, score, status)),
        count(*) - count(id), count(*) - count(customer_id), count(*) - count(amount), count(*) - count(paid_at),
        count_if(status NOT IN {STATUSES}), count_if(country NOT IN {COUNTRIES}),
        count_if(quantity NOT BETWEEN 1 AND 100), count_if(amount NOT BETWEEN 0 AND 10100),
        count_if(score NOT BETWEEN 0 AND 1 AND NOT isnan(score)),
        count_if(ordered_at < TIMESTAMP '{FIRST:%Y-%m-%d}' OR ordered_at >= TIMESTAMP '{NOW:%Y-%m-%d}'),
        count_if(NOT regexp_matches(email, '{EMAIL}')), count_if(length(email) NOT BETWEEN 6 AND 64),
        count_if((paid_at >= ordered_at) IS NOT TRUE), count_if((discount <= amount) IS NOT TRUE),
        max(paid_at) FILTER (paid_at <= TIMESTAMP '{NOW:%Y-%m-%d}')
    FROM {{lines}}
"""
SCANNED = (
    *(f"not_null_{name}" for name in ("id", "customer_id", "amount", "paid_at")),
    *(f"accepted_values_{name}" for name in ("status", "country")),
    *(f"range_{name}" for name in ("quantity", "amount", "score", "ordered_at")),
    *("pattern_email", "length_email", "paid_after_order", "discount_within_amount"),
)
# A sort tells neighbours that are alike sooner than a grouping does, and in less memory.
QUERIES = {
    "unique_id": """
        SELECT count_if(id = before OR id = after)
        FROM (
            SELECT id, lag(id) OVER keys AS before, lead(id) OVER keys AS after FROM {lines}
            WINDOW keys AS (ORDER BY id)
        )
    """,
    "unique_order_id_line": """
        SELECT count_if((order_id = order_before AND line = before) OR (order_id = order_after AND line = after))
        FROM (
            SELECT order_id, line, lag(order_id) OVER keys AS order_before, lag(line) OVER keys AS before,
                lead(order_id) OVER keys AS order_after, lead(line) OVER keys AS after
            FROM {lines} WINDOW keys AS (ORDER BY order_id, line)
        )
    """,
    "references_customer_id_shop_customers": """
        SELECT count(*) FROM {lines} ANTI JOIN shop.customers USING (customer_id) WHERE customer_id IS NOT NULL
    """,
    "monotonic_id_ordered_at": """
        SELECT count_if(id < before)
        FROM (
            SELECT id, lag(id) OVER (ORDER BY ordered_at, id) AS before FROM {lines}
            WHERE id IS NOT NULL AND ordered_at IS NOT NULL
        )
    """,
}


class Hand:
    """The SQL of somebody who knows the table and DuckDB, for the same numbers: one scan, and four queries."""

    def __init__(self) -> None:
        import duckdb  # noqa: F401

    def load(self, lines: Lines) -> None:
        self.lines = lines

    def look(self) -> Found:
        import duckdb

        with duckdb.connect(str(self.lines.path)) as connection:

            def ask(query: str) -> tuple[Any, ...]:
                return connection.execute(query.replace("{lines}", self.lines.name)).fetchall()[0]

            rows, total, *counted, newest = ask(SCAN)
            bad = dict(zip(SCANNED, counted, strict=True)) | {name: ask(sql)[0] for name, sql in QUERIES.items()}
        least, most = bounds(self.lines)
        broken = {name for name, number in bad.items() if number}
        broken |= set() if least <= rows <= most else {"row_count"}
        broken |= set() if newest and NOW.replace(tzinfo=None) - newest < FRESH else {"freshness_paid_at"}
        numbers = {**bad, "row_count": rows, "fingerprint": (rows, total)}
        return Found(frozenset(broken), numbers, 1 + len(QUERIES))


class Expectations:
    """The same rules as a suite of Great Expectations on pandas, asked by this package's adapter."""

    def __init__(self) -> None:
        from dashboard_trust.checks.expectations import load_great_expectations

        load_great_expectations()

    def load(self, lines: Lines) -> None:
        """Read the table into a frame, and look customers up: told all of them as values, it would take minutes."""
        from dashboard_trust.checks.suite_rows import to_frame
        from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

        with DuckDBWarehouse(lines.path).session("the benchmark") as session:
            self.frame = to_frame(session.read(lines.name))
            customers = to_frame(session.read("shop.customers"))["customer_id"]
        keys = self.frame["customer_id"]
        self.frame["is_known"] = keys.isin(customers) | keys.isna()
        self.suite = make_suite(lines)

    def look(self) -> Found:
        from dashboard_trust.checks.expectations import open_context, validate

        with open_context() as context:
            asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
            batch = asset.add_batch_definition_whole_dataframe("rows").get_batch({"dataframe": self.frame})
            results = validate(batch, self.suite)
        errors = {name: found.reason for name, found in results.items() if found.outcome == "errored"}
        assert not errors, errors
        assert set(results) == set(PLANTS)
        return Found(frozenset(name for name, found in results.items() if found.outcome == "failed"), {}, 0)


def make_suite(lines: Lines) -> Any:
    """Return the rules as expectations. What rises is looked at in the order of the frame, which is the table's."""
    from dashboard_trust.checks.suites import read_suite

    least, most = bounds(lines)
    newest = {"min_value": (NOW - FRESH).replace(tzinfo=None), "max_value": NOW.replace(tzinfo=None)}
    period = {"min_value": FIRST.replace(tzinfo=None), "max_value": NOW.replace(tzinfo=None), "strict_max": True}
    after = {"column_A": "paid_at", "column_B": "ordered_at", "or_equal": True}
    within = {"column_A": "amount", "column_B": "discount", "or_equal": True}
    values = "expect_column_values_to_"
    between = f"{values}be_between"
    said: dict[str, tuple[str, Mapping[str, Any]]] = {
        "row_count": ("expect_table_row_count_to_be_between", {"min_value": least, "max_value": most}),
        **{
            f"not_null_{name}": (f"{values}not_be_null", {"column": name})
            for name in ("id", "customer_id", "amount", "paid_at")
        },
        "unique_id": (f"{values}be_unique", {"column": "id"}),
        "unique_order_id_line": ("expect_compound_columns_to_be_unique", {"column_list": ["order_id", "line"]}),
        "accepted_values_status": (f"{values}be_in_set", {"column": "status", "value_set": list(STATUSES)}),
        "accepted_values_country": (f"{values}be_in_set", {"column": "country", "value_set": list(COUNTRIES)}),
        "range_quantity": (between, {"column": "quantity", "min_value": 1, "max_value": 100}),
        "range_amount": (between, {"column": "amount", "min_value": 0, "max_value": 10100}),
        "range_score": (between, {"column": "score", "min_value": 0, "max_value": 1}),
        "range_ordered_at": (between, {"column": "ordered_at", **period}),
        "pattern_email": (f"{values}match_regex", {"column": "email", "regex": EMAIL}),
        "length_email": (
            "expect_column_value_lengths_to_be_between",
            {"column": "email", "min_value": 6, "max_value": 64},
        ),
        "references_customer_id_shop_customers": (f"{values}be_in_set", {"column": "is_known", "value_set": [True]}),
        "freshness_paid_at": ("expect_column_max_to_be_between", {"column": "paid_at", **newest}),
        "paid_after_order": ("expect_column_pair_values_a_to_be_greater_than_b", after),
        "discount_within_amount": ("expect_column_pair_values_a_to_be_greater_than_b", within),
        "monotonic_id_ordered_at": (f"{values}be_increasing", {"column": "id"}),
    }
    listed = [{"type": kind, "kwargs": asked, "meta": {"name": name}} for name, (kind, asked) in said.items()]
    return read_suite({"name": "lines", "expectations": listed})


class Dbt:
    """The same rules as dbt tests, run by `dbt test` in this process; what it parses first is loading."""

    def __init__(self, threads: int) -> None:
        from dbt.cli.main import dbtRunner

        self.runner, self.threads = dbtRunner, threads
        self.kept = ExitStack()

    def load(self, lines: Lines) -> None:
        os.environ["DO_NOT_TRACK"] = "1"
        self.folder = Path(f"{lines.path}.dbt{self.threads}.{lines.schema}")
        write_project(self.folder, lines, self.threads)
        parsed = self._invoke(None, "parse")
        self.manifest = parsed.result

    def look(self) -> Found:
        results = self._invoke(self.manifest, "test").result.results
        statuses = {found.node.name: str(found.status) for found in results}
        assert set(statuses) == set(PLANTS)
        assert set(statuses.values()) <= {"pass", "fail"}, statuses
        # Without what it does before the first test and after the last.
        timings = [timing for found in results for timing in found.timing if timing.name == "execute"]
        first, last = min(timing.started_at for timing in timings), max(timing.completed_at for timing in timings)
        failed = frozenset(name for name, status in statuses.items() if status == "fail")
        numbers = {found.node.name: int(found.failures or 0) for found in results}
        return Found(failed, numbers, len(results), (last - first).total_seconds())

    def _invoke(self, manifest: Any, command: str) -> Any:
        folder = str(self.folder)
        options = ["--project-dir", folder, "--profiles-dir", folder, "--log-level", "none", "--log-level-file", "none"]
        done = self.runner(manifest=manifest).invoke([command, *options])
        assert done.exception is None, done.exception
        return done


CONTESTANTS = {
    "ours": Ours,
    "hand": Hand,
    "gx": Expectations,
    "dbt1": lambda: Dbt(1),
    "dbt4": lambda: Dbt(4),
}
