"""The Bot Connector's signing keys: OpenID metadata, published keys, and tokens as Teams sends them."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

ISSUER = "https://api.botframework.com"
_NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class SigningKey:
    """A key pair under its id."""

    kid: str
    private: rsa.RSAPrivateKey

    @classmethod
    def generate(cls) -> SigningKey:
        return cls(f"key-{next(_NUMBERS)}", rsa.generate_private_key(public_exponent=65537, key_size=2048))

    def published(self) -> dict[str, Any]:
        """As it stands among the published keys."""
        key: dict[str, Any] = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return key | {"kid": self.kid, "x5t": self.kid, "use": "sig", "endorsements": ["msteams"]}


@cache
def first_key() -> SigningKey:
    """What signs at first, at each loopback of this process: making a key takes longer than many a test."""
    return SigningKey.generate()


@dataclass
class Keys:
    """What is published, and the key that signs now."""

    app_id: str
    signing: SigningKey = field(default_factory=first_key)
    published: list[SigningKey] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.published.append(self.signing)

    def rotate(self, *, keep_former: bool = True) -> None:
        """Sign with a new key from now on."""
        self.signing = SigningKey.generate()
        self.published = [*(self.published if keep_former else []), self.signing]

    def claims(self, service_url: str) -> dict[str, Any]:
        """The claims of a token of Teams."""
        now = int(time.time())
        return {
            "iss": ISSUER,
            "aud": self.app_id,
            "serviceurl": service_url,
            "nbf": now - 300,
            "exp": now + 3600,
        }

    def token(
        self,
        claims: dict[str, Any],
        *,
        header: dict[str, Any] | None = None,
        key: SigningKey | None = None,
    ) -> str:
        """A signed token. `header` overrides what stands in its header; None there leaves an entry out."""
        by = key or self.signing
        head = {"kid": by.kid, "x5t": by.kid} | (header or {})
        shown = {name: value for name, value in head.items() if value is not None}
        return jwt.encode(claims, by.private, algorithm="RS256", headers=shown)
