"""A worker of one run that dies at a boundary around an approval and the call that it lets through."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from crewai.flow.flow import Flow, start
from crewai.tools import BaseTool

from bot.core.ports.journal import Change, announces
from bot.core.questions.question import Question
from bot.core.runs.run import Claim
from bot.core.wakeups import Wakeups
from bot.settings import Settings
from bot.store.redis import open_store
from crewdeck import crew, requires_approval
from crews.building.build import PythonCrew
from crews.crewai_adapter import environment
from crews.run.lease import Lease
from crews.run.store_proxy import StoreProxy
from crews.worker.runtime import Runtime
from crews.worker.slots import Slots

T = TypeVar("T")
CREW = "gated"
LEASE = 60.0
EFFECTS = "GATE_EFFECTS"
BOUNDARIES = (
    "before ask",
    "after ask",
    "after answer",
    "before intent",
    "after intent",
    "before call",
    "after call",
    "before result",
    "after result",
    "before executed",
    "after executed",
)
"""In the order in which they come up."""


class Death:
    """SIGKILL for this process at one boundary."""

    def __init__(self, at: str) -> None:
        self._at = at

    def here(self, boundary: str) -> None:
        if boundary == self._at:
            os.kill(os.getpid(), signal.SIGKILL)

    async def around(self, step: str, call: Callable[[], Awaitable[T]]) -> T:
        self.here(f"before {step}")
        result = await call()
        self.here(f"after {step}")
        return result


class MortalProxy(StoreProxy):
    """The store, before and after whose verbs its process may die."""

    death: Death

    async def ask(self, claim: Claim, question: Question) -> Question:
        asked = await self.death.around("ask", lambda: super(MortalProxy, self).ask(claim, question))
        if not asked.open:  # Somebody was quick: nothing is waited for.
            self.death.here("after answer")
        return asked

    async def settled(self, question: Question, claim: Claim) -> Question | None:
        return await self.death.around("answer", lambda: super(MortalProxy, self).settled(question, claim))

    async def write(self, claim: Claim, changes: Sequence[Change]) -> None:
        tools = [each for each in changes if isinstance(each, tuple) and "/tool/" in each[0]]
        step = "intent" if any(map(announces, tools)) else "result" if tools else "other"
        await self.death.around(step, lambda: super(MortalProxy, self).write(claim, changes))

    async def record_executed(self, claim: Claim, question_id: str, call: str, result: str) -> None:
        await self.death.around(
            "executed", lambda: super(MortalProxy, self).record_executed(claim, question_id, call, result)
        )


def blueprint(death: Death) -> PythonCrew:
    """One flow whose method makes one call that needs an approval."""

    @requires_approval(title="Pay {amount}")
    class Pay(BaseTool):
        name: str = "pay"
        description: str = "Pays."

        def _run(self, amount: int) -> str:
            death.here("before call")
            with Path(os.environ[EFFECTS]).open("a") as file:
                file.write(f"{amount}\n")
            death.here("after call")
            return f"paid {amount}"

    class Paying(Flow[Any]):
        @start()
        def pay(self) -> str:
            return str(Pay().run(amount=5))

    return PythonCrew(CREW, crew(title="Gated")(lambda _inputs: Paying()))


async def work(url: str, worker: str, boundary: str, folder: Path) -> None:
    """Claim a run and execute it. Dies at the boundary; at none if that is empty."""
    environment.prepare(Settings(data_dir=folder))
    death = Death(boundary)
    async with open_store(url) as store:
        wakeups = Wakeups()
        following = asyncio.create_task(wakeups.follow(store.events))
        slots = Slots(store.queue, worker, LEASE, most=5)
        proxy = MortalProxy(asyncio.get_running_loop(), store, wakeups, slots)
        proxy.death = death
        runtime = Runtime({CREW: blueprint(death)}, proxy)
        claims: list[Claim] = []
        while not claims:
            claims = await store.queue.claim(worker, [CREW], 1, LEASE)
            await asyncio.sleep(0.02)
        await runtime.execute(claims[0], Lease())
        following.cancel()
        await asyncio.wait({following})


def main(arguments: Sequence[str]) -> int:
    url, worker, boundary, folder = arguments
    asyncio.run(work(url, worker, boundary, Path(folder)))
    return 0
