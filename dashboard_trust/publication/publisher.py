"""The refresh of a dashboard that stands in a warehouse: its tables are published, exactly as they were checked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from dashboard_trust.enforcement.gated_assets import confirm
from dashboard_trust.enforcement.gated_step import gate_of
from dashboard_trust.enforcement.slices import partition_slice
from dashboard_trust.errors import DashboardTrustError, InvalidInputError, nearest
from dashboard_trust.evidence.names import SECTIONS, SINCE
from dashboard_trust.publication.checked import read_checked
from dashboard_trust.publication.swap import Destination, publish
from dashboard_trust.publication.tables import PublishedTable, Slices
from dashboard_trust.verdicts.verdict import Verdict
from dashboard_trust.warehouses.parts import WHOLE, Parts
from dashboard_trust.warehouses.session import Session


@dataclass(frozen=True)
class Publisher:
    """A refresh for `trusted_dashboard` that publishes tables; ``dashboard-trust rollback`` finds it there.

    Of each partition that may be shown, the partitions of the tables that it reads are published, all together. What
    only unmet sections read is left as readers have it.

    Args:
        destination: Returns where the dashboard is published.
        tables: By asset key (with slashes), the table the asset is built in and the one readers see. The assets
            record their fingerprints (`fingerprinted`, `TrustedIOManager`), and are direct inputs of the dashboard.
    """

    destination: Callable[[], Destination]
    tables: Mapping[str, PublishedTable]

    def __call__(
        self, context: dg.AssetExecutionContext, verdicts: Sequence[Verdict]
    ) -> Mapping[str | None, Mapping[str, Any]]:
        """Publish for these verdicts; return what is to be said of each partition.

        Raises:
            PublicationError: A table is not what was checked; nothing was published.
            EvidenceMovedError: What it stands on changed meanwhile; nothing was published.
        """
        destination = self.destination()
        with destination.warehouse.session(f"looking at the tables of {destination.dashboard}") as session:
            slices = self.slices(context, verdicts, session)
        publication = publish(
            destination,
            slices,
            read_checked(context.instance, slices, self._assets()),
            dt.datetime.now(dt.UTC),
            before_commit=lambda: confirm(context, verdicts),
        )
        return {
            verdict.partition: {
                "version": publication.number,
                "release": publication.release,
                "readiness": str(verdict.readiness),
                SINCE: publication.published_at.isoformat(),
                SECTIONS: dg.MetadataValue.json(list(verdict.unmet)),
            }
            for verdict in verdicts
        }

    def slices(self, context: dg.AssetExecutionContext, verdicts: Sequence[Verdict], session: Session) -> Slices:
        """Return what these verdicts let be published of each table."""
        gate = gate_of(context.assets_def)
        if gate is None or gate.binding is None:
            raise DashboardTrustError(
                f"{context.asset_key.to_user_string()} has no bound gate: pass its Definitions through trust(...)."
            )
        promises = gate.binding.promises([verdict.partition for verdict in verdicts], context.instance)
        inputs = [(one, verdict) for verdict in verdicts for one in promises[verdict.partition].dashboard_inputs]
        direct = {one.asset for one, _ in inputs}
        found: dict[PublishedTable, Parts] = {}
        for asset, published in self.tables.items():
            if asset not in direct:
                raise InvalidInputError(
                    f"{asset!r} is published, but is no direct input of {gate.contract.key}: {nearest(asset, direct)}"
                )
            # What a verdict consumed is what a refresh may show: inputs of unmet sections alone are not among it.
            read = [one for one, verdict in inputs if one.asset == asset and one.name in dict(verdict.consumed)]
            if not read:
                found[published] = {}
                continue
            keys = list(dict.fromkeys(str(part) for one in read for part in one.partitions if part is not None))
            node = gate.binding.graph.get(dg.AssetKey.from_user_string(asset))
            types = session.columns(published.source)
            if types is None:
                raise InvalidInputError(f"{published.source} does not exist. Materialize {asset}.")
            what = partition_slice(published.source, node.partitions_def, keys, node.metadata, types, session.dialect)
            # An input that is mapped to no partition is no rows, not all of them.
            found[published] = {WHOLE: None} if node.partitions_def is None else dict(what.parts)
        return found

    def _assets(self) -> Mapping[str, dg.AssetKey]:
        return {published.source: dg.AssetKey.from_user_string(asset) for asset, published in self.tables.items()}
