"""Crewdeck as it is run for real: `crewdeck serve` with one worker and the embedded Valkey."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bot.core import runs
from bot.core.events import Event
from bot.core.feed import Feed
from bot.core.model import Actor, Run, RunStatus
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
"""


@dataclass(frozen=True)
class Deck:
    """A server, and its store as a web process sees it."""

    server: Server
    folder: Path
    store: RedisStore
    feed: Feed

    @property
    def worker(self) -> psutil.Process:
        [worker] = self.server.workers
        return worker

    async def start(self, crew: str, **inputs: str | int) -> Run:
        """Start a run; it is queued when this returns."""
        known = (await self.store.crews())[crew]
        run, _ = await self.store.start(runs.plan(known, inputs, ADA, key=uuid.uuid4().hex))
        return run

    async def follow(self, run: Run) -> AsyncIterator[Event]:
        """What happens in a run, until it is over."""
        async for event in self.feed.events(self.store, run.id):
            yield event

    async def completed(self, run: Run) -> Run:
        """The run, once it is over; it must have worked."""
        async for _ in self.follow(run):
            pass
        done = await self.store.run(run.id)
        assert done.status is RunStatus.COMPLETED, done.error
        return done


@asynccontextmanager
async def deck(env: Mapping[str, str] | None = None) -> AsyncIterator[Deck]:
    """A server whose worker has loaded all crews."""
    with tempfile.TemporaryDirectory(prefix="crewdeck-bench-") as home:
        folder = Path(home)
        install_crews(folder)
        # Nobody needs the runs that are left at the end, so nobody waits for them.
        settings = {
            "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{folder}",
            "CREWDECK_DRAIN": "0",
            **(env or {}),
        }
        async with (
            Server.start(settings, folder) as server,
            open_store(server.store_url) as store,
            _followed(store) as feed,
        ):
            await until(lambda: _loaded(store), LOADED_WITHIN)
            yield Deck(server, folder, store, feed)


def install_crews(folder: Path) -> None:
    """An installed package that registers our crews, as far as Python can tell."""
    package = folder / "crewdeck_bench_crews-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text(METADATA)
    (package / "entry_points.txt").write_text(ENTRY_POINTS)


@asynccontextmanager
async def _followed(store: RedisStore) -> AsyncIterator[Feed]:
    feed = Feed()
    following = asyncio.create_task(feed.follow(store))
    try:
        yield feed
    finally:
        following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await following


async def _loaded(store: RedisStore) -> bool:
    """Crews in Python are announced once crewai is there."""
    return "bench_brief" in await store.crews()


async def until(there: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Look until something is the case."""
    async with asyncio.timeout(seconds):
        while True:
            if await there():
                return
            await asyncio.sleep(LOOK_EVERY)
