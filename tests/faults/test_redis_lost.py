"""Redis is killed while runs are at work: it is back on the same data, or its replica takes its place."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import ParamSpec, TypeVar

import pytest

from bot.core.errors import StoreUnavailable
from bot.core.runs.run import Run
from bot.store.embedded import Embedded
from tests.contract.crews.deployment import Deployment
from tests.contract.http.served import http_client
from tests.contract.servers import cluster, pair
from tests.faults.checks import ended_once
from tests.faults.killed_valkey import gone
from tests.faults.process_deployment import LEASE, ProcessDeployment, Web
from tests.fork_server.client import ForkServer
from tests.loopback.models import LoopbackModel, call, say
from tests.waiting import WITHIN

pytestmark = [pytest.mark.faults, pytest.mark.slow]

RUNS = 8
PATIENT = {"CREWDECK_LEASE": "10"}
P = ParamSpec("P")
T = TypeVar("T")
Redundant = Callable[[], AbstractContextManager[tuple[str, Callable[[], None]]]]
"""Starts servers; gives their address, and what kills a primary that a replica takes over from."""


async def staffed(processes: ProcessDeployment, model: LoopbackModel, mark: str) -> Web:
    """A web process and two workers, and what the models of the runs will say."""
    for number in range(RUNS):
        name = f"{mark}-{number}"
        turns = [call("effect", mark=name, what="one"), call("ask_human", question="Go on?")]
        model.script(name, [*turns, call("effect", mark=name, what="two"), say("{last}")])
    web, workers = processes.web(), [processes.worker(**PATIENT), processes.worker(**PATIENT)]
    await web.up()
    for worker in workers:
        await worker.ready()
    return web


async def answer(web: Web, people: Deployment, run: Run) -> None:
    """Answer what the run asks over HTTP, again and again until that is confirmed. Then it is there."""
    question = await patiently(people.question, run)
    async with http_client(web.url, WITHIN) as client:
        for _ in itertools.count():
            said = await client.post(f"/{run.id}/input", json={"response": "yes", "question_id": question.id})
            if said.status_code == 200:
                break
            assert said.status_code == 503, said.text
            await asyncio.sleep(0.2)
    settled = await patiently(people.store.questions.get, run.id, question.id)
    assert settled.outcome is not None


async def patiently(look: Callable[P, Awaitable[T]], *where: P.args, **how: P.kwargs) -> T:
    """What is there, as soon as Redis says so."""
    while True:
        try:
            return await look(*where, **how)
        except StoreUnavailable:
            await asyncio.sleep(0.1)


async def test_redis_that_is_killed_under_load_costs_nothing_but_time(
    mortal: Embedded, mortal_processes: ProcessDeployment, model: LoopbackModel, mark: str
) -> None:
    processes, web = mortal_processes, await staffed(mortal_processes, model, mark)
    async with Deployment.at(processes.redis_url, processes.story) as people:
        runs = [await people.start("stuck", prompt=f"[[{mark}-{number}]]") for number in range(RUNS)]
        answering = [asyncio.create_task(answer(web, people, run)) for run in runs]
        for _ in range(2):
            await asyncio.sleep(0.3)
            async with gone(mortal):
                await asyncio.sleep(0.5)
        await asyncio.gather(*answering)
        for number, run in enumerate(runs):
            assert await patiently(people.result, run) == "did two"
            await patiently(ended_once, people, run)
            assert processes.effects(f"{mark}-{number}") == ["one", "two"]
            assert model.count(f"{mark}-{number}") == 4


@contextmanager
def watched_by_a_sentinel() -> Iterator[tuple[str, Callable[[], None]]]:
    with pair() as servers:

        def kill() -> None:
            servers.lose_patience()
            servers.primary.kill()

        yield servers.url, kill


@contextmanager
def in_a_cluster() -> Iterator[tuple[str, Callable[[], None]]]:
    with cluster() as nodes:

        def kill() -> None:
            nodes.lose_patience()
            nodes.primaries[0].kill()

        yield nodes.url, kill


@pytest.mark.parametrize("redundant", [watched_by_a_sentinel, in_a_cluster])
async def test_when_a_replica_takes_over_no_confirmed_answer_is_lost(
    redundant: Redundant, fork_server: ForkServer, model: LoopbackModel, mark: str
) -> None:
    """What else was written in the last moment may be lost: those steps are taken again."""
    with (
        redundant() as (url, kill_primary),
        ProcessDeployment.built(fork_server, url, model.base_url) as processes,
    ):
        web = await staffed(processes, model, mark)
        async with Deployment.at(url, processes.story) as people:
            runs = [await people.start("stuck", prompt=f"[[{mark}-{number}]]") for number in range(RUNS)]
            answering = [asyncio.create_task(answer(web, people, run)) for run in runs]
            await processes.did(f"{mark}-0", 2)  # Answers are coming in.
            kill_primary()
            await asyncio.gather(*answering)
            for number, run in enumerate(runs):
                assert await patiently(people.result, run) == "did two"
                await patiently(ended_once, people, run)
                assert set(processes.effects(f"{mark}-{number}")) == {"one", "two"}


async def test_redis_being_away_for_longer_than_the_lease_takes_no_run_from_a_worker_that_lives(
    mortal: Embedded, mortal_processes: ProcessDeployment, model: LoopbackModel, mark: str
) -> None:
    """Nobody could renew a lease meanwhile: that says nothing of who died."""
    model.script(mark, [call("lasting", mark=mark, what="work", seconds=1.0), say("{last}")])
    processes = mortal_processes
    worker, other = processes.worker(), processes.worker()
    await worker.ready()
    await other.ready()
    async with Deployment.at(processes.redis_url, processes.story) as people:
        run = await people.start("stuck", prompt=f"[[{mark}]]")
        await processes.did(mark, 1)
        async with gone(mortal):
            await asyncio.sleep(1.5 * LEASE)
        assert await patiently(people.result, run) == "did work"
        assert (await people.store.runs.get(run.id)).epoch == 1
        await ended_once(people, run)
    assert processes.effects(mark) == ["work"]
