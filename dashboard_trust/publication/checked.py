"""What the checks saw: the fingerprints that builds recorded with their materializations."""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from dashboard_trust.publication.tables import Expected, Slices
from dashboard_trust.readers.event_log import read_newest
from dashboard_trust.warehouses.fingerprints import Fingerprint


def read_checked(instance: dg.DagsterInstance, slices: Slices, assets: Mapping[str, dg.AssetKey]) -> Expected:
    """Return what the newest load of each slice held, as its own step fingerprinted it.

    ``assets`` says which asset each source table is. A load without a fingerprint is left out: it
    cannot be published. Which load is the newest is looked at once more before the commit.
    """
    names = {table.source: assets[table.source].to_user_string() for table in slices}
    places = {(names[table.source], part or None) for table, parts in slices.items() for part in parts}
    loads = read_newest(instance, places)
    found = {
        (table.source, part): loads[names[table.source], part or None].fingerprint
        for table, parts in slices.items()
        for part in parts
        if (names[table.source], part or None) in loads
    }
    return {place: Fingerprint.parse(text) for place, text in found.items() if text}
