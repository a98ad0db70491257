"""Tools behind gates, and every way to call them that code and models have."""

from __future__ import annotations

# ruff: noqa: ANN401 - models and tools take and return anything
import asyncio
import concurrent.futures
import contextvars
import json
from collections.abc import Callable
from typing import Any

from crewai import Agent, Crew, Task
from crewai.agent.planning_config import PlanningConfig
from crewai.flow.flow import Flow, start
from crewai.llms.base_llm import BaseLLM
from crewai.tools import BaseTool, tool
from crewai.tools.mcp_native_tool import MCPNativeTool
from crewai.tools.structured_tool import CrewStructuredTool
from pydantic import BaseModel, Field, SecretStr

from crewdeck import NotApproved, requires_approval

SENT: list[dict[str, Any]] = []
"""What was really done, in order."""
Says = Callable[[list[dict[str, Any]], list[Any]], Any]
"""What a model answers to messages and offered tools."""


def send(to: str, amount: float, **more: Any) -> str:
    SENT.append({"to": to, "amount": amount, **more})
    return f"sent {amount:g} to {to}"


class Pay(BaseModel):
    to: str
    amount: float = Field(gt=0)


@requires_approval(title="Send {amount} to {to}")
class Sender(BaseTool):
    name: str = "send"
    description: str = "Sends money."
    args_schema: type[BaseModel] = Pay

    def _run(self, to: str, amount: float) -> str:
        return send(to, amount)


class Awaited(Sender):
    """Its class inherits the approval; both of its ways are its own."""

    def _run(self, to: str, amount: float) -> str:
        return send(to, amount)

    async def _arun(self, to: str, amount: float) -> str:
        await asyncio.sleep(0)
        return send(to, amount)


class Overriding(Sender):
    def run(self, *args: Any, **kwargs: Any) -> Any:
        return super().run(*args, **kwargs)


class Plain(BaseTool):
    """Its gate is declared by the crew."""

    name: str = "plain_send"
    description: str = "Sends money."
    args_schema: type[BaseModel] = Pay

    def _run(self, to: str, amount: float) -> str:
        return send(to, amount)


class Vault(BaseModel):
    to: str
    pin: SecretStr


@requires_approval(hide=["to"])
class Secretive(BaseTool):
    name: str = "open"
    description: str = "Opens."
    args_schema: type[BaseModel] = Vault

    def _run(self, to: str, pin: SecretStr) -> str:
        return send(to, 1, pin=pin.get_secret_value())


class From(Plain):
    """Made with the account that it sends from."""

    name: str = "send_from"
    account: str = "none"

    def _run(self, to: str, amount: float) -> str:
        return send(to, amount, account=self.account)


class Account(BaseModel):
    iban: str
    pin: str


class Transfer(BaseModel):
    account: Account


class Nested(BaseTool):
    name: str = "nested"
    description: str = "Transfers."
    args_schema: type[BaseModel] = Transfer

    def _run(self, account: Account) -> str:
        return str(account)


class Outer(BaseTool):
    """A tool whose code calls one that needs an approval."""

    name: str = "outer"
    description: str = "Works."

    def _run(self, to: str, amount: float) -> str:
        try:
            return f"outer: {Sender().run(to=to, amount=amount)}"
        except NotApproved as error:
            return f"outer: {error}"


@tool("send_by_function")
@requires_approval()
def by_function(to: str, amount: float) -> str:
    """Sends money."""
    return send(to, amount)


@tool("send_by_function_twice")
@requires_approval(title="Send it")
@requires_approval(edit=["to"])
def twice_by_function(to: str, amount: float) -> str:
    """Sends money."""
    return send(to, amount)


ALIKE = requires_approval()


@tool("first_of_two")
@ALIKE
def first_of_two(to: str, amount: float) -> str:
    """Sends money, and calls the function of another tool under the same decorator."""
    return f"{send(to, amount)}, {second_of_two.func(to, amount * 100)}"


@tool("second_of_two")
@ALIKE
def second_of_two(to: str, amount: float) -> str:
    """Sends money."""
    return send(to, amount)


@requires_approval()
def plain_function(to: str, amount: float) -> str:
    """Sends money."""
    return send(to, amount)


@tool("send_later")
@requires_approval()
async def by_coroutine(to: str, amount: float) -> str:
    """Sends money."""
    await asyncio.sleep(0)
    return send(to, amount)


class Client:
    """What CrewAI needs of a client of an MCP server."""

    async def connect(self) -> None:
        await asyncio.sleep(0)

    async def disconnect(self) -> None:
        await asyncio.sleep(0)

    async def call_tool_result(self, _name: str, arguments: dict[str, Any]) -> object:
        send(**arguments)

        class Result:
            content = f"sent {arguments['amount']:g} to {arguments['to']}"
            is_error = False

        return Result()


