"""A crew without Crewdeck: built, or built and kicked off, in a process that is like a worker's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psutil

from bench.peers import line
from bot import settings
from crews import environment
from crews.thread import POOL


async def main() -> None:
    # As in a worker: its environment, its pool of threads, and no panels on the terminal.
    environment.prepare(settings.load())
    from crewai.events.utils.console_formatter import set_suppress_console_output

    set_suppress_console_output(True)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(POOL))
    await _milliseconds(1, "brief")
    line.say(ready=True)
    async for request in line.requests():
        took = await _milliseconds(**request)
        line.say(milliseconds=took, memory=psutil.Process().memory_info().rss)


async def _milliseconds(
    many: int, crew: str, inputs: dict[str, Any] | None = None, *, built: bool = False
) -> list[float]:
    """For each crew; `built`: it is only built."""
    from bench import crews

    factory: Callable[..., Any] = getattr(crews, crew)
    took = []
    for _ in range(many):
        started = time.perf_counter()
        made = await asyncio.to_thread(factory, inputs or {})
        if not built:
            _answer_beforehand()
            await made.akickoff(inputs={})
        took.append((time.perf_counter() - started) * 1000)
    return took


def _answer_beforehand() -> None:
    """What `asks` asks; there is nobody who would answer here."""
    from bench.crews import QUESTION
    from crews.humans import ANSWERS, Answers, AskHumanArgs

    answers = Answers()
    answers.put(AskHumanArgs(question=QUESTION.format(number=0)), "Ada answered: yes")
    ANSWERS.set(answers)


if __name__ == "__main__":
    asyncio.run(main())
