"""Runs that go on in a further place, and things that are shelved until they are done."""

import redis

from bot.core.runs.place import Place
from bot.store.clock import ClockSettings
from bot.store.redis import RedisStore, open_store
from tests.contract.examples import LOST, PLACE, claimed, started

THERE = Place(surface="slack", tenant="T1", ref="D1/1700.9", group="slack:T1:D1")


async def test_a_run_is_found_wherever_it_goes_on(store: RedisStore) -> None:
    run = await started(store, place=PLACE)
    assert await store.runs.at(THERE) == []
    await store.runs.add_place(run.id, THERE)
    await store.runs.add_place(run.id, THERE)
    assert [found.id for found in await store.runs.at(THERE)] == [run.id]
    assert [found.id for found in await store.runs.at(PLACE)] == [run.id]


async def test_a_run_that_is_gone_goes_on_nowhere(store: RedisStore, server: redis.Redis) -> None:
    await store.runs.add_place("gone", THERE)
    assert await store.runs.at(THERE) == []
    assert [key for key in server.scan_iter("*") if "gone" in key or "D1" in key] == []


async def test_a_forgotten_run_leaves_its_places(store_url: str, server: redis.Redis) -> None:
    async with open_store(store_url, ClockSettings(retention=0)) as store:
        claim = await claimed(store, place=PLACE)
        await store.runs.add_place(claim.run.id, THERE)
        await store.queue.finish(claim, result="done")
        await store.clock.apply_due(LOST)
        assert await store.runs.at(THERE) == []
    assert [key for key in server.scan_iter("*") if claim.run.id in key] == []


async def test_what_is_shelved_stays_there_until_it_is_taken_off(store: RedisStore) -> None:
    await store.key_values.save_pending("deliveries", "a", "first")
    await store.key_values.save_pending("deliveries", "a", "second")
    await store.key_values.save_pending("deliveries", "b", "other")
    await store.key_values.remove_pending("deliveries", "b")
    assert await store.key_values.pending("deliveries") == {"a": "second"}
    assert await store.key_values.pending("elsewhere") == {}
