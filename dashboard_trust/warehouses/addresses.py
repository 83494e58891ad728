"""A warehouse by its address: ``duckdb:///path``, ``postgresql://...`` or ``snowflake://...``."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from dashboard_trust.errors import InvalidInputError
from dashboard_trust.warehouses.session import Warehouse

FORMS = "duckdb:///path/to/file.duckdb, postgresql://user@host/database, snowflake://user@account/database/schema"
SNOWFLAKE_OPTIONS = ("warehouse", "role", "authenticator", "private_key_path")


def open_warehouse(uri: str) -> Warehouse:
    """Return the warehouse of an address; nothing is connected yet. Its password is said nowhere.

    A path after two slashes (``duckdb://file.duckdb``) is relative. Snowflake takes ``warehouse``, ``role``,
    ``authenticator`` and ``private_key_path`` as parameters.

    Raises:
        InvalidInputError: It is no address of a warehouse, or there is no such file.
    """
    scheme, separator, rest = uri.partition("://")
    match scheme.lower() if separator else "":
        case "duckdb":
            return _duckdb(Path(rest))
        case "postgresql" | "postgres":
            from dashboard_trust.warehouses.postgres import PostgresWarehouse

            return PostgresWarehouse(uri)
        case "snowflake":
            return _snowflake(uri)
    # Whatever it is may hold a password: only what names the engine is repeated.
    named = f"{scheme!r} is no engine that is known" if separator and scheme.isalnum() else "no engine is named"
    raise InvalidInputError(f"The address of a warehouse cannot be understood: {named}. Write one like {FORMS}.")


def _duckdb(path: Path) -> Warehouse:
    from dashboard_trust.warehouses.duckdb import DuckDBWarehouse

    if not path.is_file():
        # Opening it would make an empty one.
        here = path.relative_to(path.anchor)
        if path.is_absolute() and here.is_file():
            raise InvalidInputError(f"There is no DuckDB file {path}: of the one in this folder write duckdb://{here}.")
        raise InvalidInputError(f"There is no DuckDB file {path}: write its path after duckdb://, as in {FORMS}.")
    return DuckDBWarehouse(path)


def _snowflake(uri: str) -> Warehouse:
    from dagster_snowflake import SnowflakeResource

    from dashboard_trust.warehouses.snowflake import SnowflakeWarehouse

    try:
        parts = urlsplit(uri)
        options: dict[str, Any] = dict(parse_qsl(parts.query))
        account, user, password = parts.hostname, parts.username, parts.password
    except ValueError:
        account = user = password = None
        options, parts = {}, urlsplit("")
    unknown = sorted(set(options) - set(SNOWFLAKE_OPTIONS))
    if not account or not user or unknown:
        why = f"{unknown[0]!r} is none of {', '.join(SNOWFLAKE_OPTIONS)}" if unknown else "it names no user and account"
        raise InvalidInputError(f"The address of Snowflake cannot be understood: {why}. Write one like {FORMS}.")
    database, _, schema = parts.path.strip("/").partition("/")
    said = {"password": password, "database": database, "schema": schema}
    given: dict[str, Any] = {name: unquote(value) for name, value in said.items() if value}
    return SnowflakeWarehouse(SnowflakeResource(account=account, user=unquote(user), **given, **options))
