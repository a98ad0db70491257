"""A tool, and flows, whose own code asks people."""

import asyncio
import json
from datetime import date
from decimal import Decimal
from typing import Any, Self

from crewai import Agent, Crew, Task
from crewai.flow.flow import Flow, listen, start
from crewai.tools import BaseTool
from pydantic import BaseModel, Field, field_validator, model_validator

import crewdeck

PROMPT: Any = {"prompt": {"required": True}}
FIELDS: list[dict[str, Any]] = [{"name": "amount", "type": "number", "required": True}, {"name": "note"}]


class Order(BaseModel):
    customer: str
    amount: Decimal = Field(title="How much?")
    due: date | None = None

    @field_validator("customer")
    @classmethod
    def _known(cls, name: str) -> str:
        if name == "nobody":
            raise ValueError("is no customer")
        return name

    @model_validator(mode="after")
    def _large_orders_have_time(self) -> Self:
        if self.amount > 100 and self.due is None:
            raise ValueError("large orders have a due date")
        return self


class Pay(BaseTool):
    name: str = "pay"
    description: str = "Pays, if people approve it."

    def _run(self, amount: int) -> str:
        order = crewdeck.ask_human("Whom?", context="An order.", form=Order)
        decision = crewdeck.approve(f"Pay {amount} to {order.customer}?", context=repr(order))
        return f"paid: {decision!r}" if decision else f"not paid: {decision!r}"


@crewdeck.crew(title="Pays", inputs=PROMPT, main_input="prompt")
def pays(_inputs: dict[str, Any]) -> Crew:
    who: dict[str, Any] = {"role": "Payer", "goal": "Pay", "backstory": "You pay."}
    agent = Agent(**who, llm="openai/gpt-5.4-mini")
    agent.tools = [Pay()]
    return Crew(agents=[agent], tasks=[Task(description="{prompt}", expected_output="Words", agent=agent)])


class Asks(Flow[Any]):
    @start()
    def plainly(self) -> list[Any]:
        words = crewdeck.ask_human("What?")
        tone = crewdeck.ask_human("Which tone?", options=["Plain", "Playful"])
        values = crewdeck.ask_human("How much?", fields=FIELDS)
        return [words, tone, values, repr(crewdeck.approve("Go on?"))]

    @listen(plainly)
    async def awaited(self, before: list[Any]) -> str:
        first, second = await asyncio.gather(
            crewdeck.ask_human_async("First?"), crewdeck.ask_human_async("Second?", form=Order)
        )
        decision = await crewdeck.approve_async("Really?", context="All of it.")
        return json.dumps([*before, first, repr(second), bool(decision), decision.comment])


@crewdeck.crew(title="Asks", inputs=PROMPT, main_input="prompt")
def asks(_inputs: dict[str, Any]) -> Flow[Any]:
    return Asks()


class FillsIn(Flow[Any]):
    @start()
    def method(self) -> str:
        try:
            return repr(crewdeck.ask_human("What is ordered?", context="For the shop.", form=Order))
        except crewdeck.NotAnswered as why:
            return f"not answered: {why}"


@crewdeck.crew(title="Fills in", inputs=PROMPT, main_input="prompt")
def fills_in(_inputs: dict[str, Any]) -> Flow[Any]:
    return FillsIn()


class Impatient(Flow[Any]):
    @start()
    def method(self) -> str:
        came_to = [repr(crewdeck.approve("Now?"))]
        for asked in (lambda: crewdeck.ask_human("What?"), lambda: crewdeck.ask_human("What?", form=Order)):
            try:
                came_to.append(repr(asked()))
            except crewdeck.NotAnswered as why:
                came_to.append(str(why))
        return " / ".join(came_to)


@crewdeck.crew(
    title="Impatient",
    inputs=PROMPT,
    main_input="prompt",
    questions={"deadline": "1s", "approval": {"deadline": "1s", "on_deadline": "reject"}},
)
def impatient(_inputs: dict[str, Any]) -> Flow[Any]:
    return Impatient()
