"""Messages through Apprise: Slack, Teams, PagerDuty, e-mail, webhooks and many more, by URL."""

from __future__ import annotations

from typing import Any

from dashboard_trust.errors import DashboardTrustError


class SendFailedError(DashboardTrustError):
    """A message did not reach its service."""


def send(url: str, title: str, body: str) -> None:
    """Send one message to an Apprise URL, and return once the service has taken it.

    Raises:
        SendFailedError: It did not; the URL is named without what is secret in it.
        DashboardTrustError: Apprise is not installed.
    """
    try:
        import apprise
    except ModuleNotFoundError as error:
        raise DashboardTrustError(
            'Messages need Apprise, which is not installed: pip install "dashboard-trust[apprise]"'
        ) from error
    service: Any = apprise.Apprise.instantiate(url)
    if service is None:
        scheme = url.partition("://")[0] if "://" in url else "without a scheme"
        raise SendFailedError(f"A route's URL ({scheme}) is not one that Apprise knows; correct it.")
    sender = apprise.Apprise()
    sender.add(service)
    result = sender.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT)
    if result.status is not apprise.AppriseResultStatus.SUCCESS:
        raise SendFailedError(f"{service.url(privacy=True)} did not take the message: {result.status.name.lower()}.")
