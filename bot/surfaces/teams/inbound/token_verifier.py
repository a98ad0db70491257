"""Verifies the tokens with which Teams signs its requests (docs/decisions/0011-teams-tokens.md).

A token is a JWT of the Bot Connector, for this app and one service URL. It is verified before anything of the
request's body is read. Keys are fetched without blocking the loop, and what unauthenticated requests can make
this process do doesn't grow with their number.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import jwt
import structlog

log = structlog.get_logger(__name__)

ALGORITHM = "RS256"
CLOCK_SKEW_S = 300
MAX_TOKEN_BYTES = 8192
CHANNEL = "msteams"
KEYS_TTL_S = 24 * 3600.0
REFETCH_INTERVAL_S = 60.0
"""Seconds after an attempt to fetch the keys that failed, or that didn't find the key it was made for: tokens
with unknown keys cause no more than that. A new key is found at once."""
FIRST_FETCH_INTERVAL_S = 1.0
"""The same while there are no keys at all."""
FETCH_TIMEOUT_S = 5.0
_REQUIRED = ["aud", "exp", "iss", "serviceurl"]


class Unauthorized(Exception):  # noqa: N818 - it is an answer to the sender, not a failure of ours
    """The request is not one of Teams' to this app."""


class KeysUnavailable(Exception):  # noqa: N818 - the same
    """The keys can't be fetched now, so nothing can be verified: Teams shall send it again."""


@dataclass(frozen=True)
class VerifiedToken:
    """What a token says of its request."""

    service_url: str


class KeySource(Protocol):
    """Where the public keys are."""

    async def fetch(self) -> Mapping[str, jwt.PyJWK]:
        """The keys by their ids. Raises KeysUnavailable."""


class MetadataKeys:
    """The keys that an OpenID metadata document points to."""

    def __init__(self, metadata_url: str, http: aiohttp.ClientSession) -> None:
        self._metadata_url = metadata_url
        self._http = http

    async def fetch(self) -> Mapping[str, jwt.PyJWK]:
        try:
            async with asyncio.timeout(FETCH_TIMEOUT_S):
                return keys_of(await self._document(await self._keys_url()))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, LookupError, TypeError) as error:
            raise KeysUnavailable(f"{self._metadata_url}: {type(error).__name__}") from error

    async def _keys_url(self) -> str:
        url = str((await self._document(self._metadata_url))["jwks_uri"])
        if self._metadata_url.startswith("https://") and not url.startswith("https://"):
            raise ValueError("the keys are not published by https")
        return url

    async def _document(self, url: str) -> dict[str, Any]:
        async with self._http.get(url, allow_redirects=False) as response:
            response.raise_for_status()
            return dict(await response.json(content_type=None))


def keys_of(published: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """The keys of a JSON Web Key Set that sign for Teams; others are left out."""
    found: dict[str, jwt.PyJWK] = {}
    for each in published["keys"]:
        try:
            if each.get("kty") == "RSA" and CHANNEL in each.get("endorsements", (CHANNEL,)):
                found[str(each["kid"])] = jwt.PyJWK(each, algorithm=ALGORITHM)
        except (jwt.PyJWTError, LookupError, ValueError, TypeError, AttributeError) as error:
            log.warning("a published key can't be read", why=type(error).__name__)
    return found


class SigningKeys:
    """The published keys: fetched at first use, after a day, and when a token names one that is not known."""

    def __init__(self, source: KeySource, clock: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._clock = clock
        self._keys: Mapping[str, jwt.PyJWK] = {}
        #: The ids of keys that were published before the last fetch, and no longer.
        self._withdrawn: frozenset[str] = frozenset()
        self._fetched_at = self._tried_at = -math.inf
        self._lock = asyncio.Lock()

    async def find(self, kid: str) -> jwt.PyJWK | None:
        """The key of this id; None if there is none. Raises KeysUnavailable."""
        if self._may_be_new(kid):
            async with self._lock:
                if self._may_be_new(kid):
                    await self._fetch(kid)
        if not self._keys:
            raise KeysUnavailable("no keys were fetched")
        return self._keys.get(kid)

    def _may_be_new(self, kid: str) -> bool:
        known = kid in self._keys or kid in self._withdrawn
        return not known or self._clock() - self._fetched_at > KEYS_TTL_S

    async def _fetch(self, wanted: str) -> None:
        now = self._clock()
        if now - self._tried_at < REFETCH_INTERVAL_S:
            return
        self._tried_at = now
        try:
            found = await self._source.fetch()
        except KeysUnavailable as error:
            log.warning("the keys of Teams' tokens can't be fetched", why=str(error))
            if not self._keys:
                self._tried_at = now - REFETCH_INTERVAL_S + FIRST_FETCH_INTERVAL_S
                raise
        else:
            self._withdrawn = frozenset(self._keys.keys() - found.keys())
            self._keys, self._fetched_at = found, now
            if wanted in found:
                self._tried_at = -math.inf


class TokenVerifier:
    """Verifies tokens for one app."""

    def __init__(self, app_id: str, tenant_id: str, issuer: str, keys: SigningKeys) -> None:
        self._app_id = app_id
        self._tenant_id = tenant_id
        self._issuer = issuer
        self._keys = keys

    async def verify(self, authorization: str) -> VerifiedToken:
        """Verify the header `Authorization`. Raises Unauthorized, KeysUnavailable."""
        token = _bearer(authorization)
        key = await self._keys.find(_kid(token))
        if key is None:
            raise Unauthorized("the token is signed with an unknown key")
        claims = self._claims(token, key)
        if claims.get("tid", self._tenant_id) != self._tenant_id:
            raise Unauthorized("the token is of another tenant")
        if not isinstance(claims["serviceurl"], str) or not claims["serviceurl"]:
            raise Unauthorized("the token names no service URL")
        return VerifiedToken(claims["serviceurl"])

    def _claims(self, token: str, key: jwt.PyJWK) -> Mapping[str, Any]:
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=self._app_id,
                issuer=self._issuer,
                leeway=CLOCK_SKEW_S,
                options={"require": _REQUIRED, "strict_aud": True},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise Unauthorized(f"the token is not valid ({type(error).__name__})") from error


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_BYTES:
        raise Unauthorized("there is no bearer token")
    return token


def _kid(token: str) -> str:
    """The key that a token names. Nothing else of its header is used before it is verified."""
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        raise Unauthorized(f"the token is not valid ({type(error).__name__})") from error
    if header.get("alg") != ALGORITHM or not isinstance(header.get("kid"), str):
        raise Unauthorized(f"the token names no key, or is not signed with {ALGORITHM}")
    return str(header["kid"])
