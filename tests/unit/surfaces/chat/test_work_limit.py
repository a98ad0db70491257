"""How many deliveries work at once."""

import asyncio

import pytest

from bot.surfaces.chat.work_limit import WorkLimit, slot_released
from tests.waiting import WITHIN


async def test_who_rests_leaves_the_slot_to_others_and_takes_one_again() -> None:
    limit, working, most = WorkLimit(2), 0, 0

    async def deliver() -> None:
        nonlocal working, most
        async with limit.slot():
            for _ in range(3):
                working += 1
                most = max(most, working)
                await asyncio.sleep(0)
                working -= 1
                async with slot_released():
                    await asyncio.sleep(0.001)

    async with asyncio.timeout(WITHIN):
        await asyncio.gather(*(deliver() for _ in range(20)))
    assert most == 2


async def test_all_may_rest_at_once() -> None:
    limit, all_rest = WorkLimit(1), asyncio.Barrier(10)

    async def deliver() -> None:
        async with limit.slot(), slot_released():
            await all_rest.wait()

    async with asyncio.timeout(WITHIN):
        await asyncio.gather(*(deliver() for _ in range(10)))


async def test_cancelled_while_it_wants_its_slot_back_a_delivery_gives_none_away() -> None:
    limit, blocked, rested = WorkLimit(1), asyncio.Event(), asyncio.Event()
    working: list[str] = []

    async def rest_once() -> None:
        async with limit.slot(), slot_released():
            await rested.wait()

    async def block(name: str) -> None:
        async with limit.slot():
            working.append(name)
            await blocked.wait()

    async def turns() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    first = asyncio.create_task(rest_once())
    others = [asyncio.create_task(block("second"))]
    await turns()
    rested.set()
    await turns()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    others.append(asyncio.create_task(block("third")))
    await turns()
    assert working == ["second"]
    blocked.set()
    await asyncio.gather(*others)
    assert working == ["second", "third"]


async def test_without_a_slot_resting_is_only_waiting() -> None:
    async with slot_released():
        await asyncio.sleep(0)
