"""Which types are one type under another name, and which schema a person accepted. Pure."""

from __future__ import annotations

import pytest

from dashboard_trust.checks.columns import judge_columns, same_type, shape_of
from dashboard_trust.contracts.table_rules import ANY_TEXT, Columns


@pytest.mark.parametrize(
    ("wanted", "found", "dialect"),
    [
        ("bigint", "BIGINT", "duckdb"),
        ("text", "VARCHAR", "duckdb"),
        ("decimal", "DECIMAL(18,2)", "duckdb"),
        ("numeric(10, 2)", "numeric(10,2)", "postgres"),
        ("varchar(20)", "text", "postgres"),
        ("timestamptz", "timestamp with time zone", "postgres"),
        ("integer[]", "INTEGER[]", "duckdb"),
        ("mood", "mood", "postgres"),
        (ANY_TEXT, "character varying(20)", "postgres"),
        (ANY_TEXT, "mood", "postgres"),
        (ANY_TEXT, "UUID", "duckdb"),
        (ANY_TEXT, "TEXT", "snowflake"),
    ],
)
def test_one_type_has_several_names(wanted, found, dialect):
    assert same_type(wanted, found, dialect)


@pytest.mark.parametrize(
    ("wanted", "found", "dialect"),
    [
        ("bigint", "INTEGER", "duckdb"),
        ("decimal(18, 3)", "DECIMAL(18,2)", "duckdb"),
        ("integer[]", "VARCHAR[]", "duckdb"),
        ("bigint[]", "text[]", "postgres"),
        ("STRUCT(a INT)", "STRUCT(a VARCHAR)", "duckdb"),
        ("text", "mood", "postgres"),
        (ANY_TEXT, "INTEGER", "duckdb"),
        (ANY_TEXT, "DOUBLE", "duckdb"),
        (ANY_TEXT, "BOOLEAN", "duckdb"),
        (ANY_TEXT, "NUMBER(38,0)", "snowflake"),
        (ANY_TEXT, "date", "postgres"),
        (ANY_TEXT, "timestamp with time zone", "postgres"),
    ],
)
def test_others_are_others(wanted, found, dialect):
    assert not same_type(wanted, found, dialect)


def test_a_column_of_somebodys_own_type_is_wrong_and_not_the_declaration():
    assert judge_columns(Columns({"status": "text"}), {"status": "mood"}, "postgres") == (
        "column 'status' is mood instead of text",
        "",
    )


def test_another_declaration_is_another_shape():
    types = {"a": "INTEGER"}
    shapes = {
        shape_of(Columns({"a": "INT"}), types),
        shape_of(Columns({"a": "INT"}, added="refused"), types),
        shape_of(Columns({"a": "INT"}, ordered=True), types),
        shape_of(Columns({"a": "INT", "b": "INT"}), types),
        shape_of(Columns({"a": "INT"}), {"a": "INTEGER", "b": "INTEGER"}),
    }

    assert len(shapes) == 5
