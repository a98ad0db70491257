"""Dump what this release leaves behind: `python -m tests.faults.releases.record 0.2`, once for each."""

import asyncio
import sys

import redis

from tests.contract.crews.deployment import Deployment
from tests.faults.releases import dump
from tests.faults.releases.runs import KEPT, script, started
from tests.faults.worker_deployment import WorkerDeployment
from tests.fork_server.client import ForkServer
from tests.loopback.models import LoopbackModel


async def record(release: str) -> None:
    async with LoopbackModel() as model:
        script(model)
        with (
            ForkServer.opened() as fork_server,
            WorkerDeployment.started(model.base_url, fork_server, many=1) as worker_deployment,
        ):
            async with Deployment.at(worker_deployment.redis_url, worker_deployment.story) as deployment:
                for run in [await started(deployment, mark) for mark in KEPT]:
                    await worker_deployment.parked(run)
            with redis.Redis.from_url(worker_deployment.redis_url, decode_responses=True) as server:
                dump.write(release, dump.taken(server))


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
