"""How soon a run goes on whose worker was killed, where nobody says that it was."""

import asyncio
import time

import pytest

from tests.contract.crews.deployment import Deployment
from tests.faults.checks import ended_once
from tests.faults.process_deployment import LEASE, ProcessDeployment
from tests.loopback.models import LoopbackModel, call, say

pytestmark = [pytest.mark.faults, pytest.mark.slow]


async def test_a_run_is_taken_up_within_its_lease_and_a_second(
    any_processes: ProcessDeployment, model: LoopbackModel, mark: str
) -> None:
    """Nothing else happens meanwhile that could wake anybody."""
    model.script(mark, [call("lasting", mark=mark, what="work", seconds=60), say("{last}")])
    for worker in [any_processes.worker(), any_processes.worker()]:
        await worker.ready()
    async with Deployment.at(any_processes.redis_url, any_processes.story) as people:
        run = await people.start("stuck", prompt=f"[[{mark}]]")
        await any_processes.did(mark, 1)
        holder = await any_processes.held(run)
        await asyncio.sleep(LEASE / 3)  # It has renewed its lease meanwhile.
        holder.kill()
        killed = time.monotonic()
        await people.until(run, lambda now: now.epoch == 3)
        assert time.monotonic() - killed < LEASE + 1, any_processes.story()
        assert await people.result(run) == "did work"
        await ended_once(people, run)
    assert any_processes.effects(mark) == ["work", "work"]
    assert model.count(mark) == 2
