"""The readiness banner of a static page, and the frame around it: one file, no network at view time."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

import jinja2


def render_frame(*, dashboard: str, title: str, shown: str, body: str, style: str = "") -> str:
    """Return a whole HTML page with the banner on top; the same arguments give the same bytes.

    Args:
        dashboard: The key of the dashboard's entry in ``readiness.js``.
        title: Text of the title and the heading.
        shown: The partition the page shows.
        body: HTML below the heading, trusted as it is.
        style: CSS after that of the frame; it may use the frame's colours.
    """
    script = _read("banner.js")
    return _template().render(
        dashboard=dashboard,
        title=title,
        shown=shown,
        body=body,
        style=_read("frame.css") + style,
        script=script,
        policy=_policy(script),
    )


def _policy(script: str) -> str:
    """Allow inline style, this one inline script, and the readiness file; nothing from elsewhere."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # From disk, 'self' names no origin in some browsers: file: lets the neighbour in.
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src 'self' file: 'sha256-{digest}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(_read("frame.html"))


def _read(name: str) -> str:
    return (files("dashboard_trust.site") / "static" / name).read_text(encoding="utf-8")
