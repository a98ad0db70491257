"""A worker process and a model provider, shared by the tests of a session: importing crewai takes seconds.

And for tests that are a worker themselves: that worker, and what its tools have sent.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bot.settings import Settings
from crews.crewai_adapter import environment
from tests.contract.crews.deployment import Deployment, WorkerProcess
from tests.fork_server.client import ForkServer
from tests.loopback.models import LoopbackModel
from tests.waiting import WITHIN

if TYPE_CHECKING:
    from tests.contract.crews.local_worker import LocalWorker

TOKEN = "the-token-of-the-vault"
"""A secret of one of the crews' tools."""
LEASE_S = 60
"""Renewed every third of it: far from the moment in which a cancelled run is heard of."""
DEFINITIONS = Path(__file__).parent / "definitions"


@pytest.fixture(scope="session")
def model() -> Iterator[LoopbackModel]:
    """A provider that speaks OpenAI's protocol; its answers are scripted under markers such as [[tides]]."""
    loop = asyncio.new_event_loop()
    provider = LoopbackModel()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(provider.__aenter__(), loop).result(WITHIN)
    yield provider
    asyncio.run_coroutine_threadsafe(provider.__aexit__(), loop).result(WITHIN)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(WITHIN)
    loop.close()


@pytest.fixture(autouse=True)
def requests_of_one_test(request: pytest.FixtureRequest) -> None:
    """Tests that share a model may use one marker; each counts the requests of its own runs only."""
    shared = request.getfixturevalue("model") if "model" in request.fixturenames else None
    if isinstance(shared, LoopbackModel):
        shared.requests.clear()


@pytest.fixture(scope="session")
def worker(model: LoopbackModel, fork_server: ForkServer) -> Iterator[WorkerProcess]:
    """A worker with a store of its own, ready for runs."""
    with WorkerProcess.started(
        model.base_url,
        DEFINITIONS,
        fork_server=fork_server,
        CREWDECK_LEASE=str(LEASE_S),
        CREWDECK_LOG_LEVEL="DEBUG",
        VAULT_TOKEN=TOKEN,
    ) as process:
        process.wait_for_log("ready")
        yield process


@pytest.fixture
async def deployment(worker: WorkerProcess) -> AsyncIterator[Deployment]:
    """The shared worker as people see it."""
    async with Deployment.at(worker.redis_url, lambda: worker.log) as deployment:
        yield deployment


@pytest.fixture(scope="module")
def crewai_environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a worker sets before it imports crewai: no telemetry, and a data folder."""
    environment.prepare(Settings(data_dir=tmp_path_factory.mktemp("crewai")))


@pytest.fixture
def sent() -> list[dict[str, Any]]:
    """What the tools that are guarded have sent."""
    from tests.contract.crews import gated

    gated.SENT.clear()
    return gated.SENT


@pytest.fixture
async def local(redis_url: str) -> AsyncIterator[LocalWorker]:
    """This process as a worker, and the people who answer."""
    from tests.contract.crews.local_worker import LocalWorker

    async with LocalWorker.at(redis_url) as local:
        yield local
