"""Webhook endpoints: the addresses that events are sent to, and the secrets that sign them.

Secrets follow the Standard Webhooks specification: `whsec_` and 24 to 64 bytes in base64. Secrets are never
shown, and neither are addresses, because a path may serve as a password.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import get_args
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from bot.core.addresses import is_address, is_public
from bot.core.events.event import Known
from bot.core.people.api_keys import valid_name
from bot.core.runs.place import Place
from bot.core.value import Value

WHSEC_PREFIX = "whsec_"
MAX_URL_LENGTH = 2000
SURFACE = "webhook:"
"""The prefix of the surface names of all endpoints."""
PER_RUN_ENDPOINT = "webhook_url"
"""The endpoint that represents all addresses specified at the start of runs."""

EVENT_TYPES: tuple[str, ...] = tuple(kind.model_fields["type"].default for kind in get_args(Known))


class Endpoint(Value):
    """A destination of webhooks."""

    name: str
    url: SecretStr
    #: Each secret signs: the current one and, during a rotation, the previous one.
    secrets: tuple[SecretStr, ...]
    #: The event types to send; empty means all.
    events: tuple[str, ...] = ()

    @property
    def surface(self) -> str:
        return surface_of(self.name)

    @property
    def host(self) -> str:
        """The host name, the only part of the address that may be shown."""
        return urlsplit(self.url.get_secret_value()).hostname or ""

    @property
    def fingerprint(self) -> str:
        """A fingerprint of the address. It changes when the endpoint gets another address."""
        return hashlib.sha256(self.url.get_secret_value().encode()).hexdigest()[:16]

    def wants(self, kind: str) -> bool:
        return not self.events or kind in self.events


def surface_of(name: str) -> str:
    """The name of an endpoint's surface in the store."""
    return SURFACE + name


class StartUrls(Value):
    """Whether the start of a run may specify a webhook address, and which addresses are allowed."""

    allowed: bool = False
    private: bool = False

    def follower(self, url: str) -> Place:
        """The place that delivers a run's events to this address. Raises ValueError as `check_url` does."""
        check_url(url, private=self.private)
        return Place(surface=surface_of(PER_RUN_ENDPOINT), ref=url)


def check_url(url: str, *, private: bool) -> None:
    """Raises ValueError, which doesn't quote the address, unless events may be sent to it.

    Host names are resolved and checked when events are sent, not here.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, SplitResult("", "", "", "", "")
    if not host or len(url) > MAX_URL_LENGTH or not url.isprintable() or " " in url:
        raise ValueError("this is no address of an endpoint; it looks like https://example.com/hooks")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the address of an endpoint may not hold a user or a password")
    if parts.scheme != "https" and not (private and parts.scheme == "http"):
        raise ValueError("the address of an endpoint starts with https://")
    if not private and is_address(host) and not is_public(host):
        raise ValueError("the address of an endpoint may not be on a private network")


# ── the settings ────────────────────────────────────────────────────────────────────────────────────────


def parse_endpoints(text: str, *, private: bool) -> tuple[Endpoint, ...]:
    """Parse `CREWDECK_WEBHOOKS`: endpoints, separated by spaces.

    Each is `name=https://... whsec_... [whsec_...] [events=type,type]`.
    Raises ValueError, whose message quotes neither an address nor a secret.
    """
    entries: list[list[str]] = []
    for word in text.split():
        name, equals, value = word.partition("=")
        if equals and valid_name(name) and value.startswith(("http://", "https://")):
            entries.append([name, value])
        elif not entries:
            raise ValueError("an endpoint is written name=https://... whsec_...")
        else:
            entries[-1].append(word)
    endpoints = tuple(_parse_endpoint(*entry, private=private) for entry in entries)
    names = [endpoint.name for endpoint in endpoints]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"the name {min(twice)} is there twice")
    return endpoints


def _parse_endpoint(name: str, url: str, *words: str, private: bool) -> Endpoint:
    if name in {PER_RUN_ENDPOINT, "events"}:
        raise ValueError(f"an endpoint can't have the name {name}")
    wanted = [word.removeprefix("events=") for word in words if word.startswith("events=")]
    try:
        check_url(url, private=private)
        secrets = parse_secrets(" ".join(word for word in words if not word.startswith("events=")))
        if not secrets:
            raise ValueError("its secret is missing: whsec_...")  # noqa: TRY301 - caught below, which adds the name
        return Endpoint(name=name, url=SecretStr(url), secrets=secrets, events=_types(",".join(wanted)))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def parse_secrets(text: str) -> tuple[SecretStr, ...]:
    """Parse secrets, separated by spaces. Raises ValueError, which quotes none."""
    secrets = tuple(SecretStr(word) for word in text.split())
    for secret in secrets:
        key_of(secret)
    return secrets


def _types(text: str) -> tuple[str, ...]:
    named = tuple(part for part in text.split(",") if part)
    if unknown := set(named) - set(EVENT_TYPES):
        raise ValueError(f"{min(unknown)!r} is no type of event; there are {', '.join(EVENT_TYPES)}")
    return named


# ── signatures ──────────────────────────────────────────────────────────────────────────────────────────


def key_of(secret: SecretStr) -> bytes:
    """Decode a secret. Raises ValueError, which doesn't quote it."""
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix(WHSEC_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(WHSEC_PREFIX) or not 24 <= len(key) <= 64:  # noqa: PLR2004 - the specification's bounds
        raise ValueError("a secret is whsec_ and 24 to 64 random bytes in base64")
    return key


def derived(secret: SecretStr, requester: str) -> SecretStr:
    """Derive the secret of one requester (a principal), so that receivers can't sign for other requesters."""
    key = hmac.digest(key_of(secret), requester.encode(), "sha256")
    return SecretStr(WHSEC_PREFIX + base64.b64encode(key).decode())
