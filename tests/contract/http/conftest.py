"""The API in this process, on a real store, with a hand-played crew."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

import pytest

from bot.store.redis import RedisStore
from tests.contract.examples import DEMO
from tests.contract.http.fixtures import served, store_url
from tests.contract.http.served import Served, serve

__all__ = ["served", "store_url"]

Serve = Callable[[Mapping[str, str]], Awaitable[Served]]


@pytest.fixture
async def serve_with(store: RedisStore) -> AsyncIterator[Serve]:
    """The API with settings of the test's own."""
    await store.catalogue.announce("here", [DEMO])
    async with AsyncExitStack() as stack:

        async def start(settings: Mapping[str, str]) -> Served:
            return await stack.enter_async_context(serve(store, settings))

        yield start
