"""A tool call as a step of a run: recorded, replayed, and behind its gate if it has one."""

from __future__ import annotations

# ruff: noqa: ANN401 - CrewAI says Any here
import asyncio
import contextvars
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import structlog
from crewai.tools import BaseTool
from crewai.tools.agent_tools.base_agent_tools import BaseAgentTool
from crewai.tools.structured_tool import CrewStructuredTool

from bot.core.ports.queue import Fenced
from crews.crewai_adapter.tools import mcp
from crews.crewai_adapter.tools.usage import WANTED
from crews.definitions.approval import APPROVED_CALLS, NotApproved, approvals_of, approved_call
from crews.definitions.code import code_of
from crews.definitions.exceptions import CrewBroken
from crews.definitions.gates import REGISTRY, Gate
from crews.definitions.placeholders import PLACEHOLDER
from crews.definitions.tool_options import declared, made_from, reference_of
from crews.human_input.arguments import InvalidArguments, Parameters
from crews.human_input.ask_human import AskHuman
from crews.human_input.tool_approvals import SECRETS_KEY, Approval, GuardedCall, secrets_key
from crews.journal.journal import CALLS_ENTRY
from crews.journal.serialization import Unwritable, read, write
from crews.run import failures
from crews.run.context import AGENT, CURRENT, INSIDE_TOOL, RunContext
from crews.run.exits import RunExit

log = structlog.get_logger(__name__)

NO_STEP = "{} hands work to another agent and can't wait for an approval"
NOT_SERIALIZABLE = "unwritten"
"""Recorded in place of a result that can't be told in JSON."""
SECRETS = "(secrets)"
"""A part of the content of a step; no argument is called so."""


def _original(tool: BaseTool | CrewStructuredTool) -> Any:
    """The tool that its author wrote."""
    return getattr(tool, "_original_tool", None) or tool


def _parts(original: Any) -> list[object]:
    """What else the call of a tool is: of its function, and of the tool whose method that is."""
    function = getattr(original, "func", None)
    return [*approvals_of(original), *filter(None, [getattr(function, "__self__", None)])]


def _code_of_call(original: Any) -> list[object]:
    """What a call of the tool executes."""
    return [
        each for each in (original, getattr(original, "func", None), *_parts(original)) if each is not None
    ]


def step_of(tool: BaseTool | CrewStructuredTool, *, only_gates: bool = False) -> ToolStep | None:
    """The step that this call is; None outside of runs, and for what a tool does in its own call.

    A call that needs an approval is a step wherever it is made. Raises NotApproved outside of a run.
    """
    original = _original(tool)
    if isinstance(original, AskHuman) or any(each is original for each in APPROVED_CALLS.get()):
        return None
    run = CURRENT.get()
    if run is None:
        if REGISTRY.guards(original):
            raise NotApproved(
                f"{tool.name} needs an approval, so it is called in a run that Crewdeck started: in a thread "
                "that the crew works in, or with the context variables of one."
            )
        return None
    try:
        gate = run.gates.of(original)
    except CrewBroken as error:
        raise run.stop(failures.of_build(error)) from error
    if gate is None:
        gate = run.former_gates.get(tool.name)
    if gate is None and (only_gates or INSIDE_TOOL.get()):
        return None
    return ToolStep(run, tool, gate)


def asked_by_agent(tool: BaseTool | CrewStructuredTool) -> RunContext | None:
    """The run in which this is an agent's call of ask_human: it needs a slot to go on from its return."""
    return CURRENT.get() if isinstance(_original(tool), AskHuman) and read_by_agent() else None


async def made_from_thread(
    made: Callable[[Callable[[], Any]], Any],
    call: Callable[..., Awaitable[Any]],
    arguments: Callable[[], tuple[Any, ...]] = tuple,
) -> Any:
    """What `made` returns, from a thread that may block; the call that it makes runs on the caller's loop.

    The `arguments` of that call come right before it, from the thread.
    """
    loop = asyncio.get_running_loop()
    under_way: list[Future[Any]] = []

    async def awaited(*given: Any) -> Any:
        return await call(*given)

    def wait() -> Any:
        under_way.append(asyncio.run_coroutine_threadsafe(awaited(*arguments()), loop))
        return under_way[-1].result()

    try:
        return await asyncio.to_thread(contextvars.copy_context().run, made, wait)
    except asyncio.CancelledError:
        for each in under_way:
            each.cancel()
        raise


def _never_cached(_args: object = None, _result: object = None) -> bool:
    """An approval holds for one call: the next one with the same arguments is another."""
    return False


