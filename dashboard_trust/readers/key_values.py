"""Small values in the Dagster instance that many processes change: each change is made on what stands there.

The key-value store is internal, and so is its table; ``tests/upstream/test_key_values.py`` pins both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import dagster as dg
from dagster._core.storage.runs import SqlRunStorage
from dagster._core.storage.runs.schema import KeyValueStoreTable
from sqlalchemy.exc import IntegrityError

from dashboard_trust.errors import DashboardTrustError

TRIES = 1000
Answer = TypeVar("Answer")
_columns = KeyValueStoreTable.c


def read_value(instance: dg.DagsterInstance, key: str) -> str:
    """Return the value of a key; "" where there is none."""
    return instance.daemon_cursor_storage.get_cursor_values({key}).get(key, "")


def change_value(instance: dg.DagsterInstance, key: str, change: Callable[[str], tuple[Answer, str]]) -> Answer:
    """Change a value by what it is, and return what the change answers.

    ``change`` is called with the value, and returns its answer and the new value. Where another process was
    faster it is called again, on what that one wrote: no change is lost, on SQLite and on Postgres.
    """
    for _ in range(TRIES):
        before = read_value(instance, key)
        answer, after = change(before)
        if after == before or _replace(instance, key, before, after):
            return answer
    raise DashboardTrustError(f"{key!r} could not be changed {TRIES} times over: others were always faster.")


def _replace(instance: dg.DagsterInstance, key: str, before: str, after: str) -> bool:
    """Write a value if it still is what it was; return whether it was written."""
    storage = instance.run_storage
    if not isinstance(storage, SqlRunStorage):
        instance.daemon_cursor_storage.set_cursor_values({key: after})
        return True
    same = (_columns.key == key) & (_columns.value == before)
    with storage.connect() as connection:
        if connection.execute(KeyValueStoreTable.update().where(same).values(value=after)).rowcount:
            return True
        if before:
            return False
        try:
            connection.execute(KeyValueStoreTable.insert().values(key=key, value=after))
        except IntegrityError:  # it stands there by now, from another
            return False
        return True
