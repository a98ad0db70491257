"""Calls of agents elsewhere (A2A) as steps of a run: recorded and replayed like calls of tools.

A step is one exchange: a message, and the task that the remote agent makes of it, followed to its end by
streaming or polling. What remote agents say of themselves (their cards) is recorded like the prompts that it
is in; fetching it again does no harm.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import asyncio
import importlib
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from crewai import Agent
from crewai.tools.tool_failure import ToolExecutionFailedError, ToolFailureRecord, failure_from_exception
from pydantic import TypeAdapter

from crews.crewai_adapter.tools.steps import made_from_thread
from crews.definitions.exceptions import CrewBroken
from crews.run import failures
from crews.run.context import CURRENT, INSIDE_TOOL, RunContext

INSTALL = 'Install them for the workers: pip install "crewai[a2a]"'
_SAID = (
    "task_description",
    "context",
    "context_id",
    "task_id",
    "reference_task_ids",
    "metadata",
    "extensions",
    "skill_id",
    "turn_number",
)
"""What of a call names its step: what the remote agent receives. Credentials are no part of it."""
_CARDS = "A2A agent cards"


def install() -> None:
    """Send the calls of remote agents through the recorder; without CrewAI's extra, say what is missing."""
    wrapper = _wrapper()
    patched: Any = Agent if wrapper is None else wrapper
    if getattr(patched, "_crewdeck_a2a", False):
        return
    patched._crewdeck_a2a = True  # noqa: SLF001 - ours
    if wrapper is None:
        patched.__init__ = _with_what_to_install(patched.__init__)
        return
    wrapper.execute_a2a_delegation = _call(wrapper.execute_a2a_delegation)
    wrapper.aexecute_a2a_delegation = _call_async(wrapper.aexecute_a2a_delegation)
    wrapper._fetch_agent_cards_concurrently = _cards(wrapper._fetch_agent_cards_concurrently)  # noqa: SLF001 - a seam
    wrapper._afetch_agent_cards_concurrently = _cards_async(wrapper._afetch_agent_cards_concurrently)  # noqa: SLF001