def mcp_tool() -> MCPNativeTool:
    """One that CrewAI found on a server: it puts the server before the name, and rewrites it."""
    schema = {"args_schema": Pay, "description": "Far away."}
    return MCPNativeTool(Client, "wire_money", schema, "npx_bank_stdio", original_tool_name="wireMoney")


# ── code that calls tools ───────────────────────────────────────────────────────────────────────────────

PAY: dict[str, Any] = {"to": "Acme", "amount": 1200.0}


def unstructured() -> CrewStructuredTool:
    """A tool of CrewAI that doesn't say what it takes; its gate is declared by the crew."""
    return CrewStructuredTool(name="wire_money", description="Sends money.", func=send)


def langchained() -> Any:
    from crewai.tools.base_tool import Tool

    return Tool.from_langchain(Sender().to_structured_tool())


CODE: dict[str, Callable[[], Any]] = {
    "run": lambda: Sender().run(**PAY),
    "run with positions": lambda: Sender().run("Acme", 1200.0),
    "run under two decorators": lambda: requires_approval(hide=["x"])(Sender()).run(**PAY),
    "run of the class itself": lambda: BaseTool.run(Sender(), **PAY),
    "run that calls its parent": lambda: Overriding().run(**PAY),
    "_run": lambda: Sender()._run(**PAY),  # noqa: SLF001 - the way round
    "arun": lambda: asyncio.run(Awaited().arun(**PAY)),
    "_arun": lambda: asyncio.run(Awaited()._arun(**PAY)),  # noqa: SLF001
    "a function": lambda: by_function.run(**PAY),
    "a function with positions": lambda: by_function.run("Acme", 1200.0),
    "a function's _run": lambda: by_function._run(**PAY),  # noqa: SLF001
    "a function under two decorators": lambda: twice_by_function.run(**PAY),
    "a coroutine": lambda: by_coroutine.run(**PAY),
    "a coroutine, awaited": lambda: asyncio.run(by_coroutine.arun(**PAY)),
    "structured": lambda: Sender().to_structured_tool().invoke(PAY),
    "structured, as text": lambda: Sender().to_structured_tool().invoke(json.dumps(PAY)),
    "structured, awaited": lambda: asyncio.run(Sender().to_structured_tool().ainvoke(PAY)),
    "structured, async": lambda: asyncio.run(by_coroutine.to_structured_tool().ainvoke(PAY)),
    "structured around run": lambda: CrewStructuredTool.from_function(
        lambda to, amount: Sender().run(to=to, amount=amount),
        name="other",
        description="Other.",
        args_schema=Pay,
    ).invoke(PAY),
    "structured around a function": lambda: CrewStructuredTool.from_function(plain_function).invoke(PAY),
    "structured without a schema": lambda: unstructured()._run(**PAY),  # noqa: SLF001 - the way round
    "structured without a schema, with positions": lambda: unstructured()._run("Acme", 1200.0),  # noqa: SLF001
    "through LangChain's shape": lambda: langchained().run(**PAY),
    "one marked tool": lambda: requires_approval()(Plain().model_copy(update={"name": "marked"})).run(**PAY),
    "declared by the crew": lambda: Plain().run(**PAY),
    "declared by the crew, _run": lambda: Plain()._run(**PAY),  # noqa: SLF001
    "of an MCP server": lambda: mcp_tool().run(**PAY),
    "of an MCP server, _run": lambda: mcp_tool()._run(**PAY),  # noqa: SLF001
    "another tool's code": lambda: Outer().run(**PAY).removeprefix("outer: "),
    "a thread with the context": lambda: in_thread(contextvars.copy_context().run, Sender().run),
}
"""Ways by which people are asked once, and then the call is made once."""


def in_thread(*call: Any) -> Any:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        return pool.submit(call[0], *call[1:], **PAY).result()


REFUSED: dict[str, Callable[[], Any]] = {
    "the function itself": lambda: by_function.func(**PAY),
    "a function that is no tool": lambda: plain_function(**PAY),
    "a thread without a run": lambda: in_thread(Sender().run),
    "a thread without a run, _run": lambda: in_thread(Sender()._run),  # noqa: SLF001
    "a thread without a run, declared by the crew": lambda: in_thread(Plain().run),
    "a thread without a run, declared by the crew, _run": lambda: in_thread(Plain()._run),  # noqa: SLF001
    "a thread without a run, of an MCP server": lambda: in_thread(mcp_tool().run),
    "a thread without a run, structured": lambda: in_thread(
        lambda **given: Plain().to_structured_tool().invoke(given)
    ),
}
"""Ways by which nobody could be asked: the call is refused."""


