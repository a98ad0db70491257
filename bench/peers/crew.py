"""A crew without Crewdeck: built, kicked off, or waiting in its tool, in a process like a worker's."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import psutil

from bench.peers import json_lines
from bot import settings
from crews.crewai_adapter import environment


async def main() -> None:
    # As in a worker: its environment, and no panels on the terminal.
    environment.prepare(settings.load())
    from crewai.events.utils.console_formatter import set_suppress_console_output

    set_suppress_console_output(True)
    await _milliseconds(1, "brief")
    json_lines.say(ready=True)
    waiting = 0
    async for request in json_lines.requests():
        if "waiting" in request:
            await _wait(request["waiting"] - waiting)
            waiting = request["waiting"]
            json_lines.say(waiting=waiting)
        else:
            took = await _milliseconds(**request)
            json_lines.say(milliseconds=took, memory=psutil.Process().memory_info().rss)


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
            await asyncio.to_thread(_kick_off, made)
        took.append((time.perf_counter() - started) * 1000)
    return took


async def _wait(many: int) -> None:
    """Return once so many more crews, each kicked off in a thread of its own, wait for what they asked."""
    from bench import crews

    asked = threading.Semaphore(0)

    def wait() -> None:
        asked.release()
        threading.Event().wait()

    for _ in range(many):
        made = crews.asks({"questions": 1})
        threading.Thread(target=_kick_off, args=(made, wait), daemon=True).start()
        await asyncio.to_thread(asked.acquire)


def _kick_off(crew: Any, wait: Callable[[], None] = lambda: None) -> None:  # noqa: ANN401 - CrewAI is later
    """Run the crew; nobody is here who would answer what it asks."""
    from crewai.events.utils.console_formatter import set_suppress_console_output

    from crews.human_input.ask_human import NAME, AskHuman

    class Answered(AskHuman):
        def _run(self, **_: Any) -> str:
            wait()
            return "Ada answered: yes"

    set_suppress_console_output(True)
    for each in (*crew.agents, *crew.tasks):  # A task has taken its agent's tools.
        each.tools = [Answered() if tool.name == NAME else tool for tool in each.tools]
    crew.kickoff(inputs={})


if __name__ == "__main__":
    asyncio.run(main())
