"""Ends of methods are come to in the order in which they were recorded."""

import asyncio
import threading

import pytest

from crews.flows.completion_order import CompletionOrder
from crews.flows.threads import in_thread
from crews.run.threads import Threads
from tests.virtual_time import in_virtual_time
from tests.waiting import WITHIN


async def nobody(missing: tuple[int, ...]) -> None:
    raise AssertionError(missing)


@in_virtual_time
async def test_recorded_ends_come_in_their_order_and_new_ones_behind() -> None:
    order = CompletionOrder([1, 2, 3], nobody)
    came: list[str] = []

    async def end(name: str, number: int | None, delay: float) -> None:
        if number is not None:
            order.promise(number)
        await asyncio.sleep(delay)
        taken = await order.begin_turn(number)
        came.append(f"{name}{taken}")
        await asyncio.sleep(0.01)
        came.append(name)
        order.end_turn()

    await asyncio.gather(end("new", None, 0), end("c", 3, 0), end("a", 1, 0.05), end("b", 2, 0.02))
    assert came == ["a1", "a", "b2", "b", "c3", "c", "new4", "new"], "one at a time"


@in_virtual_time
async def test_recorded_ends_that_do_not_come_are_told_of_once() -> None:
    told: list[tuple[int, ...]] = []

    async def missing(numbers: tuple[int, ...]) -> None:
        told.append(numbers)

    order = CompletionOrder([1, 2, 4], missing)
    order.promise(2)

    async def second() -> None:
        await order.begin_turn(2)
        order.end_turn()

    await asyncio.gather(order.wait_until_caught_up(), order.wait_until_caught_up(), second())
    assert told == [(1,), (4,)], "what came after one that comes may still follow from it"
    assert await order.begin_turn() == 5


async def test_a_method_may_block_and_is_cancelled_where_it_awaits() -> None:
    begun, cancelled = threading.Event(), threading.Event()

    async def waits() -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    here, threads = threading.get_ident(), Threads("run")
    assert await in_thread(threads, threading.get_ident) != here
    waiting = asyncio.create_task(in_thread(threads, waits))
    assert await asyncio.to_thread(begun.wait, WITHIN)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.to_thread(cancelled.wait, WITHIN)
