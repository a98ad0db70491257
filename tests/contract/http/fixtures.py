"""Fixtures of who tests the API in this process: over HTTP, or with the client."""

from collections.abc import AsyncIterator

import pytest

from bot.store.redis import RedisStore
from tests.contract.examples import DEMO
from tests.contract.http.served import Served, serve


@pytest.fixture
def store_url(redis_url: str) -> str:
    """The embedded Valkey only: the store's own tests see to the others."""
    return redis_url


@pytest.fixture
async def served(store: RedisStore) -> AsyncIterator[Served]:
    """The API without keys."""
    await store.catalogue.announce("here", [DEMO])
    async with serve(store, {}) as api:
        yield api
