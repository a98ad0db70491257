"""Checks for `crewdeck doctor` that the Azure bot and the Teams app are set up as docs/teams.md says."""

from __future__ import annotations

import asyncio
import json
import zipfile
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import aiohttp

from bot.core.finding import Finding
from bot.settings import Settings
from bot.surfaces.chat.failures import CredentialsRefused, RetryLater
from bot.surfaces.teams.credentials import LOGIN_URL, TeamsApp, Tokens
from bot.surfaces.teams.inbound.request_url import PATH
from bot.surfaces.teams.inbound.token_verifier import KeysUnavailable, MetadataKeys

TIMEOUT_S = 10
SUBJECT = "Teams"
PACKAGE = Path("dist") / "crewdeck-teams.zip"
"""What `make teams-package` writes."""
REMAKE_PACKAGE = "Make it again, and upload it: make teams-package."
CONSENT = frozenset({"ChannelMessage.Read.Group", "ChatMessage.Read.Chat"})
"""Resource-specific permissions without which replies have to mention the app."""


async def check(settings: Settings, login_url: str = LOGIN_URL, package: Path = PACKAGE) -> list[Finding]:
    """The findings about the settings of a Teams surface that is on."""
    app = replace(TeamsApp.of(settings, ""), login_url=login_url)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=not settings.teams_peer_is_local) as http:
        return [
            await _credentials(app, http),
            await _keys(settings, http),
            await _endpoint(settings, http),
            await asyncio.to_thread(_package, settings.teams_app_id, package),
        ]


async def _credentials(app: TeamsApp, http: aiohttp.ClientSession) -> Finding:
    """Whether Microsoft issues a token for the app."""
    if app.outbound_token:
        return _ok("a fixed token is sent (TEAMS_OUTBOUND_TOKEN)")
    try:
        await Tokens(app.issuer(http)).get()
    except CredentialsRefused as refused:
        return _broken(
            f"Microsoft refuses the app's credentials: {refused.code}",
            "Compare TEAMS_APP_ID, TEAMS_TENANT_ID and TEAMS_APP_PASSWORD with the app's registration.",
        )
    except RetryLater as later:
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


def _package(app_id: str, path: Path) -> Finding:
    """Whether the app package made here is of this app, and asks for the consent that replies need."""
    if not path.exists():
        words, remedy = f"there is no app package in {path}", "To make it: make teams-package."
        return Finding(subject=SUBJECT, state="off", words=words, remedy=remedy)
    try:
        with zipfile.ZipFile(path) as package:
            manifest = json.loads(package.read("manifest.json"))
        bots = {str(bot["botId"]).lower() for bot in manifest["bots"]}
        asked = {each["name"] for each in manifest["authorization"]["permissions"]["resourceSpecific"]}
    except (OSError, ValueError, LookupError, TypeError, zipfile.BadZipFile) as error:
        return _broken(f"{path} is no app package ({type(error).__name__})", REMAKE_PACKAGE)
    if app_id not in bots:
        return _broken(f"{path} is the package of another app than TEAMS_APP_ID", REMAKE_PACKAGE)
    if missing := sorted(CONSENT - asked):
        return _broken(f"{path} asks for no consent to {', '.join(missing)}", REMAKE_PACKAGE)
    return _ok(f"{path} is of this app, and asks for consent to {' and '.join(sorted(CONSENT))}")


def _ok(words: str) -> Finding:
    return Finding(subject=SUBJECT, state="ok", words=words)


def _broken(words: str, remedy: str) -> Finding:
    return Finding(subject=SUBJECT, state="broken", words=words, remedy=remedy)
