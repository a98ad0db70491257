"""How much slower lists, commands and streams become with thousands of live runs, or hundreds of crews.

The baseline of each line is the same figure of a second server that has few of them, taken in turns.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp

from bench.acknowledge import slack_settings
from bench.asked import Asked
from bench.effort import Effort
from bench.peer import Peer
from bench.table import AtMostTimes, Figure, Quantiles
from bot.store.redis import open_store
from tests.scenario.server import Server

WARM_UP = 5
PAUSE_S = 0.02
"""Between two requests: nothing queues behind another one."""
FEW_CREWS, MANY_CREWS = 4, 200
RUNS_AIM, CREWS_AIM = (AtMostTimes(1.3),), (AtMostTimes(1.1),)


async def measure(effort: Effort) -> list[Figure]:
    return [*await _with_crews(effort), *await _with_runs(effort)]


async def _with_crews(effort: Effort) -> list[Figure]:
    """Servers of their own: a crew that was announced once stays known for a week."""
    async with _pair(effort) as (growing, small):
        await growing.announce(MANY_CREWS)
        found = await _in_turns(growing, small, effort.samples)
    return _figures(f"{MANY_CREWS} crews beside {FEW_CREWS}", found, CREWS_AIM)


async def _with_runs(effort: Effort) -> list[Figure]:
    figures: list[Figure] = []
    few = effort.live[0]
    async with _pair(effort) as (growing, small):
        for before, many in zip(effort.live, effort.live[1:], strict=False):
            await growing.park(many - before)
            # Whoever did not read meanwhile was disconnected.
            await growing.follow()
            found = await _in_turns(growing, small, effort.samples)
            figures += _figures(f"{many:,} live runs beside {few:,}", found, RUNS_AIM)
    return figures


@asynccontextmanager
async def _pair(effort: Effort) -> AsyncIterator[tuple[Asked, Asked]]:
    """Two servers that have few of everything, and have answered all before."""
    async with _asked() as growing, _asked() as small:
        for each in (growing, small):
            await each.announce(FEW_CREWS)
            await each.park(effort.live[0])
            await each.hold()
            await each.follow()
        await _in_turns(growing, small, WARM_UP)
        yield growing, small


async def _in_turns(growing: Asked, small: Asked, samples: int) -> dict[str, tuple[Quantiles, Quantiles]]:
    """Every measure of both servers, one sample after the other."""
    both = growing.measures, small.measures
    took: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in both[0]}
    for number in range(samples):
        for name, lists in took.items():
            for side in (0, 1) if number % 2 else (1, 0):
                await asyncio.sleep(PAUSE_S)
                lists[side].append(await both[side][name]())
    return {name: (Quantiles.of([ours]), Quantiles.of([theirs])) for name, (ours, theirs) in took.items()}


def _figures(
    what: str, found: dict[str, tuple[Quantiles, Quantiles]], aims: tuple[AtMostTimes, ...]
) -> list[Figure]:
    return [Figure(f"{name}, {what}", *spreads, aims=aims) for name, spreads in found.items()]


@asynccontextmanager
async def _asked() -> AsyncIterator[Asked]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(Peer.started("slack", "1"))
        where = await slack.heard()
        settings = slack_settings(str(where["token"]), str(where["api_url"])) | {"CREWDECK_WORKERS": "0"}
        server = await stack.enter_async_context(Server.start(settings))
        store = await stack.enter_async_context(open_store(server.store_url))
        session = await stack.enter_async_context(aiohttp.ClientSession(headers=server.bearer))
        yield Asked(server, store, session, str(where["api_url"]).removesuffix("/api/"))
