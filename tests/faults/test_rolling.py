"""A deploy: one process after the other is restarted, while people start runs and answer them."""

import asyncio
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx
import pytest

from bot.core.runs.run import Run
from tests.contract.crews.deployment import Deployment
from tests.contract.http.served import http_client
from tests.faults.checks import ended_once
from tests.faults.process_deployment import ProcessDeployment, Web, announced, until
from tests.loopback.models import LoopbackModel, call, say
from tests.waiting import WITHIN

pytestmark = [pytest.mark.faults, pytest.mark.slow]

CUSTOMERS = 3
PAUSE = 0.3
"""Seconds from the end of a customer's run to the next start."""
FIRST = 6
PATIENT = {"CREWDECK_LEASE": "10"}
"""Longer than the delay that is allowed: it must not take a lease that ends."""
DELAY = 6.0
"""Seconds that somebody may wait longer than without restarts."""


@dataclass
class Customers:
    """Start runs and answer them over HTTP, at whichever web process takes it."""

    people: Deployment
    webs: list[Web]
    mark: str
    runs: list[Run] = field(default_factory=list)
    #: How long it took from each start to its question, and from each answer to the end of the run.
    waited: list[float] = field(default_factory=list)
    _coming: bool = True
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def come(self) -> None:
        """Some at a time, until there are no more."""
        async with asyncio.TaskGroup() as group:
            for _ in range(CUSTOMERS):
                group.create_task(self._keep_coming())

    async def _keep_coming(self) -> None:
        while self._coming:
            await self._one()
            await asyncio.sleep(PAUSE)

    async def usual(self) -> float:
        """The longest that somebody has waited, of the first who came."""
        await until(lambda: len(self.waited) >= FIRST, WITHIN, lambda: str(self.waited))
        return max(self.waited)

    def no_more(self) -> None:
        self._coming = False

    async def _one(self) -> None:
        since = time.monotonic()
        body = {"crew": "stuck", "inputs": {"prompt": f"[[{self.mark}]]"}}
        key = {"Idempotency-Key": f"{self.mark}-{next(self._numbers)}"}
        started = await self._post("/crew/start", body, 202, key)
        run = await self.people.store.runs.get(started["run_id"])
        self.runs.append(run)
        question = await self.people.question(run)
        since = self._took(since)
        await self._post(f"/{run.id}/input", {"response": "yes", "question_id": question.id}, 200)
        await self.people.over(run)
        self._took(since)

    def _took(self, since: float) -> float:
        now = time.monotonic()
        self.waited.append(now - since)
        return now

    async def _post(
        self, path: str, body: Mapping[str, object], status: int, headers: dict[str, str] | None = None
    ) -> dict[str, str]:
        """What a client does behind a load balancer: where nobody listens any more, it tries the next one."""
        async with asyncio.timeout(WITHIN):
            for number in itertools.count():
                answer = await _posted(self.webs[number % len(self.webs)], path, body, headers)
                if answer is not None and answer.status_code != 503:
                    assert answer.status_code == status, answer.text
                    found: dict[str, str] = answer.json()
                    return found
        raise AssertionError


async def _posted(
    web: Web, path: str, body: Mapping[str, object], headers: Mapping[str, str] | None
) -> httpx.Response | None:
    try:
        async with http_client(web.url, 10) as client:
            return await client.post(path, json=body, headers=headers)
    except httpx.TransportError:
        await asyncio.sleep(0.02)
        return None


async def test_a_rolling_restart_loses_nothing_and_delays_nobody_for_long(
    processes: ProcessDeployment, people: Deployment, model: LoopbackModel, mark: str
) -> None:
    model.script(
        mark, [call("effect", mark=mark, what="one"), call("ask_human", question="Go on?"), say("{last}")]
    )
    webs, workers = (
        [processes.web(), processes.web()],
        [processes.worker(**PATIENT), processes.worker(**PATIENT)],
    )
    for web in webs:
        await web.up()
    for worker in workers:
        await worker.ready()
    await announced(people.store.catalogue, "stuck")
    customers = Customers(people, webs, mark)
    coming = asyncio.create_task(customers.come())
    usual = await customers.usual()
    for number in range(2):
        await workers[number].stopped()
        workers[number] = processes.worker(**PATIENT)
        await workers[number].ready()
        leaving = webs.pop(0)
        await leaving.stopped()
        web = processes.web()
        await web.up()
        webs.append(web)
    customers.no_more()
    await coming
    assert len(customers.runs) >= 5
    for run in customers.runs:
        assert "answered: yes" in await people.result(run)
        await ended_once(people, run)
    assert model.count(mark) == 3 * len(customers.runs)
    assert processes.effects(mark) == ["one"] * len(customers.runs)
    assert max(customers.waited) < 2 * usual + DELAY, processes.story()
