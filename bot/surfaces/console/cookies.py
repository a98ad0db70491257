"""The cookie by which a browser is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from bot.core.sessions import SESSION_TTL
from bot.surfaces.origin import scheme_of

NAME = "crewdeck_session"


def token_in(cookies: Mapping[str, str]) -> str:
    """The session's token; "" if there is none."""
    token = cookies.get(NAME, "")
    return token if token.isascii() else ""


@dataclass(frozen=True)
class Cookies:
    """Gives the cookie and takes it back."""

    #: People come by https, though what comes to us may come from a proxy without it.
    secure: bool

    def give(self, request: web.Request, response: web.StreamResponse, token: str) -> None:
        """Scripts never see it, and a browser sends it from our own pages only."""
        response.set_cookie(
            NAME,
            token,
            max_age=round(SESSION_TTL),
            path="/",
            httponly=True,
            samesite="Strict",
            secure=self._is_secure(request),
        )

    def take(self, request: web.Request, response: web.StreamResponse) -> None:
        secure = self._is_secure(request)
        response.del_cookie(NAME, path="/", httponly=True, samesite="Strict", secure=secure)

    def _is_secure(self, request: web.Request) -> bool:
        # Whoever lies about how they came only makes their own cookie stricter.
        return self.secure or scheme_of(request) == "https"
