"""The pages for signing in by key or by link, without scripts. Pure."""

from __future__ import annotations

from html import escape

from aiohttp import web

from bot.surfaces.console.files import HEADERS

SIGN_IN = "/console/sign-in"
LOCAL = "/console/local"
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
<form method="post" action="{LOCAL}" id="local">
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
