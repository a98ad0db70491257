"""The API in this process, on a real store, with a hand-played crew."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

import pytest

from bot.store.redis import RedisStore
from tests.contract.examples import DEMO
from tests.contract.http.served import Served, serve

Serve = Callable[[Mapping[str, str]], Awaitable[Served]]


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


@pytest.fixture
async def serve_with(store: RedisStore) -> AsyncIterator[Serve]:
    """The API with settings of the test's own."""
    await store.catalogue.announce("here", [DEMO])
    async with AsyncExitStack() as stack:

        async def start(settings: Mapping[str, str]) -> Served:
            return await stack.enter_async_context(serve(store, settings))

        yield start
