from __future__ import annotations

import pytest

from dashboard_trust.errors import WriteRefusedError
from dashboard_trust.warehouses.column_types import NULLS, compare_columns

FITTING = [
    ("SMALLINT", "INTEGER"),
    ("INTEGER", "BIGINT"),
    ("smallint", "bigint"),
    ("TINYINT", "DECIMAL(3,0)"),
    ("BIGINT", "DECIMAL(20,0)"),
    ("bigint", "numeric(21,2)"),
    ("FLOAT", "DOUBLE"),
    ("real", "double precision"),
    ("DECIMAL(10,2)", "DECIMAL(18,2)"),
    ("DECIMAL(10,2)", "DECIMAL(18,4)"),
    ("numeric(10,2)", "numeric"),
    ("bigint", "numeric"),
    ("text", "character varying"),
    (NULLS, "VARCHAR"),
    (NULLS, "BIGINT[]"),
    ("VARCHAR", "VARCHAR"),
    ("TIMESTAMP_NTZ(9)", "TIMESTAMP_NTZ(9)"),
]
OTHER = [
    ("BIGINT", "INTEGER"),
    ("bigint", "numeric(20,2)"),
    ("BIGINT", "DECIMAL(18,0)"),
    ("BIGINT", "DOUBLE"),
    ("INTEGER", "VARCHAR"),
    ("INTEGER", "UBIGINT"),
    ("UINTEGER", "BIGINT"),
    ("DOUBLE", "FLOAT"),
    ("DOUBLE", "DECIMAL(18,2)"),
    ("DECIMAL(10,2)", "DECIMAL(18,1)"),
    ("DECIMAL(10,2)", "DECIMAL(10,3)"),
    ("DECIMAL(10,2)", "DOUBLE"),
    ("DECIMAL(3,0)", "BIGINT"),
    ("numeric", "numeric(38,2)"),
    ("BOOLEAN", "INTEGER"),
    ("DATE", "TIMESTAMP"),
    ("TIMESTAMP", "TIMESTAMP WITH TIME ZONE"),
    ("TIMESTAMP WITH TIME ZONE", "TIMESTAMP"),
    ("TIMESTAMP", "TIMESTAMP_NS"),
    ("VARCHAR", "BLOB"),
    ("VARCHAR", "BOOLEAN"),
    ("text", "character varying(10)"),
    ("text", "jsonb"),
    ("INTEGER[]", "BIGINT[]"),
]


@pytest.mark.parametrize(("given", "has"), OTHER)
def test_a_type_that_would_change_a_value_is_refused_by_name(given, has):
    with pytest.raises(WriteRefusedError) as caught:
        compare_columns("mart.t", {"c": has}, {"c": given})

    assert f"mart.t: c is {given} instead of {has}. Nothing was written." in str(caught.value)


@pytest.mark.parametrize(("given", "has"), FITTING)
def test_a_type_of_which_every_value_is_kept_fits(given, has):
    assert compare_columns("mart.t", {"c": has}, {"c": given}) == []


def test_every_problem_is_named_at_once():
    has = {"id": "BIGINT", "gone": "VARCHAR", "amount": "BIGINT"}
    given = {"amount": "VARCHAR", "id": "BIGINT", "more": "VARCHAR"}

    with pytest.raises(WriteRefusedError, match="gone is missing; amount is VARCHAR instead of BIGINT; more is new"):
        compare_columns("mart.t", has, given)
    with pytest.raises(WriteRefusedError, match=r"gone is missing; amount is VARCHAR instead of BIGINT\."):
        compare_columns("mart.t", has, given, accept_new=True)


def test_new_columns_are_returned_where_they_are_accepted():
    given = {"b": "BIGINT", "id": "BIGINT", "a": "VARCHAR"}

    assert compare_columns("mart.t", {"id": "BIGINT"}, given, accept_new=True) == ["b", "a"]
    with pytest.raises(WriteRefusedError, match="a is new, and without a value it has no type"):
        compare_columns("mart.t", {"id": "BIGINT"}, {**given, "a": NULLS}, accept_new=True)
