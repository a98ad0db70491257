"""How soon a run goes on whose worker was killed, where nobody says that it was."""

import asyncio
import time

import pytest

from tests.contract.crews.deployment import Deployment
from tests.faults.checks import ended_once
from tests.faults.process_deployment import LEASE, ProcessDeployment
from tests.loopback.models import LoopbackModel, call, say

pytestmark = [pytest.mark.faults, pytest.mark.slow]


SOON = LEASE + 1
ATTEMPTS = 3
"""Where much else is going on, one of them will do: it shows what the code can."""


async def test_a_run_is_taken_up_within_its_lease_and_a_second(
    any_processes: ProcessDeployment, model: LoopbackModel, mark: str
) -> None:
    """Nothing else happens meanwhile that could wake anybody."""
    await any_processes.worker().ready()
    async with Deployment.at(any_processes.redis_url, any_processes.story) as people:
        taken: list[float] = []
        while not taken or (min(taken) >= SOON and len(taken) < ATTEMPTS):
            await any_processes.worker().ready()
            name = f"{mark}-{len(taken)}"
            model.script(name, [call("lasting", mark=name, what="work", seconds=60), say("{last}")])
            taken.append(await taken_up(any_processes, people, name))
            assert any_processes.effects(name) == ["work", "work"]
            assert model.count(name) == 2
    assert min(taken) < SOON, any_processes.story()


async def taken_up(processes: ProcessDeployment, people: Deployment, name: str) -> float:
    """After how many seconds another worker has the run of one that is killed. It ends well there."""
    run = await people.start("stuck", prompt=f"[[{name}]]")
    await processes.did(name, 1)
    holder = await processes.held(run)
    await asyncio.sleep(LEASE / 3)  # It has renewed its lease meanwhile.
    holder.kill()
    killed = time.monotonic()
    await people.until(run, lambda now: now.epoch >= 3)
    taken = time.monotonic() - killed
    assert await people.result(run) == "did work"
    await ended_once(people, run)
    return taken
