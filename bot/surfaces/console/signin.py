"""Signing in with an API key, and signing out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from aiohttp import web

from bot.core import sessions
from bot.core.access import ApiKey, Keyring, matching
from bot.core.ports import Memory
from bot.surfaces.console import pages
from bot.surfaces.console.cookies import Cookies, token_in
from bot.surfaces.console.files import HOME
from bot.surfaces.console.origin import is_own

WRONG = "This key is not valid. Was it copied in full, and is it still in use?"
ENDED = "Your session has ended. Please sign in again."
FOREIGN = "Please use the form on this page."


class SignInStore(Keyring, Memory, Protocol):
    """What is needed to sign people in."""


class SignIn:
    """A form that takes a key and gives a session."""

    def __init__(self, store: SignInStore, fixed: Sequence[ApiKey], cookies: Cookies) -> None:
        self._store = store
        self._fixed = fixed
        self._cookies = cookies

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(pages.SIGN_IN, self.form),
            web.post(pages.SIGN_IN, self.sign_in),
            web.post("/console/sign-out", self.sign_out),
        ]

    async def form(self, request: web.Request) -> web.Response:
        return pages.sign_in(ENDED if "ended" in request.query else "")

    async def sign_in(self, request: web.Request) -> web.Response:
        if not is_own(request):
            return pages.sign_in(FOREIGN, 403)
        form = await request.post()
        secret = str(form.get("key", "")).strip()
        key = matching(secret, [*self._fixed, *await self._store.api_keys()]) if secret else None
        if key is None:
            return pages.sign_in(WRONG, 401)
        actor = sessions.key_at_console(key)
        token = await sessions.open_session(self._store, actor, key.scopes, key.digest)
        response = web.Response(status=303, headers={"Location": HOME})
        self._cookies.give(request, response, token)
        return response

    async def sign_out(self, request: web.Request) -> web.Response:
        if not is_own(request):
            return pages.sign_in(FOREIGN, 403)
        token = token_in(request.cookies)
        if token:
            await sessions.end_session(self._store, token)
        response = web.Response(status=303, headers={"Location": HOME})
        self._cookies.take(request, response)
        return response
