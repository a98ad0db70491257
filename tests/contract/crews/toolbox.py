"""Tools of the crews that these tests run, in the worker's process."""

import json
import os
import time
from pathlib import Path
from typing import Any

from crewai import LLM, Agent, Crew, Task
from crewai.events import crewai_event_bus
from crewai.flow.flow import Flow, listen, start
from crewai.tools import BaseTool
from pydantic import Field

from crewdeck import AskHuman, HumanInputCompletedEvent, HumanInputRequiredEvent, crew
from crews.run.context import CURRENT

HEARD = Path("heard.jsonl")
"""What a listener of CrewAI's bus heard, in the worker's folder."""


@crewai_event_bus.on(HumanInputRequiredEvent)
def required(_source: object, event: HumanInputRequiredEvent) -> None:
    _hear(event.model_dump_json())


@crewai_event_bus.on(HumanInputCompletedEvent)
def completed(_source: object, event: HumanInputCompletedEvent) -> None:
    _hear(event.model_dump_json())


def _hear(line: str) -> None:
    with HEARD.open("a") as heard:
        heard.write(json.dumps(json.loads(line)) + "\n")


def wait_for(file: str) -> None:
    """Return once this file is in the worker's folder; at once if none is named."""
    while file and not Path(file).exists():
        time.sleep(0.01)


class Lookup(BaseTool):
    name: str = "lookup"
    description: str = "Looks something up."

    def _run(self, word: str) -> str:
        return f"{word} is known"


class Slow(BaseTool):
    name: str = "slow"
    description: str = "Takes a while: some seconds, or until a file is in the worker's folder."

    def _run(self, seconds: float = 0, until: str = "") -> str:
        time.sleep(seconds)
        wait_for(until)
        return "done"


class Block(BaseTool):
    name: str = "block"
    description: str = "Blocks the loop on which the crews run."

    def _run(self, seconds: float) -> str:
        run = CURRENT.get()
        assert run is not None
        run.loop.call_soon_threadsafe(time.sleep, seconds)
        time.sleep(seconds)
        return "done"


class Vault(BaseTool):
    name: str = "vault"
    description: str = "Opens with a password."
    token: str = Field(default_factory=lambda: os.environ["VAULT_TOKEN"])

    def _run(self, password: str) -> str:
        if password.endswith("wrong"):
            raise ValueError(f"{password} doesn't open it, nor does {self.token}")
        return "open"


@crew(
    title="In Python", inputs={"prompt": {"required": True}}, main_input="prompt", limits={"model_calls": 9}
)
def in_python(inputs: dict[str, Any]) -> Crew:
    assert inputs["prompt"]
    who: dict[str, Any] = {"role": "Author", "goal": "Write", "backstory": "You write."}
    agent = Agent(**who, llm="openai/gpt-5.4-mini")
    agent.tools = [AskHuman()]
    task = Task(name="write", description="Do this: {prompt}", expected_output="Words", agent=agent)
    return Crew(name="python", agents=[agent], tasks=[task])


class HeardAskHuman(AskHuman):
    """Says when it has its answer, and when CrewAI gets it."""

    def run(self, *args: Any, **kwargs: Any) -> str:
        answer: str = super().run(*args, **kwargs)
        _hear(json.dumps({"handed_on": answer}))
        return answer

    def _run(self, **arguments: Any) -> str:
        answer = super()._run(**arguments)
        _hear(json.dumps({"returned": answer}))
        return answer


@crew(title="Heard", inputs={"prompt": {"required": True}}, main_input="prompt")
def heard(_inputs: dict[str, Any]) -> Crew:
    who: dict[str, Any] = {"role": "Author", "goal": "Write", "backstory": "You write."}
    agent = Agent(**who, llm="openai/gpt-5.4-mini")
    agent.tools = [HeardAskHuman()]
    return Crew(agents=[agent], tasks=[Task(description="{prompt}", expected_output="Words", agent=agent)])


@crew(title="Newspaper", inputs={"topic": {"required": True}}, main_input="topic")
def newspaper(_inputs: dict[str, Any]) -> Crew:
    """Names with placeholders, and an input that only CrewAI's own hook knows."""
    who: dict[str, Any] = {"role": "{topic} {edition} editor", "goal": "Edit", "backstory": "You edit."}
    agent = Agent(**who, llm="openai/gpt-5.4-mini")
    agent.tools = [AskHuman()]
    task = Task(name="Edit {topic}", description="Edit {topic}", expected_output="Words", agent=agent)
    again = Task(description="Check {topic}\nwell", expected_output="Words", agent=agent)
    made = Crew(name="newspaper", agents=[agent], tasks=[task, again])
    made.before_kickoff_callbacks.append(lambda inputs: {**(inputs or {}), "edition": "evening {topic}"})
    return made


KEY_IN_CODE = "a1b2c3d4e5f6-in-code"


@crew(title="Own key", inputs={"prompt": {"required": True}}, main_input="prompt")
def own_key(_inputs: dict[str, Any]) -> Crew:
    """A model whose key no setting knows."""
    who: dict[str, Any] = {"role": "Author", "goal": "Write", "backstory": "You write."}
    agent = Agent(**who, llm=LLM("openai/gpt-5.4-mini", api_key=KEY_IN_CODE))
    return Crew(agents=[agent], tasks=[Task(description="{prompt}", expected_output="Words", agent=agent)])


class Steady(Flow[Any]):
    """Two methods, of which the first waits for the file that the prompt names, in the worker's folder."""

    @start()
    def first(self) -> str:
        _hear('{"method": "first"}')
        wait_for(self.state["prompt"])
        return "first"

    @listen(first)
    def second(self, before: str) -> str:
        _hear('{"method": "second"}')
        return f"{before}, second"


@crew(title="Steady", inputs={"prompt": {"required": True}}, main_input="prompt")
def steady(_inputs: dict[str, Any]) -> Flow[Any]:
    return Steady()


class Halves(Flow[Any]):
    """Asks its model, and people, with half a character."""

    @start()
    def halves(self) -> str:
        said = LLM(model="openai/gpt-5.4-mini").call(f"half \ud83d {self.state['prompt']}")
        asked = self.ask("half \ud83d?")
        return f"half \ud83d {said} {asked}"


@crew(title="Halves", inputs={"prompt": {"required": True}}, main_input="prompt")
def halves(_inputs: dict[str, Any]) -> Flow[Any]:
    return Halves()
