"""Which processes are up, by the store's clock: wrong clocks of machines, and ends of processes."""

import asyncio
import json
import time
from contextlib import suppress

import pytest

from bot.store.redis import RedisStore
from bot.surfaces.chat.presence import TTL_S, Presence, count_present
from tests.waiting import eventually

HOUR = 3600.0
NAME = "slack:delivery"


def presence(store: RedisStore, owner: str) -> Presence:
    return Presence("slack", store.key_values, store.clock, owner, "delivery")


async def present(store: RedisStore) -> int:
    return await count_present("slack", store.key_values, store.clock, "delivery")


@pytest.mark.parametrize("by", [HOUR, -HOUR])
async def test_a_machine_whose_clock_is_wrong_is_up_like_any_other(
    store: RedisStore, by: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + by)
    wrong = presence(store, "wrong")
    async with wrong.announced():

        async def seen() -> bool:
            return await present(store) == 1

        await eventually(seen)
        monkeypatch.setattr(time, "time", right)
        assert await present(store) == 1
        stored = json.loads(await store.key_values.get(NAME) or "{}")
        assert abs(stored["wrong"] - await store.clock.now() / 1000) < HOUR / 2


async def test_who_was_killed_is_gone_although_its_clock_was_ahead(store: RedisStore) -> None:
    """Such as by the clock of a store that was replaced. It would keep its share for an hour."""
    ahead = await store.clock.now() / 1000 + HOUR
    await store.key_values.set(NAME, json.dumps({"killed": ahead}), TTL_S)
    assert await present(store) == 0
    mine = presence(store, "mine")
    async with mine.announced():

        async def written() -> bool:
            return "mine" in json.loads(await store.key_values.get(NAME) or "{}")

        await eventually(written)
        assert mine.count == 1
        assert await mine.owners() == {"mine"}


async def test_who_is_stopped_signs_off_at_once(store: RedisStore) -> None:
    """Stopping is cancelling. The others take over its share without waiting until its heartbeat is old."""
    up = asyncio.Event()

    async def serve() -> None:
        async with presence(store, "stopped").announced():
            up.set()
            await asyncio.Event().wait()

    serving = asyncio.create_task(serve())
    await up.wait()

    async def seen() -> bool:
        return await present(store) == 1

    await eventually(seen)
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving
    assert await present(store) == 0
