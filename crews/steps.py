"""What every step of a run goes through: one place to count it, to stop before it, and to remember it.

Model calls (crews/seams.py) and tool calls (crews/executor.py) pass here as thunks. A step that the journal
knows is not taken again: its result is the recorded one.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - models and tools return anything
import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from bot.core import ids
from bot.core.model import RunError
from crews import doubts
from crews.interrupted import OnInterrupted
from crews.journal import INTENDED, MODEL, PROMPT, TOOL, Journal
from crews.signals import HandedBack
from crews.values import Replayed, decode, encode
from crews.writer import Writer

if TYPE_CHECKING:
    from crews.context import RunContext

SETTLED = 2.0
"""Seconds without anything recorded being found, after which what is left over won't be."""
MOST_BEHIND = 8
"""Steps that may be taken ahead of the journal."""
DIVERGED = "diverged"
SKIPPED = (
    "Skipped: this call was interrupted before, so it may have happened. It was decided not to repeat it."
)

_WITHIN: ContextVar[str | None] = ContextVar("crewdeck_within_tool", default=None)
"""The tool call in whose course this happens."""


@dataclass(frozen=True)
class Request:
    """What a model is asked."""

    messages: Any
    #: What it may call: names, and the names of their arguments.
    tools: tuple[tuple[str, tuple[str, ...]], ...] = ()
    answers_as: type[BaseModel] | None = None

    @property
    def names(self) -> list[str]:
        """Of the tools."""
        return sorted(name for name, _ in self.tools)

    @property
    def content(self) -> tuple[object, ...]:
        """What the call is known by."""
        return self.messages, self.tools, self.answers_as.__name__ if self.answers_as else None


@dataclass(frozen=True)
class _Step:
    """A step that is about to be taken, or that the journal knows."""

    name: str
    recorded: dict[str, Any] | None = None

    def result(self, expected: type[BaseModel] | None = None) -> Any:
        """What was recorded. Raises Replayed if that is a failure."""
        recorded = self.recorded or {}
        if "failed" in recorded:
            raise Replayed(recorded["failed"])
        return decode(recorded["result"], expected)


