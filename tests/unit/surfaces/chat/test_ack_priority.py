"""Acknowledgements go first."""

import asyncio

import pytest

from bot.surfaces.chat.ack_priority import MAX_YIELD_S, AckPriority
from tests.virtual_time import in_virtual_time


@in_virtual_time
async def test_what_nobody_waits_for_gives_way_until_the_last_press_is_acknowledged() -> None:
    ack_priority, done = AckPriority(), list[str]()

    async def show() -> None:
        await ack_priority.yield_to_acks()
        done.append("shown")

    with ack_priority.acknowledging():
        with ack_priority.acknowledging():
            showing = asyncio.create_task(show())
            await asyncio.sleep(MAX_YIELD_S / 3)
        await asyncio.sleep(MAX_YIELD_S / 3)
        done.append("acknowledged")
    await showing
    assert done == ["acknowledged", "shown"]


@in_virtual_time
async def test_an_endless_storm_of_presses_does_not_stop_what_is_shown() -> None:
    ack_priority, clock = AckPriority(), asyncio.get_running_loop()
    began = clock.time()
    with ack_priority.acknowledging():
        await ack_priority.yield_to_acks()
    assert clock.time() - began == pytest.approx(MAX_YIELD_S)


@in_virtual_time
async def test_with_nothing_urgent_nobody_waits() -> None:
    ack_priority, clock = AckPriority(), asyncio.get_running_loop()
    began = clock.time()
    await asyncio.gather(*(ack_priority.yield_to_acks() for _ in range(100)))
    assert clock.time() == began
