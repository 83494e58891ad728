"""A person's word on a dashboard or a table: hold it, let it go, live with one finding, accept a schema."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody said, and when.

    ``hold`` and ``release`` are about the dashboard ``asset`` (of one partition, or of all). ``waive``
    is about one finding: asset, partition, check and outcome, at the ``version`` it was given for, and
    no longer than ``until``. ``roll_back`` refuses what was made from the inputs ``consumed`` (versions by
    name) until they change, or the dashboard is released. ``accept`` is about a table's columns as they are: a
    `version` of their shape, which the table's ``check`` names.
    """

    kind: Literal["hold", "release", "waive", "roll_back", "accept"]
    asset: str
    by: str
    at: dt.datetime
    reason: str
    partition: str | None = None
    check: str | None = None
    outcome: str = ""
    version: str = ""
    until: dt.datetime | None = None
    consumed: Mapping[str, str] = field(default_factory=dict)
