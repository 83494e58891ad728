"""Which checks the event log has ever seen on an asset: all that is known of another code location's."""

from __future__ import annotations

from collections.abc import Set

import dagster as dg
import sqlalchemy as db

from dashboard_trust.readers.event_tables import CHECKS, EventTables


def read_known_checks(instance: dg.DagsterInstance, assets: Set[str]) -> dict[str, set[str]]:
    """Return the names of the checks that were ever planned or run on these assets, in one query."""
    known: dict[str, set[str]] = {asset: set() for asset in assets}
    stored = {dg.AssetKey.from_user_string(asset).to_string(): asset for asset in assets}
    if not stored:
        return known
    query = db.select(CHECKS.asset_key, CHECKS.check_name).where(CHECKS.asset_key.in_(sorted(stored))).distinct()
    with EventTables.open(instance) as tables:
        for record in tables.connection.execute(query):
            known[stored[record.asset_key]].add(record.check_name)
    return known
