"""A DuckDB and a real Postgres, as the tests of warehouses have them."""

from __future__ import annotations

from tests.warehouses.conftest import duckdb_warehouse, postgres, postgres_server, postgres_warehouse

__all__ = ["duckdb_warehouse", "postgres", "postgres_server", "postgres_warehouse"]
