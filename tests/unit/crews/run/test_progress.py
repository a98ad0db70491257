"""Progress is recorded in the order in which it happened, whatever order CrewAI tells it in."""

import asyncio
import contextlib
import random
import threading

from bot.core.events.event import TaskCompleted, TaskStarted
from crews.run.progress import Progress, Progressed


def started(number: int) -> TaskStarted:
    return TaskStarted(crew_id="c", task_id=f"t{number}", task="t", number=number, total=9)


def completed(number: int) -> TaskCompleted:
    return TaskCompleted(crew_id="c", task_id=f"t{number}", task="t", number=number, total=9)


async def soon() -> None:
    await asyncio.sleep(0)


async def test_what_threads_tell_in_any_order_is_recorded_in_its_own() -> None:
    recorded: list[Progressed] = []
    progress = Progress(asyncio.get_running_loop(), recorded.append, soon)
    following = asyncio.create_task(progress.follow())
    happened = [event for number in range(1, 10) for event in (started(number), completed(number))]
    told = list(enumerate(happened, start=1))
    random.Random(7).shuffle(told)
    for sequence, event in told:
        threading.Thread(target=progress.add, args=(sequence, event)).start()
    await progress.started("t9")
    await progress.flush()
    assert recorded == happened
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following


async def test_what_was_told_last_is_recorded_before_the_run_ends() -> None:
    recorded: list[Progressed] = []
    progress = Progress(asyncio.get_running_loop(), recorded.append, soon)
    progress.add(1, started(1))
    await asyncio.sleep(0)
    assert progress.hand_over() == ["t1"]
    assert recorded == [started(1)]
    assert progress.hand_over() == []


async def test_a_task_counts_as_started_once_that_is_written() -> None:
    written = asyncio.Event()

    async def wait() -> None:
        await written.wait()

    progress = Progress(asyncio.get_running_loop(), lambda _: None, wait)
    progress.add(1, started(1))
    await asyncio.sleep(0)
    flushing, waiting = (asyncio.create_task(each) for each in (progress.flush(), progress.started("t1")))
    await asyncio.sleep(0)
    assert not waiting.done()
    written.set()
    await flushing
    await waiting