@dataclass(frozen=True)
class ToolStep:
    """A call that is a step of a run."""

    run: RunContext
    tool: BaseTool | CrewStructuredTool
    gate: Gate | None

    @property
    def parameters(self) -> Parameters:
        hide = self.gate.hide if self.gate is not None else ()
        return Parameters(self.tool.name, getattr(self.tool, "args_schema", None), hide)

    def call(self, arguments: dict[str, Any], used: Callable[[], None]) -> _Call:
        """The call with these arguments, for which nobody is asked."""
        return _Call(self.run, self.tool, arguments, used, known_by=self._content(arguments, secret=False))

    def guarded(
        self,
        given: dict[str, Any],
        call: Callable[[dict[str, Any]], Any],
        content: dict[str, Any] | None = None,
    ) -> Any:
        """The result of the call with the arguments that people have approved.

        `content`: what the call would be known by without a gate, if that isn't `given`.
        """
        step, arguments = self._prepared(given, content)
        return step.perform(lambda: call(arguments()))

    async def guarded_async(
        self,
        given: dict[str, Any],
        call: Callable[[dict[str, Any]], Awaitable[Any]],
        content: dict[str, Any] | None = None,
    ) -> Any:
        """As `guarded`, for an async call."""
        step, arguments = await asyncio.to_thread(self._prepared, given, content)
        return await step.result_async(call, lambda: (arguments(),))

    def _prepared(
        self, given: dict[str, Any], content: dict[str, Any] | None
    ) -> tuple[_Call, Callable[[], dict[str, Any]]]:
        """The call, and what gives the arguments that it is made with.

        The journal knows it by what was given, like a call without a gate: defaults that are made anew each
        time, and a gate that comes or goes while the run waits, don't make another call of it.
        """
        if self.gate is None:
            raise RuntimeError("there is no gate")
        for each in (self.tool, _original(self.tool)):
            object.__setattr__(each, "cache_function", _never_cached)
        parameters = self.parameters
        self._check_names(parameters)
        known_by = self._content(content or {"args": (), **given}, secret=bool(parameters.secrets))
        try:
            wanted = parameters.read(given, lambda: secrets_key(self.run))
        except InvalidArguments as error:
            return self._invalid(known_by, error)
        made = made_from(_original(self.tool))
        fingerprint = self.run.history.journal.fingerprint(made) if made is not None else ""
        code = code_of(
            *_code_of_call(_original(self.tool)),
            self.run.gates.made_by,
            named=reference_of(_original(self.tool)),
        )
        guarded = GuardedCall(self.run, self.gate, parameters, wanted, fingerprint, code)
        approval = Approval(guarded, called_by_code=not read_by_agent())
        arguments = {"args": (), **wanted.shown, **({SECRETS: wanted.secrets} if wanted.secrets else {})}
        journal = self.run.history.journal
        if journal.begun and journal.found(CALLS_ENTRY) is None:
            known_by = [*known_by, arguments]
        return _Call(self.run, self.tool, arguments, self._count, approval, known_by), approval.arguments

    def _check_names(self, parameters: Parameters) -> None:
        """Raises RunExit where what an approval names is misspelt.

        People would be shown what is to be hidden, couldn't edit what they may, or would read a title without
        what it is about.
        """
        named: list[tuple[str, str, str]] = []
        # A gate that has a policy is a former one: what it names were the tool's arguments then.
        if self.gate is not None and self.gate.policy is None:
            named += [("edit", "lets people edit", each) for each in self.gate.edit]
            named += [("title", "has a title with", each) for each in PLACEHOLDER.findall(self.gate.title)]
        wrong = [("hide", "hides", name, meant) for name, meant in parameters.misspelt_hidden.items()]
        wrong += [(*each, meant) for each in named if (meant := parameters.probably_meant(each[-1]))]
        for key, does, name, meant in wrong:
            said = f"{does} {name}, which is no argument of it: {meant} is one."
            error = CrewBroken(
                f"The approval of {self.tool.name} {said}", remedy=f"Correct what `{key}` names."
            )
            raise self.run.stop(failures.of_build(error))

    def _invalid(
        self, known_by: list[dict[str, Any]], error: InvalidArguments
    ) -> tuple[_Call, Callable[[], dict[str, Any]]]:
        """A call whose result is the tool's objection. Nobody is asked, and the tool isn't called."""

        def refuse() -> dict[str, Any]:
            raise error

        return _Call(self.run, self.tool, known_by[0], self._count, known_by=known_by), refuse

    def _content(self, content: dict[str, Any], *, secret: bool) -> list[dict[str, Any]]:
        """The content that identifies a call, or a keyed digest of it if a part of it is `secret`.

        Where the other one may be recorded, since it was told otherwise before, that follows.
        """
        journal = self.run.history.journal
        if not secret and journal.found(SECRETS_KEY) is None:
            return [content]
        written = journal.fingerprint(content).encode()
        digest = hmac.new(secrets_key(self.run), written, hashlib.sha256).hexdigest()
        keyed = {"args": (), SECRETS: digest}
        return [keyed, content] if secret else [content, keyed]

    def _count(self) -> None:
        """Count a use where the call is replayed, or not let through."""
        if isinstance(self.tool, CrewStructuredTool):
            self.tool._increment_usage_count()  # noqa: SLF001
        else:
            self.tool._claim_usage()  # noqa: SLF001


