"""Two workers that share a store, and a model provider; all of it shared by the tests of a session."""

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis

from bot.store.embedded import Embedded
from tests.contract.conftest import cluster, redis_cluster, redis_server
from tests.contract.crews.conftest import model, requests_of_one_test
from tests.contract.crews.deployment import Deployment
from tests.faults.process_deployment import ProcessDeployment
from tests.faults.worker_deployment import WorkerDeployment
from tests.fork_server.client import ForkServer
from tests.loopback.models import LoopbackModel

__all__ = ["cluster", "model", "redis_cluster", "redis_server", "requests_of_one_test"]
_MARKS = itertools.count(1)


@pytest.fixture(scope="session")
def worker_deployment(model: LoopbackModel, fork_server: ForkServer) -> Iterator[WorkerDeployment]:
    with WorkerDeployment.started(model.base_url, fork_server) as worker_deployment:
        yield worker_deployment


@pytest.fixture
async def deployment(worker_deployment: WorkerDeployment) -> AsyncIterator[Deployment]:
    async with Deployment.at(worker_deployment.redis_url, worker_deployment.story) as deployment:
        yield deployment


@pytest.fixture
def processes(redis_url: str, fork_server: ForkServer, model: LoopbackModel) -> Iterator[ProcessDeployment]:
    """Processes, as the test makes them, on an empty embedded Valkey."""
    with ProcessDeployment.built(fork_server, redis_url, model.base_url) as built:
        yield built


@pytest.fixture(params=["embedded", "redis_server"])
def any_processes(
    request: pytest.FixtureRequest, fork_server: ForkServer, model: LoopbackModel
) -> Iterator[ProcessDeployment]:
    """The same on the embedded Valkey, then on a real Redis where there is one."""
    url: str = request.getfixturevalue(request.param)
    with redis.Redis.from_url(url) as client:
        client.flushall()
    with ProcessDeployment.built(fork_server, url, model.base_url) as built:
        yield built


@pytest.fixture
async def people(processes: ProcessDeployment) -> AsyncIterator[Deployment]:
    """Who starts runs on the deployment, and answers them."""
    async with Deployment.at(processes.redis_url, processes.story) as deployment:
        yield deployment


@pytest.fixture
def mark() -> str:
    """What the test's own prompts and effects are known by."""
    return f"m{next(_MARKS)}"


@pytest.fixture
def mortal(data_dir: Path) -> Iterator[Embedded]:
    """An embedded Valkey of the test's own, which may be killed."""
    server = Embedded.attach(data_dir)
    yield server
    server.ensure()
    server.detach()


@pytest.fixture
def mortal_processes(
    mortal: Embedded, fork_server: ForkServer, model: LoopbackModel
) -> Iterator[ProcessDeployment]:
    """A deployment on it."""
    with ProcessDeployment.built(fork_server, mortal.url, model.base_url) as built:
        yield built