def _with_what_to_install(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def init(agent: Agent, **data: Any) -> None:
        try:
            original(agent, **data)
        except ImportError as error:
            if data.get("a2a") is None:
                raise
            role = str(data.get("role")).strip()
            wrong = f"The agent {role!r} has `a2a`, which needs packages that aren't installed"
            raise CrewBroken(wrong, remedy=INSTALL) from error

    return init


def refused_push(agent: str) -> CrewBroken:
    """An A2A agent that sends its updates to an address."""
    return CrewBroken(
        f"{agent} has `updates` by push notifications, which reach one process, and a run may go on in "
        "another",
        remedy="Use StreamingConfig or PollingConfig.",
    )


def pushed_to(agent: Any) -> str | None:
    """The remote agent that would send push notifications, if this agent has one."""
    given = getattr(agent, "a2a", None)
    if not given:
        return None
    configs = given if isinstance(given, list) else [given]
    return next(
        (_shown(each.endpoint) for each in configs if _is_pushed(getattr(each, "updates", None))), None
    )


def _is_pushed(updates: Any) -> bool:
    from crewai.a2a.updates import PushNotificationConfig

    return isinstance(updates, PushNotificationConfig)


def _wrapper() -> Any:
    """CrewAI's module that hands tasks to remote agents; None without its extra."""
    try:
        return importlib.import_module("crewai.a2a.wrapper")
    except ImportError:
        return None


def _current_run() -> RunContext | None:
    """The run that a call made here is a step of; None outside of runs, and inside of a tool's call."""
    return None if INSIDE_TOOL.get() else CURRENT.get()


def _shown(endpoint: str) -> str:
    """The address without what may be a secret in it: credentials and the query."""
    parts = urlsplit(endpoint)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


def _named(configs: Iterable[Any]) -> str:
    return f"A2A agent {', '.join(_shown(each.endpoint) for each in configs)}"


@contextmanager
def _failing_like_a_tool(name: str) -> Iterator[None]:
    """End the run on any failure, naming the agent to its requester; a retry calls the agent again."""
    try:
        yield
    except Exception as error:
        failure = ToolFailureRecord(tool_name=name, failure=failure_from_exception(error))
        raise error from ToolExecutionFailedError(failure)


# ── exchanges ───────────────────────────────────────────────────────────────────────────────────────────────


def _call(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def execute(**given: Any) -> Any:
        run = _current_run()
        return (
            original(**given) if run is None else _Delegation(run, given).perform(lambda: original(**given))
        )

    return execute


def _call_async(original: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(original)
    async def execute(**given: Any) -> Any:
        run = _current_run()
        if run is None:
            return await original(**given)
        return await made_from_thread(_Delegation(run, given).perform, lambda: original(**given))

    return execute


class _Delegation:
    """A message to a remote agent, and its result."""

    def __init__(self, run: RunContext, given: dict[str, Any]) -> None:
        """`given`: the arguments of CrewAI's `execute_a2a_delegation`."""
        self._run = run
        self._given = given

    def perform(self, call: Callable[[], Any]) -> Any:
        """The `TaskStateResult` of the exchange, perhaps recorded. Raises RunExit if it can't be durable."""
        from crewai.a2a.task_helpers import TaskStateResult

        name = f"A2A agent {_shown(self._given['endpoint'])}"
        if _is_pushed(self._given.get("updates")):
            raise self._run.stop(failures.of_build(refused_push(f"The {name}")))
        result: TypeAdapter[Any] = TypeAdapter(TaskStateResult)

        def begin() -> Any:
            return result.dump_python(call(), mode="json", by_alias=True)

        said = {each: self._given.get(each) for each in _SAID}
        with _failing_like_a_tool(name):
            recorded = self._run.recorder.tools.call(name, said, begin)
        return self._skipped(recorded) if isinstance(recorded, str) else result.validate_python(recorded)

    def _skipped(self, why: str) -> dict[str, Any]:
        """A failed exchange, for one that may have happened and isn't repeated; the agent reads why."""
        from a2a.types import Message, Part, Role, TaskState, TextPart

        answer = Message(
            role=Role.agent,
            message_id=f"skipped-{self._given.get('turn_number')}",
            parts=[Part(root=TextPart(text=why))],
            context_id=self._given.get("context_id"),
            task_id=self._given.get("task_id"),
        )
        history = [*(self._given.get("conversation_history") or ()), answer]
        return {"status": TaskState.failed, "error": why, "history": history}


# ── cards ───────────────────────────────────────────────────────────────────────────────────────────────────

_Fetched = tuple[dict[str, Any], dict[str, str]]
"""Agent cards, and why others could not be fetched, by endpoint."""


def _cards(original: Callable[[Any], _Fetched]) -> Callable[[Any], _Fetched]:
    @wraps(original)
    def fetch(a2a_agents: Any) -> _Fetched:
        run = _current_run()
        if run is None:
            return original(a2a_agents)
        name, found = _find_cards(run, a2a_agents)
        if found is None:
            with _failing_like_a_tool(_named(a2a_agents)):
                fetched = original(a2a_agents)
            found = _record_cards(run, name, fetched)
        return _read_cards(found)

    return fetch


def _cards_async(original: Callable[[Any], Awaitable[_Fetched]]) -> Callable[[Any], Awaitable[_Fetched]]:
    @wraps(original)
    async def fetch(a2a_agents: Any) -> _Fetched:
        run = _current_run()
        if run is None:
            return await original(a2a_agents)
        name, found = await asyncio.to_thread(_find_cards, run, a2a_agents)
        if found is None:
            with _failing_like_a_tool(_named(a2a_agents)):
                fetched = await original(a2a_agents)
            found = await asyncio.to_thread(_record_cards, run, name, fetched)
        return _read_cards(found)

    return fetch


def _find_cards(run: RunContext, a2a_agents: Iterable[Any]) -> tuple[str, list[Any] | None]:
    """The name of this step, and what is recorded of it."""
    return run.recorder.find_prompt(_CARDS, [_shown(each.endpoint) for each in a2a_agents])


def _record_cards(run: RunContext, name: str, fetched: _Fetched) -> list[Any]:
    """Record what was fetched, as the part of a prompt that it is. Nothing is recorded where it failed."""
    cards, failed = fetched
    written = {endpoint: card.model_dump(mode="json", by_alias=True) for endpoint, card in cards.items()}
    return run.recorder.record_prompt(name, [written, failed])


def _read_cards(recorded: list[Any]) -> _Fetched:
    from a2a.types import AgentCard

    cards, failed = recorded
    return {endpoint: AgentCard.model_validate(card) for endpoint, card in cards.items()}, failed
