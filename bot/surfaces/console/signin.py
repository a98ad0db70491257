"""Signing in with an API key, the local user's token or a single-use link, and signing out."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs

from aiohttp import web

from bot.core import sessions
from bot.core.api_keys import LOCAL, ApiKey, Scope, digest, matching
from bot.core.ports import KeyValueStore, Store
from bot.surfaces.console import pages
from bot.surfaces.console.authenticator import Cookies, token_in
from bot.surfaces.console.files import HOME
from bot.surfaces.throttle import WrongKeys
from bot.surfaces.trust import LocalTrust, is_own_origin

WRONG = "This key is not valid. Was it copied in full, and is it still in use?"
WRONG_LINK = "This link is not valid. Use the one that `crewdeck serve` prints when it starts."
ENDED = "Your session has ended. Please sign in again."
FOREIGN = "Please use the form on this page."
SLOWER = "Too many wrong keys have come from this address. Please try again in {seconds} s."
LINK_ADDRESS = sessions.LINK_PATH + "{token:[A-Za-z0-9_-]{20,100}}"
LINK_SCOPES = (Scope.READ, Scope.START, Scope.ANSWER)
"""The scopes of a session by link. The policies of runs and crews apply in addition."""


class SignIn:
    """The handlers of the sign-in forms."""

    def __init__(
        self,
        store: Store,
        fixed: Sequence[ApiKey],
        cookies: Cookies,
        *,
        trust: LocalTrust,
        wrong_keys: WrongKeys,
        public_url: str,
    ) -> None:
        self._store = store
        self._fixed = fixed
        self._cookies = cookies
        self._trust = trust
        self._wrong_keys = wrong_keys
        self._public_url = public_url

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(pages.SIGN_IN, self.form),
            web.post(pages.SIGN_IN, self.sign_in),
            web.get(pages.LOCAL, self.local_form),
            web.post(pages.LOCAL, self.sign_in_locally),
            web.post("/console/sign-out", self.sign_out),
        ]

    async def form(self, request: web.Request) -> web.Response:
        return pages.sign_in(ENDED if "ended" in request.query else "")

    async def sign_in(self, request: web.Request) -> web.Response:
        if not is_own_origin(request, self._public_url):
            return pages.sign_in(FOREIGN, 403)
        secret = await read_field(request, "key")
        if secret is None:
            return pages.sign_in(FOREIGN, 400)
        key = matching(secret, [*self._fixed, *await self._store.api_keys.list()]) if secret else None
        if key is None:
            return self._wrong(request, secret, WRONG)
        actor = sessions.key_at_console(key)
        return self._enter(
            request, await sessions.open_session(self._store.key_values, actor, key.scopes, key.digest)
        )

    async def local_form(self, _: web.Request) -> web.Response:
        """The page for the link that `serve` prints: its script reads the token from the fragment."""
        return pages.local()

    async def sign_in_locally(self, request: web.Request) -> web.Response:
        if not is_own_origin(request, self._public_url):
            return pages.sign_in(FOREIGN, 403)
        token = await read_field(request, "token")
        if token is None:
            return pages.sign_in(FOREIGN, 400)
        if not self._trust.is_local_user(token):
            return self._wrong(request, token, WRONG_LINK)
        return self._enter(
            request, await sessions.open_session(self._store.key_values, LOCAL, tuple(Scope), local=True)
        )

    async def sign_out(self, request: web.Request) -> web.Response:
        if not is_own_origin(request, self._public_url):
            return pages.sign_in(FOREIGN, 403)
        token = token_in(request.cookies)
        if token:
            await sessions.end_session(self._store.key_values, digest(token))
        response = web.Response(status=303, headers={"Location": HOME})
        self._cookies.take(request, response)
        return response

    def _enter(self, request: web.Request, token: str) -> web.Response:
        response = web.Response(status=303, headers={"Location": HOME})
        self._cookies.give(request, response, token)
        return response

    def _wrong(self, request: web.Request, secret: str, why: str) -> web.Response:
        seconds = self._wrong_keys.count(request.remote) if secret else 0
        if not seconds:
            return pages.sign_in(why, 401)
        response = pages.sign_in(SLOWER.format(seconds=seconds), 429)
        response.headers["Retry-After"] = str(seconds)
        return response


FORM_CONTENT_TYPE = "application/x-www-form-urlencoded"
MAX_FORM_BYTES = 4096
MAX_FORM_FIELDS = 10


async def read_field(request: web.Request, name: str) -> str | None:
    """A form field's value, stripped; None if the body is not a form of ours."""
    if request.content_type != FORM_CONTENT_TYPE or len(body := await request.read()) > MAX_FORM_BYTES:
        return None
    try:
        # Browsers encode forms like their page, in UTF-8.
        fields = parse_qs(
            body.decode("ascii"), strict_parsing=bool(body), max_num_fields=MAX_FORM_FIELDS, errors="strict"
        )
    except ValueError:
        return None
    values = fields.get(name, [""])
    return values[0].strip() if len(values) == 1 else None


class SignInLinks:
    """Single-use links from where people are known already: GET asks for a confirmation, POST signs in."""

    def __init__(self, key_values: KeyValueStore, cookies: Cookies, public_url: str) -> None:
        self._key_values = key_values
        self._cookies = cookies
        self._public_url = public_url

    def routes(self) -> list[web.RouteDef]:
        return [web.get(LINK_ADDRESS, self.show), web.post(LINK_ADDRESS, self.use)]

    async def show(self, request: web.Request) -> web.Response:
        if await sessions.link_works(self._key_values, request.match_info["token"]):
            return pages.confirm(request.path)
        return pages.stale()

    async def use(self, request: web.Request) -> web.Response:
        if not is_own_origin(request, self._public_url):
            return pages.confirm(request.path)
        person = await sessions.use_link(self._key_values, request.match_info["token"])
        if person is None:
            return pages.stale()
        actor = sessions.person_at_console(person)
        token = await sessions.open_session(self._key_values, actor, LINK_SCOPES)
        response = web.Response(status=303, headers={"Location": HOME})
        self._cookies.give(request, response, token)
        return response
