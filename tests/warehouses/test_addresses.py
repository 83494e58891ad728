"""A warehouse by its address; what is secret in it is said nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboard_trust.errors import InvalidInputError
from dashboard_trust.warehouses.addresses import open_warehouse
from dashboard_trust.warehouses.duckdb import DuckDBWarehouse
from dashboard_trust.warehouses.postgres import PostgresWarehouse


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "s3cret",
        "mysql://me:s3cret@host/db",
        "://s3cret",
        "me:s3cret://host",
        "snowflake://",
        "snowflake://account/db",
        "snowflake://me:s3cret@",
        "snowflake://me:s3cret@account/db?rol=x",
        "snowflake://me:s3cret@[account/db",
    ],
)
def test_what_is_no_address_is_refused_without_its_password(uri):
    with pytest.raises(InvalidInputError) as caught:
        open_warehouse(uri)

    assert "s3cret" not in str(caught.value)
    assert "duckdb:///" in str(caught.value) or "snowflake://user@account" in str(caught.value)


@pytest.mark.parametrize("uri", ["duckdb://", "duckdb:///nowhere/x.duckdb", "duckdb://x.duckdb", "duckdb:///"])
def test_a_file_that_is_not_there_is_not_made(uri, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InvalidInputError, match="There is no DuckDB file"):
        open_warehouse(uri)
    assert list(tmp_path.iterdir()) == []


def test_duckdb_is_found_by_the_address_it_gives_itself(duckdb_warehouse, monkeypatch):
    with duckdb_warehouse.session("test"):
        pass
    monkeypatch.chdir(duckdb_warehouse.path.parent)

    assert open_warehouse(duckdb_warehouse.address) == duckdb_warehouse
    assert open_warehouse("duckdb://warehouse.duckdb") == DuckDBWarehouse(Path("warehouse.duckdb"))


def test_postgres_is_opened_by_its_own_uri(postgres):
    found = open_warehouse(postgres.uri())

    assert isinstance(found, PostgresWarehouse)
    with found.session("test") as session:
        assert session.dialect == "postgres"
    assert "s3cret" not in repr(open_warehouse("postgresql://me:s3cret@host/db"))


def test_snowflake_takes_who_where_and_its_parameters():
    found = open_warehouse("snowflake://me:s3%40cret@acc-eu/DB/RAW?warehouse=WH&role=R")

    assert found.address == "snowflake://acc-eu/DB"
    assert "cret" not in repr(found)
    resource = found.resource
    assert (resource.user, resource.password, resource.account) == ("me", "s3@cret", "acc-eu")
    assert (resource.database, resource.schema_, resource.warehouse, resource.role) == ("DB", "RAW", "WH", "R")
