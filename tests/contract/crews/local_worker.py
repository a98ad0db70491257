"""A worker in the test's own process, and the people who answer: for what a process of its own would hide."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from bot.core import starting
from bot.core.people.actor import Actor
from bot.core.questions.decision import Ruling
from bot.core.questions.question import Action, Question, Source
from bot.core.questions.response import make_response
from bot.core.runs.run import Claim, Run, RunStatus
from bot.core.wakeups import Wakeups
from bot.store.redis import RedisStore, open_store
from crews.run.store_proxy import StoreProxy
from crews.worker.slots import Slots
from tests.contract.examples import ADA, LEASE, new_run
from tests.waiting import WITHIN

if TYPE_CHECKING:
    from crews.building.build import Blueprint, Built, PythonCrew


class LocalWorker:
    """A store, this process as its worker, and the people who answer."""

    def __init__(self, store: RedisStore, wakeups: Wakeups) -> None:
        self.store = store
        slots = Slots(store.queue, "here", LEASE, most=50)
        self._proxy = StoreProxy(asyncio.get_running_loop(), store, wakeups, slots)

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str) -> AsyncIterator[LocalWorker]:
        async with open_store(url) as store:
            wakeups = Wakeups()
            following = asyncio.create_task(wakeups.follow(store.events))
            yield cls(store, wakeups)
            following.cancel()
            await asyncio.wait({following})

    @asynccontextmanager
    async def running_crew(self, crew: Blueprint, **inputs: Any) -> AsyncIterator[Run]:
        """The same for a crew that is there already."""
        from crews.worker.runtime import Runtime

        run, _ = await self.store.runs.start(starting.plan(crew.card(), inputs, ADA, key=uuid.uuid4().hex))
        [claim] = await self.store.queue.claim("here", [crew.name], 1, LEASE)
        runtime = Runtime({crew.name: crew}, self._proxy)
        task = asyncio.create_task(runtime.execute(claim))
        try:
            yield run
        finally:
            runtime.stop(run.id)
            await asyncio.wait_for(task, WITHIN)

    @asynccontextmanager
    async def running(self, build: Callable[[], Built], **keys: Any) -> AsyncIterator[Run]:
        """A run of this crew, which is over, or stopped, after the block."""
        async with self.executing(await self.claimed(build, **keys), build, **keys) as run:
            yield run

    async def claimed(self, build: Callable[[], Built], **keys: Any) -> Claim:
        await self.store.runs.start(new_run(crew=self.blueprint(build, **keys).card()))
        [claim] = await self.store.queue.claim("here", ["gated"], 1, LEASE)
        return claim

    @asynccontextmanager
    async def executing(self, claim: Claim, build: Callable[[], Built], **keys: Any) -> AsyncIterator[Run]:
        async with self.executing_crew(claim, self.blueprint(build, **keys)) as run:
            yield run

    @asynccontextmanager
    async def executing_crew(self, claim: Claim, crew: Blueprint) -> AsyncIterator[Run]:
        from crews.worker.runtime import Runtime

        runtime = Runtime({"gated": crew}, self._proxy)
        task = asyncio.create_task(runtime.execute(claim))
        try:
            yield claim.run
        finally:
            runtime.stop(claim.run.id)
            await asyncio.wait_for(task, WITHIN)

    @staticmethod
    def blueprint(build: Callable[[], Built], **keys: Any) -> PythonCrew:
        from crewdeck import crew
        from crews.building.build import PythonCrew
        from tests.contract.crews import gated

        declared = crew(**{"title": "Gated", "tools": gated.DECLARED, **keys})(lambda _inputs: build())
        return PythonCrew("gated", declared)

    async def asked(self, run: Run, many: int = 1) -> list[Question]:
        """The open questions of the run, once there are that many."""
        async with asyncio.timeout(WITHIN):
            for _ in itertools.count():
                found = [each for each in await self.store.questions.list(run.id) if each.open]
                if len(found) >= many:
                    return found
                now = await self.store.runs.get(run.id)
                assert not now.status.over, (now.status, now.result, now.error)
                await asyncio.sleep(0.01)
        raise AssertionError

    async def question(self, run: Run) -> Question:
        [question] = await self.asked(run)
        assert question.source is Source.GATE
        assert question.call is not None
        return question

    async def say(
        self, question: Question, action: Action = Action.APPROVE, by: Actor = ADA, **more: Any
    ) -> Ruling:
        said = make_response(action, by, key=uuid.uuid4().hex, digest=question.digest, **more)
        return await self.store.questions.respond(question.run_id, question.id, said)

    async def over(self, run: Run) -> Run:
        async with asyncio.timeout(WITHIN):
            for _ in itertools.count():
                now = await self.store.runs.get(run.id)
                if now.status.over:
                    return now
                await asyncio.sleep(0.01)
        raise AssertionError

    async def result(self, run: Run) -> str:
        now = await self.over(run)
        assert now.status is RunStatus.COMPLETED, now.error
        return now.result or ""

    async def gates(self, run: Run) -> list[Question]:
        return [each for each in await self.store.questions.list(run.id) if each.call is not None]
