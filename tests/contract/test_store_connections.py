"""A connection may be closed beneath whoever uses it: that is an outage like any other."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from redis.asyncio import Redis

from bot.core.errors import StoreUnavailable
from bot.store.redis import RedisStore, open_store
from bot.store.redis_client.redis_errors import ErrorTranslation
from tests.contract.examples import new_run
from tests.waiting import WITHIN

COMMANDS = 30


@asynccontextmanager
async def being_cut(redis: Redis, url: str) -> AsyncIterator[None]:
    """Close all connections, again and again, at any point of what they are used for.

    Those of the pool from here, and all of the server from there.
    """
    enough = asyncio.Event()

    async def cut() -> None:
        async with Redis.from_url(url) as server:
            while not enough.is_set():
                await asyncio.sleep(random.random() / 100)
                await redis.connection_pool.disconnect()
                await server.client_kill_filter(_type="normal", skipme=True)
                await server.client_kill_filter(_type="pubsub")

    async with asyncio.TaskGroup() as group:
        group.create_task(cut())
        yield
        enough.set()


async def use(store: RedisStore, outage: asyncio.Event) -> None:
    """So many commands, and more until one has met an outage. Whatever else they raise is raised."""
    commands: tuple[Callable[[], Awaitable[object]], ...] = (
        store.clock.now,
        lambda: store.runs.start(new_run()),
        lambda: store.runs.find("ab"),
    )
    for number, command in enumerate(itertools.cycle(commands), start=1):
        try:
            await command()
        except StoreUnavailable:
            outage.set()
        if number >= COMMANDS and outage.is_set():
            return


async def test_commands_meet_outages_only(redis_url: str) -> None:
    async with open_store(redis_url) as store:
        [redis] = await store.connection.primaries()
        outage = asyncio.Event()
        async with asyncio.timeout(WITHIN), being_cut(redis, redis_url):
            await asyncio.gather(*(use(store, outage) for _ in range(30)))
        assert await store.clock.now() > 0


async def test_wake_ups_go_on(redis_url: str) -> None:
    async with open_store(redis_url) as store:
        [redis] = await store.connection.primaries()
        woken = asyncio.Event()

        async def listen() -> None:
            async for wakeup in store.events.wakeups():
                if wakeup.topics:
                    woken.set()

        listening = asyncio.create_task(listen())
        async with being_cut(redis, redis_url):
            for _ in range(200):
                await asyncio.sleep(0)
        async with asyncio.timeout(WITHIN):
            while not woken.is_set():
                await store.runs.start(new_run())
                await asyncio.sleep(0.05)
        assert not listening.done()
        listening.cancel()
        await asyncio.wait({listening})


def test_faults_of_our_own_are_no_outage() -> None:
    nothing: Redis | None = None
    with pytest.raises(AttributeError), ErrorTranslation():
        nothing.connection_pool.reset()  # type: ignore[union-attr]
