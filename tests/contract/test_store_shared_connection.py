"""All commands of a process share one connection, and each gets its own reply."""

import asyncio
import random

import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from bot.core.errors import StoreUnavailable
from bot.core.wakeups import run_topic
from bot.store.redis import open_store
from bot.store.redis_keys import key_value
from tests.contract.examples import new_run
from tests.waiting import WITHIN, eventually

MANY = 200


async def test_many_commands_at_once_need_one_connection(redis_url: str) -> None:
    async with open_store(redis_url) as store, Redis.from_url(redis_url) as server:
        await store.clock.now()
        before = len(await server.client_list())
        await asyncio.gather(*(store.key_values.set(f"word {n}", str(n), 60) for n in range(MANY)))
        assert len(await server.client_list()) == before


async def test_a_command_leaves_at_once_where_none_is_on_its_way(redis_url: str) -> None:
    async with open_store(redis_url) as store:
        await store.clock.now()
        with BlockingRedis.from_url(redis_url) as server:  # Our loop stands still while it is asked.

            def received() -> int:
                server.ping()  # What was sent before it is executed by now, whichever socket is read first.
                return int(server.info("commandstats").get("cmdstat_get", {"calls": 0})["calls"])

            before, asking = received(), asyncio.create_task(store.key_values.get("word"))
            await asyncio.sleep(0)
            assert received() == before + 1
        assert await asking is None


async def test_each_command_gets_its_own_reply_whoever_gives_up(redis_url: str) -> None:
    async with open_store(redis_url) as store:
        await asyncio.gather(*(store.key_values.set(f"word {n}", str(n), 60) for n in range(MANY)))
        asked = {n: asyncio.create_task(store.key_values.get(f"word {n}")) for n in range(MANY)}
        for n in random.sample(range(MANY), MANY // 2):
            for _ in range(random.randrange(3)):
                await asyncio.sleep(0)
            asked[n].cancel()
        await asyncio.wait(asked.values())
        assert all(task.cancelled() or task.result() == str(n) for n, task in asked.items())
        assert await store.key_values.get("word 7") == "7"


async def test_bytes_that_are_no_text_fail_their_command_alone(redis_url: str) -> None:
    async with open_store(redis_url) as store, Redis.from_url(redis_url) as server:
        await store.key_values.set("fine", "kept", 60)
        await server.set(key_value("damaged"), b"\xff\xfe")
        damaged, fine = await asyncio.gather(
            store.key_values.get("damaged"), store.key_values.get("fine"), return_exceptions=True
        )
        assert isinstance(damaged, UnicodeDecodeError)
        assert fine == "kept"


@pytest.mark.parametrize("protocol", [2, 3])
async def test_either_version_of_the_protocol_will_do(redis_url: str, protocol: int) -> None:
    async with open_store(f"{redis_url}?protocol={protocol}") as store:
        await store.key_values.set("word", "kept", 60)
        assert await store.key_values.get("word") == "kept"
        assert await store.clock.now() > 0
        async with asyncio.timeout(WITHIN):
            wakeups = store.events.wakeups()
            assert (await anext(wakeups)).topics == ()
            run, _ = await store.runs.start(new_run())
            assert run_topic(run.id) in (await anext(wakeups)).topics


@pytest.mark.parametrize("turns", range(8))
async def test_who_waits_when_it_is_closed_hears_of_an_outage(redis_url: str, turns: int) -> None:
    async with Redis.from_url(redis_url) as server:
        before = len(await server.client_list())
        async with open_store(redis_url) as store:
            [redis] = await store.connection.primaries()
            await server.client_kill_filter(_type="normal", skipme=True)
            asked = [asyncio.create_task(store.key_values.get(f"word {n}")) for n in range(MANY)]
            for _ in range(turns):
                await asyncio.sleep(0)
            await redis.aclose()
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
            assert {type(each) for each in outcomes} <= {StoreUnavailable, type(None)}

        async def none_left() -> bool:
            return len(await server.client_list()) <= before

        await eventually(none_left)  # The server hears of it a little later.