def read_by_agent() -> bool:
    """Whether an agent reads the result of a call made here; otherwise code does, such as another tool's."""
    return AGENT.get() is not None and not INSIDE_TOOL.get()


class _Call:
    """One call of a tool, in a run."""

    def __init__(
        self,
        run: RunContext,
        tool: BaseTool | CrewStructuredTool,
        arguments: dict[str, Any],
        used: Callable[[], None],
        approval: Approval | None = None,
        known_by: Sequence[dict[str, Any]] = (),
    ) -> None:
        """`used` counts a use of the tool where the call is replayed.

        `known_by`: what the journal may know the call by.
        """
        self._run = run
        self._tool = tool
        self._arguments = arguments
        self._known_by = known_by
        self._used = used
        self._approval = approval
        #: An agent reads text; code that calls a tool itself gets the unchanged values.
        self._read_by_agent = read_by_agent()
        self._begun = False

    def perform(self, call: Callable[[], Any]) -> Any:
        """The result of the call, or the recorded one."""
        original = _original(self._tool)
        if isinstance(original, BaseAgentTool):
            if self._approval is not None:
                remedy = "Let the tools that this agent uses wait."
                raise self._run.stop(
                    failures.of_build(CrewBroken(NO_STEP.format(self._tool.name), remedy=remedy))
                )
            return self._run.recorder.delegated(call)
        came_to: list[Any] = []

        def begin() -> Any:
            self._begun = True
            came_to.append(self._inside(call))
            return self._written(came_to[0])

        wanted = WANTED.get()
        try:
            result = self._run.recorder.tools.call(
                self._tool.name,
                self._arguments,
                begin,
                declared(original),
                self._approval,
                known_by=self._known_by,
                failed=wanted.failure if wanted is not None else None,
                read=self._value,
            )
        except Exception as error:
            if wanted is not None and not self._repeatable and self._reached_tool(error):
                wanted.failure = error
            raise
        finally:
            if not self._begun:
                self._used()
        if self._was_unwritable(result):
            return came_to[0] if came_to else self._inside(call)
        return self._value(result)

    def _value(self, recorded: Any) -> Any:
        """The recorded result as its caller gets it. Raises Unreadable."""
        return recorded if self._read_by_agent or self._was_unwritable(recorded) else read(recorded)

    def _was_unwritable(self, recorded: Any) -> bool:
        return not self._read_by_agent and recorded == {NOT_SERIALIZABLE: True}

    @property
    def _repeatable(self) -> bool:
        """Whether the call may be made several times: its crew says so, and nobody decides on it."""
        return self._approval is None and declared(_original(self._tool)) == "retry"

    def _reached_tool(self, error: Exception) -> bool:
        """Whether the call failed in the tool, which had accepted its arguments. CrewAI tries others then."""
        if self._approval is not None or not isinstance(self._tool, CrewStructuredTool):
            return not isinstance(error, InvalidArguments)
        given = {name: each for name, each in self._arguments.items() if name != "args"}
        try:
            self._tool._parse_args(given)  # noqa: SLF001 - as `invoke` does
        except ValueError:
            return False
        return True

    async def result_async(
        self, call: Callable[..., Awaitable[Any]], arguments: Callable[[], tuple[Any, ...]] = tuple
    ) -> Any:
        """As `perform`, for an async call, which runs on the caller's loop.

        Its `arguments` come right before it, from a thread that may block.
        """
        return await made_from_thread(self.perform, call, arguments)

    def _inside(self, call: Callable[[], Any]) -> Any:
        original = _original(self._tool)
        token, wanted = INSIDE_TOOL.set(True), WANTED.set(None)
        try:
            with (
                approved_call(original, self._tool, *_parts(original)),
                mcp.sent(once=not self._repeatable, exactly=self._shown_by),
            ):
                return call()
        except (Exception, RunExit, Fenced):
            raise
        except BaseException as error:
            log.exception(
                "a tool would have ended the process", run_id=self._run.run_id, tool=self._tool.name
            )
            raise self._run.stop(failures.of_tool(self._tool.name, error)) from error
        finally:
            WANTED.reset(wanted)
            INSIDE_TOOL.reset(token)

    @property
    def _shown_by(self) -> Mapping[str, Any] | None:
        """The schema of the arguments that people were shown; None if nobody decides on them."""
        return self._approval.call.parameters.json_schema if self._approval is not None else None

    def _written(self, result: Any) -> Any:
        """The result as it is recorded."""
        if self._read_by_agent:
            return result
        try:
            return write(result, again=True)
        except Unwritable as error:
            log.warning(
                "a tool's result can't be recorded: it is called again when the run is taken up",
                run_id=self._run.run_id,
                tool=self._tool.name,
                reason=str(error),
            )
            return {NOT_SERIALIZABLE: True}
