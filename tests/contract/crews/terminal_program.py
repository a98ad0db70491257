"""A plain program of CrewAI, as `crewai run` starts one: it asks at the terminal."""

# ruff: noqa: ANN401 - functions of any kind

import asyncio
import json
import sys
from typing import Any

from crewai import Agent, Crew, Task
from crewai.tools import BaseTool, tool
from pydantic import BaseModel

import crewdeck


class Order(BaseModel):
    customer: str
    amount: int


@crewdeck.requires_approval(title="Pay {amount}", hide=["pin"])
class Pay(BaseTool):
    name: str = "pay"
    description: str = "Pays."

    def _run(self, amount: int, to: str, pin: str) -> str:
        assert pin
        return f"paid {amount} to {to}"


class Send(BaseTool):
    name: str = "send"
    description: str = "Sends."

    def _run(self, amount: int) -> str:
        return f"sent {amount}"


ONE = crewdeck.requires_approval()(Send())


@crewdeck.requires_approval()
@tool
def wire(amount: int) -> str:
    """Sends."""
    return f"wired {amount}"


@crewdeck.requires_approval()
class Inherits(Send):
    """What it does is another class'."""


class Derived(Inherits):
    def _run(self, amount: int) -> str:
        return f"{super()._run(amount)} twice"


@crewdeck.requires_approval()
async def publish(text: str) -> str:
    await asyncio.sleep(0)
    return f"published {text}"


def answered(call: Any) -> Any:
    """What it returns, or what it raises."""
    try:
        came = call()
    except Exception as error:  # noqa: BLE001 - it is what is looked at
        return f"{type(error).__name__}: {error}"
    return came.model_dump() if isinstance(came, BaseModel) else came


def approved(question: str) -> list[Any]:
    decision = crewdeck.approve(question, context="The whole\u202etext")
    return [bool(decision), decision.comment]


def crew() -> str:
    who: dict[str, Any] = {
        "role": "Author",
        "goal": "Write",
        "backstory": "You write.",
        "tools": [crewdeck.AskHuman()],
    }
    agent = Agent(**who, llm="openai/gpt-5.4-mini")
    task = Task(description="Do this: [[terminal]]", expected_output="Words", agent=agent)
    output: Any = Crew(agents=[agent], tasks=[task]).kickoff()
    return str(output.raw)


ASKED = {
    "crew": crew,
    "options": lambda: crewdeck.ask_human("Which tone?", options=["Plain", "Playful"]),
    "form": lambda: crewdeck.ask_human("What is ordered?", form=Order),
    "declined": lambda: crewdeck.ask_human("What is ordered?", form=Order),
    "approved": lambda: approved("Publish it?"),
    "in words": lambda: approved("Publish it?"),
    "awaited": lambda: asyncio.run(crewdeck.ask_human_async("Who?")),
    "paid": lambda: Pay().run(amount=3, to="Ada", pin="1234"),
    "not paid": lambda: Pay().run(amount=4, to="Ada", pin="1234"),
    "sent by one tool": lambda: ONE.run(amount=3),
    "sent by CrewAI": lambda: ONE.to_structured_tool().invoke({"amount": 4}),
    "sent by a copy": lambda: ONE.model_copy().run(amount=5),
    "wired": lambda: wire.run(amount=6),
    "sent by what is inherited": lambda: Inherits().run(amount=7),
    "sent by what is derived": lambda: Derived().run(amount=8),
    "published": lambda: asyncio.run(publish("this")),
}

if __name__ == "__main__":
    results = {name: answered(ASKED[name]) for name in sys.argv[1].split(",")}
    sys.stdout.write(f"\nRESULTS {json.dumps(results)}\n")
