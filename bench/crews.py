"""The crews that are measured: CrewAI's real loop with a model that answers at once."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from crewai import Agent, Crew, Task
from crewai.tools import BaseTool
from pydantic import JsonValue

from crewdeck import AskHuman, crew, current_run
from crews.definitions.script import ScriptLine
from crews.definitions.scripted import ScriptedLLM

Inputs = dict[str, JsonValue]

MOST_TURNS = 1_000_000
QUESTION = "question {number}"
MODEL = "openai/gpt-5.4-mini"


class Lookup(BaseTool):
    """Knows every word."""

    name: str = "lookup"
    description: str = "Looks something up."

    def _run(self, word: str) -> str:
        return f"{word} is known"


class TimedAskHuman(AskHuman):
    """`ask_human`, which notes when it returned, by the machine's clock."""

    notes: str

    def _run(self, **arguments: Any) -> str:
        answer = super()._run(**arguments)
        returned = time.time()
        with Path(self.notes).open("a", encoding="utf-8") as notes:
            notes.write(
                json.dumps({"run": _run_id(), "question": arguments["question"], "at": returned}) + "\n"
            )
        return answer


@crew(title="Two tasks and a call of a tool", inputs={"pause": {"type": "number", "default": 0}})
def brief(inputs: Inputs) -> Crew:
    """What a small crew does; each of its three model calls takes `pause` seconds."""
    pause = str(inputs.get("pause", 0))
    call = ScriptLine(call={"lookup": {"word": "tides"}}, pause=pause)
    script = {
        "look_up": [call, ScriptLine(say="Known.", pause=pause)],
        "write": [ScriptLine(say="Done.", pause=pause)],
    }
    librarian, editor = (
        _agent(role, ScriptedLLM.of(script, inputs), [Lookup()]) for role in ("Librarian", "Editor")
    )
    look_up = _task("look_up", librarian)
    write = _task("write", editor, context=[look_up])
    return Crew(name="brief", agents=[librarian, editor], tasks=[look_up, write])


@crew(title="Questions", inputs={"questions": {"type": "integer", "default": 1}, "notes": {"default": ""}})
def asks(inputs: Inputs) -> Crew:
    """Asks so many questions, one after the other; with `notes`, it notes there when each was answered."""
    many, notes = int(str(inputs["questions"])), str(inputs.get("notes") or "")
    calls = [
        ScriptLine(call={"ask_human": {"question": QUESTION.format(number=number)}}) for number in range(many)
    ]
    model = ScriptedLLM.of({"ask": [*calls, ScriptLine(say="Done.")]}, inputs)
    agent = _agent("Asker", model, [_asking(notes)])
    return Crew(name="asks", agents=[agent], tasks=[_task("ask", agent)])


class Gate(BaseTool):
    """Costs nothing while it waits for somebody to open the gate, a named pipe, for writing."""

    name: str = "gate"
    description: str = "Waits."

    def _run(self, pipe: str) -> str:
        return Path(pipe).read_text(encoding="utf-8") or "open"


@crew(title="Blocked", inputs={"gate": {"type": "string", "required": True}})
def blocked(inputs: Inputs) -> Crew:
    """Works, as far as its worker can tell, until the gate is opened."""
    script = {"wait": [ScriptLine(call={"gate": {"pipe": str(inputs["gate"])}}), ScriptLine(say="Done.")]}
    agent = _agent("Waiter", ScriptedLLM.of(script, inputs), [Gate()])
    return Crew(name="blocked", agents=[agent], tasks=[_task("wait", agent)])


@crew(title="A question of a real model", inputs={"notes": {"default": ""}})
def counsel(inputs: Inputs) -> Crew:
    """What a small crew of a provider's model is: two agents, two tasks, one question."""
    notes = str(inputs["notes"])
    counsel, clerk = (_agent(role, MODEL, [_asking(notes)]) for role in ("Counsel", "Clerk"))
    tasks = [_task("ask", counsel, description="Ask. [[asks]]"), _task("write", clerk)]
    return Crew(name="counsel", agents=[counsel, clerk], tasks=tasks)


@crew(title="Busy", inputs={"turns": {"type": "integer", "default": 20}})
def busy(inputs: Inputs) -> Crew:
    """Calls a tool so many times, as fast as CrewAI can."""
    many = int(str(inputs["turns"]))
    calls = [ScriptLine(call={"lookup": {"word": f"word {number}"}}) for number in range(many)]
    agent = _agent("Worker", ScriptedLLM.of({"work": [*calls, ScriptLine(say="Done.")]}, inputs), [Lookup()])
    return Crew(name="busy", agents=[agent], tasks=[_task("work", agent)])


def _run_id() -> str:
    run = current_run()
    assert run is not None
    return run.id


def _asking(notes: str) -> AskHuman:
    return TimedAskHuman(notes=notes) if notes else AskHuman()


def _agent(role: str, model: ScriptedLLM | str, tools: list[Any]) -> Agent:
    options: dict[str, Any] = {
        "role": role,
        "goal": "Work",
        "backstory": "You work.",
        "tools": tools,
        "max_iter": MOST_TURNS,
        # Crewdeck switches it off; the bare crew is to do the same work.
        "use_better_compaction": False,
    }
    return Agent(**options, llm=model)


def _task(name: str, agent: Agent, **more: Any) -> Task:
    given = {"description": "Do it.", **more}
    return Task(name=name, expected_output="Words", agent=agent, **given)
