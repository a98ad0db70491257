"""Acknowledgements go first."""

import asyncio
import time

from bot.surfaces.chat.ack_priority import PATIENCE, Precedence


async def test_what_nobody_waits_for_gives_way_until_the_last_press_is_acknowledged() -> None:
    precedence, done = Precedence(), list[str]()

    async def show() -> None:
        await precedence.give_way()
        done.append("shown")

    with precedence.urgent():
        with precedence.urgent():
            showing = asyncio.create_task(show())
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        done.append("acknowledged")
    await showing
    assert done == ["acknowledged", "shown"]


async def test_an_endless_storm_of_presses_does_not_stop_what_is_shown() -> None:
    precedence = Precedence()
    began = time.monotonic()
    with precedence.urgent():
        await precedence.give_way()
    assert time.monotonic() - began >= PATIENCE * 0.9


async def test_with_nothing_urgent_nobody_waits() -> None:
    precedence = Precedence()
    async with asyncio.timeout(PATIENCE / 2):
        await asyncio.gather(*(precedence.give_way() for _ in range(100)))
