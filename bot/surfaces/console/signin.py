"""Signing in with an API key, the local user's token or a single-use link, and signing out."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import parse_qs

from aiohttp import web

from bot.core import sessions
from bot.core.people.api_keys import LOCAL, ApiKey, Scope, digest, matching
from bot.core.ports.store import KeyValueStore, Store
from bot.surfaces.console.authenticator import Cookies, token_in
from bot.surfaces.console.files import HEADERS, HOME
from bot.surfaces.trust import FailedKeyAttempts, LocalTrust, is_own_origin

SIGN_IN = "/console/sign-in"
LOCAL_PATH = "/console/local"
"""The path of the link that `serve` prints; the token is in the fragment, which browsers don't send."""


def sign_in(problem: str = "", status: int = 200) -> web.Response:
    """The form for an API key."""
    return _page(
        "Sign in",
        f"""{_problem(problem)}
<form method="post" action="{SIGN_IN}">
<label for="key">API key</label>
<input id="key" name="key" type="password" autocomplete="current-password" required autofocus
 aria-describedby="hint" spellcheck="false">
<p id="hint" class="hint">Your operator makes one with <code>crewdeck keys add</code>. In Slack,
<code>/crew console</code> gives you a link that signs you in without a key, in Teams
<code>@Crewdeck console</code> does.</p>
<button class="primary">Sign in</button>
</form>""",
        status,
    )


def local() -> web.Response:
    """The page that signs the local user in with the token in its fragment."""
    return _page(
        "Welcome",
        f"""<p>This link signs you in as the user of this machine.</p>
<form method="post" action="{LOCAL_PATH}" id="local">
<input type="hidden" name="token" id="token">
<button class="primary" autofocus>Sign in</button>
</form>
<noscript><p class="problem">This page needs JavaScript.</p></noscript>
<script type="module" src="/console/script/local.js"></script>""",
    )


def confirm(path: str) -> web.Response:
    """The confirmation page of a link, so that link previews don't use it up."""
    return _page(
        "Welcome",
        f"""<p>This link signs you in as yourself, once.</p>
<form method="post" action="{escape(path)}"><button class="primary" autofocus>Sign in</button></form>""",
    )


def stale() -> web.Response:
    """The page for an expired or used link."""
    return _page(
        "This link has been used",
        "<p>Or it is older than five minutes. Ask for another one where you got it: in Slack with "
        "<code>/crew console</code>, in Teams with <code>@Crewdeck console</code>.</p>"
        f'<p><a href="{SIGN_IN}">Sign in with an API key</a></p>',
        410,
    )


def _problem(words: str) -> str:
    return f'<p class="problem" role="alert">{escape(words)}</p>' if words else ""


def _page(title: str, body: str, status: int = 200) -> web.Response:
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)} · Crewdeck</title>
<link rel="icon" href="/console/icon.svg">
<link rel="stylesheet" href="/console/style/base.css">
<link rel="stylesheet" href="/console/style/door.css">
</head>
<body class="door">
<main>
<p class="brand"><img src="/console/icon.svg" alt="" width="28" height="28">Crewdeck</p>
<h1>{escape(title)}</h1>
{body}
</main>
</body>
</html>
"""
    headers = {**HEADERS, "Cache-Control": "no-store"}
    return web.Response(text=text, status=status, content_type="text/html", headers=headers)


WRONG = "This key is not valid. Was it copied in full, and is it still in use?"
WRONG_LINK = "This link is not valid. Use the one that `crewdeck serve` prints when it starts."
ENDED = "Your session has ended. Please sign in again."
FOREIGN_ORIGIN = "Please use the form on this page."
TOO_MANY_KEYS = "Too many wrong keys have come from this address. Please try again in {seconds} s."
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
        wrong_keys: FailedKeyAttempts,
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
            web.get(SIGN_IN, self.form),
            web.post(SIGN_IN, self.sign_in),
            web.get(LOCAL_PATH, self.local_form),
            web.post(LOCAL_PATH, self.sign_in_locally),
            web.post("/console/sign-out", self.sign_out),
        ]

    async def form(self, request: web.Request) -> web.Response:
        return sign_in(ENDED if "ended" in request.query else "")

    async def sign_in(self, request: web.Request) -> web.Response:
        if not is_own_origin(request, self._public_url):
            return sign_in(FOREIGN_ORIGIN, 403)
        secret = await read_field(request, "key")
        if secret is None:
            return sign_in(FOREIGN_ORIGIN, 400)
        key = matching(secret, [*self._fixed, *await self._store.api_keys.list()]) if secret else None
        if key is None:
            return self._wrong(request, secret, WRONG)
        actor = sessions.key_at_console(key)
        return self._enter(
            request, await sessions.open_session(self._store.key_values, actor, key.scopes, key.digest)
        )

    async def local_form(self, _: web.Request) -> web.Response:
        """The page for the link that `serve` prints: its script reads the token from the fragment."""
        return local()

    async def sign_in_locally(self, request: web.Request) -> web.Response:
        if not is_own_origin(request, self._public_url):
            return sign_in(FOREIGN_ORIGIN, 403)
        token = await read_field(request, "token")
        if token is None:
            return sign_in(FOREIGN_ORIGIN, 400)
        if not self._trust.is_local_user(token):
            return self._wrong(request, token, WRONG_LINK)
        return self._enter(
            request, await sessions.open_session(self._store.key_values, LOCAL, tuple(Scope), local=True)
        )

    async def sign_out(self, request: web.Request) -> web.Response:
        if not is_own_origin(request, self._public_url):
            return sign_in(FOREIGN_ORIGIN, 403)
        token = token_in(request.cookies)
        if token:
            await sessions.end_session(self._store.key_values, digest(token))
        response = web.Response(status=303, headers={"Location": HOME})
        self._cookies.clear(request, response)
        return response

    def _enter(self, request: web.Request, token: str) -> web.Response:
        response = web.Response(status=303, headers={"Location": HOME})
        self._cookies.set(request, response, token)
        return response

    def _wrong(self, request: web.Request, secret: str, why: str) -> web.Response:
        seconds = self._wrong_keys.count(request.remote) if secret else 0
        if not seconds:
            return sign_in(why, 401)
        response = sign_in(TOO_MANY_KEYS.format(seconds=seconds), 429)
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
            return confirm(request.path)
        return stale()

    async def use(self, request: web.Request) -> web.Response:
        if not is_own_origin(request, self._public_url):
            return confirm(request.path)
        person = await sessions.use_link(self._key_values, request.match_info["token"])
        if person is None:
            return stale()
        actor = sessions.person_at_console(person)
        token = await sessions.open_session(self._key_values, actor, LINK_SCOPES)
        response = web.Response(status=303, headers={"Location": HOME})
        self._cookies.set(request, response, token)
        return response
