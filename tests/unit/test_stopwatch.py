"""Working time is limited; while people are asked, the clock stands still."""

import asyncio

from crews.stopwatch import Stopwatch


async def test_time_is_up_after_the_limit() -> None:
    expired = asyncio.Event()
    watch = Stopwatch(asyncio.get_running_loop(), 1, expired.set)
    watch.start()
    await asyncio.sleep(0.5)
    assert not expired.is_set()
    async with asyncio.timeout(1):
        await expired.wait()


async def test_time_stands_still_while_any_question_is_open() -> None:
    expired = asyncio.Event()
    watch = Stopwatch(asyncio.get_running_loop(), 1, expired.set)
    watch.start()
    with watch.paused():
        with watch.paused():
            await asyncio.sleep(0.7)
        await asyncio.sleep(0.5)
    assert not expired.is_set()
    async with asyncio.timeout(1.5):
        await expired.wait()


async def test_a_closed_watch_and_one_without_limit_never_end_anything() -> None:
    expired = asyncio.Event()
    closed = Stopwatch(asyncio.get_running_loop(), 1, expired.set)
    closed.start()
    closed.close()
    with closed.paused():
        pass
    Stopwatch(asyncio.get_running_loop(), None, expired.set).start()
    await asyncio.sleep(1.1)
    assert not expired.is_set()
