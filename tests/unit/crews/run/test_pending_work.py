"""What a run waits for ends when the run leaves; what is done beside its crew doesn't hold it up."""

from __future__ import annotations

import asyncio

import pytest

from bot.core.ports.queue import Fenced
from crews.run.exits import Released, RunExit
from crews.run.pending_work import PendingWork


class Run:
    """A run that leaves when a test says so."""

    def __init__(self) -> None:
        self.why: RunExit | None = None
        self.pending = PendingWork(asyncio.get_running_loop(), self.check, self.leave)

    def check(self) -> None:
        if self.why is not None:
            raise self.why.copy()

    def leave(self) -> None:
        self.why = self.why or Released()
        self.pending.interrupt()


async def forever(begun: asyncio.Event) -> None:
    begun.set()
    await asyncio.Event().wait()


async def answer() -> str:
    return "yes"


async def test_the_result_of_what_is_waited_for_is_returned_to_the_loop_and_to_threads() -> None:
    run = Run()
    assert await run.pending.wait(answer()) == "yes"
    assert await asyncio.to_thread(lambda: run.pending.wait_in_thread(answer())) == "yes"


async def test_a_wait_ends_when_the_run_leaves_in_a_thread_as_on_the_loop() -> None:
    run, begun = Run(), [asyncio.Event(), asyncio.Event()]
    waits = [
        asyncio.create_task(run.pending.wait(forever(begun[0]))),
        asyncio.create_task(asyncio.to_thread(lambda: run.pending.wait_in_thread(forever(begun[1])))),
    ]
    await asyncio.gather(*(each.wait() for each in begun))
    run.leave()
    for wait in waits:
        with pytest.raises(Released):
            await wait


async def test_nothing_is_begun_for_a_run_that_leaves() -> None:
    run, begun = Run(), asyncio.Event()
    run.leave()
    with pytest.raises(Released):
        await run.pending.wait(forever(begun))
    assert not begun.is_set()


async def test_a_wait_that_is_given_up_while_the_run_goes_on_is_cancelled() -> None:
    run, begun = Run(), asyncio.Event()
    wait = asyncio.create_task(run.pending.wait(forever(begun)))
    await begun.wait()
    wait.cancel()
    with pytest.raises(asyncio.CancelledError):
        await wait


async def test_background_work_that_is_fenced_ends_the_run() -> None:
    async def fenced() -> None:
        raise Fenced

    run = Run()
    run.pending.start_background(fenced())
    await run.pending.wait_background()
    assert isinstance(run.why, Released)
