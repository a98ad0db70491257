"""A crew without Crewdeck: built, or built and kicked off, in a process that is like a worker's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import psutil

from bench.peers import line
from bot import settings
from crews.crewai_adapter import environment


async def main() -> None:
    # As in a worker: its environment, and no panels on the terminal.
    environment.prepare(settings.load())
    from crewai.events.utils.console_formatter import set_suppress_console_output

    set_suppress_console_output(True)
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
            await asyncio.to_thread(_kick_off, made)
        took.append((time.perf_counter() - started) * 1000)
    return took


def _kick_off(crew: Any) -> None:  # noqa: ANN401 - CrewAI is imported later
    """Run the crew; nobody is here who would answer what it asks."""
    from crews.human_input.ask_human import NAME, AskHuman

    class Answered(AskHuman):
        def _run(self, **_: Any) -> str:
            return "Ada answered: yes"

    for agent in crew.agents:
        agent.tools = [Answered() if tool.name == NAME else tool for tool in agent.tools]
    crew.kickoff(inputs={})


if __name__ == "__main__":
    asyncio.run(main())
