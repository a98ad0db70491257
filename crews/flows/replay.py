"""Replays a run of a flow: each method call is recorded, and a recorded one is not repeated.

`history.py` describes the records. In a replay CrewAI runs the flow as usual, and
recorded methods return at once.
"""

from __future__ import annotations

# ruff: noqa: ANN401 - methods return anything
import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

import structlog
from pydantic import BaseModel

from bot.core.events.event import TaskCompleted, TaskStarted
from bot.core.ports.journal import BEGUN_SUFFIX, DIVERGED_PREFIX, DONE_PREFIX, SEEDED_PREFIX
from crews.flows.completion_order import POLL_INTERVAL_S, QUIET_POLLS, CompletionOrder
from crews.flows.conversation import Reply, converse
from crews.flows.history import FED_PREFIX, STATE_PREFIX, FlowHistory, MethodCall, record_of
from crews.flows.output_text import text_of
from crews.flows.threads import in_thread
from crews.journal.serialization import Unreadable, Unwritable, read, write, write_fields
from crews.run import system_questions
from crews.run.context import RunContext
from crews.run.identity import METHOD, TaskIdentity

log = structlog.get_logger(__name__)


class ReportMethod(Protocol):
    """Reports that a method has started or completed; idempotent."""

    def __call__(self, kind: type[TaskStarted | TaskCompleted], identity: TaskIdentity) -> None: ...


class ReplayedFlow(Protocol):
    """A CrewAI Flow, as far as its replay needs it."""

    @property
    def flow(self) -> object:
        """The Flow itself, to tell it from flows that its methods start."""

    @property
    def state(self) -> Any: ...

    @property
    def conversational(self) -> bool:
        """Whether the flow is run turn by turn."""

    async def kickoff(self, inputs: dict[str, Any], state_id: str) -> Any:
        """Run the flow, with this id for its state; what its last method returned."""

    async def take_turn(self, message: str, inputs: dict[str, Any], state_id: str) -> Reply:
        """Run the flow for one message of a conversation."""

    async def end_conversation(self) -> None:
        """No turn follows."""

    def turn_progress(self) -> dict[str, Any]:
        """What the flow keeps of the current turn outside of its state, as JSON; empty if nothing."""

    def restore_turn_progress(self, progress: dict[str, Any]) -> None:
        """Replace the progress of the current turn by what `turn_progress` returned."""

    def restore_state(self, state: Any) -> None:
        """Replace the flow's state."""

    def has_feedback(self, method: str) -> bool:
        """Whether the method declares `@human_feedback`."""