def code(call: Callable[[], Any]) -> Flow[Any]:
    class Calls(Flow[Any]):
        @start()
        def method(self) -> str:
            try:
                return str(call())
            except NotApproved as error:
                return f"not approved: {error}"

    return Calls()


# ── models that call tools ──────────────────────────────────────────────────────────────────────────────


class Model(BaseLLM):
    """Says what a function says."""

    model: str = "said"
    says: Any = None
    native: bool = True

    def supports_function_calling(self) -> bool:
        return self.native

    def get_input_tokens_count(self, *_args: Any, **_kwargs: Any) -> int:
        return 0

    def call(self, messages: Any, tools: Any = None, *_args: Any, **_kwargs: Any) -> Any:
        return self.says(messages if isinstance(messages, list) else [], tools or [])


def calls(*wanted: tuple[str, dict[str, Any] | str]) -> list[dict[str, Any]]:
    return [
        {"id": f"c{n}-{name}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate(wanted)
    ]


def then(first: Any) -> Says:
    """First this; what tools came to afterwards."""

    def says(messages: list[dict[str, Any]], _tools: list[Any]) -> Any:
        results = [str(each["content"]) for each in messages if each.get("role") == "tool"]
        return " | ".join(results) if results else first

    return says


def react(messages: list[dict[str, Any]], _tools: list[Any]) -> str:
    said = "\n".join(str(each["content"]) for each in messages if each.get("role") != "system")
    result = said.rpartition("Observation:")[2].strip() if "Observation:" in said else ""
    if result:
        return f"Thought: done\nFinal Answer: {result.splitlines()[0]}"
    return f"Thought: pay\nAction: send\nAction Input: {json.dumps(PAY)}"


def planned(messages: list[dict[str, Any]], tools: list[Any]) -> Any:
    if any("create_reasoning_plan" in str(each) for each in tools):
        step = {"step_number": 1, "description": "STEP-ONE", "tool_to_use": "send", "depends_on": []}
        return json.dumps({"plan": "One step.", "steps": [step], "ready": True})
    results = [str(each["content"]) for each in messages if each.get("role") == "tool"]
    asked = " ".join(str(each.get("content")) for each in messages)
    if results or not tools:
        return f"came to {results[-1] if results else asked[-300:]}"
    return calls(("send", PAY))


def agent(says: Says, *tools: Any, native: bool = True, **more: Any) -> Agent:
    who: dict[str, Any] = {"role": "Worker", "goal": "Work", "backstory": "You work."}
    return Agent(**who | {"llm": Model(model="said", says=says, native=native), "tools": [*tools]} | more)


def one_task(who: Agent, *others: Agent, **more: Any) -> Crew:
    task = Task(name="work", description="Work", expected_output="Words", agent=who, **more)
    return Crew(agents=[who, *others], tasks=[task])


def delegating() -> Crew:
    helper = agent(then(calls(("send", PAY))), Sender(), role="Helper")
    order = {"task": "Pay", "context": "Acme", "coworker": "Helper"}
    boss = agent(then(calls(("delegate_work_to_coworker", order))), allow_delegation=True)
    return one_task(boss, helper)


PLANNING = PlanningConfig(max_attempts=1, reasoning_effort="low")
AGENTS: dict[str, Callable[[], Crew]] = {
    "function calling": lambda: one_task(agent(then(calls(("send", PAY))), Sender())),
    "text": lambda: one_task(agent(react, Sender(), native=False)),
    "delegation": delegating,
    "a plan": lambda: one_task(agent(planned, Sender(), planning_config=PLANNING)),
    "a task's own tools": lambda: one_task(agent(then(calls(("send", PAY)))), tools=[Sender()]),
    "an MCP server": lambda: one_task(agent(then(calls(("npx_bank_stdio_wire_money", PAY))), mcp_tool())),
    "an async tool": lambda: one_task(agent(then(calls(("send_later", PAY))), by_coroutine)),
    "a tool's tool": lambda: one_task(agent(then(calls(("outer", PAY))), Outer())),
    "an async task": lambda: one_task(agent(then(calls(("send", PAY))), Sender()), async_execution=True),
}  # fmt: skip
"""Ways of agents. A gate that is declared by a crew: `DECLARED`."""

DECLARED: dict[str, Any] = {
    "plain": {"use": "tests.contract.crews.gated:Plain", "approval": {}},
    "wireMoney": {"approval": {"title": "Pay {to}"}},
}
