"""Which tokens are Teams' to this app: a table of attacks, and what becomes of keys."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from bot.surfaces.teams.inbound import token_verifier
from bot.surfaces.teams.inbound.token_verifier import (
    KeysUnavailable,
    SigningKeys,
    TokenVerifier,
    Unauthorized,
    VerifiedToken,
    keys_of,
)

APP = "00000000-0000-0000-0000-00000000b0b0"
TENANT = "00000000-0000-0000-0000-000000007e4a"
ISSUER = "https://api.botframework.com"
SERVICE_URL = "https://smba.example/emea/"
VERIFIED = VerifiedToken(SERVICE_URL)
OURS, FOREIGN, NEXT = (generate_private_key(65537, 2048) for _ in range(3))


class Published:
    """A source of keys that can be away."""

    def __init__(self, keys: dict[str, RSAPrivateKey]) -> None:
        self.keys = keys
        self.away = False
        self.fetches = 0

    async def fetch(self) -> Mapping[str, jwt.PyJWK]:
        self.fetches += 1
        if self.away:
            raise KeysUnavailable("away")
        return keys_of({"keys": [published(kid, key) for kid, key in self.keys.items()]})


def published(kid: str, key: RSAPrivateKey, **more: Any) -> dict[str, Any]:
    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {**jwk, "kid": kid, "endorsements": ["msteams"], **more}


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {"iss": ISSUER, "aud": APP, "serviceurl": SERVICE_URL, "nbf": now - 60, "exp": now + 3600}
    return {name: value for name, value in (good | changed).items() if value is not None}


def signed(
    key: RSAPrivateKey = OURS, kid: str | None = "k1", headers: dict[str, Any] | None = None, **changed: Any
) -> str:
    header = {**({"kid": kid} if kid is not None else {}), **(headers or {})}
    return f"Bearer {jwt.encode(claims(**changed), key, algorithm='RS256', headers=header)}"


def tampered(**changed: Any) -> str:
    header, _, signature = signed().split(".")
    return f"{header}.{_encoded(json.dumps(claims(**changed)).encode())}.{signature}"


def made_by_hand(header: object, payload: object, secret: bytes = b"") -> str:
    """A token that no library would make; with a secret: signed by HMAC."""
    parts = [_encoded(json.dumps(each).encode()) for each in (header, payload)]
    mac = hmac.new(secret, ".".join(parts).encode(), hashlib.sha256).digest() if secret else b""
    return f"Bearer {'.'.join([*parts, _encoded(mac)])}"


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def public_pem(key: RSAPrivateKey) -> bytes:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(encoding, form)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def verifier(source: Published | None = None, clock: Clock | None = None) -> TokenVerifier:
    return TokenVerifier(
        APP, TENANT, ISSUER, SigningKeys(source or Published({"k1": OURS}), clock or Clock())
    )


async def test_a_token_of_teams_is_verified() -> None:
    assert await verifier().verify(signed()) == VERIFIED


@pytest.mark.parametrize("changed", [{"tid": TENANT}, {"nbf": None}])
async def test_what_may_differ(changed: dict[str, Any]) -> None:
    assert await verifier().verify(signed(**changed)) == VERIFIED


async def test_a_token_that_expired_within_the_leeway_is_taken() -> None:
    assert await verifier().verify(signed(exp=int(time.time()) - 100)) == VERIFIED


ATTACKS = {
    "nothing": "",
    "another scheme": signed().replace("Bearer", "Basic"),
    "no token": "Bearer ",
    "no JWT": "Bearer abc",
    "too long": signed(padding="x" * token_verifier.MAX_TOKEN_BYTES),
    "no kid": signed(kid=None),
    "a kid that is no text": made_by_hand({"alg": "RS256", "kid": 1}, claims()),
    "an unknown kid": signed(kid="k2"),
    "alg none": made_by_hand({"alg": "none", "kid": "k1"}, claims()),
    "alg none, unusual case": made_by_hand({"alg": "nOnE", "kid": "k1"}, claims()),
    "signed with the public key as a secret": made_by_hand(
        {"alg": "HS256", "kid": "k1"}, claims(), public_pem(OURS)
    ),
    "RS256 that is an HMAC": made_by_hand({"alg": "RS256", "kid": "k1"}, claims(), public_pem(OURS)),
    "another's key": signed(FOREIGN),
    "another's key in the header": signed(
        FOREIGN, headers={"jwk": jwt.algorithms.RSAAlgorithm.to_jwk(FOREIGN.public_key(), as_dict=True)}
    ),
    "an address of keys in the header": signed(FOREIGN, headers={"jku": "https://evil.example/keys"}),
    "no signature": signed().rpartition(".")[0] + ".",
    "changed after it was signed": tampered(serviceurl="https://evil.example"),
    "another audience": signed(aud="00000000-0000-0000-0000-00000000dead"),
    "several audiences": signed(aud=[APP, "00000000-0000-0000-0000-00000000dead"]),
    "no audience": signed(aud=None),
    "another issuer": signed(iss="https://sts.windows.net/x/"),
    "Entra's issuer, a foreign tenant": signed(iss=f"https://login.microsoftonline.com/{FOREIGN}/v2.0"),
    "an issuer that begins like Teams'": signed(iss=f"{ISSUER}.evil.example"),
    "no issuer": signed(iss=None),
    "no service URL": signed(serviceurl=None),
    "an empty service URL": signed(serviceurl=""),
    "a service URL that is no text": signed(serviceurl=["x"]),
    "another tenant": signed(tid="00000000-0000-0000-0000-00000000dead"),
    "expired": signed(exp=int(time.time()) - 100_000),
    "never expires": signed(exp=None),
    "not valid yet": signed(nbf=int(time.time()) + 100_000),
    "an expiry that is no number": signed(exp="soon"),
    "a header of many brackets": f"Bearer {_encoded(b'[' * 5000)}.e30.e30",
    "a header that is no object": made_by_hand([], claims()),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
async def test_other_tokens_are_refused(attack: str) -> None:
    with pytest.raises(Unauthorized):
        await verifier().verify(ATTACKS[attack])


async def test_a_rotated_key_is_fetched_and_the_old_one_no_longer_counts() -> None:
    source, clock = Published({"k1": OURS}), Clock()
    verify = verifier(source, clock).verify
    assert await verify(signed()) == VERIFIED
    source.keys = {"k2": NEXT}
    clock.now += token_verifier.REFETCH_INTERVAL_S
    assert await verify(signed(NEXT, "k2")) == VERIFIED
    with pytest.raises(Unauthorized):
        await verify(signed())
    assert source.fetches == 2


async def test_a_key_that_is_new_since_a_moment_ago_is_fetched_at_once() -> None:
    source = Published({"k1": OURS})
    verify = verifier(source).verify
    assert await verify(signed()) == VERIFIED
    source.keys = {"k1": OURS, "k2": NEXT}
    assert await asyncio.gather(*(verify(signed(NEXT, "k2")) for _ in range(3))) == [VERIFIED] * 3
    assert source.fetches == 2
    for number in range(20):
        with pytest.raises(Unauthorized):
            await verify(signed(FOREIGN, f"unknown-{number}"))
    assert source.fetches == 3


async def test_unknown_keys_cause_no_more_than_one_fetch_a_minute() -> None:
    source = Published({"k1": OURS})
    verify = verifier(source).verify
    for number in range(20):
        with pytest.raises(Unauthorized):
            await verify(signed(FOREIGN, f"unknown-{number}"))
    assert source.fetches == 1


async def test_without_keys_nothing_is_verified_and_teams_shall_send_it_again() -> None:
    source, clock = Published({"k1": OURS}), Clock()
    source.away = True
    verify = verifier(source, clock).verify
    for _ in range(5):
        with pytest.raises(KeysUnavailable):
            await verify(signed())
    assert source.fetches == 1
    source.away = False
    clock.now += token_verifier.FIRST_FETCH_INTERVAL_S
    assert await verify(signed()) == VERIFIED


async def test_known_keys_are_good_while_their_source_is_away() -> None:
    source, clock = Published({"k1": OURS}), Clock()
    verify = verifier(source, clock).verify
    assert await verify(signed()) == VERIFIED
    source.away = True
    clock.now += token_verifier.KEYS_TTL_S + 1
    assert await verify(signed(exp=int(time.time()) + 3600)) == VERIFIED
    assert source.fetches == 2


@pytest.mark.parametrize(
    "key",
    [
        published("k1", OURS, endorsements=["skype"]),
        published("k1", OURS, kty="oct"),
        {"kty": "RSA", "kid": "k1"},
        {"kty": "RSA", "kid": "k1", "n": "!", "e": "AQAB"},
        {"kty": "RSA", "kid": "k1", "n": 1, "e": None},
        published("k1", OURS, endorsements=None),
        published("k1", OURS, endorsements=7),
        "k1",
        None,
    ],
)
def test_keys_of_others_and_odd_ones_are_left_out(key: object) -> None:
    assert list(keys_of({"keys": [key, published("k2", NEXT)]})) == ["k2"]
