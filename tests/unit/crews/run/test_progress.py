"""Progress is recorded in the order in which it happened, whatever order CrewAI tells it in."""

import asyncio
import contextlib
import random
import threading

from bot.core.event import TaskCompleted, TaskStarted
from crews.run.progress import Progress, Progressed


def started(number: int) -> TaskStarted:
    return TaskStarted(crew_id="c", task_id=f"t{number}", task="t", number=number, total=9)


def completed(number: int) -> TaskCompleted:
    return TaskCompleted(crew_id="c", task_id=f"t{number}", task="t", number=number, total=9)


async def test_what_threads_tell_in_any_order_is_recorded_in_its_own() -> None:
    recorded: list[Progressed] = []

    async def record(event: Progressed) -> None:
        await asyncio.sleep(0)
        recorded.append(event)

    progress = Progress(asyncio.get_running_loop(), record)
    following = asyncio.create_task(progress.follow())
    happened = [event for number in range(1, 10) for event in (started(number), completed(number))]
    told = list(enumerate(happened, start=1))
    random.Random(7).shuffle(told)
    for sequence, event in told:
        threading.Thread(target=progress.note, args=(sequence, event)).start()
    await progress.started("t9")
    await progress.flush()
    assert recorded == happened
    following.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await following


async def test_what_was_told_last_is_recorded_before_the_run_ends() -> None:
    recorded: list[Progressed] = []

    async def record(event: Progressed) -> None:
        recorded.append(event)

    progress = Progress(asyncio.get_running_loop(), record)
    progress.note(1, started(1))
    await asyncio.sleep(0)
    await progress.flush()
    assert recorded == [started(1)]
