"""Runs of which two workers died: each gets a process of its own, which ends with the worker behind it."""

from collections.abc import AsyncIterator, Iterator

import psutil
import pytest

from bot.core.runs.run import Run, RunStatus
from bot.store.clock import QUARANTINED, ClockSettings
from bot.store.redis import RedisStore, open_store
from tests.contract.crews.deployment import Deployment
from tests.faults.process_deployment import Machine, ProcessDeployment, until
from tests.loopback.models import LoopbackModel, call, say
from tests.scenario.server import alive
from tests.waiting import WITHIN

pytestmark = [pytest.mark.faults, pytest.mark.slow]

HASTY = {"CREWDECK_DRAIN": "0.5", "CREWDECK_LEASE": "20"}
"""Steps are cut off soon, and nothing here may wait for a lease to end."""
AT_ONCE = 10.0
"""Seconds, much less than until a suspect is tried again whose process never came up."""


@pytest.fixture
async def store(processes: ProcessDeployment) -> AsyncIterator[RedisStore]:
    """For it a suspect is queued again at once."""
    async with open_store(processes.redis_url, ClockSettings(retry_after=0)) as opened:
        yield opened


@pytest.fixture
def slow(model: LoopbackModel) -> Iterator[LoopbackModel]:
    """A model that answers too late, until it is told not to: meanwhile runs record nothing new."""
    model.delay(60)
    yield model
    model.delay(0)


async def asked(processes: ProcessDeployment, model: LoopbackModel, mark: str) -> None:
    """Returns once the model has been asked once more than when this was called the last time."""
    await until(lambda: model.count(mark), WITHIN, processes.story)
    model.requests.clear()


async def died(processes: ProcessDeployment, store: RedisStore, worker: Machine, run: Run) -> int:
    """The worker that has this run dies, which is known at once; how many have died of the run by now."""
    worker_id = processes.field(run, "worker")
    worker.kill()
    assert await store.queue.abandon(worker_id or "", QUARANTINED) == [run.id]
    return int(processes.field(run, "crash_count") or 0)


def own_process(worker: Machine) -> psutil.Process:
    """What the worker has started for a suspect."""
    [process] = psutil.Process(worker.child.pid).children()
    return process


async def test_the_process_for_a_suspect_ends_with_its_worker_and_the_run_goes_on_elsewhere(
    processes: ProcessDeployment, people: Deployment, store: RedisStore, slow: LoopbackModel, mark: str
) -> None:
    """Its worker is asked to stop, the next one is killed: neither counts as a death of the run."""
    model = slow
    model.script(mark, [call("lasting", mark=mark, what="work", seconds=60), say("{last}")])
    worker = processes.worker(**HASTY)
    run = await people.start("stuck", prompt=f"[[{mark}]]")
    await asked(processes, model, mark)
    while await died(processes, store, worker, run) < 2:
        worker = processes.worker(**HASTY)
        await asked(processes, model, mark)
    worker = processes.worker(**HASTY)
    await asked(processes, model, mark)
    first = own_process(worker)
    await worker.stopped()
    assert not alive(first)
    assert (await store.runs.get(run.id)).status is RunStatus.QUEUED
    assert processes.field(run, "crash_count") == "2", "it was given back"

    model.delay(0)
    worker = processes.worker(**HASTY)
    await worker.ready()
    await worker.said("gets a process of its own", within=AT_ONCE)
    await processes.did(mark, 1)
    second = own_process(worker)
    worker.kill()
    await until(lambda: not alive(second), WITHIN, processes.story)
    assert (await store.runs.get(run.id)).status is RunStatus.QUEUED
    processes.worker(**HASTY)
    assert await people.result(run) == "did work"
    assert processes.field(run, "crash_count") is None
