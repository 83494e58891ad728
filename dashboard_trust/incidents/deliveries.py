"""Telling: from verdicts to messages sent, remembered only where they arrived."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import dagster as dg

from dashboard_trust.contracts.model import DashboardContract
from dashboard_trust.errors import DashboardTrustError
from dashboard_trust.incidents.apprise_sender import send
from dashboard_trust.incidents.memory import read_told, write_told
from dashboard_trust.incidents.notices import Notice, apply, find_changes, group_notices
from dashboard_trust.incidents.wording import write_body, write_title
from dashboard_trust.readers.serving import Serving, read_serving
from dashboard_trust.verdicts.verdict import Verdict

EVERYONE_ELSE = "*"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message; one that failed is tried again at the next evaluation."""

    notice: Notice
    title: str
    body: str
    state: Literal["sent", "not_routed", "failed"]
    reason: str = ""


def tell(
    instance: dg.DagsterInstance,
    verdicts: Sequence[Verdict],
    contracts: Mapping[str, DashboardContract],
    routes: Mapping[str, str],
) -> list[Delivery]:
    """Tell everybody concerned what is new in these verdicts, once.

    Args:
        instance: Keeps what was told.
        verdicts: As judged now, READY ones too: they resolve.
        contracts: By dashboard key, for every dashboard of the verdicts.
        routes: Apprise URL by owner; ``*`` for everyone else. Without a route nothing is sent, and
            the message counts as told.
    """
    told = read_told(instance)
    changes = find_changes(told, verdicts, contracts)
    notices = group_notices(changes)
    concerned = {change.verdict.dashboard for notice in notices for change in notice.changes}
    serving = {key: read_serving(instance, dg.AssetKey.from_user_string(key), None) for key in concerned}
    deliveries = [_deliver(notice, contracts, serving, routes) for notice in notices]
    failed = {id(change) for d in deliveries if d.state == "failed" for change in d.notice.changes}
    write_told(instance, apply(told, [change for change in changes if id(change) not in failed]))
    return deliveries


def _deliver(
    notice: Notice,
    contracts: Mapping[str, DashboardContract],
    serving: Mapping[str, Serving | None],
    routes: Mapping[str, str],
) -> Delivery:
    title, body = write_title(notice, contracts), write_body(notice, contracts, serving)
    url = routes.get(notice.owner) or routes.get(EVERYONE_ELSE)
    if not url:
        logger.info("No route to %s for: %s", notice.owner, title)
        return Delivery(notice, title, body, "not_routed", f"no route to {notice.owner}")
    try:
        send(url, title, body)
    except Exception as error:  # noqa: BLE001 - whatever a service does, the run that tells goes on
        # The words of a foreign error may hold the URL and its secrets.
        reason = str(error) if isinstance(error, DashboardTrustError) else type(error).__name__
        logger.warning("%s was not told (%s): %s", notice.owner, title, reason)
        return Delivery(notice, title, body, "failed", reason)
    return Delivery(notice, title, body, "sent")
