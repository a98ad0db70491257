"""A worker process and a model provider, shared by the tests of a session: importing crewai takes seconds."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.contract.crews.deployment import Deployment, WorkerProcess
from tests.loopback.models import LoopbackModel

TOKEN = "the-token-of-the-vault"
"""A secret of one of the crews' tools."""
DEFINITIONS = Path(__file__).parent / "definitions"


@pytest.fixture(scope="session")
def model() -> Iterator[LoopbackModel]:
    """A provider that speaks OpenAI's protocol; its answers are scripted under markers such as [[tides]]."""
    loop = asyncio.new_event_loop()
    provider = LoopbackModel()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    asyncio.run_coroutine_threadsafe(provider.__aenter__(), loop).result(10)
    yield provider
    asyncio.run_coroutine_threadsafe(provider.__aexit__(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


@pytest.fixture(scope="session")
def worker(model: LoopbackModel) -> Iterator[WorkerProcess]:
    """A worker with a store of its own, ready for runs."""
    with WorkerProcess.started(
        model.base_url, DEFINITIONS, CREWDECK_LOG_LEVEL="DEBUG", VAULT_TOKEN=TOKEN
    ) as process:
        process.wait_for_log("ready")
        yield process


@pytest.fixture
async def deployment(worker: WorkerProcess) -> AsyncIterator[Deployment]:
    """The shared worker as people see it."""
    async with Deployment.at(worker.redis_url, lambda: worker.log) as deployment:
        yield deployment
