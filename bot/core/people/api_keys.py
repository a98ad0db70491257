"""API keys: they identify programs and limit what these may do."""

from __future__ import annotations

import builtins
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol

from bot.core.people.actor import Actor
from bot.core.value import Value

KEYS_TOPIC = "keys"
"""The topic that announces changed API keys."""
KEY_PREFIX = "cdk_"
"""The prefix of generated secrets, so that scanners and people recognise them."""

MAX_NAME_LENGTH = 64
MIN_SECRET_LENGTH = 16
"""The minimum length of a secret in characters; shorter ones can be guessed."""


class Scope(StrEnum):
    """A key's permissions. `admin` includes the others, and may answer all questions and cancel all runs."""

    READ = "read"
    START = "start"
    ANSWER = "answer"
    ADMIN = "admin"


LOCAL = Actor(surface="http", user_id="local", name="local", admin=True, authentication="local")
"""The local user, while no API keys exist."""


class ApiKey(Value):
    """A named API key, stored as the digest of its secret.

    Unsalted SHA-256 is sufficient: generated secrets are 256 random bits and can't be guessed, however fast
    the hash is. Slow hashes protect passwords that people choose.
    """

    name: str
    scopes: tuple[Scope, ...]
    digest: str
    created_at: int = 0
    revoked_at: int | None = None

    @property
    def user_id(self) -> str:
        """The key's name as `approvers` of a crew write it."""
        return f"key:{self.name}"

    def allows(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def actor(self, on_behalf_of: str = "") -> Actor:
        """The actor that represents this key."""
        admin = Scope.ADMIN in self.scopes
        return Actor(
            surface="http",
            user_id=self.user_id,
            name=self.name,
            admin=admin,
            authentication="api_key",
            on_behalf_of=on_behalf_of,
        )


def new_secret() -> str:
    """256 random bits, as text."""
    return KEY_PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """The digest that is stored instead of a secret."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def matching(secret: str, keys: Iterable[ApiKey]) -> ApiKey | None:
    """Find the key with this secret. All keys are compared, each in constant time."""
    given = digest(secret)
    found = None
    for key in keys:
        if hmac.compare_digest(given, key.digest) and key.revoked_at is None:
            found = key
    return found


def parse_keys(text: str) -> tuple[ApiKey, ...]:
    """Parse `CREWDECK_API_KEYS`: `name:secret:scope+scope,...`. A key without scopes has all of them.

    Raises ValueError, whose message never quotes a secret.
    """
    keys = tuple(_parse_key(part.strip()) for part in text.split(",") if part.strip())
    if text.strip() and not keys:
        # Commas around variables that are not set: without keys everybody at this machine would be let in.
        raise ValueError("it has commas and no key; leave it empty where no key is meant")
    names = [key.name for key in keys]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"the name {min(twice)} is there twice")
    by_digest: dict[str, str] = {}
    for key in keys:
        if (other := by_digest.setdefault(key.digest, key.name)) != key.name:
            raise ValueError(f"the keys {other} and {key.name} are the same: nobody could tell who calls")
    return keys


def _parse_key(part: str) -> ApiKey:
    name, _, rest = part.partition(":")
    secret, colon, scopes = rest.partition(":")
    if not valid_name(name) or not secret:
        raise ValueError("each key is written name:secret or name:secret:scope+scope")
    if len(secret) < MIN_SECRET_LENGTH:
        raise ValueError(
            f"the key {name} is too short: it needs {MIN_SECRET_LENGTH} characters or more, "
            "as `openssl rand -hex 32` prints them"
        )
    if colon and not scopes.strip():
        raise ValueError(f"the key {name} has a colon and no scopes after it: without the colon it has all")
    return ApiKey(name=name, scopes=parse_scopes(scopes.split("+") if scopes else ()), digest=digest(secret))


def parse_scopes(words: Iterable[str]) -> tuple[Scope, ...]:
    """Parse scope names; no names mean all scopes. Raises ValueError."""
    named = {word.strip() for word in words}
    if unknown := named - set(Scope):
        raise ValueError(f"{min(unknown)!r} is no scope; there are {', '.join(Scope)}")
    return tuple(scope for scope in Scope if scope in named or not named)


def valid_name(name: str) -> bool:
    """Whether a name has only letters, digits, `-`, `_` and `.`, as lists and `approvers` require."""
    return 0 < len(name) <= MAX_NAME_LENGTH and all(c.isascii() and (c.isalnum() or c in "-_.") for c in name)


class ApiKeys(Protocol):
    """Storage of API keys. All methods raise StoreUnavailable."""

    async def add(self, key: ApiKey) -> bool:
        """Add a key; False if its name is in use. The name of a revoked key can be reused."""

    async def revoke(self, name: str) -> bool:
        """Revoke a key at once, in all processes; False if there is no key of this name."""

    async def list(self) -> builtins.list[ApiKey]:
        """All keys, the revoked ones included, sorted by name."""

    async def lock(self) -> None:
        """Record permanently that API keys have been in use, from the store or from the settings."""

    async def locked(self) -> bool:
        """Whether a key has ever existed."""
