"""What is said to Snowflake: of this fakesnow knows nothing, or takes what Snowflake would not."""

from __future__ import annotations

from types import SimpleNamespace

import dagster as dg
import pytest
from sqlglot import exp, parse_one

from dashboard_trust.checks.row_counts import count_bad
from dashboard_trust.checks.values import Table
from dashboard_trust.contracts.row_rules import Condition
from dashboard_trust.enforcement.slices import PARTITION_EXPR, partition_slice
from dashboard_trust.errors import InvalidInputError
from dashboard_trust.warehouses.parts import count_parts
from dashboard_trust.warehouses.session import column, table
from dashboard_trust.warehouses.snowflake_dialect import find_place, rewrite


def said(statement):
    return rewrite(statement, lambda node: (node.db, node.name)).sql("snowflake")


def test_a_text_ends_where_it_ends():
    """A backslash escapes what follows it."""
    assert said(exp.select(exp.convert("\\' OR 1=1 --"))) == r"SELECT '\\\' OR 1=1 --'"


def test_names_are_as_they_are_written():
    assert said(parse_one("DELETE FROM Raw.orders", dialect="duckdb")) == 'DELETE FROM "Raw"."orders"'
    assert said(exp.select("*").from_(table('raw."a ""b"'))) == 'SELECT * FROM "raw"."a ""b"'


def test_the_columns_of_a_condition_that_somebody_wrote_are_as_they_are_written():
    table = Table(SimpleNamespace(dialect="snowflake"), "raw.t", {"amount": "NUMBER(19,0)"})
    violations = count_bad(Condition("amount > 0 AND other = 1", name="positive"), table)

    assert '"amount" > 0 AND other = 1' in said(violations)


def test_the_columns_of_a_partition_that_somebody_wrote_are_as_they_are_written():
    days = dg.DailyPartitionsDefinition("2026-01-01")
    what = partition_slice(
        "raw.t", days, ["2026-01-01"], {PARTITION_EXPR: "at + shift"}, {"at": "TIMESTAMP_TZ"}, "snowflake"
    )

    assert said(what.where).startswith('("at" + shift) >= ')


def test_the_day_of_a_moment_is_that_of_utc_and_its_offset_is_written_out():
    asked = []

    class Listening:
        def query(self, statement):
            asked.append(said(statement))
            return []

    moments = [f"2026-01-0{n} 00:00:00+00" for n in (1, 2, 3)]
    start, middle, end = (exp.cast(exp.convert(moment), "TIMESTAMPTZ") for moment in moments)
    days = {
        "2026-01-01": exp.and_(column("at") >= start, column("at") < middle),
        "2026-01-02": exp.and_(column("at") >= middle, column("at") < end),
    }

    count_parts(Listening(), "raw.t", days, [exp.Count(this=exp.Star())])

    (sql,) = asked
    assert "CAST(CONVERT_TIMEZONE('UTC', CAST(\"at\" AS TIMESTAMPTZ)) AS DATE)" in sql
    assert "\"at\" >= CAST('2026-01-01 00:00:00 +00:00' AS TIMESTAMPTZ)" in sql
    assert "+00'" not in sql


def test_of_a_name_that_two_tables_have_neither_is_taken():
    both = {("marts", "revenue"), ("MARTS", "REVENUE")}

    with pytest.raises(InvalidInputError, match=r'is both "marts"\."revenue" and MARTS\.REVENUE'):
        find_place(("marts", "revenue"), both)
    assert find_place(("marts", "revenue"), {("MARTS", "REVENUE")}) == ("MARTS", "REVENUE")
    assert find_place(("marts", "revenue"), {("marts", "revenue")}) == ("marts", "revenue")
    assert find_place(("marts", "revenue"), set()) is None
