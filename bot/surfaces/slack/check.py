"""Checks for `crewdeck doctor` that the Slack app is set up as `manifest.yml` says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml
from slack_sdk.web.async_client import AsyncWebClient

from bot.core.finding import Finding
from bot.settings import Settings, shipped
from bot.surfaces.chat.failures import PlatformFailure, Rejected, RetryLater
from bot.surfaces.slack.webapi.failures import check_answer, translated

API_TIMEOUT_S = 10
REINSTALL = (
    "Paste manifest.yml into the app's App Manifest page, save, and install the app again: docs/slack.md."
)


async def check(settings: Settings) -> list[Finding]:
    """The findings about the settings of a Slack surface that is on."""
    found = await _token(settings)
    if settings.socket_mode:
        found.append(await _socket_mode(settings))
    elif settings.slack_signing_secret is not None:
        found.append(
            Finding(subject="Slack", state="ok", words="requests are verified (SLACK_SIGNING_SECRET is set)")
        )
    return found


async def _token(settings: Settings) -> list[Finding]:
    if settings.slack_bot_token is None:
        return []
    client = _client(settings, settings.slack_bot_token.get_secret_value())
    try:
        who = await client.auth_test()
        check_answer("auth.test", who.data)
    except Exception as error:  # noqa: BLE001 - `translated` raises what it doesn't know
        remedy = "Copy the Bot User OAuth Token (xoxb-...) of the app."
        return [_refused("SLACK_BOT_TOKEN", translated(error), remedy, settings)]
    words = f"token of @{who.get('user')} in the workspace {who.get('team')}"
    return [Finding(subject="Slack", state="ok", words=words), *_scopes(who.headers)]


def _scopes(headers: Mapping[str, Any]) -> list[Finding]:
    lowered = {name.lower(): value for name, value in headers.items()}
    granted = {scope.strip() for scope in str(lowered.get("x-oauth-scopes", "")).split(",")}
    if missing := sorted(_wanted_scopes("bot") - granted):
        words = f"the token lacks the scopes {', '.join(missing)}"
        return [Finding(subject="Slack", state="broken", words=words, remedy=REINSTALL)]
    found = [Finding(subject="Slack", state="ok", words="the token has every scope of manifest.yml")]
    if without := sorted(_wanted_scopes("bot_optional") - granted):
        lacking = "; ".join(f"{scope}: {_WITHOUT.get(scope, 'what needs it')}" for scope in without)
        words = f"the token lacks optional scopes ({lacking})"
        return [Finding(subject="Slack", state="ok", words=words)]
    return found


_WITHOUT = {
    "files:read": "no form takes files",
    "usergroups:read": "no policy can name a user group",
}
"""What doesn't work without an optional scope."""


def _wanted_scopes(kind: str) -> set[str]:
    """The scopes that manifest.yml asks for, or offers (`bot_optional`)."""
    manifest = yaml.safe_load(shipped("manifest.yml").read_text(encoding="utf-8"))
    return set(manifest["oauth_config"]["scopes"][kind])


async def _socket_mode(settings: Settings) -> Finding:
    token = settings.slack_app_token.get_secret_value() if settings.slack_app_token else ""
    client = _client(settings, token)
    try:
        await client.apps_connections_open(app_token=token)
    except Exception as error:  # noqa: BLE001 - as above
        remedy = (
            "Copy the app-level token (xapp-...) with the scope connections:write, and turn Socket Mode on."
        )
        return _refused("SLACK_APP_TOKEN", translated(error), remedy, settings)
    return Finding(subject="Slack", state="ok", words="Socket Mode connects")


def _client(settings: Settings, token: str) -> AsyncWebClient:
    return AsyncWebClient(token=token, base_url=settings.slack_api_url, timeout=API_TIMEOUT_S)


def _refused(setting: str, failure: PlatformFailure, remedy: str, settings: Settings) -> Finding:
    if isinstance(failure, Rejected):
        words = f"Slack refuses {setting}: {failure.code}"
        return Finding(subject="Slack", state="broken", words=words, remedy=remedy)
    why = failure.why if isinstance(failure, RetryLater) else failure.code
    return Finding(
        subject="Slack",
        state="broken",
        words=f"{settings.slack_api_url} does not answer ({why})",
        remedy="Check the network, HTTPS_PROXY and SLACK_API_URL.",
    )
