"""Whether a page of this server sent a request: the browser says which page it was."""

from __future__ import annotations

from aiohttp import web


def scheme_of(request: web.Request) -> str:
    """How the client came: `https` also where a proxy speaks it for us, and says so."""
    forwarded = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    return "https" if forwarded == "https" else request.scheme


def is_own(request: web.Request, public_url: str) -> bool:
    """Whether the request's `Origin` is this server, by scheme, host and port.

    `public_url` is where browsers reach it, "" if nobody said so.
    """
    origin = request.headers.get("Origin", "").lower()
    if public_url and origin == public_url.rstrip("/").lower():
        return True
    host = request.headers.get("Host", "").lower()
    return bool(host) and origin == f"{scheme_of(request)}://{host}"
