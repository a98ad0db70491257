"""Whoever waits for the store can be cancelled, at any point of it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bot.store.redis import RedisStore, open_store
from tests.waiting import WITHIN


async def ask_for_ever(store: RedisStore) -> None:
    while True:
        await store.clock.now()
        await asyncio.sleep(0.01)


async def listen_for_ever(store: RedisStore) -> None:
    async for _ in store.events.wakeups():
        continue


@pytest.mark.parametrize("work", [ask_for_ever, listen_for_ever])
async def test_a_cancelled_task_ends_wherever_it_was(
    work: Callable[[RedisStore], Coroutine[Any, Any, None]], redis_url: str
) -> None:
    for steps in range(60):
        async with open_store(redis_url) as store:
            # The one connection is taken, so that the work makes one of its own.
            asking = asyncio.create_task(store.clock.now())
            task = asyncio.create_task(work(store))
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            done, _ = await asyncio.wait({task}, timeout=WITHIN)
            assert done, f"cancelled after {steps} steps, it goes on"
            await asking


@pytest.mark.parametrize("kind", ["redis_url", "redis_cluster"])
async def test_the_connection_is_of_use_afterwards(kind: str, request: pytest.FixtureRequest) -> None:
    async with open_store(request.getfixturevalue(kind)) as store:
        await store.key_values.set("word", "kept", ttl=60)
        for steps in range(30):
            task = asyncio.create_task(store.clock.now())
            for _ in range(steps):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert await store.key_values.get("word") == "kept"