class Steps:
    """One run's. From any thread but the control loop's."""

    def __init__(self, run: RunContext, journal: Journal, writer: Writer) -> None:
        self._run = run
        self._journal = journal
        self._writer = writer
        self._lock = threading.Condition()
        self._model_calls: Counter[str] = Counter()
        self._under_way = 0
        self._idle_since = time.monotonic()
        self._stopping = False
        #: The last exception that came out of a model call, to tell such failures from others.
        self.model_failure: Exception | None = None

    # ── models ──────────────────────────────────────────────────────────────────────────────────────────

    def model(self, request: Request, call: Callable[[], Any]) -> Any:
        """One call of a model. Raises Leave at the crew's limit."""
        step = self._begin_model(request)
        if step.recorded is not None:
            return step.result(request.answers_as)
        with self._working():
            try:
                result = call()
            except Exception as error:
                self._failed(step, error)
                raise
            return self._recorded(step, result, request.answers_as, tools=request.names)

    async def model_async(self, request: Request, call: Callable[[], Awaitable[Any]]) -> Any:
        """The same for a call that is awaited."""
        step = await asyncio.to_thread(self._begin_model, request)
        if step.recorded is not None:
            return step.result(request.answers_as)
        with self._working():
            try:
                result = await call()
            except Exception as error:
                self._failed(step, error)
                raise
            return self._recorded(step, result, request.answers_as, tools=request.names)

    def _begin_model(self, request: Request) -> _Step:
        self._take()
        scope = self.scope
        self._count(scope)
        name = self._journal.name(scope, MODEL, *request.content)
        step = _Step(name, self._journal.found(name))
        if step.recorded is None:
            self._check_course(scope, request)
            self._keep_up()
        return step

    def _keep_up(self) -> None:
        """While Redis is away a few more models are asked, not any number: what they say could be lost."""
        if self._writer.behind >= MOST_BEHIND and not _on_loop():
            self._writer.flush()

    def _check_course(self, scope: str, request: Request) -> None:
        """Something new is asked while recorded calls are left over: the crew isn't what it was.

        Where agents work side by side, each first comes to what it had recorded.
        """
        while (left := self._journal.left(scope)) and self._journal.quiet < SETTLED:
            self._run.check()
            time.sleep(0.05)
        if not left:
            return
        number = len(list(self._journal.under(f"{DIVERGED}/{scope}/")))
        changed = doubts.tools_changed(self._journal.tools(left[0]), request.names)
        if _on_loop():
            raise self._run.stop(doubts.diverged(changed))
        doubts.go_on(self._run, changed, f"{scope}/{number}")
        name = f"{DIVERGED}/{scope}/{number}"
        self._writer.write(name, json.dumps(changed), left)
        self._journal.drop(left)

    def _failed(self, step: _Step, error: Exception) -> None:
        """A failure is recorded like a result: what CrewAI made of it then, it makes of it again."""
        self.model_failure = error
        self._note(step.name, {"failed": str(error)})

    def _count(self, scope: str) -> None:
        limit = self._run.limits.model_calls
        with self._lock:
            self._model_calls[scope] += 1
            over = limit is not None and self._model_calls.total() > limit
        if over:
            raise self._run.stop(
                RunError(
                    code="limit_model_calls",
                    message=f"Stopped: the crew wanted more than its limit of {limit} model calls.",
                )
            )

    def model_calls(self, scope: str) -> int:
        with self._lock:
            return self._model_calls[scope]

    def counted(self, scope: str, calls: int) -> None:
        """So many model calls were made in an earlier execution, which recorded what they led to."""
        with self._lock:
            self._model_calls[scope] = calls

    # ── tools ───────────────────────────────────────────────────────────────────────────────────────────

    def tool(
        self,
        name: str,
        arguments: dict[str, Any],
        call: Callable[[], Any],
        on_interrupted: OnInterrupted = "ask",
    ) -> Any:
        """One call of a tool other than ask_human.

        Raises Leave where the call may have happened before, and nobody wants it again.
        """
        self._take()
        known_as = self._journal.name(self.scope, TOOL, name, arguments)
        step = _Step(known_as, self._journal.found(known_as))
        if step.recorded is not None:
            return step.result()
        begun = self._journal.intended(known_as)
        if begun and not self._again(name, f"{known_as}/{begun}", on_interrupted):
            return self._recorded(step, SKIPPED)
        with self._working():
            self._writer.write(known_as + INTENDED, str(begun + 1))
            self._writer.flush()
            within = _WITHIN.set(step.name)
            try:
                result = call()
            except Exception as error:
                self._note(step.name, {"failed": str(error)})
                raise
            finally:
                _WITHIN.reset(within)
            return self._recorded(step, result)

    def _again(self, tool: str, key: str, on_interrupted: OnInterrupted) -> bool:
        """Whether a call is made again that was begun before, and may have happened."""
        match on_interrupted:
            case "retry":
                return True
            case "fail":
                raise self._run.stop(doubts.interrupted(tool))
            case "ask":
                return doubts.do_again(self._run, tool, key)

    def container(self, call: Callable[[], Any]) -> Any:
        """A tool that hands work to another agent, whose steps are recorded one by one."""
        self._take()
        return call()

    def idempotency_key(self) -> str | None:
        """A name for the tool call in whose course this is asked, the same if it is made again."""
        within = _WITHIN.get()
        return ids.part_id(self._run.run_id, "call", within) if within is not None else None

    # ── prompts ─────────────────────────────────────────────────────────────────────────────────────────

    def prompt(self, *content: object) -> tuple[str, list[Any] | None]:
        """An agent's prompt is about to be rendered: its name, and what was rendered before."""
        self._take()
        name = self._journal.name(self.scope, PROMPT, *content)
        return name, self._journal.found(name)

    def rendered(self, name: str, messages: list[Any]) -> None:
        """Dates, memory and edited texts may be in it: what was rendered once stays as it is."""
        self._writer.write(name, json.dumps(messages, default=str))

    # ── all of them ─────────────────────────────────────────────────────────────────────────────────────

    @property
    def scope(self) -> str:
        """Where the current step belongs: the tool call or the task in whose course it is taken."""
        within = _WITHIN.get()
        if within is not None:
            return within
        part = self._run.parts.task(None)
        return task_scope(part.number if part is not None else 0)

    def hand_back(self) -> None:
        """The worker stops: no further step is begun."""
        self._stopping = True

    def idle(self) -> float | None:
        """For how many seconds no step was under way; None while one is, or is being recorded."""
        with self._lock:
            under_way = self._under_way or self._writer.behind
            return None if under_way else time.monotonic() - self._idle_since

    async def finished(self) -> None:
        """Returns once nothing is under way any more; what was is recorded then. Raises Fenced."""
        await asyncio.to_thread(self._wait_until_idle)
        await self._writer.flushed()

    def _wait_until_idle(self) -> None:
        with self._lock:
            self._lock.wait_for(lambda: not self._under_way)

    def _take(self) -> None:
        self._run.check()
        if self._stopping:
            raise self._run.leave(HandedBack())
        self._run.entered()
        with self._lock:
            self._idle_since = time.monotonic()

    @contextmanager
    def _working(self) -> Iterator[None]:
        with self._lock:
            self._under_way += 1
        try:
            self._run.check()
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                self._idle_since = time.monotonic()
                self._lock.notify_all()

    def _recorded(
        self,
        step: _Step,
        result: Any,
        expected: type[BaseModel] | None = None,
        tools: Sequence[str] = (),
    ) -> Any:
        """What the journal holds of this result; the caller gets the same as a replay would."""
        more = {"tools": tools} if tools else {}
        written = self._note(step.name, {"result": encode(result), **more})
        return _Step(step.name, written).result(expected)

    def _note(self, name: str, value: dict[str, Any]) -> Any:
        """Returns what will be read of it, without waiting until it is written."""
        written = json.dumps(value)
        self._writer.write(name, written)
        return json.loads(written)


def _on_loop() -> bool:
    """Whether this thread runs an event loop, which must not wait for people."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def task_scope(number: int) -> str:
    """The scope of a task by its number; 0 for what belongs to none."""
    return f"t{number}"
