"""Crews that make files, and flows that use their run."""

from __future__ import annotations

# ruff: noqa: ANN401 - models and tools take and return anything
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crewai import Agent, Crew, Task
from crewai.flow.flow import Flow, start

import crewdeck
from tests.contract.crews.gated import Model


def agent(says: Any = "# Tides") -> Agent:
    model = Model(model="said", says=says if callable(says) else lambda *_: says)
    words: Any = {"role": "Writer", "goal": "g", "backstory": "b", "tools": [crewdeck.AskHuman()]}
    return Agent(llm=model, **words)


def task(writer: Agent, output_file: str | None = None, **more: Any) -> Task:
    words = {"description": "Write about {topic}", "expected_output": "text", **more}
    return Task(agent=writer, output_file=output_file, **words)


def crew(*output_files: str | None, says: Any = "# Tides", **more: Any) -> Crew:
    """One task after the other; each writes a file."""
    writer = agent(says)
    return Crew(agents=[writer], tasks=[task(writer, each, **more) for each in output_files])


def of(*tasks: Task) -> Crew:
    """A crew with these tasks, of one agent."""
    return Crew(agents=[each for each in [tasks[0].agent] if each], tasks=list(tasks))


def flow(do: Callable[[], Any]) -> Flow[Any]:
    """A flow with one method."""

    class Does(Flow[Any]):
        @start()
        def first(self) -> str:
            return str(do())

    return Does()


def note(name: str, text: str) -> Path:
    """Leave a file in the run's folder."""
    run = crewdeck.current_run()
    assert run is not None
    path = run.folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path
