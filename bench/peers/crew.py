"""The same crew without Crewdeck: built and kicked off, in a process that is like a worker's."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

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
    await _milliseconds(1)
    line.say(ready=True)
    async for request in line.requests():
        line.say(milliseconds=await _milliseconds(request["many"]))


async def _milliseconds(many: int) -> list[float]:
    from bench.crews import brief

    took = []
    for _ in range(many):
        started = time.perf_counter()
        crew = await asyncio.to_thread(brief, {})
        await crew.akickoff(inputs={})
        took.append((time.perf_counter() - started) * 1000)
    return took


if __name__ == "__main__":
    asyncio.run(main())
