"""Keys of Teams' tokens over HTTP, as a loopback Teams publishes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest

from bot.surfaces.teams.inbound import token_verifier
from bot.surfaces.teams.inbound.token_verifier import (
    KeysUnavailable,
    MetadataKeys,
    SigningKeys,
    TokenVerifier,
    Unauthorized,
    VerifiedToken,
)
from tests.loopback.teams import LoopbackTeams


@dataclass
class Peer:
    """A loopback Teams, and a verifier whose clock stands still."""

    teams: LoopbackTeams
    http: aiohttp.ClientSession
    now: float = 1000.0
    verifier: TokenVerifier = field(init=False)

    def __post_init__(self) -> None:
        source = MetadataKeys(self.teams.openid_metadata_url, self.http)
        keys = SigningKeys(source, lambda: self.now)
        self.verifier = TokenVerifier(self.teams.app_id, self.teams.tenant.id, self.teams.token_issuer, keys)

    async def verify(self) -> VerifiedToken:
        return await self.verifier.verify(f"Bearer {self.teams.token()}")


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with LoopbackTeams() as teams, aiohttp.ClientSession() as http:
        yield Peer(teams, http)


async def test_keys_are_fetched_once_for_many_tokens(peer: Peer) -> None:
    for _ in range(5):
        assert await peer.verify() == VerifiedToken(peer.teams.service_url)
    assert len(peer.teams.called("published_keys")) == 1


async def test_a_new_key_is_taken_and_a_withdrawn_one_is_not(peer: Peer) -> None:
    await peer.verify()
    old = peer.teams.token()
    peer.teams.keys.rotate(keep_former=False)
    peer.now += token_verifier.REFETCH_INTERVAL_S
    assert await peer.verify() == VerifiedToken(peer.teams.service_url)
    with pytest.raises(Unauthorized):
        await peer.verifier.verify(f"Bearer {old}")


@pytest.mark.parametrize("operation", ["metadata", "published_keys"])
async def test_while_keys_can_not_be_fetched_nothing_is_verified(peer: Peer, operation: str) -> None:
    peer.teams.fail(operation, 500)
    with pytest.raises(KeysUnavailable):
        await peer.verify()
    peer.now += token_verifier.FIRST_FETCH_INTERVAL_S
    assert await peer.verify() == VerifiedToken(peer.teams.service_url)


async def test_while_teams_is_away_nothing_is_verified(peer: Peer) -> None:
    async with peer.teams.outage():
        with pytest.raises(KeysUnavailable):
            await peer.verify()
