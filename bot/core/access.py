"""API keys: who a program is, and what it may do."""

from __future__ import annotations

import builtins
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol

from bot.core.actor import Actor
from bot.core.value import Value

KEYS_TOPIC = "keys"
"""Keys were made or revoked."""
KEY_PREFIX = "cdk_"
"""What a secret that we made starts with, so that scanners and people recognise it."""

MAX_NAME_LENGTH = 64
MIN_SECRET_LENGTH = 16
"""Characters of a secret, at least: shorter ones can be guessed."""


class Scope(StrEnum):
    """What a key may do. `admin` includes the others, and answers and cancels everything."""

    READ = "read"
    START = "start"
    ANSWER = "answer"
    ADMIN = "admin"


LOCAL = Actor(surface="http", user_id="local", name="local", admin=True)
"""The person at this machine, where there are no keys."""


class ApiKey(Value):
    """A named key. Only the digest of its secret is kept.

    SHA-256 without salt or stretching is right here: the secrets that we make are 256 random bits, which
    nobody guesses however fast the hash is; slow hashes serve words that people choose.
    """

    name: str
    scopes: tuple[Scope, ...]
    digest: str
    created_at: int = 0
    revoked_at: int | None = None

    @property
    def user_id(self) -> str:
        """What a crew's approvers call it."""
        return f"key:{self.name}"

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def actor(self, on_behalf_of: str = "") -> Actor:
        """Who acts when this key does."""
        admin = Scope.ADMIN in self.scopes
        return Actor(
            surface="http", user_id=self.user_id, name=self.name, admin=admin, on_behalf_of=on_behalf_of
        )


def new_secret() -> str:
    """256 random bits, as text."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def matching(secret: str, keys: Iterable[ApiKey]) -> ApiKey | None:
    """The key whose secret this is. All are compared, each in constant time."""
    given = digest(secret)
    found = None
    for key in keys:
        if hmac.compare_digest(given, key.digest) and key.revoked_at is None:
            found = key
    return found


def parse_keys(text: str) -> tuple[ApiKey, ...]:
    """Keys as `CREWDECK_API_KEYS` names them: `name:secret:scope+scope,...`; scopes left out: all.

    Raises ValueError, whose message never quotes a secret.
    """
    keys = tuple(_parse_key(part.strip()) for part in text.split(",") if part.strip())
    names = [key.name for key in keys]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"the name {min(twice)} is there twice")
    return keys


def _parse_key(part: str) -> ApiKey:
    name, _, rest = part.partition(":")
    secret, _, scopes = rest.partition(":")
    if not valid_name(name) or not secret:
        raise ValueError("each key is written name:secret or name:secret:scope+scope")
    if len(secret) < MIN_SECRET_LENGTH:
        raise ValueError(
            f"the key {name} is too short: it needs {MIN_SECRET_LENGTH} characters or more, "
            "as `openssl rand -hex 32` prints them"
        )
    return ApiKey(name=name, scopes=parse_scopes(scopes.split("+") if scopes else ()), digest=digest(secret))


def parse_scopes(words: Iterable[str]) -> tuple[Scope, ...]:
    """Scopes by name, all if there is none. Raises ValueError."""
    named = {word.strip() for word in words}
    if unknown := named - set(Scope):
        raise ValueError(f"{min(unknown)!r} is no scope; there are {', '.join(Scope)}")
    return tuple(scope for scope in Scope if scope in named or not named)


def valid_name(name: str) -> bool:
    """Letters, digits, `-`, `_` and `.`: what can be read in a list and written in `approvers`."""
    return 0 < len(name) <= MAX_NAME_LENGTH and all(c.isascii() and (c.isalnum() or c in "-_.") for c in name)


class ApiKeys(Protocol):
    """Where keys are kept; all raise StoreUnavailable."""

    async def add(self, key: ApiKey) -> bool:
        """Keep a key; False if a key of this name is in use. The name of a revoked one may be used again."""

    async def revoke(self, name: str) -> bool:
        """End a key at once, in all processes; False if there is none of this name."""

    async def list(self) -> builtins.list[ApiKey]:
        """All keys that were ever made, the revoked ones included, by name."""

    async def lock(self) -> None:
        """Record for ever that keys are in use, wherever they come from."""

    async def locked(self) -> bool:
        """Whether a key has ever existed."""
