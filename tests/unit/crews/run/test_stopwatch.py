"""Working time is limited; while people are asked, the clock stands still."""

import asyncio

from crews.run.stopwatch import Stopwatch


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


async def test_what_was_worked_before_counts() -> None:
    expired = asyncio.Event()
    watch = Stopwatch(asyncio.get_running_loop(), 60, expired.set, worked=59.8)
    watch.start()
    async with asyncio.timeout(1):
        await expired.wait()
    assert 60 <= watch.worked() < 61


async def test_how_long_was_worked_without_the_pauses() -> None:
    watch = Stopwatch(asyncio.get_running_loop(), None, lambda: None, worked=7.0)
    assert watch.worked() == 7.0
    watch.start()
    await asyncio.sleep(0.2)
    with watch.paused():
        before = watch.worked()
        await asyncio.sleep(0.2)
        assert watch.worked() == before
    watch.close()
    assert 7.2 <= watch.worked() < 7.4


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
