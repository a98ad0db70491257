"""Tasks that run alongside a block."""

import asyncio

import pytest

from bot.core.errors import StoreUnavailable
from bot.tasks import run_alongside, running_meanwhile


async def until_cancelled(cancelled: asyncio.Event) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        cancelled.set()


async def fail() -> None:
    raise LookupError


async def raise_in_block(cancelled: asyncio.Event) -> None:
    async with run_alongside(until_cancelled(cancelled)):
        await asyncio.sleep(0)
        raise StoreUnavailable


async def test_a_task_ends_with_the_block() -> None:
    cancelled = asyncio.Event()
    async with run_alongside(until_cancelled(cancelled)):
        await asyncio.sleep(0)
        assert not cancelled.is_set()
    assert cancelled.is_set()


async def test_what_the_block_raises_is_not_wrapped() -> None:
    cancelled = asyncio.Event()
    with pytest.raises(StoreUnavailable):
        await raise_in_block(cancelled)
    assert cancelled.is_set()


async def test_a_task_that_fails_ends_the_block_and_the_other_tasks() -> None:
    cancelled = asyncio.Event()
    with pytest.raises(ExceptionGroup) as failure:
        async with run_alongside(fail(), until_cancelled(cancelled)):
            await asyncio.Event().wait()
    assert failure.group_contains(LookupError)
    assert cancelled.is_set()


async def test_begun_work_has_a_result_for_the_block() -> None:
    with running_meanwhile(asyncio.sleep(0, "done")) as task:
        assert await task == "done"


async def test_begun_work_that_nobody_waits_for_is_cancelled_and_its_failure_stays_quiet() -> None:
    cancelled = asyncio.Event()
    with running_meanwhile(until_cancelled(cancelled)), running_meanwhile(fail()):
        await asyncio.sleep(0)
    await cancelled.wait()


async def test_who_has_begun_work_may_be_thrown_away() -> None:
    async def waits() -> None:
        with running_meanwhile(asyncio.Event().wait()) as task:
            await task

    waiting = waits()
    waiting.send(None)
    waiting.close()