class FlowReplay:
    """The replay of one run. Used on the flow's loop, which is in the run's thread."""

    def __init__(self, run: RunContext, flow: ReplayedFlow, tell: ReportMethod) -> None:
        self._flow = flow
        self._run = run
        self._tell = tell
        self._recorded = FlowHistory(run.history.journal, run.identity)
        self._order = CompletionOrder(self._recorded.ends, self._missing)
        self._calls: dict[str, MethodCall] = {}
        self._occurrences: Counter[str] = Counter()
        self._begun = self._recorded.last_number
        #: Calls that were begun, or are done, and have not come up again.
        self._unseen = set(self._recorded.scopes)
        self._state: Any = None

    def replays(self, flow: object) -> bool:
        """Whether this is the run's own flow, not one that its methods started."""
        return self._flow.flow is flow

    def kick_off(self, inputs: dict[str, Any]) -> str:
        """Run the flow; the last method's output as text. Blocks its thread."""
        return asyncio.run(self._kicked_off(inputs))

    async def _kicked_off(self, inputs: dict[str, Any]) -> str:
        # The id of the state is the same in each process.
        if self._flow.conversational:
            result: Any = await converse(self._run, self._turn, inputs)
        else:
            result = await self._flow.kickoff(inputs, self._run.run_id)
        if self._unseen:
            await self._missing_calls(self._unseen)
        if self._flow.conversational:
            await self._flow.end_conversation()
        return text_of(result)

    async def _turn(self, message: str, inputs: dict[str, Any]) -> Reply:
        # A turn changes the state outside of methods, too: its first completion records it in any case.
        self._state = None
        return await self._flow.take_turn(message, inputs, self._run.run_id)

    # ── one call of a method ────────────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def call(self, name: str) -> AsyncIterator[MethodCall]:
        """A method call and its feedback happen in the block; the methods that follow start afterwards."""
        call = self._called(name)
        method = METHOD.set(call.identity)
        try:
            with self._run.activity.own_branch():
                yield call
        finally:
            METHOD.reset(method)
            for end in call.ends:
                self._order.retract(end)
            self._give(call)

    def current(self) -> MethodCall | None:
        """The current method call."""
        identity = METHOD.get()
        return self._calls.get(identity.id) if identity is not None else None

    def _called(self, name: str) -> MethodCall:
        occurrence = self._occurrences[name]
        self._occurrences[name] += 1
        identity = self._run.identity.method(name, occurrence, 0)
        call = self._recorded.call(identity)
        if not call.identity.number:
            self._begun += 1
            call.identity = self._run.identity.method(name, occurrence, self._begun)
        self._calls[identity.id] = call
        self._unseen.discard(identity.scope)
        for end in call.ends:
            self._order.promise(end)
        return call

    async def run_body(self, call: MethodCall, work: Callable[[], Any]) -> Any:
        """The method's result: the recorded one, or a new one."""
        if call.done is not None and "result" in call.done:
            return await self._replayed(call, call.done)
        await self._begin(call)
        result = await in_thread(self._run.threads, work)
        if call.done is not None:
            await self._take(call, call.done["end"])
        else:
            self._record_end(call, await self._take(call), result)
        self._ended(call)
        return result

    async def record_feedback(self, call: MethodCall, digest: str) -> None:
        """Record that people have given feedback on the method's output."""
        if call.fed is not None:
            await self._take(call, call.fed["end"])
            with self._readable(call.identity):
                self._restore(call.fed)
        else:
            end = await self._take(call)
            record = {"end": end, "digest": digest}
            self._run.writer.write(record_of(FED_PREFIX, call.identity.scope), json.dumps(record))
        self._tell(TaskCompleted, call.identity)

    def before_feedback(self, call: MethodCall, digest: str) -> None:
        """People are about to be asked for feedback. A record of feedback on another output is dropped."""
        if call.fed is not None and call.fed["digest"] != digest:
            self._order.retract(call.fed["end"])
            call.fed = None

    async def _replayed(self, call: MethodCall, done: Mapping[str, Any]) -> Any:
        self._tell(TaskStarted, call.identity)
        self._run.recorder.models.set_count(call.identity.scope, done["model_calls"])
        await self._take(call, done["end"])
        with self._readable(call.identity):
            self._restore(done)
            result = read(done["result"])
        self._ended(call)
        return result

    async def _begin(self, call: MethodCall) -> None:
        if call.done is not None:
            await self._order.wait_until_next(call.done["end"])
        else:
            await self._order.wait_until_caught_up()
        if not call.begun:
            await self._all_seen()
        await self._run.wait_for_slot()
        self._run.before_step()
        if not call.begun:
            self._run.writer.write(
                f"{call.identity.scope}{BEGUN_SUFFIX}", json.dumps({"number": call.identity.number})
            )
        # The method may have side effects: earlier steps must not be repeated from here on.
        await self._run.writer.flushed()
        self._tell(TaskStarted, call.identity)

    def _record_end(self, call: MethodCall, end: int, result: Any) -> None:
        """Record a method's result, which replaces the records of its steps."""
        identity = call.identity
        record = {
            "end": end,
            "number": identity.number,
            "model_calls": self._run.recorder.models.count(identity.scope),
        }
        deleted = [f"{identity.scope}/", f"{SEEDED_PREFIX}{identity.scope}/"]
        try:
            record |= {"result": write(result)} | self._changed_state() | self._turn_progress()
        except Unwritable as error:
            # It will be called again, with its recorded steps.
            log.warning(
                "a method's result can't be recorded", run_id=self._run.run_id, method=identity.method,
                reason=str(error),
            )  # fmt: skip
            deleted = []
        self._run.writer.write(record_of(DONE_PREFIX, identity.scope), json.dumps(record), deleted)

    def _ended(self, call: MethodCall) -> None:
        """End the call's turn if feedback follows; otherwise report that it completed."""
        if self._flow.has_feedback(call.identity.method):
            self._give(call)
        else:
            self._tell(TaskCompleted, call.identity)

    async def _take(self, call: MethodCall, end: int | None = None) -> int:
        taken = await self._order.begin_turn(end)
        call.holding = True
        return taken

    def _give(self, call: MethodCall) -> None:
        if call.holding:
            call.holding = False
            self._order.end_turn()

    # ── the state ───────────────────────────────────────────────────────────────────────────────────────

    def _changed_state(self) -> dict[str, Any]:
        """The state, if it changed since the last record. Raises Unwritable."""
        state = self._flow.state
        written = write_fields(state) if isinstance(state, BaseModel) else write(dict(state))
        if written == self._state:
            return {}
        self._state = written
        return {"state": written}

    def _turn_progress(self) -> dict[str, Any]:
        progress = self._flow.turn_progress()
        return {"turn": progress} if progress else {}

    def _restore(self, record: Mapping[str, Any]) -> None:
        """Restore the state of this completion, if it changed there, and what it had come to in its turn."""
        if "turn" in record:
            self._flow.restore_turn_progress(record["turn"])
        if "state" in record:
            self._state = record["state"]
            self._flow.restore_state(read(self._state))

    @contextmanager
    def _readable(self, identity: TaskIdentity) -> Iterator[None]:
        try:
            yield
        except (Unreadable, ValueError) as error:
            log.warning(
                "the record of a flow's method can't be read", run_id=self._run.run_id, reason=str(error)
            )
            raise self._run.stop(
                system_questions.nondeterminism_error(f"what “{identity.name}” came to can't be read.")
            ) from error

    # ── what was changed ────────────────────────────────────────────────────────────────────────────────

    async def _all_seen(self) -> None:
        """Wait until all recorded calls were made, before a new one starts."""
        for _ in range(QUIET_POLLS):
            if not self._unseen:
                return
            await asyncio.sleep(POLL_INTERVAL_S)
        if self._unseen:
            await self._missing_calls(self._unseen)

    async def _missing(self, ends: tuple[int, ...]) -> None:
        scopes = {self._recorded.scope_of[end] for end in ends if end in self._recorded.scope_of}
        if scopes:
            await self._missing_calls(scopes)

    async def _missing_calls(self, scopes: Iterable[str]) -> None:
        """These recorded calls are not made any more: continue if the requester agrees. Raises RunExit.

        Nobody is asked about what only an earlier run did, which this one retries.
        """
        missing = sorted(scopes)
        names = ", ".join(f"“{self._recorded.name(scope)}”" for scope in missing)
        changed = f"its flow doesn't come to {names} any more."
        if not self._recorded.own.isdisjoint(missing):
            await self._confirm(missing, changed)
        deleted = self._recorded.names(missing)
        for end, state in self._recorded.forget(missing):
            self._run.writer.write(record_of(STATE_PREFIX, str(end)), json.dumps(state))
        self._run.history.journal.forget(deleted)
        self._run.writer.write(f"{DIVERGED_PREFIX}flow/{','.join(missing)}", json.dumps(changed), deleted)
        self._unseen.difference_update(missing)

    async def _confirm(self, missing: list[str], changed: str) -> None:
        last = self._recorded.last_method_except(missing)
        state = f"with its state as it was after “{last}”" if last else "from its beginning"
        kept = f"What was recorded there is dropped: the flow goes on {state}."
        method = METHOD.set(None)  # the difference concerns the whole flow
        try:
            key = f"flow/{','.join(missing)}"
            await asyncio.to_thread(
                system_questions.confirm_nondeterminism, self._run.questions, changed, key, kept
            )
        finally:
            METHOD.reset(method)


FLOW_REPLAY: ContextVar[FlowReplay | None] = ContextVar("crewdeck_course", default=None)
"""The way through the flow that this task or thread works for; None where the run is a crew."""
