"""Worker processes, as those have them who start them. These wait for a store, and never import crewai."""

import asyncio
import itertools
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from bot.processes.worker_process import WorkerProcess
from bot.store.embedded import Embedded
from bot.store.redis import open_store
from tests.contract.crews.deployment import environment
from tests.scenario.server import alive
from tests.waiting import WITHIN


class Nowhere(NamedTuple):
    """An address without a store, and an event: somebody looked for one there."""

    url: str
    looked: asyncio.Event


@pytest.fixture
async def nowhere() -> AsyncIterator[Nowhere]:
    looked = asyncio.Event()

    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        looked.set()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        yield Nowhere(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}", looked)


@pytest.fixture
def settings(tmp_path: Path, nowhere: Nowhere) -> Mapping[str, str]:
    return environment(tmp_path) | {"CREWDECK_REDIS_URL": nowhere.url, "CREWDECK_WORKER_ID": "w1"}


@pytest.fixture
async def worker(settings: Mapping[str, str], nowhere: Nowhere) -> AsyncIterator[WorkerProcess]:
    """One that is up, as far as it gets."""
    started = await WorkerProcess.start("w1", settings)
    try:
        async with asyncio.timeout(WITHIN):
            await nowhere.looked.wait()
        yield started
    finally:
        started.kill()
        await started.wait()


@pytest.fixture
def started_by_a_tool(worker: WorkerProcess) -> Iterator[subprocess.Popen[bytes]]:
    """A process in the worker's group."""
    with subprocess.Popen(["sleep", "60"], process_group=worker.pid) as process:
        yield process
        process.kill()


async def test_it_is_asked_to_stop_and_its_tools_are_not(
    worker: WorkerProcess, started_by_a_tool: subprocess.Popen[bytes]
) -> None:
    worker.ask_to_stop()
    assert await worker.ended(within=WITHIN) == 0
    assert started_by_a_tool.poll() is None
    worker.ask_to_stop()
    worker.kill()
    with pytest.raises(subprocess.TimeoutExpired):  # What has ended gets no signals.
        started_by_a_tool.wait(0.2)


async def test_one_whose_terminal_is_closed_stops_too(settings: Mapping[str, str], nowhere: Nowhere) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # pytest may have been told to ignore that
    try:
        worker = await WorkerProcess.start("w1", settings)
    finally:
        signal.signal(signal.SIGHUP, before)
    async with asyncio.timeout(WITHIN):
        await nowhere.looked.wait()
    os.kill(worker.pid, signal.SIGHUP)
    assert await worker.ended(within=WITHIN) == 0


async def test_it_is_killed_with_all_that_it_started_when_its_time_is_up(
    worker: WorkerProcess, started_by_a_tool: subprocess.Popen[bytes]
) -> None:
    psutil.Process(worker.pid).suspend()  # as if a tool let nothing else run in it
    worker.ask_to_stop()
    assert await worker.ended(within=0.2) == -signal.SIGKILL
    assert await asyncio.to_thread(started_by_a_tool.wait, WITHIN) == -signal.SIGKILL


async def test_a_start_that_is_cancelled_halfway_leaves_no_process(settings: Mapping[str, str]) -> None:
    """Wherever that is: after each step that the event loop makes meanwhile."""
    before = psutil.Process().children()
    for steps in itertools.count():
        starting = asyncio.create_task(WorkerProcess.start("w1", settings))
        for _ in range(steps):
            await asyncio.sleep(0)
        if starting.done():
            starting.result().kill()
            await starting.result().wait()
            break
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert [each for each in psutil.Process().children() if each not in before and alive(each)] == []


async def test_who_wants_to_stop_does_not_wait_for_a_store_that_is_away(
    worker: WorkerProcess, data_dir: Path
) -> None:
    server = Embedded.attach(data_dir)
    async with open_store(server.url) as store:
        server.detach()
        before = time.monotonic()
        await worker.abandon(store.queue, within=0.2)
        assert time.monotonic() - before < WITHIN
