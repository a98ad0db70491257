"""Checks for `crewdeck doctor` that the Azure bot and the Teams app are set up as docs/teams.md says."""

from __future__ import annotations

from http import HTTPStatus

import aiohttp

from bot.core.diagnosis import Finding
from bot.settings import Settings
from bot.surfaces.chat.failures import Later, ShutOut
from bot.surfaces.teams.connector.tokens import Tokens
from bot.surfaces.teams.inbound.request_url import PATH
from bot.surfaces.teams.inbound.tokens import KeysUnavailable, MetadataKeys
from bot.surfaces.teams.surface import teams_app

TIMEOUT_S = 10
SUBJECT = "Teams"


async def check(settings: Settings) -> list[Finding]:
    """The findings about the settings of a Teams surface that is on."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=not settings.teams_peer_is_local) as http:
        return [
            await _credentials(settings, http),
            await _keys(settings, http),
            await _endpoint(settings, http),
        ]


async def _credentials(settings: Settings, http: aiohttp.ClientSession) -> Finding:
    """Whether Microsoft issues a token for the app. A fixed one is sent as it is."""
    try:
        await Tokens(teams_app(settings, "").issuer(http)).get()
    except ShutOut as refused:
        return _broken(
            f"Microsoft refuses the app's credentials: {refused.code}",
            "Compare TEAMS_APP_ID, TEAMS_TENANT_ID and TEAMS_APP_PASSWORD with the app's registration.",
        )
    except Later as later:
        return _broken(f"no token can be fetched ({later.why})", "Check the network and HTTPS_PROXY.")
    return _ok("the app's credentials are accepted")


async def _keys(settings: Settings, http: aiohttp.ClientSession) -> Finding:
    try:
        keys = await MetadataKeys(settings.teams_openid_metadata_url, http).fetch()
    except KeysUnavailable as error:
        return _broken(
            f"the keys that sign requests can't be fetched ({error})",
            "Check the network, HTTPS_PROXY and TEAMS_OPENID_METADATA_URL.",
        )
    return _ok(f"requests are verified, with {len(keys)} keys") if keys else _broken("there are no keys", "")


async def _endpoint(settings: Settings, http: aiohttp.ClientSession) -> Finding:
    """Whether the messaging endpoint can be reached where Teams looks for it: it refuses who is not Teams."""
    if not settings.public_url:
        words = "whether the messaging endpoint can be reached is not known"
        remedy = "Set CREWDECK_PUBLIC_URL to this server's public address."
        return Finding(subject=SUBJECT, state="warning", words=words, remedy=remedy)
    url = f"{settings.public_url.rstrip('/')}{PATH}"
    remedy = f"Start the server, and let a proxy or tunnel with https lead {url} to it."
    try:
        async with http.post(url, json={}, allow_redirects=False) as response:
            if response.status == HTTPStatus.UNAUTHORIZED:
                return _ok(f"the messaging endpoint answers: {url}")
            return _broken(f"{url} answers with status {response.status}", remedy)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return _broken(f"{url} does not answer ({type(error).__name__})", remedy)


def _ok(words: str) -> Finding:
    return Finding(subject=SUBJECT, state="ok", words=words)


def _broken(words: str, remedy: str) -> Finding:
    return Finding(subject=SUBJECT, state="broken", words=words, remedy=remedy)
