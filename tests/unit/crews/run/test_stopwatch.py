"""Working time is limited; while people are asked, the clock stands still."""

import asyncio

import pytest

from crews.run.stopwatch import Stopwatch
from tests.virtual_time import in_virtual_time


@in_virtual_time
async def test_time_is_up_after_the_limit() -> None:
    expired = asyncio.Event()
    watch = Stopwatch(asyncio.get_running_loop(), 60, expired.set)
    watch.start()
    await asyncio.sleep(59.9)
    assert not expired.is_set()
    await asyncio.sleep(0.2)
    assert expired.is_set()


@in_virtual_time
async def test_time_stands_still_while_any_question_is_open() -> None:
    expired = asyncio.Event()
    watch = Stopwatch(asyncio.get_running_loop(), 60, expired.set)
    watch.start()
    await asyncio.sleep(20)
    with watch.paused():
        with watch.paused():
            await asyncio.sleep(70)
        await asyncio.sleep(50)
    await asyncio.sleep(39.9)
    assert not expired.is_set()
    await asyncio.sleep(0.2)
    assert expired.is_set()


@in_virtual_time
async def test_what_was_worked_before_counts() -> None:
    expired = asyncio.Event()
    watch = Stopwatch(asyncio.get_running_loop(), 60, expired.set, worked=59.8)
    watch.start()
    await asyncio.sleep(0.1)
    assert not expired.is_set()
    await expired.wait()
    assert watch.worked() == pytest.approx(60)


@in_virtual_time
async def test_how_long_was_worked_without_the_pauses() -> None:
    watch = Stopwatch(asyncio.get_running_loop(), None, lambda: None, worked=7.0)
    assert watch.worked() == 7.0
    watch.start()
    await asyncio.sleep(0.2)
    with watch.paused():
        before = watch.worked()
        await asyncio.sleep(0.2)
        assert watch.worked() == before
    await asyncio.sleep(0.3)
    watch.close()
    assert watch.worked() == pytest.approx(7.5)


@in_virtual_time
async def test_a_closed_watch_and_one_without_limit_never_end_anything() -> None:
    expired = asyncio.Event()
    closed = Stopwatch(asyncio.get_running_loop(), 1, expired.set)
    closed.start()
    closed.close()
    with closed.paused():
        pass
    Stopwatch(asyncio.get_running_loop(), None, expired.set).start()
    await asyncio.sleep(86_400)
    assert not expired.is_set()
