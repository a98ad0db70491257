"""Tools that CrewAI calls, or sends to a server, several times if they fail, and crews that use them."""

from __future__ import annotations

# ruff: noqa: ANN401 - models and tools take and return anything
import json
import threading
from collections.abc import Callable
from typing import Any

from crewai import Agent, Crew, Task
from crewai.mcp.client import MCPClient
from crewai.mcp.transports.stdio import StdioTransport
from crewai.tasks.task_output import TaskOutput
from crewai.tools import BaseTool
from crewai.tools.mcp_native_tool import MCPNativeTool
from crewai.tools.mcp_tool_wrapper import MCPToolWrapper
from pydantic import BaseModel, Field

from crewdeck import idempotency_key
from tests.contract.crews import gated
from tests.contract.crews.gated import PAY, Plain, agent, calls, one_task, react, send


class Failing(Plain):
    """Does what it is called for, and loses the connection."""

    name: str = "send"

    def _run(self, to: str, amount: float) -> str:
        send(to, amount)
        raise ConnectionError("the connection was lost")


class Aliased(BaseModel):
    recipient: str = Field(validation_alias="to")
    amount: float


class Choosy(Failing):
    """Takes an argument by a name that its schema doesn't say: CrewAI leaves it out at first."""

    args_schema: type[BaseModel] = Aliased

    def _run(self, recipient: str, amount: float) -> str:
        return super()._run(recipient, amount)


def written(*tools: BaseTool, says: Any = react) -> Crew:
    """A crew whose model has no function calling."""
    return one_task(agent(says, *tools, native=False))


def twice(messages: list[dict[str, Any]], tools: list[Any]) -> str:
    """Wants the same call once more after it failed."""
    said = "\n".join(str(each["content"]) for each in messages if each.get("role") != "system")
    if said.count("connection was lost") > 1:
        return "Thought: done\nFinal Answer: twice"
    return react([], tools)


# ── servers ─────────────────────────────────────────────────────────────────────────────────────────────


class Bank(MCPClient):
    """CrewAI's client, connected to a server that does what it is told and doesn't answer."""

    @property
    def connected(self) -> bool:
        return True

    async def disconnect(self) -> None: ...

    async def _call_tool_impl(self, _name: str, arguments: dict[str, Any]) -> Any:
        gated.SENT.append(arguments)
        raise TimeoutError


class Transfer(BaseModel):
    to: str
    amount: float
    cc: list[str] = []
    sources: list[str] = []
    options: dict[str, Any] = {}
    note: str | None = None
    lines: list[dict[str, Any]] = []


class BankByAddress(MCPToolWrapper):
    """The same for a server of which only the address is given."""

    async def _execute_tool(self, **arguments: Any) -> str:
        gated.SENT.append(arguments)
        raise ConnectionError("the connection was lost")


SCHEMA = {"args_schema": Transfer, "description": "Sends money."}


def by_client() -> BaseTool:
    client = lambda: Bank(StdioTransport(command="bank"))  # noqa: E731 - never started
    return MCPNativeTool(client, "wire_money", SCHEMA, "bank")


def by_address() -> Any:
    made: Any = BankByAddress  # whose parameters mypy takes for its fields
    return made({"url": "http://127.0.0.1"}, "wire_money", SCHEMA, "bank")


BANKS: dict[str, Callable[[], Any]] = {"client": by_client, "address": by_address}


# ── caches ──────────────────────────────────────────────────────────────────────────────────────────────


def first_then_second(messages: list[dict[str, Any]], _tools: list[Any]) -> Any:
    """Both tasks want the same call; the second one asks something after it."""
    results = [str(each["content"]) for each in messages if each.get("role") == "tool"]
    if not results:
        return calls(("plain_send", PAY))
    if "Second" in str(messages[1]["content"]) and len(results) == 1:
        return calls(("ask_human", {"question": "Go on?"}))
    return json.dumps(results)


def second_asks_first(messages: list[dict[str, Any]], _tools: list[Any]) -> Any:
    """Both tasks want the same call; the second one asks something before it."""
    results = [str(each["content"]) for each in messages if each.get("role") == "tool"]
    if "Second" in str(messages[1]["content"]) and not results:
        return calls(("ask_human", {"question": "Go on?"}))
    if "Second" not in str(messages[1]["content"]) and results:
        return json.dumps(results)
    return json.dumps(results) if len(results) > 1 else calls(("plain_send", PAY))


def caching(says: Any = first_then_second) -> Crew:
    """Two tasks whose crew caches what tools come to."""
    who: Agent = agent(says, Plain(), cache=True)
    tasks = [
        Task(name=name, description=f"{name} task", expected_output="Words", agent=who)
        for name in ("First", "Second")
    ]
    return Crew(agents=[who], tasks=tasks, cache=True)


# ── results ─────────────────────────────────────────────────────────────────────────────────────────────


class Receipt(BaseModel):
    number: int


def renumbered() -> type[BaseModel]:
    """The same class after an edit, which can't read what was recorded before."""
    fields = {"__annotations__": {"receipt_number": int}, "__module__": __name__, "__qualname__": "Receipt"}
    return type("Receipt", (BaseModel,), fields)


class Receipting(Plain):
    """Returns what is of the crew's own class."""

    name: str = "send"

    def _run(self, to: str, amount: float) -> Any:
        send(to, amount, key=idempotency_key())
        return Receipt.model_validate(dict.fromkeys(("number", "receipt_number"), len(gated.SENT)))


# ── tasks ───────────────────────────────────────────────────────────────────────────────────────────────


CALLED: list[str] = []
"""The tasks for which a callback was called."""
GATE = threading.Event()
"""For which a callback waits."""


def called(output: TaskOutput) -> None:
    CALLED.append(str(output.name))


def waiting(output: TaskOutput) -> None:
    """In the first task, as if its worker had died."""
    called(output)
    if output.name == "report":
        GATE.wait()


def reporting(callback: Callable[[TaskOutput], None], own: Callable[[TaskOutput], None] | None) -> Crew:
    """A task that writes a file, and one after it. The crew has the callback, the first has its `own`."""
    who = agent(lambda *_: "the report")
    words: dict[str, Any] = {"expected_output": "Words", "agent": who}
    first = Task(name="report", description="Report", output_file="report.md", callback=own, **words)
    last = Task(name="last", description="Say more", **words)
    return Crew(agents=[who], tasks=[first, last], task_callback=callback)
