"""Plays a worker that parks runs, so that thousands can be parked without executing thousands of crews.

What it writes is copied from one run that a real worker has parked; only the ids are each run's own. To the
store, and to whoever revives them, they are as a real worker would have left them.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from bot.core import ids
from bot.core.events.event import Body, TaskStarted
from bot.core.ports.store import Store
from bot.core.questions.question import Question
from bot.core.runs.run import Claim, Run

T = TypeVar("T")
R = TypeVar("R")

NAME = "puppet"
AT_ONCE = 50
"""Verbs under way; more than a store's connection takes."""
LEASE = 600.0
TASK = 1
"""The number of the task that asks, and of its agent."""


@dataclass(frozen=True)
class Puppet:
    """Parks runs like `of`."""

    store: Store
    of: Run
    journal: dict[str, str]
    question: Question
    told: tuple[Body, ...]

    @classmethod
    async def like(cls, store: Store, parked: Run) -> Puppet:
        """One that copies this run, which a worker has parked at its first question."""
        [question] = await store.questions.list(parked.id)
        events = [event.body for event in await store.events.read(parked.id)]
        told = tuple(body for body in events if isinstance(body, TaskStarted))
        assert len(events) == len(told) + 2, events  # run_started, and the question
        puppet = cls(store, parked, await store.journal.read(parked.id), question, told)
        assert puppet._question(parked.id) == question, "a question's id is made in another way by now"
        return puppet

    @property
    def payload(self) -> str:
        """What people, models and tools have said in such a run."""
        said = [self.of.model_dump_json(include={"inputs"}), self.question.prompt, self.question.context]
        return "\n".join([*said, *self.journal.values()])

    async def park_all(self, many: int) -> None:
        """Take so many runs that are queued, and park them. Nobody else may have room for them."""
        while many:
            claims = await self.store.queue.claim(NAME, [self.of.crew.name], min(many, AT_ONCE), LEASE)
            await concurrently(self._park, claims)
            many -= len(claims)

    async def _park(self, claim: Claim) -> None:
        run_id = claim.run.id
        for body in self.told:
            own = body.model_copy(update=_parts(run_id))
            await self.store.events.append(claim, own, ids.part_id(run_id, "task", TASK))
        for name, value in self.journal.items():
            await self.store.journal.put_if_absent(claim, name, value)
        question = self._question(run_id)
        await self.store.questions.ask(claim, question)
        await self.store.queue.park(claim, [question.id])

    def _question(self, run_id: str) -> Question:
        asked = self.question
        options = [option.model_dump() for option in asked.options]
        shown = json.dumps(
            [asked.kind, asked.prompt, asked.context, options, asked.round], ensure_ascii=False
        )
        known_by = hashlib.sha256(shown.encode()).hexdigest()
        own = ids.part_id(run_id, "question", TASK, asked.kind, known_by, 0)
        return asked.model_copy(update={"id": own, "run_id": run_id, **_parts(run_id)})


def _parts(run_id: str) -> dict[str, str]:
    return {
        "crew_id": ids.part_id(run_id, "crew"),
        "task_id": ids.part_id(run_id, "task", TASK),
        "agent_id": ids.part_id(run_id, "agent", TASK),
    }


async def concurrently(work: Callable[[T], Awaitable[R]], items: Iterable[T]) -> list[R]:
    """Do this with each, many at a time."""
    room = asyncio.Semaphore(AT_ONCE)

    async def one(item: T) -> R:
        async with room:
            return await work(item)

    return await asyncio.gather(*map(one, items))
