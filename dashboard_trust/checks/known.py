"""What is known of a table's parts besides its rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field

from dashboard_trust.checks.volume import History
from dashboard_trust.warehouses.session import Warehouse


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a table's parts besides its rows.

    Args:
        now: The present (aware).
        history: Rows of accepted parts that are not looked at now.
        waived: Parts whose volume a person accepted.
        refused: When parts began, not looked at now, whose volume was unusual and that nobody accepted.
        schemas: Who accepted other columns than those declared, by `shape_of` them.
        elsewhere: Returns the other warehouses that reconciliations name.
    """

    now: dt.datetime = field(default_factory=lambda: dt.datetime.now(dt.UTC))
    history: History = field(default_factory=dict)
    waived: Set[str] = frozenset()
    refused: Set[dt.datetime] = frozenset()
    schemas: Mapping[str, str] = field(default_factory=dict)
    elsewhere: Mapping[str, Callable[[], Warehouse]] = field(default_factory=dict)
