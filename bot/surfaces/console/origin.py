"""Whether a form was sent from our own page."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web


def is_own(request: web.Request) -> bool:
    """The browser says which page the form was on; another site's must not sign anybody in or out."""
    origin = urlsplit(request.headers.get("Origin", "")).netloc
    return bool(origin) and origin.lower() == request.headers.get("Host", "").lower()
