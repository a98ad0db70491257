"""Crewdeck as it is run for real: `crewdeck serve` with one worker and the embedded Valkey."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bot.core import starting
from bot.core.events.event import Event
from bot.core.people.actor import Actor
from bot.core.runs.run import Run, RunStatus
from bot.core.wakeups import Wakeups
from bot.store.redis import RedisStore, open_store
from tests.scenario.server import REPOSITORY, Server

ADA = Actor(surface="http", user_id="ada", name="Ada")
LOADED_WITHIN = 60.0
LOOK_EVERY = 0.05

METADATA = "Metadata-Version: 2.1\nName: crewdeck-bench-crews\nVersion: 1\n"
ENTRY_POINTS = """\
[crewdeck.crews]
bench_brief = bench.crews:brief
bench_asks = bench.crews:asks
bench_busy = bench.crews:busy
bench_blocked = bench.crews:blocked
bench_counsel = bench.crews:counsel
"""


@dataclass(frozen=True)
class Deployment:
    """A server, and its store as a web process sees it."""

    server: Server
    folder: Path
    store: RedisStore
    wakeups: Wakeups
    #: Workers that nobody supervises: `crewdeck worker`, each as if on a machine of its own.
    workers: tuple[Server, ...] = ()

    @property
    def worker(self) -> psutil.Process:
        [worker] = self.server.workers
        return worker

    async def start(self, crew: str, **inputs: str | float) -> Run:
        """Start a run; it is queued when this returns."""
        known = (await self.store.catalogue.crews())[crew]
        run, _ = await self.store.runs.start(starting.plan(known, inputs, ADA, key=uuid.uuid4().hex))
        return run

    async def follow(self, run: Run) -> AsyncIterator[Event]:
        """What happens in a run, until it is over."""
        async for event in self.wakeups.events(self.store.events, run.id):
            yield event

    async def completed(self, run: Run) -> Run:
        """The run, once it is over; it must have worked."""
        async for _ in self.follow(run):
            pass
        done = await self.store.runs.get(run.id)
        assert done.status is RunStatus.COMPLETED, done.error
        return done


@asynccontextmanager
async def deployed(
    env: Mapping[str, str] | None = None, workers: int = 0, kind: type[Server] = Server
) -> AsyncIterator[Deployment]:
    """A server whose worker has loaded all crews; or one without, beside so many workers that have."""
    with tempfile.TemporaryDirectory(prefix="crewdeck-bench-") as home:
        folder = Path(home)
        install_crews(folder)
        # Nobody needs the runs that are left at the end, so nobody waits for them.
        settings = {
            "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{folder}",
            "CREWDECK_DRAIN": "0",
            **({"CREWDECK_WORKERS": "0"} if workers else {}),
            **(env or {}),
        }
        async with (
            kind.start(settings, folder) as server,
            open_store(server.store_url) as store,
            _followed(store) as wakeups,
        ):
            with _beside(server, settings, workers) as others:
                await until(lambda: _loaded(store, others), LOADED_WITHIN)
                yield Deployment(server, folder, store, wakeups, others)


def install_crews(folder: Path) -> None:
    """An installed package that registers our crews, as far as Python can tell."""
    package = folder / "crewdeck_bench_crews-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text(METADATA)
    (package / "entry_points.txt").write_text(ENTRY_POINTS)


@asynccontextmanager
async def _followed(store: RedisStore) -> AsyncIterator[Wakeups]:
    wakeups = Wakeups()
    following = asyncio.create_task(wakeups.follow(store.events))
    try:
        yield wakeups
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following


@contextmanager
def _beside(server: Server, settings: Mapping[str, str], many: int) -> Iterator[tuple[Server, ...]]:
    """Workers of the server's store."""
    folders = [server.folder / f"worker-{number}" for number in range(many)]
    env = {**settings, "CREWDECK_REDIS_URL": server.store_url}
    with contextlib.ExitStack() as stack:
        workers = []
        for folder in folders:
            folder.mkdir()
            workers.append(Server(folder, env, "worker"))
            stack.callback(workers[-1].sweep)
        yield tuple(workers)


async def _loaded(store: RedisStore, others: tuple[Server, ...]) -> bool:
    """Crews in Python are announced once crewai is there."""
    ready = all(any(said["message"] == "ready" for said in each.log) for each in others)
    return ready and "bench_brief" in await store.catalogue.crews()


async def until(there: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Look until something is the case."""
    async with asyncio.timeout(seconds):
        while True:
            if await there():
                return
            await asyncio.sleep(LOOK_EVERY)
