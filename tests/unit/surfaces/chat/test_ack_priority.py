"""Acknowledgements go first."""

import asyncio
import time

from bot.surfaces.chat.ack_priority import MAX_YIELD_S, AckPriority


async def test_what_nobody_waits_for_gives_way_until_the_last_press_is_acknowledged() -> None:
    ack_priority, done = AckPriority(), list[str]()

    async def show() -> None:
        await ack_priority.yield_to_acks()
        done.append("shown")

    with ack_priority.acknowledging():
        with ack_priority.acknowledging():
            showing = asyncio.create_task(show())
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        done.append("acknowledged")
    await showing
    assert done == ["acknowledged", "shown"]


async def test_an_endless_storm_of_presses_does_not_stop_what_is_shown() -> None:
    ack_priority = AckPriority()
    began = time.monotonic()
    with ack_priority.acknowledging():
        await ack_priority.yield_to_acks()
    assert time.monotonic() - began >= MAX_YIELD_S * 0.9


async def test_with_nothing_urgent_nobody_waits() -> None:
    ack_priority = AckPriority()
    async with asyncio.timeout(MAX_YIELD_S / 2):
        await asyncio.gather(*(ack_priority.yield_to_acks() for _ in range(100)))
