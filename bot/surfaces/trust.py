"""Whom the server trusts while there are no API keys: the person at this machine, and how it knows them."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from aiohttp import web

from bot.core.api_keys import digest


@dataclass(frozen=True)
class LocalTrust:
    """While nothing but this machine can reach the server, whoever calls from it; else its user's token."""

    #: The settings by which requests from elsewhere can come in.
    exposed_by: tuple[str, ...] = ()
    #: "": nobody holds one.
    token: str = field(default="", repr=False)

    @property
    def local_only(self) -> bool:
        """Whether clients at this machine need nothing."""
        return not self.exposed_by

    @property
    def trusts_nobody(self) -> bool:
        """Whether nobody at all can be known without keys."""
        return not self.local_only and not self.token

    def is_local_user(self, secret: str) -> bool:
        """Whether this is the local user's token."""
        return bool(self.token) and hmac.compare_digest(digest(secret), digest(self.token))

    @property
    def keys_required(self) -> str:
        """What is said to who is not trusted."""
        needed = (
            f"Requests from elsewhere can reach this server ({', '.join(self.exposed_by)}), so the API needs "
            "keys: make one with `crewdeck keys add NAME`, or set CREWDECK_API_KEYS."
        )
        if not self.token:
            return needed
        return (
            f"{needed} At the server's machine its own user needs none: `crewdeck` and the link that "
            "`crewdeck serve` prints carry a token."
        )


def scheme_of(request: web.Request) -> str:
    """How the client came: `https` also where a proxy speaks it for us, and says so."""
    forwarded = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    return "https" if forwarded == "https" else request.scheme


def is_own_origin(request: web.Request, public_url: str) -> bool:
    """Whether the request's `Origin` is this server, by scheme, host and port.

    `public_url` is where browsers reach it, "" if nobody said so.
    """
    origin = request.headers.get("Origin", "").lower()
    if public_url and origin == public_url.rstrip("/").lower():
        return True
    host = request.headers.get("Host", "").lower()
    return bool(host) and origin == f"{scheme_of(request)}://{host}"
