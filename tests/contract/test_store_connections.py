"""A connection may be closed beneath whoever uses it: that is an outage like any other."""

import asyncio
import random

import pytest
from redis.asyncio import Redis

from bot.core.errors import StoreUnavailable
from bot.store.redis import RedisStore, open_store
from bot.store.redis_errors import translate_errors
from tests.contract.examples import new_run
from tests.waiting import WITHIN

COMMANDS = 60


async def cut_for_ever(redis: Redis) -> None:
    """Close all connections of the pool, again and again, at any point of what they are used for."""
    while True:
        for _ in range(random.randrange(12)):
            await asyncio.sleep(0)
        await redis.connection_pool.disconnect()
        await asyncio.sleep(0)


async def use(store: RedisStore) -> int:
    """How many of these commands met an outage. Whatever else they raise is raised."""
    outages = 0
    for number in range(COMMANDS):
        commands = (store.clock.now, lambda: store.runs.start(new_run()), lambda: store.runs.find("ab"))
        try:
            await commands[number % len(commands)]()
        except StoreUnavailable:
            outages += 1
    return outages


async def test_commands_meet_outages_only(redis_url: str) -> None:
    async with open_store(redis_url) as store:
        [redis] = await store.connection.primaries()
        cutting = asyncio.create_task(cut_for_ever(redis))
        outages = await asyncio.gather(*(use(store) for _ in range(30)))
        assert not cutting.done()
        cutting.cancel()
        await asyncio.wait({cutting})
        assert sum(outages) > 0
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
        cutting = asyncio.create_task(cut_for_ever(redis))
        for _ in range(200):
            await asyncio.sleep(0)
        cutting.cancel()
        await asyncio.wait({cutting})
        async with asyncio.timeout(WITHIN):
            while not woken.is_set():
                await store.runs.start(new_run())
                await asyncio.sleep(0.05)
        assert not listening.done()
        listening.cancel()
        await asyncio.wait({listening})


def test_faults_of_our_own_are_no_outage() -> None:
    nothing: Redis | None = None
    with pytest.raises(AttributeError), translate_errors():
        nothing.connection_pool.reset()  # type: ignore[union-attr]
