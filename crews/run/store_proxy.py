"""The store for the threads of runs; the store itself lives on the control loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

import structlog

from bot.core.errors import Refused, StoreUnavailable
from bot.core.events.event import Body
from bot.core.files import StoredFile
from bot.core.people.actor import Actor
from bot.core.people.identities import People
from bot.core.people.policy import Policy
from bot.core.ports.journal import Change
from bot.core.ports.store import Store
from bot.core.questions.question import Question
from bot.core.runs.run import Claim, RunError
from bot.core.wakeups import Wakeups, question_topic

log = structlog.get_logger(__name__)
T = TypeVar("T")

RETRY_DELAY_S = 0.5
"""Seconds between two tries while Redis is away."""


class SlotHolder(Protocol):
    """Gives a run a slot in which it works; used on the control loop (`crews.worker.slots`)."""

    def expect(self, run_id: str) -> None:
        """The run was answered, and asks for a slot once it has the answer."""

    def expect_no_more(self, run_id: str) -> None:
        """Take `expect` back: the run was not answered, or nobody waits for the answer any more."""

    def free_slot(self, claim: Claim) -> None:
        """The run waits for people, or ended: its slot is free."""

    async def leave(self, claim: Claim) -> None:
        """The same, for a run that is about to leave: its slot is free in all workers when this returns."""

    async def resume(self, claim: Claim) -> bool:
        """Whether the run, which was answered, has a slot again."""


class StoreProxy:
    """The store's verbs that a run needs, from any loop. They wait while Redis is away, and raise Fenced."""

    def __init__(
        self, control: asyncio.AbstractEventLoop, store: Store, wakeups: Wakeups, slots: SlotHolder
    ) -> None:
        self._control = control
        self._store = store
        self._wakeups = wakeups
        self._slots = slots

    async def record(self, claim: Claim, event: Body, key: str | None = None) -> None:
        await self._call(lambda: self._store.events.append(claim, event, key))

    async def history(self, run_id: str) -> tuple[dict[str, str], list[Question], list[StoredFile]]:
        """The run's journal, questions and complete files. Raises JournalUndecryptable, UnreadableRecord."""
        return await self._call(lambda: self._history(run_id))

    async def _history(self, run_id: str) -> tuple[dict[str, str], list[Question], list[StoredFile]]:
        return await asyncio.gather(
            self._store.journal.read(run_id),
            self._store.questions.list(run_id, strict=True),
            self._store.files.list(run_id),
        )

    async def put_if_absent(self, claim: Claim, name: str, value: str) -> str:
        return await self._call(lambda: self._store.journal.put_if_absent(claim, name, value))

    async def write(self, claim: Claim, changes: Sequence[Change]) -> None:
        """Record what the run did."""
        await self._call(lambda: self._store.journal.write(claim, changes))

    def begin(self, work: Coroutine[Any, Any, None]) -> Future[None]:
        """Run this on the control loop, from any thread, without waiting."""
        return asyncio.run_coroutine_threadsafe(work, self._control)

    def call_later(self, seconds: float, call: Callable[[], object]) -> None:
        """Call this on the control loop after so many seconds."""
        self._control.call_soon_threadsafe(self._control.call_later, seconds, call)

    async def park(self, claim: Claim, questions: Sequence[str], worked: int) -> bool:
        return await self._call(lambda: self._store.queue.park(claim, questions, worked))

    async def release(self, claim: Claim, worked: int) -> None:
        await self._call(lambda: self._store.queue.release(claim, worked))

    async def cancel(self, run_id: str, by: Actor) -> bool:
        """End the run for somebody; False if they may not."""
        try:
            await self._call(lambda: self._store.runs.cancel(run_id, by))
        except Refused as refused:
            return refused.code == "run_over"
        return True

    async def read_file(self, run_id: str, file_id: str) -> bytes:
        """The content of a file. Raises NotFound, UnreadableRecord, JournalUndecryptable."""
        return await self._call(lambda: self._read_file(run_id, file_id))

    async def _read_file(self, run_id: str, file_id: str) -> bytes:
        return b"".join([part async for part in self._store.files.read(run_id, file_id)])

    async def attach(self, claim: Claim, file: StoredFile, content: bytes) -> None:
        """Store a file, once. Raises Refused."""
        await self._call(lambda: self._store.files.attach(claim, file, content))

    async def defer(self, claim: Claim, seconds: float) -> None:
        await self._call(lambda: self._store.queue.defer(claim, seconds))

    async def ask(self, claim: Claim, question: Question) -> Question:
        """Record the question; the one that has its id already, perhaps settled, if there is one."""
        return await self._call(lambda: self._store.questions.ask(claim, question))

    async def people(self, policy: Policy) -> People:
        """What is known about the people of a policy."""
        return await self._call(lambda: self._store.directory.people(policy))

    async def record_executed(self, claim: Claim, question_id: str, call: str, result: str) -> None:
        """Record that the call which a gate let through was made; both are digests."""
        await self._call(lambda: self._store.questions.record_executed(claim, question_id, call, result))

    async def settled(self, question: Question, claim: Claim) -> Question | None:
        """The question, once it is settled; None if this worker has no free slot for the run."""
        return await self._on_control(self._settled(question, claim))

    async def outcome(self, question: Question) -> Question:
        """The question, as soon as it is settled, whether there is a slot for the run or not."""
        return await self._on_control(self._outcome(question))

    def resume(self, claim: Claim) -> Future[bool]:
        """Whether the run, which was answered, gets a slot again. From any thread, without waiting."""
        return asyncio.run_coroutine_threadsafe(self._resume(claim), self._control)

    def free_slot(self, claim: Claim) -> None:
        """The run only waits for people, so its slot is free until one of its questions is settled."""
        self._control.call_soon_threadsafe(self._slots.free_slot, claim)

    async def leave(self, claim: Claim) -> None:
        """The run is about to be parked or given back."""
        await self._on_control(self._slots.leave(claim))

    async def finish(
        self, claim: Claim, result: str | None, error: RunError | None, changes: Sequence[Change] = ()
    ) -> None:
        """Record what the run did last, and end it."""
        finish = self._store.queue.finish
        await self._call(lambda: finish(claim, result=result, error=error, changes=changes))

    async def _call(self, verb: Callable[[], Awaitable[T]]) -> T:
        """The result of one of the store's verbs, as soon as the store is there."""
        return await self._on_control(_persistently(verb))

    async def _on_control(self, work: Coroutine[Any, Any, T]) -> T:
        if asyncio.get_running_loop() is self._control:
            return await work
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._control))

    async def _settled(self, question: Question, claim: Claim) -> Question | None:
        settled = await self._outcome(question)
        return settled if await self._resume(claim) else None

    async def _resume(self, claim: Claim) -> bool:
        return await _persistently(lambda: self._slots.resume(claim))

    async def _outcome(self, question: Question) -> Question:
        with self._wakeups.watch(question_topic(question.id)) as signal:
            try:
                while (settled := await self._if_settled(question)) is None:
                    self._slots.expect_no_more(question.run_id)
                    if await signal.wait():
                        self._slots.expect(question.run_id)
                    signal.clear()
            except asyncio.CancelledError:
                self._slots.expect_no_more(question.run_id)
                raise
        return settled

    async def _if_settled(self, question: Question) -> Question | None:
        now = await _persistently(lambda: self._store.questions.get(question.run_id, question.id))
        return None if now.open else now


async def _persistently(verb: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await verb()
        except StoreUnavailable as error:
            log.debug("the store is away; trying again", reason=str(error))
            await asyncio.sleep(RETRY_DELAY_S)
