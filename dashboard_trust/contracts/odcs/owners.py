"""Who answers for a data contract: a person of its team, a channel of its support, or the team by name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from dashboard_trust.contracts.odcs.document import Part
from dashboard_trust.contracts.scalars import OWNER

ROLES = ("owner", "steward")
"""Whoever has one of these words in the role answers for the data, the first before the second."""

ANNOUNCEMENTS = "announcements"  # of a channel where nobody is asked anything
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")


def find_owner(root: Part) -> str:
    """Return an e-mail address or ``team:name``; "" where the contract names nobody."""
    return next((owner for owner in _owners(root) if OWNER.fullmatch(owner)), "")


def _owners(root: Part) -> Iterator[str]:
    team = root.part("team")
    members = [] if team is None else list(team) or team.parts("members")
    present = [member for member in members if not member.text("dateOut")]
    for role in ROLES:
        yield from (_email(member) for member in present if role in member.text("role").lower())
    channels = root.parts("support")
    for channel in sorted(channels, key=lambda one: one.text("scope") == ANNOUNCEMENTS):
        url = channel.text("url")
        yield unquote(url[len("mailto:") :].partition("?")[0]) if url.lower().startswith("mailto:") else ""
        yield channel.text("channel") if EMAIL.fullmatch(channel.text("channel")) else ""
    yield from (_email(member) for member in present)
    if team is not None and team.text("name"):
        yield f"team:{team.text('name')}"


def _email(member: Part) -> str:
    return next((said for said in (member.text("username"), member.text("name")) if EMAIL.fullmatch(said)), "")
